"""What the planner decided, for the user: as text and as HTML."""

from __future__ import annotations

import textwrap
from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import counted, listed, printable, value_text
from runcube.plan.reading import count_readings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.plan.model import Plan

_WIDTH = 100
_MAX_LABELS = 8
_MAX_KEYS = 6
_MORE = ", … and {} more"
_MAX_COORDS = 15
_MAX_TEXT = 40
_MAX_READINGS = 5
_MAX_READING = 400

# Title of a section and its rows; a row is the cells of one line.
_Section = tuple[str, list[tuple[str, ...]]]


class Explanation(str):
    """Text that a notebook and a prompt show as it is, without ``print``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def as_text(sweep: Plan) -> Explanation:
    """Return the plan as aligned lines."""
    lines = [_headline(sweep)]
    for title, rows in _sections(sweep):
        lines += ["", title]
        columns = max(len(row) for row in rows)
        widths = [
            max((len(r[c]) for r in rows if len(r) > c + 1), default=0) for c in range(columns)
        ]
        for row in rows:
            cells = [cell.ljust(widths[c]) for c, cell in enumerate(row[:-1])]
            lead = "  " + "".join(f"{cell}  " for cell in cells)
            lines += textwrap.wrap(
                row[-1],
                max(_WIDTH, len(lead) + 40),
                initial_indent=lead,
                subsequent_indent=" " * (len(lead) if len(row) > 1 else 4),
                break_long_words=False,
                break_on_hyphens=False,
            ) or [lead.rstrip()]
    return Explanation("\n".join(lines))


def as_html(sweep: Plan) -> str:
    """Return the plan as one self-contained HTML table."""
    body = []
    for title, rows in _sections(sweep):
        columns = max(len(row) for row in rows)
        for i, row in enumerate(rows):
            head = (
                f'<th rowspan="{len(rows)}" style="text-align:left;vertical-align:top">'
                f"{escape(title)}</th>"
                if i == 0
                else ""
            )
            cells = [*row[:-1], *[""] * (3 - max(columns, len(row)))]
            plain = "".join(_cell(cell) for cell in cells[: len(row) - 1])
            body.append(f"<tr>{head}{plain}{_cell(row[-1], span=4 - len(row))}</tr>")
    return (
        f'<div class="runcube-sweep"><p><b>Sweep</b>: {escape(_headline(sweep))}</p>'
        f'<table style="border-collapse:collapse">{"".join(body)}</table></div>'
    )


def _cell(text: str, span: int = 1) -> str:
    extra = f' colspan="{span}"' if span > 1 else ""
    return (
        f'<td{extra} style="text-align:left;padding:0 0.7em;vertical-align:top">{escape(text)}</td>'
    )


def _headline(sweep: Plan) -> str:
    files = len({header.source.path for header in sweep.headers})
    if sweep.layout == "configs":
        seeds = counted(len(sweep.seed), "seed", ",")
        sizes = f"{counted(sweep.n_configs, 'configuration', ',')} × {seeds}"
    else:
        sizes = " × ".join(f"{len(labels)} {name}" for name, labels in sweep.dims.items())
    return f"{counted(len(sweep), 'run', ',')} in {counted(files, 'file', ',')}: {sizes}"


def _sections(sweep: Plan) -> list[_Section]:
    sections: list[_Section] = [
        ("how the files were read", _readings(sweep)),
        ("dims" if sweep.layout == "grid" else "what tells configurations apart", _dims(sweep)),
        ("seed", [(f"{sweep.seed_axis.kind}: {sweep.seed_axis.reason}",)]),
        ("coordinates, decided by the dims", _coords(sweep, with_seed=False)),
        (
            'coordinates that vary with the seed: mean("seed") averages over them',
            _coords(sweep, with_seed=True),
        ),
        ("excluded", _excluded(sweep)),
        ("constant", _constant(sweep)),
        ("layout", [(f"{sweep.layout}: {sweep.layout_reason}; {_fill(sweep)}",)]),
        ("skipped", _skipped(sweep)),
        (
            "problems",
            [
                (f"{problem.path}: {problem}".removeprefix(": "),)
                for _, problem in sweep.problems[:10]
            ],
        ),
        ("to decide", [(note,) for note in sweep.notes]),
    ]
    shown = [(title, [tuple(map(printable, row)) for row in rows]) for title, rows in sections]
    return [(title, rows) for title, rows in shown if rows]


def _readings(sweep: Plan) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for topic, texts in count_readings(sweep.headers).items():
        shown = [(counted(n, "log", ","), shorten(text, _MAX_READING)) for n, text in texts]
        more = len(shown) - _MAX_READINGS
        found = shown[:_MAX_READINGS] + ([("", f"… and {more} more")] if more > 0 else [])
        rows += [(topic if i == 0 else "", *row) for i, row in enumerate(found)]
    return rows


def _dims(sweep: Plan) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for axis in sweep.axes:
        key = "" if axis.key == axis.name else f"  ({shorten(axis.key)})"
        rows.append((axis.name, str(len(axis.labels)), show_labels(axis.labels) + key))
    seed_key = sweep.seed_axis.key or "seed"
    shown = f"  ({shorten(seed_key)})" if seed_key != "seed" else ""
    rows.append(("seed", str(len(sweep.seed)), show_labels(sweep.seed) + shown))
    return rows


def _coords(sweep: Plan, *, with_seed: bool) -> list[tuple[str, ...]]:
    coords = [c for c in sweep.coords if ("seed" in c.dims) == with_seed]
    rows: list[tuple[str, ...]] = [
        (
            f"{c.name}({', '.join(c.dims)})",
            str(len(np.unique(c.values))),
            show_labels(_distinct(c.values)),
        )
        for c in coords[:_MAX_COORDS]
    ]
    if len(coords) > _MAX_COORDS:
        rows.append((f"… and {len(coords) - _MAX_COORDS} more: see .coupled",))
    return rows


def _excluded(sweep: Plan) -> list[tuple[str, ...]]:
    by_reason: dict[str, list[str]] = {}
    for key, reason in sweep.excluded.items():
        by_reason.setdefault(reason, []).append(key)
    return [(reason, listed(keys, _MAX_KEYS, _MORE)) for reason, keys in by_reason.items()]


def _constant(sweep: Plan) -> list[tuple[str, ...]]:
    if not sweep.constant:
        return []
    shown = [f"{shorten(k)}={shorten(repr(v))}" for k, v in sweep.constant.items()]
    return [(counted(len(shown), "key", ","), listed(shown, _MAX_KEYS, _MORE))]


def _fill(sweep: Plan) -> str:
    if sweep.layout == "configs":
        return f"{counted(sweep.n_configs, 'row', ',')} along config"
    return f"{counted(sweep.n_cells, 'cell', ',')}"


def _skipped(sweep: Plan) -> list[tuple[str, ...]]:
    kinds = Counter(problem.kind for problem in sweep.skipped)
    rows: list[tuple[str, ...]] = []
    for kind, times in kinds.items():
        paths = [problem.path for problem in sweep.skipped if problem.kind == kind]
        rows.append((kind, str(times), listed((shorten(path, 60) for path in paths), 3, _MORE)))
    return rows


def show_labels(labels: NDArray[Any]) -> str:
    """Return labels as one text for reading; the middle of a long list is left out."""
    if len(labels) <= _MAX_LABELS:
        shown = [_label(label) for label in labels]
    else:
        shown = [*map(_label, labels[:5]), "…", *map(_label, labels[-2:])]
    return ", ".join(shown)


def _label(label: Any) -> str:
    if isinstance(label, float):
        return value_text(label)
    return shorten(str(label)) or "''"


def shorten(text: str, width: int = _MAX_TEXT) -> str:
    """Return a text on one line, cut to ``width`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _distinct(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind != "U":
        return np.unique(values)
    first = np.unique(values, return_index=True)[1]
    return values[np.sort(first)]
