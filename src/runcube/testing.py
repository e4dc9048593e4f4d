"""Hypothesis strategies for sweeps and their logs, to test runcube and code that uses it.

Needs the package hypothesis, which runcube itself does not require.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# Names that a log may use: plain, nested by a slash, not ASCII, with a space.
NAMES = ("loss", "acc1", "top/k5", "µ ß", "f1 score")
SPLITS = ("train", "val", "eval", "test set")
KEYS = ("optim.lr", "model.weights", "data.aug", "bn", "model.depth")


@dataclass(frozen=True)
class LoggedRun:
    """One run and what it logs.

    Parameters
    ----------
    path : str
        Directory of the log, relative to the root.
    config : dict
        Configuration, nested, with ``seed``.
    values : ndarray of float64, (splits, metrics, epochs)
        Values of the metrics.
    logged : ndarray of bool, (splits, metrics, epochs)
        Which of the values are logged.
    kept : int or None
        Number of lines that were written before the run was killed; None for all.
    tail : int
        Number of bytes of the next line that were written.

    See Also
    --------
    logged_sweeps : the strategy that draws runs, with an example.
    """

    path: str
    config: dict[str, Any]
    values: NDArray[np.float64]
    logged: NDArray[np.bool_]
    kept: int | None = None
    tail: int = 0


@dataclass(frozen=True)
class LoggedSweep:
    """A sweep: its runs and the names of what they log.

    Parameters
    ----------
    splits : tuple of str, (splits,)
        Names of the splits.
    metrics : tuple of str, (metrics,)
        Names of the metrics.
    runs : tuple of LoggedRun, (runs,)
        Runs; two of them may have the same configuration.
    labels : dict of str to list
        Full dotted key of each hyperparameter to the values that it takes.

    Examples
    --------
    >>> import numpy as np
    >>> from runcube.testing import LoggedRun, LoggedSweep
    >>> some = np.ones((1, 1, 2), dtype=bool)
    >>> run = LoggedRun("run_0", {"seed": 0}, np.ones((1, 1, 2)), some, kept=3)
    >>> sweep = LoggedSweep(("val",), ("loss",), (run,))
    >>> len(sweep.log_bytes(run).splitlines())
    3
    """

    splits: tuple[str, ...]
    metrics: tuple[str, ...]
    runs: tuple[LoggedRun, ...]
    labels: dict[str, list[Any]] = field(default_factory=dict)

    def write(self, root: Path) -> None:
        """Write every run as ``<root>/<path>/json_out.jsonl`` in the native layout.

        Parameters
        ----------
        root : Path
            Directory of the logs.

        Raises
        ------
        FileExistsError
            If the directory of a run exists.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from runcube.testing import LoggedRun, LoggedSweep
        >>> some = np.ones((1, 1, 2), dtype=bool)
        >>> run = LoggedRun("run_0", {"seed": 0}, np.ones((1, 1, 2)), some, kept=3)
        >>> sweep = LoggedSweep(("val",), ("loss",), (run,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sweep.write(Path(folder))
        ...     print([path.name for path in Path(folder).glob("run_0/*")])
        ['json_out.jsonl']
        """
        for run in self.runs:
            folder = root / run.path
            folder.mkdir(parents=True)
            (folder / "json_out.jsonl").write_bytes(self.log_bytes(run))

    def log_bytes(self, run: LoggedRun) -> bytes:
        """Return the log of a run, as far as it was written.

        Parameters
        ----------
        run : LoggedRun
            One of ``runs``.

        Returns
        -------
        bytes
            Whole lines, and ``run.tail`` bytes of the next one if the run was killed.

        Examples
        --------
        >>> import numpy as np
        >>> from runcube.testing import LoggedRun, LoggedSweep
        >>> some = np.ones((1, 1, 2), dtype=bool)
        >>> run = LoggedRun("run_0", {"seed": 0}, np.ones((1, 1, 2)), some, kept=3)
        >>> sweep = LoggedSweep(("val",), ("loss",), (run,))
        >>> print(sweep.log_bytes(run).decode().splitlines()[2])
        {"title": "agg_val", "data_name": "val", "agg_stats": {"loss": 1.0}}
        """
        lines = [line for line, _ in self._lines(run)]
        if run.kept is None:
            return ("\n".join(lines) + "\n").encode()
        whole = "".join(line + "\n" for line in lines[: run.kept]).encode()
        rest = lines[run.kept].encode() if run.kept < len(lines) else b""
        return whole + rest[: min(run.tail, max(0, len(rest) - 1))]

    def expected(self, run: LoggedRun) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return what a load of the log of a run must find.

        Parameters
        ----------
        run : LoggedRun
            One of ``runs``.

        Returns
        -------
        values : ndarray of float64, (splits, metrics, epochs)
            NaN where nothing was written.
        logged : ndarray of bool, (splits, metrics, epochs)
            True where a value was written before the run was killed.

        Examples
        --------
        >>> import numpy as np
        >>> from runcube.testing import LoggedRun, LoggedSweep
        >>> some = np.ones((1, 1, 2), dtype=bool)
        >>> run = LoggedRun("run_0", {"seed": 0}, np.ones((1, 1, 2)), some, kept=3)
        >>> sweep = LoggedSweep(("val",), ("loss",), (run,))
        >>> values, logged = sweep.expected(run)
        >>> values.tolist(), logged.tolist()
        ([[[1.0, nan]]], [[[True, False]]])
        """
        values = np.full(run.values.shape, np.nan)
        logged = np.zeros(run.values.shape, dtype=bool)
        for number, (_, cell) in enumerate(self._lines(run)):
            if cell is not None and (run.kept is None or number < run.kept):
                split, epoch = cell
                shown = run.logged[split, :, epoch]
                values[split, shown, epoch] = run.values[split, shown, epoch]
                logged[split, shown, epoch] = True
        return values, logged

    def _lines(self, run: LoggedRun) -> list[tuple[str, tuple[int, int] | None]]:
        """Return the lines of a whole log, those of metrics with their split and epoch."""
        lines: list[tuple[str, tuple[int, int] | None]] = [
            (json.dumps({"type": "dict_config", "value": run.config}), None)
        ]
        for epoch in range(run.values.shape[2]):
            lines.append((json.dumps({"type": "str", "value": f">> Start Epoch: {epoch}"}), None))
            for number, split in enumerate(self.splits):
                stats = {
                    name: float(run.values[number, m, epoch])
                    for m, name in enumerate(self.metrics)
                    if run.logged[number, m, epoch]
                }
                record = {"title": f"agg_{split}", "data_name": split, "agg_stats": stats}
                lines.append((json.dumps(record, ensure_ascii=epoch % 2 == 0), (number, epoch)))
        return lines


def hparam_values() -> st.SearchStrategy[list[Any]]:
    """Return a strategy for the values of one hyperparameter.

    Returns
    -------
    SearchStrategy of list
        Two or three distinct values: integers, finite floats, bools, texts, or a mix of None,
        bools, integers and texts.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from runcube.testing import hparam_values
    >>> @settings(max_examples=10, database=None, derandomize=True)
    ... @given(values=hparam_values())
    ... def check(values):
    ...     assert len(values) in (2, 3)
    >>> check()
    """
    text = st.text(st.characters(codec="utf-8"), max_size=8)
    number = st.floats(allow_nan=False, allow_infinity=False)
    kinds = (
        st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=3, unique=True),
        st.lists(number, min_size=2, max_size=3, unique_by=lambda v: v + 0.0),
        st.just([True, False]),
        st.lists(text, min_size=2, max_size=3, unique=True),
        st.lists(
            st.one_of(st.none(), st.booleans(), st.integers(0, 99), text),
            min_size=2,
            max_size=3,
            unique_by=lambda v: (type(v).__name__, v),
        ),
    )
    return st.one_of(*kinds)


@st.composite
def logged_sweeps(draw: st.DrawFn, max_epochs: int = 4) -> LoggedSweep:
    """Return a strategy for sweeps and their logs.

    There are missing, killed and repeated runs, logged NaN and infinities, gaps, and keys in
    another order.

    Parameters
    ----------
    max_epochs : int
        Largest number of epochs of a run.

    Returns
    -------
    SearchStrategy of LoggedSweep
        ``write`` makes the logs of a sweep, ``expected`` returns what a load must find.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from runcube.testing import logged_sweeps
    >>> @settings(max_examples=10, database=None, derandomize=True, deadline=None)
    ... @given(sweep=logged_sweeps(max_epochs=2))
    ... def check(sweep):
    ...     for run in sweep.runs:
    ...         values, logged = sweep.expected(run)
    ...         assert values.shape == logged.shape == run.values.shape
    >>> check()
    """
    labels = draw(st.dictionaries(st.sampled_from(KEYS), hparam_values(), max_size=3))
    seeds = draw(st.lists(st.integers(0, 2**31), min_size=1, max_size=3, unique=True))
    splits = tuple(draw(st.lists(st.sampled_from(SPLITS), min_size=1, max_size=3, unique=True)))
    metrics = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)))
    combos = [dict(zip(labels, values, strict=True)) for values in product(*labels.values())]
    runs = []
    for number, (combo, seed) in enumerate(product(combos, seeds)):
        if draw(st.integers(0, 9)) == 0:
            continue
        shape = (len(splits), len(metrics), draw(st.integers(0, max_epochs)))
        runs.append(_run(draw, f"run_{number}", combo | {"seed": seed}, shape))
        if draw(st.integers(0, 9)) == 0:
            runs.append(_run(draw, f"again_{number}", combo | {"seed": seed}, shape))
    return LoggedSweep(splits, metrics, tuple(runs), labels)


def _run(
    draw: st.DrawFn, path: str, flat: dict[str, Any], shape: tuple[int, int, int]
) -> LoggedRun:
    """Return one drawn run with values of a shape ``(splits, metrics, epochs)``."""
    size = int(np.prod(shape))
    value = st.floats(width=64)
    values = np.array(draw(st.lists(value, min_size=size, max_size=size)), float).reshape(shape)
    some = draw(st.lists(st.integers(0, 7), min_size=size, max_size=size))
    logged = (np.array(some, int) > 0).reshape(shape)
    keys = draw(st.permutations(sorted(flat)))
    lines = 1 + shape[2] * (1 + shape[0])
    killed = draw(st.integers(0, 4)) == 0
    kept = draw(st.integers(1, lines)) if killed else None
    tail = draw(st.integers(0, 40)) if killed else 0
    return LoggedRun(path, nested({k: flat[k] for k in keys}), values, logged, kept, tail)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with dotted keys as nested mappings.

    Parameters
    ----------
    flat : dict
        Dotted key to value.

    Returns
    -------
    dict
        A dict for each level of the keys.

    Examples
    --------
    >>> nested({"optim.lr": 0.1, "seed": 0})
    {'optim': {'lr': 0.1}, 'seed': 0}
    """
    config: dict[str, Any] = {}
    for key, value in flat.items():
        *parents, last = key.split(".")
        inner = config
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return config


def write_native(folder: Path, config: dict[str, Any], curves: Sequence[dict[str, Any]]) -> None:
    """Write one log in the native layout.

    Parameters
    ----------
    folder : Path
        Directory of the log, made if it is missing; the file is ``json_out.jsonl``.
    config : dict
        Configuration, nested.
    curves : sequence of dict, (epochs,)
        For each epoch a mapping of split to its metrics, name to value.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from runcube.testing import write_native
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_native(Path(folder), {"seed": 0}, [{"val": {"loss": 1.0}}])
    ...     print((Path(folder) / "json_out.jsonl").read_text(), end="")
    {"type": "dict_config", "value": {"seed": 0}}
    {"title": "agg_val", "data_name": "val", "agg_stats": {"loss": 1.0}}
    """
    lines = [json.dumps({"type": "dict_config", "value": config})]
    for epoch in curves:
        for split, stats in epoch.items():
            record = {"title": f"agg_{split}", "data_name": split, "agg_stats": stats}
            lines.append(json.dumps(record))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "json_out.jsonl").write_text("\n".join(lines) + "\n")
