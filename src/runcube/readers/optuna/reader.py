"""Optuna: a study is a sweep, a trial is a run."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runcube.core import DEFAULT_LIMITS, Limits, Problem, Source, clean_text
from runcube.files import unpacked_path
from runcube.readers.config_files import find_sidecars, is_sidecar_name, load_named
from runcube.readers.database import database_files, is_database, open_database, tables_in
from runcube.readers.jsonl import log_of_points, runs_of_log
from runcube.readers.optuna.journal import is_journal, read_journal
from runcube.readers.optuna.tables import are_tables_of_optuna, read_tables
from runcube.readers.optuna.trials import WAITING, configuration, points
from runcube.readers.reading import HeadersByReading, content_of
from runcube.readers.table import Part, table_of_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import LogFile, Request, RunLog
    from runcube.files import Tree
    from runcube.readers.optuna.trials import Study, Trial

# Users name their journals and databases; of others nothing is read to look at them.
_NAMED = re.compile(r"optuna|journal|study|\.(log|jsonl?|txt|db|sqlite3?)$", re.IGNORECASE)


@dataclass(frozen=True)
class OptunaReader(HeadersByReading):
    """Reads studies of Optuna, in journal files and SQLite databases.

    ``step`` is the x-axis. The line of a problem is that of the journal, or, of a value of a trial,
    its number.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "optuna"
    limits: Limits = DEFAULT_LIMITS

    # Only the whole file shows what trials there are.
    whole_headers = True

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each file with studies, then what stands beside it."""
        for file in [*tree.unclaimed()]:
            if not _NAMED.search(unpacked_path(file.path).rpartition("/")[2]):
                continue
            head = tree.head(file.path)
            if is_journal(head):
                files: tuple[LogFile, ...] = (file,)
            elif is_database(head) and are_tables_of_optuna(tables_in(tree, file)):
                files = database_files(tree, file)
            else:
                continue
            beside = find_sidecars(tree, file.path.rpartition("/")[0])
            yield Source(tree.root, file.path, (*files, *beside))

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse all trials of a file, study by study; those that wait have not begun."""
        studies, problems = self._studies(source)
        runs = []
        seen: Counter[str] = Counter()
        for study, trial in ((s, t) for s in studies for t in s.trials if t.state != WAITING):
            key = f"{clean_text(study.name)}/{trial.number}"
            seen[key] += 1  # numbers that damage made the same are of two runs all the same
            key = key if seen[key] == 1 else f"{key}@{seen[key]}"
            runs.append(self._run(source, study, trial, key, request))
        for study in studies:
            waiting = sum(trial.state == WAITING for trial in study.trials)
            if waiting:
                what = f"{study.name!r}: {waiting} of its trials wait to begin, left out"
                problems.append(Problem("left_out", what, source.path))
        for run in runs[-1:]:
            run.problems += problems
        return runs

    def _studies(self, source: Source) -> tuple[list[Study], list[Problem]]:
        path = source.path
        damages: list[Problem] = []
        data = content_of(source.root, path, self.limits, damages, binary=True)
        if is_database(data):
            own = [file for file in source.files if not is_sidecar_name(file.path)]
            with open_database(source.root, own, self.limits) as database:
                return read_tables(database, self.limits)
        studies, problems = read_journal(data, path, self.limits)
        return studies, [*damages, *problems]

    def _run(
        self, source: Source, study: Study, trial: Trial, key: str, request: Request
    ) -> RunLog:
        own = (source.path, configuration(study, trial))
        whole, problems, names = load_named(source, self.limits, own=own)
        values = points(study, trial)
        table = table_of_points(values, [Part(source.path, b"")], [len(values.steps)])
        log = log_of_points(table, self.limits)
        names.append("parameters and attributes of the trial")
        (run,) = runs_of_log(log, source, request, whole, problems, names)
        reading = dict(run.header.reading) | {"runs": "one a trial"}
        run.header = replace(run.header, key=key, reading=tuple(reading.items()))
        run.problems = [problem for problem in run.problems if problem.kind != "empty"]
        run.marker = trial.status
        run.train_time = trial.ended - trial.began
        return run
