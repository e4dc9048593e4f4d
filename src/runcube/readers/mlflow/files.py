"""The runs of a file store of MLflow: a folder each, a file for each metric, parameter and tag."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem, Source
from runcube.files import folders_above, stat_file
from runcube.readers.config_files import load_sidecars
from runcube.readers.mlflow.runs import PARENT, MlflowRun
from runcube.readers.reading import content_if_any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runcube.core import Limits, LogFile
    from runcube.files import Tree

_META = "meta.yaml"
_RUN = re.compile(rb"^run_(?:id|uuid): ", re.MULTILINE)
_MODEL = re.compile(rb"^model_id: ", re.MULTILINE)
_POINT = re.compile(rb"\d{9,} [-+.\w]+( -?\d+.*)?\r?\n")
_DELETED = re.compile(rb"^lifecycle_stage: deleted\s*$", re.MULTILINE)
_TRASH = ".trash"
_ROOT = "."
# A line of a metric is "time value", "time value step" or "time value step dataset digest".
_METRICS, _PARAMS, _TAGS = "metrics", "params", "tags"
_KINDS = (_META, _METRICS, _PARAMS, _TAGS)


def run_folders(tree: Tree) -> Iterator[Source]:
    """Yield each run among the unclaimed files; the other files of runs are set aside.

    Of a run whose ``meta.yaml`` is damaged or gone the metrics are there all the same.
    """
    folders: dict[str, list[LogFile]] = {
        folder: [] for file in tree.unclaimed() for folder in _folders_shown_by(tree, file)
    }
    artifacts: list[LogFile] = []
    for file in list(tree.unclaimed()) if folders else ():
        folder = next((above for above in folders_above(file.path) if above in folders), None)
        if folder is not None:
            kind = file.path[len(_inside(folder, "")) :].partition("/")[0]
            (folders[folder] if kind in _KINDS else artifacts).append(file)
    parents = {_parent(tree, folder) for folder in folders} - {""}
    deleted: list[LogFile] = []
    holders: list[LogFile] = []
    for folder, files in folders.items():
        has_metrics = any(file.path.startswith(_inside(folder, _METRICS)) for file in files)
        meta = _inside(folder, "") + _META
        files.sort(key=lambda file: file.path != meta)
        if _DELETED.search(_meta(tree, folder)) or _TRASH in folder.split("/"):
            deleted += files
        elif folder.rpartition("/")[2] in parents and not has_metrics:
            holders += files
        else:
            experiment = tree.folder(_above(folder)).get(_META) if folder else None
            files[1:1] = [experiment] if experiment is not None else []
            yield Source(tree.root, folder or _ROOT, tuple(files))
    tree.set_aside("files of MLflow runs that were deleted", deleted)
    tree.set_aside("files of MLflow runs that only hold others, without a metric", holders)
    tree.set_aside("artifacts of MLflow runs", artifacts)


def _folders_shown_by(tree: Tree, file: LogFile) -> Iterator[str]:
    """Yield the folder of the run that a file shows to be one."""
    folder, _, name = file.path.rpartition("/")
    if name == _META and _RUN.search(tree.head(file.path)):
        yield folder
    parts = folder.split("/")
    if _METRICS in parts and _POINT.match(tree.head(file.path)):
        run = "/".join(parts[: parts.index(_METRICS)])
        if not _MODEL.search(_meta(tree, run)):
            yield run


def _meta(tree: Tree, folder: str) -> bytes:
    path = _inside(folder, "") + _META
    return tree.head(path) if path in tree.files else b""


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def _inside(folder: str, name: str) -> str:
    """Return how the paths of what is in a folder of a run begin."""
    return "".join(f"{part}/" for part in (folder, name) if part and part != _ROOT)


def _parent(tree: Tree, folder: str) -> str:
    """Return the id of the run that a run is inside of; ``""`` if there is none."""
    tag = tree.folder(_inside(folder, _TAGS).removesuffix("/")).get(PARENT)
    return "" if tag is None else tree.head(tag.path).decode("utf-8", "replace")


def read_run(source: Source, limits: Limits) -> MlflowRun:
    """Return the run of a folder.

    Raises
    ------
    OSError
        If the folder is no longer there.
    """
    stat_file(source.root, source.files[0].path)
    facts, problems = _described(source, source.path, limits)
    experiment, more = experiment_of(source, limits)
    if not facts and not problems:
        message = f"it has no {_META}: its name, its status and its times are not known"
        problems = [Problem("unreadable", message, source.path)]
    own = _Files(source, limits, [*problems, *more])
    points = own.points()
    run = facts.get("run_id") or facts.get("run_uuid")
    return MlflowRun(
        run if isinstance(run, str) else source.path.rpartition("/")[2],
        facts,
        experiment,
        own.texts(_PARAMS),
        own.texts(_TAGS),
        **points,
        problems=own.problems,
    )


def experiment_of(source: Source, limits: Limits) -> tuple[str | None, list[Problem]]:
    """Return the name of the experiment that a run is of, and what is wrong with its file."""
    facts, problems = _described(source, _above(source.path), limits)
    name = facts.get("name")
    return name if isinstance(name, str) else None, problems


def _described(source: Source, folder: str, limits: Limits) -> tuple[dict[str, Any], list[Problem]]:
    """Return what the description in a folder says, that of the run or of its experiment."""
    path = _inside(folder, "") + _META
    return load_sidecars(source, [f for f in source.files[:2] if f.path == path], limits)


class _Files:
    """The files of a run's folder, read.

    Parameters
    ----------
    source : Source
    limits : Limits
    problems : list of Problem
        What is wrong with them is added.
    """

    def __init__(self, source: Source, limits: Limits, problems: list[Problem]) -> None:
        self.problems = problems
        self._source = source
        self._limits = limits

    def _of(self, kind: str) -> Iterator[tuple[str, str, bytes]]:
        """Yield the key, the path and the content of each file of a kind that can be read."""
        base = _inside(self._source.path, kind)
        for file in self._source.files:
            if not file.path.startswith(base):
                continue
            data = content_if_any(self._source.root, file.path, self._limits, self.problems)
            if data is not None:
                yield file.path[len(base) :], file.path, data

    def texts(self, kind: str) -> dict[str, str]:
        """Return the texts of all files of a kind, by key."""
        return {key: data.decode("utf-8", "backslashreplace") for key, _, data in self._of(kind)}

    def points(self) -> dict[str, Any]:
        """Return the points of all metrics by the fields of `MlflowRun`, in the order of times.

        Those of one metric stay in the order of its file: clocks are set back.
        """
        names: list[str] = []
        codes, clocks = [np.empty(0, np.int64)], [np.empty(0)]
        times, values, steps = array("d"), array("d"), array("q")
        for key, path, data in self._of(_METRICS):
            before = len(times)
            self._read(path, data, times, values, steps)
            codes.append(np.full(len(times) - before, len(names)))
            clocks.append(np.maximum.accumulate(np.array(times[before:])))
            names.append(key)
        order = np.argsort(np.concatenate(clocks), kind="stable")
        return {
            "names": names,
            "codes": np.concatenate(codes)[order],
            "steps": np.array(steps)[order],
            "times": np.array(times)[order],
            "values": np.array(values)[order],
        }

    def _read(
        self, path: str, data: bytes, times: array[float], values: array[float], steps: array[int]
    ) -> None:
        """Append the points of a metric; name lines that are none, and the last if it is cut."""
        *lines, tail = data.split(b"\n")
        bad = []
        for number, line in enumerate(lines, start=1):
            fields = line.split()
            try:
                time, value = int(fields[0]), float(fields[1])
                step = int(fields[2]) if len(fields) > 2 else 0
                if len(fields) == 4:
                    raise ValueError(fields)
                steps.append(step)
            except (IndexError, ValueError, OverflowError):
                bad += [number] if fields else []
                continue
            times.append(time)
            values.append(value)
        if bad:
            message = f"{len(bad)} line{'s' * (len(bad) > 1)} of no point, this is the first"
            self.problems.append(Problem("bad_line", f"{message}: left out", path, bad[0]))
        if tail.strip():
            message = "the last line has no end, and may be cut: left out"
            self.problems.append(Problem("truncated_tail", message, path, len(lines) + 1))
