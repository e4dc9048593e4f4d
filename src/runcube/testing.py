"""Hypothesis strategies for sweeps and the logs they leave: to test runcube, or with it.

Needs hypothesis, which users of the library need not have.
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
    """One run and what its log says.

    Parameters
    ----------
    path : str
        Directory below the root.
    config : dict
        Nested, with ``seed``.
    values : (splits, metrics, epochs) float64
    logged : (splits, metrics, epochs) bool
    kept : int or None
        Lines of the log that were written before the run was killed; None for all.
    tail : int
        Bytes of the next line that were written.
    """

    path: str
    config: dict[str, Any]
    values: NDArray[np.float64]
    logged: NDArray[np.bool_]
    kept: int | None = None
    tail: int = 0


@dataclass(frozen=True)
class LoggedSweep:
    """Runs with the names of what they log."""

    splits: tuple[str, ...]
    metrics: tuple[str, ...]
    runs: tuple[LoggedRun, ...]
    labels: dict[str, list[Any]] = field(default_factory=dict)

    def write(self, root: Path) -> None:
        """Write every run as ``<root>/<path>/json_out.jsonl`` in the native layout."""
        for run in self.runs:
            folder = root / run.path
            folder.mkdir(parents=True)
            (folder / "json_out.jsonl").write_bytes(self.log_bytes(run))

    def log_bytes(self, run: LoggedRun) -> bytes:
        """Give the log of a run as bytes."""
        lines = [line for line, _ in self._lines(run)]
        if run.kept is None:
            return ("\n".join(lines) + "\n").encode()
        whole = "".join(line + "\n" for line in lines[: run.kept]).encode()
        rest = lines[run.kept].encode() if run.kept < len(lines) else b""
        return whole + rest[: min(run.tail, max(0, len(rest) - 1))]

    def expected(self, run: LoggedRun) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Values and where they were logged, as far as the log goes."""
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
    """Values of one hyperparameter: two or three of one type, or a mix of types."""
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
    """Sweeps with missing, killed and repeated runs, logged NaN, gaps and shuffled keys.

    Parameters
    ----------
    max_epochs : int
        Most epochs of a run.
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
    """Nest dotted keys.

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
    """Write one log: for each epoch a mapping of split to its metrics."""
    lines = [json.dumps({"type": "dict_config", "value": config})]
    for epoch in curves:
        for split, stats in epoch.items():
            record = {"title": f"agg_{split}", "data_name": split, "agg_stats": stats}
            lines.append(json.dumps(record))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "json_out.jsonl").write_text("\n".join(lines) + "\n")
