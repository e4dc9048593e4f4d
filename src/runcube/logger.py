"""``RunLogger``: a small writer of the native JSON-lines layout, one file per run."""

from __future__ import annotations

import json
import operator
import re
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from traceback import format_exception_only
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from types import TracebackType
    from typing import Self, SupportsIndex

FILE_NAME = "json_out.jsonl"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class RunLogger:
    """Write one training run in the layout that ``load_runs`` reads without any argument.

    The configuration is the first line; each record after it is one write to a file opened for
    append, so a killed run ends at worst in half a line. As a context manager the logger closes a
    run that went well with its training time. If the run raised, it writes the exception and
    raises it again: a log without a training time is a run that did not finish.

    Parameters
    ----------
    path : str or path-like
        A directory, in which the log is ``json_out.jsonl``, or a file named ``*.jsonl``. Missing
        directories are made. An existing log is appended to: its new configuration line begins a
        new attempt of the run.
    config : mapping
        The run's configuration, nested as it is. Arrays and tuples are written as lists, sets as
        sorted lists, and values of other types than those of JSON as their ``str``. Keys are
        written as ``str``.

    Attributes
    ----------
    path : Path
        The file that is written.

    Raises
    ------
    FileExistsError
        If ``path`` is a file that is not named ``*.jsonl``.
    ValueError
        If two keys of one mapping have the same ``str``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> config = {"optim": {"lr": 0.1}, "seed": 0, "epochs": 1}
    >>> with RunLogger(Path(folder.name) / "run_0", config) as log:
    ...     log.start_epoch(0)
    ...     log.log("train", {"loss": 2.3, "acc1": 10.9})
    ...     log.log("val", {"loss": float("nan"), "acc1": 10.0})
    >>> print(log.path.read_text(), end="")
    {"type": "dict_config", "value": {"optim": {"lr": 0.1}, "seed": 0, "epochs": 1}}
    {"type": "str", "value": ">> Start Epoch: 0"}
    {"title": "agg_train", "data_name": "train", "agg_stats": {"loss": 2.3, "acc1": 10.9}}
    {"title": "agg_val", "data_name": "val", "agg_stats": {"loss": NaN, "acc1": 10.0}}
    {"type": "str", "value": ""}
    {"type": "str", "value": "Training time 0:00:00"}
    >>> folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str], config: Mapping[str, Any]) -> None:
        header = _line({"type": "dict_config", "value": _mapping(config)})
        self.path = _file(Path(path))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic()
        self._at_line_start = _ends_whole(self.path)
        # Unbuffered: a record is in the file when the call returns, whatever happens after it.
        self._file = self.path.open("ab", buffering=0)
        self._write(header)

    def log(
        self, split: str, metrics: Mapping[str, Any], *, epoch: SupportsIndex | None = None
    ) -> None:
        """Write one record of metrics of a split.

        Parameters
        ----------
        split : str
            ``"train"``, ``"val"``, …
        metrics : mapping of str to float
            Numbers, NumPy scalars, or tensors and arrays of one element. NaN and the infinities
            are values; None is a missing one.
        epoch : int, optional
            Counted from 0. By default the record holds no epoch: readers take that of the last
            `start_epoch`, else the number of the split's earlier records.

        Raises
        ------
        TypeError
            If a metric is not one number.
        ValueError
            If the split has no name, or the log is closed.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with RunLogger(Path(folder) / "run_0", {"seed": 0}) as log:
        ...         log.log("val", {"loss": 2.3}, epoch=0)
        ...     print(log.path.read_text().splitlines()[1])
        {"title": "agg_val", "data_name": "val", "agg_stats": {"loss": 2.3}, "epoch": 0}
        """
        if not split:
            raise ValueError(f"{self.path}: expected the name of a split, got {split!r}")
        stats = {key: _number(key, value) for key, value in _items(metrics)}
        record: dict[str, Any] = {"title": f"agg_{split}", "data_name": split, "agg_stats": stats}
        if epoch is not None:
            record["epoch"] = operator.index(epoch)
        self._write(_line(record))

    def message(self, text: str) -> None:
        """Write one record of text.

        Parameters
        ----------
        text : str
            Line breaks in it are kept.

        Raises
        ------
        ValueError
            If the log is closed.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with RunLogger(Path(folder) / "run_0", {"seed": 0}) as log:
        ...         log.message("resumed from checkpoint 3")
        ...     print(log.path.read_text().splitlines()[1])
        {"type": "str", "value": "resumed from checkpoint 3"}
        """
        self._write(_line({"type": "str", "value": str(text)}))

    def start_epoch(self, epoch: SupportsIndex) -> None:
        """Write that the records after this belong to an epoch.

        Parameters
        ----------
        epoch : int
            Counted from 0.

        Raises
        ------
        TypeError
            If ``epoch`` is no whole number.
        ValueError
            If the log is closed.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with RunLogger(Path(folder) / "run_0", {"seed": 0}) as log:
        ...         log.start_epoch(3)
        ...         log.log("val", {"loss": 2.3})
        ...     print(log.path.read_text().splitlines()[1])
        {"type": "str", "value": ">> Start Epoch: 3"}
        """
        self.message(f">> Start Epoch: {operator.index(epoch)}")

    def close(self) -> None:
        """Write the training time of a run that went well, and close the file.

        Leaving the logger's ``with`` block does the same. A second call does nothing.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = RunLogger(Path(folder) / "run_0", {"seed": 0})
        ...     log.close()
        ...     print(log.path.read_text().splitlines()[-1])
        {"type": "str", "value": "Training time 0:00:00"}
        """
        if self._file.closed:
            return
        try:
            self.message("")
            elapsed = int(time.monotonic() - self._started)
            self.message(f"Training time {timedelta(seconds=elapsed)}")
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        elif not self._file.closed:
            # The error may be that the disk is full: then it, and not a second one, goes on.
            with suppress(OSError):
                self.message(">> Failed: " + "".join(format_exception_only(error)).strip())
            self._file.close()

    def _write(self, line: bytes) -> None:
        if self._file.closed:
            raise ValueError(f"{self.path}: the log is closed")
        rest = line if self._at_line_start else b"\n" + line
        self._at_line_start = False
        while rest:  # one write, but for a full disk or a signal
            rest = rest[self._file.write(rest) :]
        self._at_line_start = True


def _file(path: Path) -> Path:
    """Return the file of a log that is to be written to a path."""
    if path.is_dir():
        return path / FILE_NAME
    if path.suffix == ".jsonl":
        return path
    if path.exists():
        raise FileExistsError(f"{path}: expected a directory or a file named *.jsonl, got a file")
    return path / FILE_NAME


def _ends_whole(path: Path) -> bool:
    """Return whether a file ends with a line break, is empty or does not exist."""
    try:
        with path.open("rb") as stream:
            if not stream.seek(0, 2):
                return True
            stream.seek(-1, 2)
            return stream.read() == b"\n"
    except FileNotFoundError:
        return True


def _line(record: dict[str, Any]) -> bytes:
    # ASCII escapes keep any text, lone surrogates too, and line breaks out of the bytes.
    return json.dumps(record).encode("ascii") + b"\n"


def _items(mapping: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    """Return keys as ``str`` with their values; raise ValueError if two keys become the same."""
    items = [(str(key), value) for key, value in mapping.items()]
    if len({key for key, _ in items}) < len(items):
        raise ValueError(f"keys that are the same as text: {', '.join(map(repr, mapping))}")
    return items


def _mapping(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in _items(mapping)}


def _plain(value: Any) -> Any:
    """Return a value of a configuration as one of the types of JSON."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, AbstractSet):
        # The order of a set differs between processes: unsorted, each run had its own value.
        return sorted(
            (_plain(item) for item in value), key=lambda item: (str(type(item)), str(item))
        )
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [_plain(item) for item in value]
    if callable(getattr(value, "tolist", None)) and not isinstance(value, type):
        plain = value.tolist()
        return str(value) if type(plain) is type(value) else _plain(plain)
    # With its address, one function would be a different value in every run.
    return _ADDRESS.sub("", str(value))


def _number(name: str, value: Any) -> float | None:
    """Return a metric as a number, None for a missing one; raise TypeError for anything else."""
    try:
        number = value.item() if callable(getattr(value, "item", None)) else value
        if number is None:
            return None
        if isinstance(number, (int, float)):
            return int(number) if isinstance(number, bool) else number
        if not isinstance(number, (str, bytes)):
            return float(number)
    except (TypeError, ValueError, RuntimeError):  # tensors of several elements raise each of these
        pass
    raise TypeError(
        f"metric {name!r}: expected one number, got {_ADDRESS.sub('', repr(value))[:80]}"
    )
