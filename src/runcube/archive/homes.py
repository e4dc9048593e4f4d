"""Where parsed logs are: in an archive, or in the files beside one that is being written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from runcube.core import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runcube.curves import KeptRun, Selection
    from runcube.pipeline import ArrayTable, Record


class RecordStore(Protocol):
    """What has the records and messages of parsed logs.

    Attributes
    ----------
    records : dict of str to Record
        Record of each source, by its path.
    table : ArrayTable
        The arrays of the records.
    """

    records: dict[str, Record]
    table: ArrayTable

    def has_values(self, path: str, kept_run: KeptRun) -> bool:
        """Return whether all values of a run of a source are here."""
        ...

    def text(self, path: str, number: int) -> bytes:
        """Return the packed messages of a log that holds a cell, by its number in its record."""
        ...

    def text_size(self, path: str, number: int) -> int:
        """Return their size in bytes."""
        ...


@dataclass(frozen=True)
class Home:
    """Where the logs of a source are.

    Parameters
    ----------
    store : RecordStore
    path : str
        What it is called there: a merge gives it another name.
    """

    store: RecordStore
    path: str


def lost_runs(selection: Selection, homes: Mapping[str, Home]) -> list[KeptRun]:
    """Return the runs whose values are needed and were not kept, as they had been superseded."""
    lost = []
    for kept_run in selection.kept_runs:
        home = homes[kept_run.attempt.log.header.source.path]
        if not home.store.has_values(home.path, kept_run):
            lost.append(kept_run)
    return lost


def name_lost(kept_run: KeptRun) -> None:
    """Add the problem of values that an archive never held to a run."""
    message = "values that its archive had left out are needed, and the log is not available"
    path = kept_run.attempt.log.header.source.path
    kept_run.attempt.problems.append(Problem("lost_values", message, path))
