"""`report`: the page, with everything that it needs inside."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import PlanError, UnknownNameError, nearest, printable
from runcube.cube import check_cube
from runcube.report.controls import controls
from runcube.report.data import sweep_data
from runcube.report.sections import (
    Choices,
    about,
    counted,
    counting_statuses,
    missing_runs,
    results_table,
    runs_table,
)
from runcube.report.winner import best_section

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from runcube.stats import RNG

    Mode = Literal["max", "min"]

# In the order in which they use each other.
_SCRIPTS = (
    "unpack.js",
    "statistics.js",
    "controls.js",
    "figure.js",
    "curves.js",
    "overview.js",
    "page.js",
)


def report(
    ds: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    metric: str | None = None,
    split: str | None = None,
    report: str | None = None,
    mode: Mode | Mapping[str, Mode] | None = None,
    all_runs: bool = False,
    ci: float = 0.95,
    title: str = "Training sweep",
    rng: RNG = None,
) -> None:
    """Write a page about a sweep, to send to a colleague.

    One HTML file that needs no network and asks for none: what was swept and how it was read,
    which runs are complete and what is wrong, results with intervals, and curves to look around
    in. It needs Bokeh: ``pip install runcube[report]``.

    Parameters
    ----------
    ds : Dataset
        A cube with its x-axis, whole or selected, in either layout, lazy or not.
    path : str or PathLike
        The file; one that is there is replaced.
    metric, split : str, optional
        What the page opens with, and what chooses the best; by default it opens with the metric and
        split that most runs have, ``val`` before other splits, and the best is chosen by ``val`` or
        the only split, never by one that was trained on.
    report : str, optional
        The split that is reported of the best configuration, which ``split`` chooses; by default
        ``test`` or ``eval`` where there is one.
    mode : {"max", "min"} or mapping, optional
        Which end is better; of several metrics, a mapping from each. Without it no result and no
        configuration is called the best.
    all_runs : bool
        Whether results count runs that are not complete. They do where none is.
    ci : float
        Level of all intervals.
    title : str
    rng : Generator, int or None
        For the resamples that say by how much the best is too good.

    Raises
    ------
    PlanError
        If the Dataset is no cube, has no run or no x-axis.
    UnknownNameError
        If there is no such metric or split.
    ImportError
        If Bokeh is missing.

    Examples
    --------
    >>> import tempfile, warnings, runcube as rc
    >>> from pathlib import Path
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs", metrics="acc1")
    >>> page = Path(tempfile.mkdtemp(), "report.html")
    >>> rc.report(ds, page, mode="max", rng=0)
    >>> page.read_text(encoding="utf-8")[:15]
    '<!doctype html>'
    """
    check_cube(ds)
    for name, label in (("metric", metric), ("split", split), ("split", report)):
        _check_label(ds, name, label)
    data = sweep_data(ds, ci)
    start = data["start"] = _start(data["curves"], metric, split)
    splits = [str(label) for label in np.atleast_1d(ds["split"].values)] if "split" in ds else []
    own = Choices(
        metric=start["metric"],
        split=split or _chooser(splits),
        reported=report or next((s for s in ("test", "eval") if s in splits), None),
        mode=mode,
        all_runs=all_runs,
        ci=ci,
        rng=rng,
    )
    counting, said = counted(ds, own)
    statuses = {status.value for status in counting_statuses(ds, all_runs)}
    texts = {
        **controls(data, statuses),
        "title": escape(printable(title)),
        "about": f'<div class="pair">{about(ds)}\n{runs_table(ds)}</div>',
        "body": "\n".join(
            [results_table(counting, own, said), best_section(counting, own), missing_runs(ds)]
        ),
    }
    Path(path).write_text(_page(texts, data), encoding="utf-8")


def _check_label(ds: xr.Dataset, dim: str, asked: str | None) -> None:
    known = [str(label) for label in ds[dim].values.reshape(-1)] if dim in ds.coords else []
    if asked is not None and asked not in known:
        raise UnknownNameError(f"{dim}={asked!r}: not in the cube{nearest(asked, known)}")


def _chooser(splits: Sequence[str]) -> str | None:
    """Return the split that may choose the best: never one that was trained on or is reported."""
    named = next((s for s in ("val", "valid", "validation", "dev") if s in splits), None)
    lone = splits[0] if len(splits) == 1 and splits[0] not in ("train", "training") else None
    return named or lone


def _start(
    curves: Sequence[Mapping[str, Any]], metric: str | None, split: str | None
) -> dict[str, Any]:
    """Return what the page opens with: as asked, else what most runs have, ``val`` before others.

    Raises
    ------
    PlanError
        If nothing was logged there.
    """
    there = [c for c in curves if metric in (None, c["metric"]) and split in (None, c["split"])]
    if not there:
        raise PlanError(f"report: nothing was logged of metric={metric!r}, split={split!r}")
    first = max(there, key=lambda curve: (curve["n_runs"], curve["split"] == "val"))
    return {"metric": first["metric"], "split": first["split"], "log": first["is_wide"]}


def _page(texts: Mapping[str, str], data: Mapping[str, Any]) -> str:
    web = files("runcube.report") / "web"
    bokeh, models = _bokeh()
    own = script()
    # A script runs if its hash is here: nothing that a log says can become one.
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:;"
        f" script-src {_hash(bokeh)} {_hash(own)}; base-uri 'none'; form-action 'none'"
    )
    parts = {
        **texts,
        "policy": policy,
        "style": (web / "page.css").read_text(encoding="utf-8"),
        "bokeh": bokeh,
        "figures": _json(models),
        "sweep": _json(data),
        "script": own,
    }
    text = (web / "page.html").read_text(encoding="utf-8")
    pieces = text.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:  # one pass: what is filled in is not looked at again
        name, _, rest = piece.partition("}}")
        filled += [parts[name], rest]
    return "".join(filled)


def script() -> str:
    """Return our own script of the page."""
    web = files("runcube.report") / "web"
    parts = [(web / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    return "\n".join(['"use strict";', *parts])


def _bokeh() -> tuple[str, dict[str, Any]]:
    """Return Bokeh's own script and the figures.

    Raises
    ------
    ImportError
        If Bokeh is missing.
    """
    try:
        import bokeh
        from bokeh.embed import json_item
    except ImportError as error:
        raise ImportError("report needs Bokeh: pip install runcube[report]") from error
    from runcube.report.figures import figures

    script = Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js"
    return script.read_text(encoding="utf-8"), {
        name: json_item(figure) for name, figure in figures().items()
    }


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(data: Mapping[str, Any]) -> str:
    """Return data as JSON that no end of a script is in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
