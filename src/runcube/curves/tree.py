"""One selection for each axis: the same runs, each curve where x keeps its points apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import Problem, counted, is_time_like
from runcube.curves.attempts import Attempt, attempts_of, dropped_records
from runcube.curves.own_x import Choice
from runcube.curves.selection import KeptRun, Selection, taken_names
from runcube.curves.tracks import named_curves, named_lines, raw_tracks
from runcube.curves.units import other_unit
from runcube.curves.x_axis import align_x, identifier
from runcube.curves.x_choice import axis_names, inner_counters, separable_curves
from runcube.curves.x_values import shown, x_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, RunLog
    from runcube.curves.tracks import Track
    from runcube.curves.x_values import X
    from runcube.plan import Sweep


def tree_selections(
    logs: Sequence[RunLog], main: Selection, sweep: Sweep
) -> tuple[dict[str, Selection], list[str]]:
    """Return the kept runs on each axis, by a name for it: the same runs, attempts and status.

    A curve is on each axis that keeps its points apart; no record is carried, and what is on no
    axis is named once, on the first. Rows whose x is in another unit than that of most have a
    selection of their own. The logs of ``main`` stay whole.

    Parameters
    ----------
    logs : sequence of RunLog
        All logs, (logs,).
    main : Selection
        The selection on the main axis, which is the first.
    sweep : Sweep

    Returns
    -------
    nodes : dict of str to Selection
    lost : list of str
        The curves of the kept runs, as ``split/metric``, that no axis keeps apart.
    """
    nodes: dict[str, Selection] = {}
    kept_logs = [kept_run.attempt.log for kept_run in main.kept_runs]
    on_axes = {x: separable_curves(kept_logs, x) for x in _tree_axes(logs, main)}
    for x, kept in on_axes.items():
        if not kept and x != main.axis.x:
            continue
        for selection in _on_axis(main, x, sweep, kept):
            for kept_run, of_main in zip(
                selection.kept_runs, main.kept_runs if not nodes else (), strict=False
            ):
                whole = of_main.attempt
                late = [p for p in whole.problems if p.kind == "late_start"]
                kept_run.attempt.problems += [*late, *_on_no_axis(whole.log, on_axes)]
            axis = selection.axis
            first = axis.dim if axis.align == "union" else identifier(axis.name, ())
            name, number = first, 2
            while name in nodes:
                name, number = f"{first}_{number}", number + 1
            nodes[name] = selection
    lost = _unseparated(kept_logs, on_axes.values())
    return nodes, [f"{split}/{metric}" for split, metric in lost]


def _unseparated(
    logs: Sequence[RunLog], on_axes: Iterable[frozenset[tuple[str, str]]]
) -> list[tuple[str, str]]:
    """Return the curves of the logs that are on no axis."""
    apart = frozenset().union(*on_axes)
    every = dict.fromkeys((c.split, m) for log in logs for c in log.curves for m in c.metrics)
    return [curve for curve in every if curve not in apart]


def _tree_axes(logs: Sequence[RunLog], main: Selection) -> list[X]:
    """Return the axes of the logs, the main one first.

    Where each run has its own main axis, these are among the others. A counter that starts anew in
    each epoch is one together with the epoch, where it is needed.
    """
    axes = [name for name in axis_names(logs) if not is_time_like(name)]
    inner = inner_counters(logs, axes)
    found: list[X] = [] if main.axis.is_mixed else [main.axis.x]
    found += [name for name in axes if name not in inner]
    pairs: list[X] = [(outer, name) for name, outer in inner.items()]
    kept = [kept_run.attempt.log for kept_run in main.kept_runs]
    if pairs and _unseparated(kept, (separable_curves(kept, x) for x in found)):
        found += pairs
    return list(dict.fromkeys(found))


def _on_axis(
    main: Selection, x: X, sweep: Sweep, kept: frozenset[tuple[str, str]]
) -> Iterator[Selection]:
    """Yield the kept runs on an axis; then those of their rows that have it in another unit."""
    logs = [_restricted(kept_run.attempt.log, kept) for kept_run in main.kept_runs]
    usual, apart = [], []
    for log in logs:
        values = x_values(log, x)
        known = [~np.isnan(own) for own in values]
        others = other_unit(log.curves, values) or [~mask for mask in known]
        usual.append(_with_rows(log, [a & ~b for a, b in zip(known, others, strict=True)]))
        apart.append(_with_rows(log, [a & b for a, b in zip(known, others, strict=True)]))
    for part in [usual, apart] if any(log.curves for log in apart) else [usual]:
        kept_runs = [
            KeptRun(kept_run.run, _attempt(kept_run, log, x), kept_run.status)
            for kept_run, log in zip(main.kept_runs, part, strict=True)
        ]
        attempts = [kept_run.attempt for kept_run in kept_runs]
        choice = Choice(x, "an axis of the tree")
        axis = align_x(attempts, choice, "auto", taken_names(sweep))
        notes = [f"the rows whose {shown(x)} may be in another unit have a node of their own"]
        if part is usual:
            notes = []
        yield Selection(axis, kept_runs, notes=notes, statuses=main.statuses)


def _on_no_axis(log: RunLog, on_axes: Mapping[X, frozenset[tuple[str, str]]]) -> list[Problem]:
    """Return the problems of records that are on no axis.

    They lack the x of each axis on which their curve is, or no axis keeps their points apart.
    """
    lacking: list[Track] = []
    merged: list[Track] = []
    known = {x: [~np.isnan(own) for own in x_values(log, x)] for x in on_axes}
    for number, curves in enumerate(log.curves):
        has_any = np.any([known[x][number] for x in on_axes], axis=0)
        for track in raw_tracks(curves, np.arange(len(curves.lines))):
            by_axes: dict[tuple[X, ...], list[int]] = {}
            for at in track.metrics.tolist():
                curve = curves.split, curves.metrics[at]
                by_axes.setdefault(tuple(x for x in on_axes if curve in on_axes[x]), []).append(at)
            for axes, metrics in by_axes.items():
                part = replace(track, metrics=np.array(metrics))
                has = np.any([known[x][number] for x in axes], axis=0) if axes else has_any
                if (without := part.keep(~has[part.indices])).lines.size:
                    lacking.append(without)
                if not axes and (together := part.keep(has[part.indices])).lines.size:
                    merged.append(together)
    names = " or ".join(map(shown, on_axes))
    problems = [dropped_records(log, names, lacking)] if lacking else []
    for track in merged:
        rows = f"{counted(len(track.x), 'row')} in no node, since no axis keeps their points apart"
        message = f"{named_curves([track])}: {rows}, {named_lines(log, track.lines)}"
        problems.append(Problem("repeated_x", message, *log.place(int(track.lines.min()))))
    return problems


def _attempt(kept_run: KeptRun, log: RunLog, x: X) -> Attempt:
    """Return the attempt of a kept run in its log on another axis."""
    attempts = attempts_of(log, x, "drop")
    at = kept_run.attempt.number - log.attempt
    return attempts[at] if at < len(attempts) else Attempt(log, [], list(log.problems))


def _restricted(log: RunLog, kept: frozenset[tuple[str, str]]) -> RunLog:
    parts = [_restrict(curves, kept) for curves in log.curves]
    return replace(log, curves=[part for part in parts if part.metrics])


def _restrict(curves: Curves, kept: frozenset[tuple[str, str]]) -> Curves:
    rows = [i for i, metric in enumerate(curves.metrics) if (curves.split, metric) in kept]
    names = tuple(curves.metrics[i] for i in rows)
    return replace(curves, metrics=names, values=curves.values[rows], logged=curves.logged[rows])


def _with_rows(log: RunLog, masks: Sequence[NDArray[np.bool_]]) -> RunLog:
    """Return a log with some rows of each split; what has no row left is left out."""
    parts = []
    for curves, mask in zip(log.curves, masks, strict=True):
        held = curves.logged[:, mask].any(axis=1)
        if held.all() and mask.all():
            parts.append(curves)
        elif held.any():
            part = replace(
                curves,
                x={name: values[mask] for name, values in curves.x.items()},
                metrics=tuple(np.array(curves.metrics, dtype=object)[held].tolist()),
                values=curves.values[np.ix_(held, mask)],
                logged=curves.logged[np.ix_(held, mask)],
                lines=curves.lines[mask],
            )
            parts.append(part)
    return replace(log, curves=parts)
