"""MLflow: a source is the folder of a run in a file store, or a database with all of its runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runcube.core import DEFAULT_LIMITS, Limits, Source, UnknownNameError, natural_key, nearest
from runcube.readers.database import database_files, tables_in
from runcube.readers.mlflow.files import experiment_of, read_run, run_folders
from runcube.readers.mlflow.sqlite import TABLES, experiments_in, read_runs
from runcube.readers.reading import HeadersByReading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import Request, RunLog
    from runcube.files import Tree

# Where they are kept beside a database, or elsewhere than in the folder of the run.
_ARTIFACTS = re.compile(r"(?:^|/)[0-9a-f]{32}/artifacts/")


@dataclass(frozen=True)
class MlflowReader(HeadersByReading):
    """Reads runs of MLflow, from its file store (``mlruns``) or SQLite (``mlflow.db``).

    ``step`` is the x-axis. The line of a problem is the number of a row of the run, by steps.

    Parameters
    ----------
    experiment : str, optional
        The name of the experiment whose runs are wanted; by default, runs of all.
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.

    Examples
    --------
    >>> from runcube.readers import MlflowReader
    >>> MlflowReader(experiment="digits").experiment  # rc.load_runs(logs, reader=MlflowReader(…))
    'digits'
    """

    experiment: str | None = None
    name: str = "mlflow"
    limits: Limits = DEFAULT_LIMITS

    # What a run is called, and whether it was deleted, stands where its metrics are.
    whole_headers = True

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each run in files, and for each database.

        Artifacts of runs are set aside: tables in them are no logs of their own.

        Raises
        ------
        UnknownNameError
            If there is no such ``experiment``.
        """
        found = [
            Source(tree.root, file.path, database_files(tree, file))
            for file in tree.unclaimed()
            if tables_in(tree, file).keys() >= TABLES
        ]
        found += sorted(run_folders(tree), key=lambda source: natural_key(source.path))
        yield from found if self.experiment is None else self._of_experiment(found)
        if found:
            beside = [file for file in tree.unclaimed() if _ARTIFACTS.search(file.path)]
            tree.set_aside("artifacts of MLflow runs", beside)

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the runs of a source."""
        if _is_database(source):
            runs = read_runs(source, self.limits, self.experiment)
        else:
            runs = [read_run(source, self.limits)]
        return [run.log(source, request, self.limits) for run in runs]

    def _of_experiment(self, found: Sequence[Source]) -> list[Source]:
        """Return the sources that hold runs of the experiment that is wanted."""
        known = [
            {*experiments_in(source, self.limits).values()}
            if _is_database(source)
            else {experiment_of(source, self.limits)[0]}
            for source in found
        ]
        names = {name for one in known for name in one if name is not None}
        if names and self.experiment not in names:
            near = nearest(str(self.experiment), sorted(names))
            raise UnknownNameError(f"experiment={self.experiment!r}: no experiment of MLflow{near}")
        return [s for s, own in zip(found, known, strict=True) if self.experiment in own]


def _is_database(source: Source) -> bool:
    return source.path == source.files[0].path
