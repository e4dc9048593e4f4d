"""HTML of the page: all that is data goes through `text`."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from runcube.core import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

MOST_ROWS = 500


def section(name: str, title: str, *parts: str) -> str:
    """Return a section with its parts, which are HTML."""
    body = "\n".join(part for part in parts if part)
    return f'<section id="{name}"><h2>{title}</h2>\n{body}\n</section>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as a table that scrolls within the page."""
    body = "".join(
        f'<tr><th scope="row">{text(row[0])}</th>'
        + "".join(f"<td>{text(value)}</td>" for value in row[1:])
        + "</tr>"
        for row in rows
    )
    cells = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    made = f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{made}</div>'


def details(title: str, pairs: Sequence[tuple[str, object]]) -> str:
    """Return names with their values, folded up."""
    if not pairs:
        return ""
    inside = table(("key", "value"), pairs)
    return f"<details><summary>{title} ({len(pairs)})</summary>{inside}</details>"


def frame_details(title: str, frame: pd.DataFrame) -> str:
    """Return the first rows of a table, folded up."""
    if frame.empty:
        return ""
    some = frame.head(MOST_ROWS)
    rows = some.astype(object).where(some.notna(), "").to_numpy().tolist()
    more = f"<p>… and {len(frame) - MOST_ROWS:,} more.</p>" if len(frame) > MOST_ROWS else ""
    inside = table([str(name) for name in frame.columns], rows)
    return f"<details><summary>{title} ({len(frame):,})</summary>{inside}{more}</details>"


def text(value: object) -> str:
    """Return a value as text that is no markup, and shows what is in it."""
    return escape(printable(str(value)))


def copied(title: str, own: str, *, is_open: bool = False) -> str:
    """Return a text with a button that copies it."""
    return (
        f"<details{' open' if is_open else ''}><summary>{title}</summary>"
        f'<p class="buttons"><button type="button" class="copy">Copy</button></p>'
        f'<pre tabindex="0">{escape(own)}</pre></details>'
    )
