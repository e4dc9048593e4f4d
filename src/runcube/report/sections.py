"""What the page says in text and tables."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Status, printable
from runcube.cube import CellRows, final, full_key, problems, x_dim
from runcube.report.data import shown_text
from runcube.tables import results

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    import xarray as xr

    from runcube.stats import RNG

_MOST_COLUMNS = 12
_MOST_ROWS = 500
_MOST_LABELS = 12


@dataclass(frozen=True)
class Choices:
    """What the page was asked for: arguments of `runcube.report`.

    Parameters
    ----------
    metric, split : str or None
    mode : {"max", "min"}, mapping or None
    all_runs : bool
    ci : float
    rng : Generator, int or None
    """

    metric: str | None
    split: str | None
    mode: Any
    all_runs: bool
    ci: float
    rng: RNG


def about(ds: xr.Dataset) -> str:
    """Return what was swept and how it was read."""
    cells = CellRows.of(ds)
    names = [*cells.names, "seed", "split", "metric", x_dim(ds)]
    swept = []
    for name in names:
        if name and name in ds.coords:
            labels = list(dict.fromkeys(np.ravel(ds[name].values).tolist()))
            swept.append((full_key(ds, name), len(labels), _some(labels)))
    facts = [(name, ds.attrs[name]) for name in _FACTS if ds.attrs.get(name)]
    parts = [
        _table(("key", "labels", ""), swept),
        _details("Constant hyperparameters", _pairs(ds.attrs.get("constant_hparams"))),
        _details("Left out, with the reason", _pairs(ds.attrs.get("excluded_hparams"))),
        _details("How the logs were read", [*facts, *_pairs(ds.attrs.get("policies"))]),
    ]
    return _section("swept", "What was swept", *parts)


_FACTS = ("source", "created", "runcube_version", "command", "git_commit", "layout")


def runs_table(ds: xr.Dataset) -> str:
    """Return how runs ended, and what is wrong with the logs."""
    cells = CellRows.of(ds)
    counts = Counter(cells.status[cells.held].tolist())
    absent = int((~cells.held).sum())
    rows = [(status.value, counts[status.value]) for status in Status if counts[status.value]]
    if absent:
        rows.append(("no run", absent))
    parts = [_table(("status", "runs"), rows)]
    if {"problems", "path", "run_id"} <= ds.coords.keys():
        frame = problems(ds)
        kinds = Counter(frame["kind"].tolist()).most_common()
        said = ", ".join(f"{count:,} {kind}" for kind, count in kinds) or "none"
        parts.append(f"<p>Problems of the logs: {_text(said)}.</p>")
        parts.append(_frame_details("Problems by file and line", frame))
    return _section("status", "Runs and problems", *parts)


def results_table(ds: xr.Dataset, own: Choices) -> str:
    """Return the last values of the runs: means over seeds with their intervals."""
    complete = (ds["status"] == Status.COMPLETE.value).values.any()
    last = final(ds)
    counted = "Last logged value of each run"
    if complete and not own.all_runs:
        last = last.where(last.status == Status.COMPLETE.value)
        counted += " that is complete"
    elif not complete:
        counted += "; no run is complete, so all count"
    last, note = _fewer_columns(last, own)
    if "seed" not in last.dims:
        last = last.expand_dims("seed")
    table = results(last, mode=own.mode, ci=own.ci, rng=own.rng)
    html = (
        f'<div class="wide" tabindex="0" role="region" aria-label="Results">{table.to_html()}</div>'
    )
    return _section("results", "Results", f"<p>{counted}.{note}</p>", html)


def _fewer_columns(last: xr.DataArray, own: Choices) -> tuple[xr.DataArray, str]:
    """Return the values of as many metrics as a table has room for, the asked one first."""
    if "metric" not in last.dims:
        return last, ""
    known = last["metric"].values.tolist()
    splits = last.sizes.get("split", 1)
    kept = sorted(known, key=lambda name: name != own.metric)[: max(1, _MOST_COLUMNS // splits)]
    note = f" {len(kept)} of {len(known)} metrics." if len(kept) < len(known) else ""
    return last.sel(metric=kept), note


def _section(name: str, title: str, *parts: str) -> str:
    body = "\n".join(part for part in parts if part)
    return f'<section id="{name}"><h2>{title}</h2>\n{body}\n</section>'


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    body = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>'
        + "".join(f"<td>{_text(value)}</td>" for value in row[1:])
        + "</tr>"
        for row in rows
    )
    cells = "".join(f'<th scope="col">{_text(name)}</th>' for name in head)
    table = f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _details(title: str, pairs: Sequence[tuple[str, object]]) -> str:
    if not pairs:
        return ""
    inside = _table(("key", "value"), pairs)
    return f"<details><summary>{title} ({len(pairs)})</summary>{inside}</details>"


def _frame_details(title: str, frame: pd.DataFrame) -> str:
    if frame.empty:
        return ""
    some = frame.head(_MOST_ROWS)
    rows = some.astype(object).where(some.notna(), "").to_numpy().tolist()
    more = f"<p>… and {len(frame) - _MOST_ROWS:,} more.</p>" if len(frame) > _MOST_ROWS else ""
    inside = _table([str(name) for name in frame.columns], rows)
    return f"<details><summary>{title} ({len(frame):,})</summary>{inside}{more}</details>"


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


def _text(value: object) -> str:
    return escape(printable(str(value)))
