"""Several archives to one: their records are planned and selected together, no log is read."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from runcube.archive.existing import ExistingArchive
from runcube.archive.homes import lost_runs, name_lost
from runcube.archive.merge_sources import MergedSources
from runcube.archive.writer import Writer
from runcube.core import ArchiveError, PlanError, gc_paused
from runcube.curves import select_runs
from runcube.files import archive_path, locked, replace_atomically
from runcube.netcdf import Storage, opened
from runcube.pipeline import (
    LoadSummary,
    Policy,
    inner_labels,
    load_attrs,
    parse_logs,
    policy_facts,
    policy_of,
    progress_callback,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runcube.curves import OnDuplicate
    from runcube.pipeline import Progress
    from runcube.plan import Sweep


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
    what varies is found again over all runs, so that a hyperparameter that was constant in each
    archive, with different values, becomes a dim. No log is read.

    Parameters
    ----------
    archives : sequence of path-like
        Archives that :func:`archive_runs` or :func:`update_archive` wrote, with the same arguments.
        Where two have logs of the same path, the paths get the name of the archive in front.
    path : path-like
        The archive to write, none of ``archives``; an older one is replaced.
    differing : {"dim", "raise"}
        What becomes of a hyperparameter that is constant in each archive but not over all:
        ``"raise"`` refuses it by name.
    on_duplicate : {"prefer_complete", "first", "last", "raise"}
        Which run stays where two archives hold the same configuration and seed.
    progress : bool or callable
        True shows a bar; a callable is called with ``(bytes done, bytes in all, runs)``.

    Raises
    ------
    FileNotFoundError
        If there is no such archive.
    ArchiveError
        If one is no archive or has no records of logs, ``path`` cannot be written or is one of
        them, or another process is writing it.
    PlanError
        If the archives were made with different arguments; with ``differing="raise"`` if a constant
        differs; with ``on_duplicate="raise"`` if two runs share a cell.

    Warns
    -----
    SweepWarning
        Once, at the end: the problems by kind, and what no rule could decide.

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
        stack.enter_context(gc_paused())
        existing_archives = [
            ExistingArchive(part, stack.enter_context(opened(part))) for part in parts
        ]
        policy = replace_duplicate(_common_policy(existing_archives), on_duplicate)
        summary = _merge(existing_archives, target, policy, differing, progress)
    summary.warn(stacklevel=2)


def replace_duplicate(policy: Policy, on_duplicate: OnDuplicate) -> Policy:
    """Return the policy with another way to decide between two runs in a cell."""
    return replace(policy, selection=replace(policy.selection, on_duplicate=on_duplicate))


def _common_policy(existing_archives: Sequence[ExistingArchive]) -> Policy:
    """Return the policy that the archives share.

    Raises
    ------
    PlanError
        If they differ; the message names the argument.
    """
    first = _flat_policy(existing_archives[0])
    for existing in existing_archives[1:]:
        other = _flat_policy(existing)
        for name in first:
            if first[name] != other[name]:
                raise PlanError(
                    f"{existing_archives[0].path} was made with {name}={first[name]!r}, "
                    f"{existing.path} with {name}={other[name]!r}: archive the logs again with the "
                    "same arguments"
                )
    # Nothing is read: which reader it was does not matter.
    return policy_of(existing_archives[0].facts["policy"], "auto")


def _flat_policy(existing: ExistingArchive) -> dict[str, Any]:
    # An archive of before lacks arguments that are newer; it has their defaults.
    facts = policy_facts(policy_of(existing.facts["policy"], "auto"))
    flat = facts.pop("plan") | facts.pop("contest") | facts | existing.facts["storage"]
    may_differ = ("on_duplicate", "reader", "errors")
    return {name: value for name, value in flat.items() if name not in may_differ}


def _merge(
    existing_archives: Sequence[ExistingArchive],
    target: Path,
    policy: Policy,
    differing: str,
    progress: bool | Progress,
) -> LoadSummary:
    store = MergedSources(existing_archives)
    discovery = store.discovery(policy)
    parsed = parse_logs(discovery, policy, store=store)
    if differing == "raise":
        _refuse_differing(existing_archives, parsed.sweep)
    selection = select_runs(parsed.logs, parsed.runs, parsed.sweep, policy.selection)
    for kept_run in lost_runs(selection, store.homes):
        name_lost(kept_run)
    labels = inner_labels(selection, policy)
    skipped = [*parsed.sweep.skipped, *selection.superseded]
    attrs = load_attrs(parsed, skipped, policy)
    attrs.pop("git_commit", None)  # of no directory of logs
    attrs["source"] = json.dumps([existing.attr("source") for existing in existing_archives])
    summary = LoadSummary.of(str(target), parsed, selection, skipped)
    writer = Writer(parsed.sweep, selection, labels, store.homes)
    writer.frame.attrs = attrs | writer.frame.attrs
    storage = Storage(**existing_archives[0].facts["storage"])
    facts = {
        "policy": policy_facts(policy),
        "merged": [str(existing.path) for existing in existing_archives],
        "logs": "",
        "storage": asdict(storage),
        "version": version("runcube"),
        "skipped": [],
        "deleted": [],
        "others": {},
        "told": summary.kept(),
    }
    with (
        replace_atomically(target) as beside,
        progress_callback(progress, "writing the archive") as step,
    ):
        writer.write(beside, storage, facts, discovery.jobs, step)
    return summary


def _refuse_differing(existing_archives: Sequence[ExistingArchive], sweep: Sweep) -> None:
    dims = {axis.key: axis.name for axis in sweep.axes}
    dims |= {coord.key: coord.name for coord in sweep.coords}
    constants = [json.loads(existing.attr("constant_hparams")) for existing in existing_archives]
    for key in dims:
        if all(key in constant for constant in constants):
            named = ", ".join(
                f"{constant[key]!r} in {existing.path}"
                for constant, existing in zip(constants, existing_archives, strict=True)
            )
            raise PlanError(f"differing='raise': {key} is {named}; differing='dim' makes it a dim")
