"""The end of a load: the runs that stay in the cells, the attrs, and one warning."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import (
    LogError,
    SweepWarning,
    UnknownNameError,
    clean_text,
    counted,
    nearest,
    printable,
)
from runcube.cube import InnerLabels
from runcube.curves import select_runs, tree_selections
from runcube.files import display_root
from runcube.pipeline.policy import policy_attr
from runcube.pipeline.provenance import attrs_of_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcube.core import Problem, RunLog
    from runcube.curves import Selection
    from runcube.pipeline.parse import Parsed
    from runcube.pipeline.policy import Policy
    from runcube.plan import Sweep


def inner_labels(selection: Selection, policy: Policy) -> InnerLabels:
    """Return the splits and metrics of the runs that stay, by first appearance or as asked for."""
    logs = [kept_run.attempt.log for kept_run in selection.kept_runs]
    splits = dict.fromkeys(s for log in logs for s in log.splits)
    metrics = dict.fromkeys(m for log in logs for m in log.metrics)
    held_splits, held_metrics = _held(logs)
    return InnerLabels(
        policy.splits or tuple(s for s in splits if s in held_splits),
        policy.metrics or tuple(m for m in metrics if m in held_metrics),
    )


def _held(logs: Sequence[RunLog]) -> tuple[set[str], set[str]]:
    """Return the splits and the metrics under which anything was logged."""
    splits: set[str] = set()
    metrics: set[str] = set()
    for log in logs:
        for curves in log.curves:
            if metrics.issuperset(curves.metrics) and curves.split in splits:
                continue
            logged = curves.logged.any(axis=1)
            metrics.update(curves.metrics[i] for i in np.flatnonzero(logged))
            if logged.any():
                splits.add(curves.split)
    return splits, metrics


def raise_first(skipped: Sequence[Problem], sweep: Sweep, selection: Selection) -> None:
    """Raise the first problem; a file that is no log does not count.

    Raises
    ------
    LogError
    """
    own = [p for kept_run in selection.kept_runs for p in kept_run.attempt.problems]
    for problem in (*skipped, *(p for _, p in sweep.problems), *own):
        if problem.kind != "not_a_log":
            raise LogError(f"{problem.path}: {problem}" if problem.path else str(problem))


def load_attrs(parsed: Parsed, skipped: Sequence[Problem], policy: Policy) -> dict[str, Any]:
    """Return the attrs of a cube, its provenance and policies: text and numbers only."""
    named = [
        {"path": clean_text(p.path), "kind": p.kind, "message": clean_text(p.message)}
        for p in skipped
    ]
    root, sweep = parsed.discovery.root, parsed.sweep
    here = attrs_of_now(root)
    return {
        "Conventions": "runcube-1",
        "runcube_version": here.pop("runcube_version"),
        "source": clean_text(display_root(root)),
        "created": here.pop("created"),
        "constant_hparams": clean_text(json.dumps(sweep.constant, default=str)),
        "excluded_hparams": clean_text(json.dumps(sweep.excluded)),
        "skipped": json.dumps(named),
        "policies": clean_text(policy_attr(policy)),
        "layout": sweep.layout,
        **_of_values(sweep),
        **here,
    }


def _of_values(sweep: Sweep) -> dict[str, str]:
    """Return what the readers say of the values as such: that they are float32, or medians."""
    said = {text: None for h in sweep.headers for topic, text in h.reading if topic == "values"}
    return {"values": clean_text("; ".join(said))} if said else {}


@dataclass(frozen=True)
class LoadSummary:
    """What a load reports at its end, in one warning.

    Parameters
    ----------
    source : str
        Where the logs, or the archive, are.
    runs : int
        Runs that stay in a cell.
    counts : mapping of str to int
        Number of problems of each kind.
    notes : sequence of str
        What no rule could decide, a sentence each.
    read_here : sequence of str
        What was read in this process though it was to be read elsewhere, a sentence each. This is
        of one load, and not kept.
    """

    source: str
    runs: int
    counts: Mapping[str, int]
    notes: Sequence[str]
    read_here: Sequence[str] = ()

    @classmethod
    def of(
        cls, source: str, parsed: Parsed, selection: Selection, skipped: Sequence[Problem]
    ) -> LoadSummary:
        """Return the summary of a load: its problems by kind, the notes of plan and selection."""
        counts = Counter(p.kind for p in skipped)
        counts.update(p.kind for kept_run in selection.kept_runs for p in kept_run.attempt.problems)
        counts.update(p.kind for _, p in parsed.sweep.problems)
        notes = (*parsed.sweep.notes, *selection.notes)
        return cls(source, len(selection.kept_runs), dict(counts), notes, parsed.read_here)

    def kept(self) -> dict[str, Any]:
        """Return what an archive keeps of this, by field."""
        return {name: what for name, what in asdict(self).items() if name != "read_here"}

    def warn(self, stacklevel: int) -> None:
        """Issue one ``SweepWarning``, if there is a problem or a note.

        Parameters
        ----------
        stacklevel : int
            As of :func:`warnings.warn`, counted from the caller.
        """
        lines = [f"  {note}" for note in (*self.notes, *self.read_here)]
        if self.counts:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
            lines.insert(0, f"  problems: {kinds}; rc.problems(ds) lists them")
        if lines:
            head = f"{self.source}: {counted(self.runs, 'run')} loaded"
            text = printable("\n".join([head, *lines]))
            warnings.warn(text, SweepWarning, stacklevel=stacklevel + 1)


@dataclass(frozen=True)
class FinishedLoad:
    """All that a cube is built of, and what the caller reports.

    Parameters
    ----------
    selection : Selection
        The runs that stay in the cells, and those that were superseded.
    labels : InnerLabels
        Labels of the dims ``split`` and ``metric``.
    attrs : dict
        Attrs of the cube: text and numbers only.
    summary : LoadSummary
        What the caller reports.
    """

    selection: Selection
    labels: InnerLabels
    attrs: dict[str, Any]
    summary: LoadSummary


def finish_load(parsed: Parsed, policy: Policy, selection: Selection) -> FinishedLoad:
    """Collect labels, attrs, problems and notes of a load.

    Parameters
    ----------
    parsed : Parsed
    policy : Policy
    selection : Selection
        What ``selected_runs`` returned.

    Raises
    ------
    LogError
        With ``errors="raise"``.
    """
    skipped = [*parsed.sweep.skipped, *parsed.failures, *selection.superseded]
    if policy.errors == "raise":
        raise_first(skipped, parsed.sweep, selection)
    attrs = load_attrs(parsed, skipped, policy)
    summary = LoadSummary.of(attrs["source"], parsed, selection, skipped)
    return FinishedLoad(selection, inner_labels(selection, policy), attrs, summary)


def finish_tree(parsed: Parsed, policy: Policy) -> tuple[FinishedLoad, dict[str, Selection]]:
    """Do what ``finish_load`` does for a tree: its problems are those of all its nodes, once each.

    Returns
    -------
    finished : FinishedLoad
        With the selection on the main axis.
    nodes : dict of str to Selection
        The selection on each axis, by the name of its node.

    Raises
    ------
    UnknownNameError, PlanError, LogError
        As ``selected_runs`` and ``finish_load``.
    """
    main = selected_runs(parsed, policy)
    nodes, lost = tree_selections(parsed.logs, main, parsed.sweep)
    main.notes = [note for note in main.notes if "load_tree()" not in note]
    main.notes += [f"{name!r}: {note}" for name, node in nodes.items() for note in node.notes]
    if lost:
        main.notes.append(f"in no node, since no axis keeps their points apart: {', '.join(lost)}")
    for number, kept_run in enumerate(main.kept_runs):
        own = [node.kept_runs[number].attempt.problems for node in nodes.values()]
        kept_run.attempt.problems = [*dict.fromkeys(p for problems in own for p in problems)]
    return finish_load(parsed, policy, main), nodes


def selected_runs(parsed: Parsed, policy: Policy) -> Selection:
    """Return the run of each cell.

    Raises
    ------
    UnknownNameError
        If a policy names a split, metric or axis that no log has.
    PlanError
        With ``on_duplicate="raise"``, if two runs share a cell.
    """
    for what, asked in (("splits", policy.splits), ("metrics", policy.metrics)):
        known = dict.fromkeys(name for log in parsed.logs for name in getattr(log, what))
        for name in asked or ():
            if name not in known:
                raise UnknownNameError(f"{what}={name!r}: not in the logs{nearest(name, known)}")
    return select_runs(parsed.logs, parsed.runs, parsed.sweep, policy.selection)
