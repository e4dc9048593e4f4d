"""What the page says in text and tables."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Status, shell_words
from runcube.cube import (
    CellRows,
    display_name,
    expected_runs,
    final,
    full_key,
    of_status,
    problems,
    x_dim,
)
from runcube.cube import report as cube_report
from runcube.report.data import by_what_tells, shown_text
from runcube.report.markup import MOST_ROWS, copied, details, frame_details, section, table, text
from runcube.tables import results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from runcube.cube import ExpectedRuns
    from runcube.stats import RNG

_MOST_COLUMNS = 12
_MOST_LABELS = 12


@dataclass(frozen=True)
class Choices:
    """What the page was asked for: arguments of `runcube.report`.

    Parameters
    ----------
    metric, split, reported : str or None
    mode : {"max", "min"}, mapping or None
    all_runs : bool
    ci : float
    rng : Generator, int or None
    """

    metric: str | None
    split: str | None
    reported: str | None
    mode: Any
    all_runs: bool
    ci: float
    rng: RNG


def about(ds: xr.Dataset) -> str:
    """Return what was swept and how it was read."""
    cells = CellRows.of(ds)
    main, rest = by_what_tells(ds, cells)

    def labels_of(names: Sequence[str | None]) -> str:
        rows = []
        for name in names:
            if name and name in ds.coords:
                labels = list(dict.fromkeys(np.ravel(ds[name].values).tolist()))
                shown = _some(labels)
                rows.append((display_name(ds, name), full_key(ds, name), len(labels), shown))
        return table(("name", "key", "labels", ""), rows)

    others = (
        f"<details><summary>Decided by these ({len(rest)})</summary>{labels_of(rest)}</details>"
    )
    facts = [(name, ds.attrs[name]) for name in _FACTS if ds.attrs.get(name)]
    parts = [
        labels_of([*main, "seed", "split", "metric", x_dim(ds)]),
        others if rest else "",
        details("Constant hyperparameters", _pairs(ds.attrs.get("constant_hparams"))),
        details("Left out, with the reason", _pairs(ds.attrs.get("excluded_hparams"))),
        details("How the logs were read", [*facts, *_pairs(ds.attrs.get("policies"))]),
    ]
    return section("swept", "What was swept", *parts)


_FACTS = ("source", "selection", "created", "runcube_version", "command", "git_commit", "layout")


def runs_table(ds: xr.Dataset) -> str:
    """Return how runs ended, and what is wrong with the logs."""
    expected = expected_runs(ds)
    counts = Counter(expected.cells.status[expected.cells.held].tolist())
    rows = [(status.value, counts[status.value]) for status in Status if counts[status.value]]
    parts = [table(("status", "runs"), rows), f"<p>{_expectation(expected)}</p>"]
    if {"problems", "path", "run_id"} <= ds.coords.keys():
        frame = problems(ds)
        kinds = Counter(frame["kind"].tolist()).most_common()
        said = ", ".join(f"{count:,} {kind}" for kind, count in kinds) or "none"
        parts.append(f"<p>Problems of the logs: {text(said)}.</p>")
        parts.append(frame_details("Problems by file and line", frame))
    return section("status", "Runs and problems", *parts)


def _expectation(expected: ExpectedRuns) -> str:
    """Return how many of the runs that are expected are missing, and what was never tried."""
    n, seeds = expected.status.shape
    lost, count = int(expected.is_missing.sum()), int(expected.is_expected.sum())
    each = f", each of {n:,} configurations with each of {seeds:,} seeds" * (count == n * seeds)
    are = "is" if lost == 1 else "are"
    said = f"Expected are {count:,} runs{each}; {lost or 'none'} {are} missing (no complete run)."
    untried = 0 if "config" in expected.cells.dims else len(expected.cells.status) - n
    return f"{said} {untried:,} combinations of labels were not tried." if untried else said


def counting_statuses(ds: xr.Dataset, all_runs: bool) -> set[Status]:
    """Return the statuses of runs that count: complete ones, or all where none is or all should."""
    is_complete = ds["status"].values == Status.COMPLETE.value
    if is_complete.any() and not all_runs:
        return {Status.COMPLETE}
    return {Status.COMPLETE, Status.INCOMPLETE, Status.FAILED}


def counted(ds: xr.Dataset, own: Choices) -> tuple[xr.Dataset, str]:
    """Return the cube without the values of runs that do not count, and what counts."""
    if Status.FAILED in counting_statuses(ds, own.all_runs):
        return ds, "All runs count." if own.all_runs else "No run is complete, so all count."
    status = ds["status"]
    counts = Counter(status.values.reshape(-1).tolist())
    left = [f"{counts[one.value]:,} {one.value}" for one in (Status.INCOMPLETE, Status.FAILED)]
    out = ", ".join(text for text in left if text[:2] != "0 ")
    said = f"Complete runs count; left out: {out}." if out else "All runs are complete."
    return of_status(ds, "complete"), said


def results_table(ds: xr.Dataset, own: Choices, said: str) -> str:
    """Return the last values of the runs that count: means over seeds with their intervals."""
    last, note = _fewer_columns(final(ds), own)
    if "seed" not in last.dims:
        last = last.expand_dims("seed")
    made = results(last, mode=own.mode, ci=own.ci)
    html = f'<div class="wide" tabindex="0">{made.to_html()}</div>'
    return section(
        "results", "Results", f"<p>Last logged value of each run. {said}{note}</p>", html
    )


def missing_runs(ds: xr.Dataset) -> str:
    """Return the configurations and seeds without a complete run, and how to run them."""
    frame = cube_report.missing(ds)
    said = f"<p>{_expectation(expected_runs(ds))}</p>"
    if frame.empty:
        return section("missing", "Missing runs", said)
    lines = [
        shell_words({key: value for key, value in own.items() if key[:1] != "_"})
        for own in cube_report.missing_configs(ds)[:MOST_ROWS]
    ]
    return section(
        "missing",
        "Missing runs",
        said,
        frame_details("Configurations and seeds", frame),
        copied("As overrides, a line for each", "\n".join(lines)),
    )


def _fewer_columns(last: xr.DataArray, own: Choices) -> tuple[xr.DataArray, str]:
    """Return the values of as many metrics as a table has room for, the asked one first."""
    if "metric" not in last.dims:
        return last, ""
    known = last["metric"].values.tolist()
    splits = last.sizes.get("split", 1)
    kept = sorted(known, key=lambda name: name != own.metric)[: max(1, _MOST_COLUMNS // splits)]
    note = f" {len(kept)} of {len(known)} metrics." if len(kept) < len(known) else ""
    return last.sel(metric=kept), note


def _pairs(text: str | None) -> list[tuple[str, object]]:
    found: Mapping[str, object] = json.loads(text or "{}")
    return [
        (key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for key, value in found.items()
    ]


def _some(labels: Sequence[object]) -> str:
    texts = [shown_text(label) for label in labels]
    if len(texts) > _MOST_LABELS:
        texts = [*texts[: _MOST_LABELS - 4], "…", *texts[-3:]]
    return ", ".join(texts)
