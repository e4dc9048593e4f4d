"""The newer native layout: ``metrics.jsonl`` and, in a folder above, ``jobs/<id>.json``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runcube.core import DEFAULT_LIMITS, Limits, Problem, Source, Status
from runcube.files import PACKED_ENDINGS
from runcube.readers.config_files import find_sidecars, load_sidecars, shown_keys
from runcube.readers.jsonl import Options, read_log
from runcube.readers.last_words import strongest
from runcube.readers.reading import HeadersByReading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runcube.core import LogFile, Request, RunHeader, RunLog
    from runcube.files import Tree

_LOGS = tuple("metrics.jsonl" + packed for packed in PACKED_ENDINGS)
_STATUS = {
    **dict.fromkeys(("completed", "complete", "finished", "done", "success"), Status.COMPLETE),
    **dict.fromkeys(("failed", "crashed", "error", "errored"), Status.FAILED),
    **dict.fromkeys(
        ("killed", "running", "stopped", "cancelled", "canceled", "preempted", "pending", "queued"),
        Status.INCOMPLETE,
    ),
}
_OPTIONS = Options(run=False, in_log=False)


@dataclass(frozen=True)
class JobsReader(HeadersByReading):
    """Reads runs whose configuration and status are in ``<ancestor>/jobs/<id>.json``.

    The directory of the log is named after the job: ``<id>`` or ``<name>_<id>``.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "native-jobs"
    limits: Limits = DEFAULT_LIMITS

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each ``metrics.jsonl`` that has a job file."""
        for file in list(tree.unclaimed()):
            folder, _, name = file.path.rpartition("/")
            job = _job_file(tree, folder) if name in _LOGS else None
            if job is not None:
                yield Source(tree.root, file.path, (file, job, *find_sidecars(tree, folder)))

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the one run of a log."""
        job, problems = _job(source, self.limits)
        problems += _left_out(job, source.files[1].path)
        log_alone = replace(source, files=source.files[:1])
        _, runs = read_log(log_alone, replace(_OPTIONS, limits=self.limits), request)
        for run in runs:
            run.header = _with_config(run.header, source, job)
            run.problems = [p for p in run.problems if p.kind != "no_config"] + problems
            if not run.header.has_config:
                path = source.files[1].path
                run.problems.append(Problem("no_config", "the job has no configuration", path))
            run.marker = strongest(run.marker, _STATUS.get(_word(job.get("status"))))
        return runs


def _job_file(tree: Tree, folder: str) -> LogFile | None:
    """Return the job file of a run directory: the longest id that a ``jobs`` folder above has."""
    parts = folder.split("/") if folder else [tree.name]
    pieces = parts[-1].split("_")
    ids = ["_".join(pieces[i:]) for i in range(len(pieces))]
    for depth in range(len(parts) - 1, -1, -1):
        known = tree.folder("/".join([*parts[:depth], "jobs"]))
        for job in ids:
            if job and f"{job}.json" in known:
                return known[f"{job}.json"]
    return None


def _job(source: Source, limits: Limits) -> tuple[dict[str, Any], list[Problem]]:
    """Return what the job's file holds; in its ``config``, also what other files say of the run."""
    job, problems = load_sidecars(source, source.files[1:2], limits)
    config = job.get("config")
    own = config if isinstance(config, dict) else {}
    merged, others = load_sidecars(
        source, source.files[2:], limits, own=(source.files[1].path, own)
    )
    if merged and (config is None or isinstance(config, dict)):
        job["config"] = merged
    return job, [*problems, *others]


def _left_out(job: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield a problem that names what of a job's file is neither configuration nor status."""
    config, tags = job.get("config"), job.get("tags")
    used = set()
    if isinstance(config, dict) and config:
        used = {"config"} if config.get("tags", tags) != tags else {"config", "tags"}
    used |= {"status"} if _word(job.get("status")) in _STATUS else set()
    keys = [key for key, value in job.items() if key not in used and value is not None]
    if keys:
        what = f"{path}: {shown_keys(keys)}: neither configuration nor a known status, left out"
        yield Problem("left_out", what, path)


def _word(status: Any) -> str:
    return str(status).lower()


def _with_config(header: RunHeader, source: Source, job: Mapping[str, Any]) -> RunHeader:
    config = job.get("config")
    config = dict(config) if isinstance(config, dict) else {}
    if config and job.get("tags") is not None:
        config.setdefault("tags", job["tags"])
    return replace(header, source=source, config=config, has_config=bool(config))
