"""Several archives to one: their ledgers are planned and settled together, no log is read."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from runcube.archivewriter import Writer
from runcube.collector import uncollected
from runcube.contest import settle_cells
from runcube.localfiles import archive_path
from runcube.mergedshelf import MergedShelf
from runcube.model import ArchiveError, PlanError
from runcube.ncfile import Storage
from runcube.ncread import opened
from runcube.oldarchive import OldArchive
from runcube.parallel import watched
from runcube.pipeline import (
    Policy,
    Told,
    inner_labels,
    load_attrs,
    parse_found,
    plan_found,
)
from runcube.policyfacts import policy_facts, policy_of
from runcube.replace import locked, replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runcube.completion import OnDuplicate
    from runcube.parallel import Progress
    from runcube.sweep import Sweep


def merge_archives(
    archives: Sequence[str | Path],
    path: str | Path,
    *,
    differing: Literal["dim", "raise"] = "dim",
    on_duplicate: OnDuplicate = "prefer_complete",
    progress: bool | Progress = False,
) -> None:
    """Merge archives of sweeps that ran on different days or clusters into one.

    The merged archive is what :func:`archive_runs` would make of all their logs in one directory:
    what varies is found anew over all runs, so that a hyperparameter that was constant in each
    archive, with different values, becomes a dim. No log is read.

    Parameters
    ----------
    archives : sequence of path-like
        Archives that :func:`archive_runs` or :func:`update_archive` wrote, with the same arguments.
        Where two have logs of the same path, the paths get the name of the archive in front.
    path : path-like
        The archive to write; it may be none of ``archives``.
    differing : {"dim", "raise"}
        What becomes of a hyperparameter that is constant in each archive but not over all:
        ``"raise"`` refuses it by name.
    on_duplicate : {"prefer_complete", "first", "last", "raise"}
        Which run stays where two archives hold the same configuration and seed.
    progress : bool or callable
        Show a bar, or be told ``(bytes done, bytes in all, runs)``.

    Raises
    ------
    FileNotFoundError
        If there is no such archive.
    ArchiveError
        If one is no archive or remembers no logs, or ``path`` cannot be written.
    PlanError
        If the archives were made with different arguments; with ``differing="raise"`` if a constant
        differs; with ``on_duplicate="raise"`` if two runs share a cell.

    Warns
    -----
    SweepWarning
        As :func:`load_runs`.

    Examples
    --------
    >>> import tempfile, pathlib, warnings, runcube as rc
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     rc.archive_runs("examples/logs/sweep", root / "march.nc")
    ...     rc.archive_runs("examples/logs/rerun", root / "april.nc")
    ...     rc.merge_archives([root / "march.nc", root / "april.nc"], root / "all.nc")
    >>> with rc.open_archive(root / "all.nc") as ds:
    ...     int((ds.status != "absent").sum())
    120
    """
    target = archive_path(path)
    parts = [archive_path(part) for part in archives]
    if not parts:
        raise PlanError("merge_archives: no archives were given")
    if target.exists() and any(part.exists() and target.samefile(part) for part in parts):
        raise ArchiveError(f"{target}: is one of the archives to be merged; choose another name")
    with locked(target), ExitStack() as stack:
        stack.enter_context(uncollected())
        olds = [OldArchive(part, stack.enter_context(opened(part))) for part in parts]
        policy = replace_duplicate(_common_policy(olds), on_duplicate)
        told = _merge(olds, target, policy, differing, progress)
    told.warn(stacklevel=2)


def replace_duplicate(policy: Policy, on_duplicate: OnDuplicate) -> Policy:
    """Decide otherwise between two runs in a cell."""
    return replace(policy, contest=replace(policy.contest, on_duplicate=on_duplicate))


def _common_policy(olds: Sequence[OldArchive]) -> Policy:
    """Arguments that the archives share.

    Raises
    ------
    PlanError
        If they differ; the message names the argument.
    """
    first = _flat_policy(olds[0])
    for old in olds[1:]:
        other = _flat_policy(old)
        for name in first:
            if first[name] != other[name]:
                raise PlanError(
                    f"{olds[0].path} was made with {name}={first[name]!r}, {old.path} with "
                    f"{name}={other[name]!r}: archive the logs again with the same arguments"
                )
    # Nothing is read: which reader it was is of no account.
    return policy_of(olds[0].facts["policy"], "auto")


def _flat_policy(old: OldArchive) -> dict[str, Any]:
    facts = old.facts["policy"]
    flat = {**facts["plan"], **facts["contest"]}
    flat |= {name: facts[name] for name in ("path_keys", "splits", "metrics")}
    flat |= old.facts["storage"]
    return {name: value for name, value in flat.items() if name != "on_duplicate"}


def _merge(
    olds: Sequence[OldArchive],
    target: Path,
    policy: Policy,
    differing: str,
    progress: bool | Progress,
) -> Told:
    shelf = MergedShelf(olds)
    found = shelf.found(policy)
    parsed = parse_found(found, plan_found(found, policy), policy, shelf=shelf)
    if differing == "raise":
        _refuse_differing(olds, parsed.sweep)
    contest = settle_cells(parsed.logs, parsed.runs, parsed.sweep, policy.contest)
    shelf.name_lost(contest)
    labels = inner_labels(contest, policy)
    skipped = [*parsed.sweep.skipped, *contest.losers]
    attrs = load_attrs(found, parsed.sweep, skipped, policy)
    attrs.pop("git_commit", None)  # of no directory of logs
    attrs["source"] = json.dumps([old.attr("source") for old in olds])
    told = Told.of(str(target), parsed.sweep, contest, skipped)
    writer = Writer(parsed.sweep, contest, labels, shelf)
    writer.frame.attrs = attrs | writer.frame.attrs
    storage = Storage(**olds[0].facts["storage"])
    facts = {
        "policy": policy_facts(policy),
        "merged": [str(old.path) for old in olds],
        "logs": "",
        "storage": asdict(storage),
        "version": version("runcube"),
        "skipped": [],
        "deleted": [],
        "others": {},
        "told": asdict(told),
    }
    with replacing(target) as beside, watched(progress, "writing the archive") as step:
        writer.write(beside, storage, facts, found.jobs, step)
    return told


def _refuse_differing(olds: Sequence[OldArchive], sweep: Sweep) -> None:
    dims = {axis.key: axis.name for axis in sweep.axes}
    dims |= {coord.key: coord.name for coord in sweep.coords}
    constants = [json.loads(old.attr("constant_hparams")) for old in olds]
    for key in dims:
        if all(key in constant for constant in constants):
            shown = ", ".join(
                f"{constant[key]!r} in {old.path}"
                for constant, old in zip(constants, olds, strict=True)
            )
            raise PlanError(f"differing='raise': {key} is {shown}; differing='dim' makes it a dim")
