"""One run as MLflow knows it, from whichever storage, as a log."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import RunLog, Status
from runcube.readers.jsonl import log_of_points, runs_of_log
from runcube.readers.mlflow.order import in_order
from runcube.readers.mlflow.params import typed
from runcube.readers.table import Part, Points, column_of, table_of_points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from runcube.core import Limits, Problem, Request, Source

PARENT = "mlflow.parentRunId"
_OWN = "mlflow."
# As the file store numbers them, and as SQLite and later versions call them.
_RUNNING, _SCHEDULED, _FINISHED, _FAILED, _KILLED = range(1, 6)
_STATUS = {
    **dict.fromkeys((_FINISHED, "FINISHED"), Status.COMPLETE),
    **dict.fromkeys((_FAILED, "FAILED"), Status.FAILED),
    **dict.fromkeys((_RUNNING, "RUNNING", _SCHEDULED, "SCHEDULED"), Status.INCOMPLETE),
    **dict.fromkeys((_KILLED, "KILLED"), Status.INCOMPLETE),
}


@dataclass
class MlflowRun:
    """A run with its points in the order in which they were logged.

    Parameters
    ----------
    id : str
    facts : dict of str to Any
        ``name``, ``status``, ``start_time`` and ``end_time`` (in ms), ``user_id``,
        ``experiment_id``, …, as far as they are known.
    experiment : str or None
        Name of the experiment.
    params, tags : dict of str to str
    names : list of str, (metrics,)
    codes, steps : ndarray of int64, (points,)
        Number of the metric in ``names``, and the step of each point.
    times : ndarray of float64, (points,)
        In ms since 1970.
    values : ndarray of float64, (points,)
    problems : list of Problem
    """

    id: str
    facts: Mapping[str, Any]
    experiment: str | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    names: list[str]
    codes: NDArray[np.int64]
    steps: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    problems: list[Problem] = field(default_factory=list)

    def log(self, source: Source, request: Request, limits: Limits) -> RunLog:
        """Return the run as a log; its rows are numbered by their steps, from 1."""
        order, periods = in_order(self.codes, self.steps)
        count = len(order)
        points = Points(
            [*map(column_of, self.names)],
            self.codes[order],
            self.steps[order],
            self.times[order] / 1000,
            self.values[order],
            np.arange(1, count + 1),
            np.zeros(count, np.int64),
            periods,
        )
        table = table_of_points(points, [Part(source.path, b"")], [count])
        log = log_of_points(table, limits)
        (run,) = runs_of_log(log, source, request, self.config(), self.problems, ["parameters"])
        # MLflow's own default; of a run of which nothing is known, its curves tell.
        run.marker = _STATUS.get(self.facts.get("status", _RUNNING)) if self.facts else None
        run.train_time = self._seconds
        run.header = replace(run.header, key=self.id)
        return run

    def config(self) -> dict[str, Any]:
        """Return the configuration: parameters, the experiment's name, tags, and facts."""
        config: dict[str, Any] = {key: typed(text) for key, text in self.params.items()}
        own = {
            key.removeprefix(_OWN): text for key, text in self.tags.items() if key.startswith(_OWN)
        }
        known = {"run_id": self.id, "experiment": self.experiment}
        known |= {key: self.facts.get(key) for key in ("experiment_id", "user_id")}
        known |= {"runName": self.facts.get("run_name") or self.facts.get("name")}
        facts = {key: value for key, value in known.items() if value not in (None, "")} | own
        if self.experiment is not None and "experiment" not in config:
            config["experiment"] = facts.pop("experiment")
        tags = {key: typed(text) for key, text in self.tags.items() if not key.startswith(_OWN)}
        for section, content in (("tags", tags), ("mlflow", facts)):
            if section not in config:
                config |= {section: content} if content else {}
            else:  # a parameter is called like that
                config |= {f"{section}.{key}": value for key, value in content.items()}
        return config

    @property
    def _seconds(self) -> float:
        start, end = self.facts.get("start_time"), self.facts.get("end_time")
        if isinstance(start, int | float) and isinstance(end, int | float) and end >= start:
            return (end - start) / 1000
        return float("nan")
