"""Which of several records of one run is read: the fuller one, else the more exact one.

Loggers often run side by side: event files beside ``metrics.json``, a table beside both, a W&B
directory inside that of another logger. Of each record the beginning is read, up to a bound, by the
reader that claimed it; what it holds decides, for each folder by itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem, Request, listed
from runcube.pipeline.foreign_logs import count_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import RunLog, Source
    from runcube.readers import Reader

    Claim = tuple[Reader, Source]

# So much of each file is read to compare; nearly all logs are shorter, and compared whole.
_BEGINNING = 1 << 18
# A record is fuller that has so many times the values: one that was cut last is not.
_FULLER = 1.25
# Two records of which this part of the values is the same are of one run.
_SAME = 0.5
_FEWEST = 3
_MOST_NAMES = 50
_FIRST, _OTHER = "hold as much", "hold other quantities"


@dataclass
class _Record:
    """What the logs of one reader hold of a run, as far as their beginnings show.

    Parameters
    ----------
    claims : list of (Reader, Source)
    is_known : bool
        Whether it was read; False for a reader that has no bounds, or where reading failed.
    values : float
        Number of values, estimated from the beginning of a long file.
    is_exact : bool
        Whether the values are those that were logged.
    keys : set of str
        Keys of its configuration.
    there : set of str
        Names of all that it has: metrics, axes, columns that never move.
    curves : dict of (str, str) to ndarray of float32
        Split and metric to the distinct fractions among their values.
    numbers : ndarray of float32
        All distinct fractions among the values and axes, sorted.
    """

    claims: list[Claim]
    is_known: bool = False
    values: float = 0.0
    is_exact: bool = True
    keys: set[str] = field(default_factory=set)
    there: set[str] = field(default_factory=set)
    curves: dict[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict)
    numbers: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    @property
    def reader(self) -> str:
        """The name of its reader."""
        return self.claims[0][0].name

    @property
    def paths(self) -> list[str]:
        """The files that hold the record, without those beside it."""
        return [source.files[0].path for _, source in self.claims]

    def is_of_run_of(self, other: _Record) -> bool:
        """Return whether the values show that two records are of one run."""
        fewer, more = sorted((self.numbers, other.numbers), key=len)
        return len(fewer) >= _FEWEST and _share(fewer, more) >= _SAME

    def only_here(self, other: _Record) -> list[str]:
        """Return the names of curves and keys that another record of the run has not."""
        found = [
            metric if split == "all" else f"{split} {metric}"
            for (split, metric), numbers in self.curves.items()
            if (split, metric) not in other.curves
            and metric not in other.there
            and metric.rpartition("/")[2] not in other.there
            and not (len(numbers) >= _FEWEST and _share(numbers, other.numbers) >= _SAME)
        ]
        return found + sorted(self.keys - other.keys - other.there)


def second_records(claims: Sequence[Claim]) -> tuple[set[str], list[Problem]]:
    """Return which sources are second records of runs, and what is said about them.

    Sources that different readers claimed in one folder are of one run; one in a folder below is,
    if most of its values are the same. The fuller record is read; of records that hold as much, the
    one with a configuration, then the one with the exact values, then that of the reader that is
    asked first.

    Parameters
    ----------
    claims : sequence of (Reader, Source)
        In the order in which the readers are asked.

    Returns
    -------
    paths : set of str
        ``Source.path`` of those that are not read.
    problems : list of Problem
        One for each pair of readers and reason, with the number of files and the first of them; and
        one for curves and keys that only such a record has.
    """
    said: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    only: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    left: set[str] = set()
    for records, is_below in _contests(claims):
        best, why = _best(records, is_below)
        for record, reason in zip(records, why, strict=True):
            if reason is None:
                continue
            left.update(source.path for _, source in record.claims)
            said[record.reader, best.reader, reason] += record.paths
            names = record.only_here(best) if record.is_known and best.is_known else []
            if names and reason != _OTHER:
                only[record.reader, tuple(names)].append(record.paths[0])
    return left, [*_not_read(said), *_only_there(only)]


def _contests(claims: Sequence[Claim]) -> Iterator[tuple[list[_Record], bool]]:
    """Yield the records of what may be one run, and whether one is in a folder below."""
    folders: dict[str, dict[str, _Record]] = defaultdict(dict)
    for reader, source in claims:
        own = folders[_folder(source)].setdefault(reader.name, _Record([]))
        own.claims.append((reader, source))
    order = {source.path: number for number, (_, source) in enumerate(claims)}
    below: dict[str, list[_Record]] = defaultdict(list)
    for folder, by_reader in folders.items():
        if len(by_reader) > 1:
            yield [*by_reader.values()], False
        elif (above := _above(folder, folders)) is not None:
            below[above] += by_reader.values()
    for folder, inside in below.items():
        outer = [*folders[folder].values()]
        # More of them are runs of their own.
        is_one = len(outer) == len(inside) == len(outer[0].claims) == len(inside[0].claims) == 1
        if is_one and outer[0].reader != inside[0].reader:
            yield sorted([outer[0], inside[0]], key=lambda r: order[r.claims[0][1].path]), True


def _folder(source: Source) -> str:
    """Return the folder of a record: that of its log, or the source itself where it is one."""
    path = source.path
    if path == "." or any(file.path.startswith(f"{path}/") for file in source.files):
        return "" if path == "." else path
    return path.rpartition("/")[0]


def _above(folder: str, folders: dict[str, Any]) -> str | None:
    """Return the nearest folder above one that holds records."""
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in folders:
            return folder
    return None


def _best(records: list[_Record], is_below: bool) -> tuple[_Record, list[str | None]]:
    """Return the record that is read, and of each why it is not; None if nothing keeps it out."""
    for record in records:
        _look(record)
    best = records[0]
    for record in records[1:]:
        best = record if _reason(record, best) is not None else best
    # Where a folder holds several runs, only values show that two records are of one.
    is_shared = any(len(record.claims) > 1 for record in records)

    def why_not(record: _Record) -> str | None:
        is_same = record is not best and record.is_of_run_of(best)
        if record is best or (is_below and not is_same):
            return None
        if not _are_alike(record, best):
            return _OTHER
        if is_same or not is_shared or _is_unknown(record, best):
            return _reason(best, record) or _FIRST
        return None

    return best, [why_not(record) for record in records]


def _is_unknown(one: _Record, other: _Record) -> bool:
    """Return whether one of two records holds no values, or could not be compared."""
    return not (one.curves and other.curves and one.is_known and other.is_known)


def _are_alike(one: _Record, other: _Record) -> bool:
    """Return whether two records hold the same quantities, or it is not known."""
    is_named_alike = not one.curves.keys().isdisjoint(other.curves)
    return _is_unknown(one, other) or is_named_alike or one.is_of_run_of(other)


def _reason(record: _Record, other: _Record) -> str | None:
    """Return why a record goes before another one; None if it does not."""
    if not (record.is_known and other.is_known and _are_alike(record, other)):
        return None
    if record.values > _FULLER * other.values:
        return "hold more values"
    if other.values > _FULLER * record.values:
        return None
    if bool(record.keys) != bool(other.keys):
        return "have a configuration" if record.keys else None
    return "are more exact" if record.is_exact and not other.is_exact else None


def _look(record: _Record) -> None:
    """Read the beginnings of the files of a record, and keep what they hold."""
    numbers: list[NDArray[np.float32]] = []
    for reader, source in record.claims:
        try:
            logs = _bounded(reader).read(source, Request())
        except Exception:  # whatever is wrong with it is named when it is read
            return
        counts = [_take(record, log, numbers) for log in logs]
        is_cut = any(problem.kind == "limit" for log in logs for problem in log.problems)
        sizes = [file.size for file in source.files if file.size]
        whole = sum(sizes) / sum(min(size, _BEGINNING) for size in sizes) if is_cut else 1.0
        record.values += sum(counts) * whole
    record.numbers = np.unique(np.concatenate([np.empty(0, np.float32), *numbers]))
    record.is_known = True


def _bounded(reader: Any) -> Reader:
    """Return a reader that reads no more than the beginning of each file.

    Raises
    ------
    AttributeError, TypeError
        If it has no bounds that can be changed.
    """
    limits = reader.limits
    limits = replace(limits, file_bytes=min(_BEGINNING, limits.file_bytes))
    bounded: Reader = replace(reader, limits=limits)
    return bounded


def _take(record: _Record, log: RunLog, numbers: list[NDArray[np.float32]]) -> int:
    """Add what a log holds to a record, and return how many values that is."""
    count = 0
    for curves in log.curves:
        record.there.update(curves.x)
        numbers += [_fractions(x) for x in curves.x.values()]
        for metric, values, logged in zip(
            curves.metrics, curves.values, curves.logged, strict=True
        ):
            if logged.any():
                own = _fractions(values[logged])
                record.curves[curves.split, metric] = own
                record.there.add(metric)
                numbers.append(own)
                count += int(logged.sum())
    record.there.update(log.header.constants)
    record.keys.update(map(str, log.header.config))
    record.is_exact &= all(topic != "values" for topic, _ in log.header.reading)
    return count


def _fractions(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return the distinct numbers that are finite and not whole: only these tell runs apart."""
    with np.errstate(over="ignore"):
        own = values[np.isfinite(values) & (values != np.floor(values))].astype(np.float32)
    return np.unique(own)


def _share(some: NDArray[np.float32], among: NDArray[np.float32]) -> float:
    """Return which part of some distinct numbers others hold."""
    return float(np.isin(some, among).mean()) if len(some) else 0.0


def _not_read(said: dict[tuple[str, str, str], list[str]]) -> Iterator[Problem]:
    for (reader, other, reason), paths in said.items():
        what = "other quantities" if reason == _OTHER else "second records"
        why = "" if reason == _OTHER else f"; those of {other!r} {reason}"
        message = (
            f"{what} beside the log of a run are not read: {count_files(paths)}{why}; "
            f"reader={reader!r} reads them"
        )
        yield Problem("not_read", message, paths[0])


def _only_there(only: dict[tuple[str, tuple[str, ...]], list[str]]) -> Iterator[Problem]:
    for (reader, names), paths in only.items():
        shown = listed(map(repr, names), _MOST_NAMES, ", … {} more")
        message = f"{shown}: only in second records that are not read: {count_files(paths)}"
        yield Problem("left_out", f"{message}; reader={reader!r} reads them", paths[0])
