"""Output of the command line: tables, JSON, warnings and progress.

In a terminal tables have lines and colours; in a pipe they are plain, aligned, and never cut.
"""

from __future__ import annotations

import json
import math
import re
import sys
import warnings
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runcube.core import SweepWarning, is_printable, printable, value_text
from runcube.pipeline import Progress, progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runcube.plan import Sweep

_STYLES = {"complete": "green", "incomplete": "yellow", "failed": "red", "absent": "dim"}


def show_frame(frame: pd.DataFrame, title: str, *, empty: str, follow: Sequence[str] = ()) -> None:
    """Print a table to stdout.

    Parameters
    ----------
    frame : DataFrame
        Its columns are shown, its index is not.
    title : str
        Printed above the table in a terminal only: a pipe gets the columns and nothing else.
    empty : str
        Printed in place of a table without rows; it goes to stderr in a pipe.
    follow : sequence of str
        Columns that are left out if the terminal is too narrow.
    """
    console = Console(highlight=False)
    if frame.empty:
        (console if console.is_terminal else _stderr()).print(Text(printable(empty)))
        return
    title = printable(title)
    cells = {_cell(name): [_cell(v) for v in frame[name].tolist()] for name in frame.columns}
    right = {_cell(name) for name in frame.columns if _is_number_column(frame[name])}
    if not console.is_terminal:
        _write_plain(cells, right)
        return
    if follow and not _fits(cells, console):
        cells = {name: texts for name, texts in cells.items() if name not in follow}
        title = f"{title} (without {_some(follow)}, determined by the other columns)"
    if _fits(cells, console):
        console.print(Text(title, style="bold"), _rich_table(cells, right), sep="\n")
    else:
        console.print(Text(title, style="bold"), soft_wrap=True)
        _write_plain(cells, right)


def _is_number_column(column: pd.Series[Any]) -> bool:
    """Return whether a column holds numbers only, other than bools."""
    held = column.dropna()
    return bool(pd.api.types.is_numeric_dtype(held.infer_objects())) and held.dtype.kind != "b"


def _fits(cells: Mapping[str, list[str]], console: Console) -> bool:
    """Return whether a terminal is wide enough, if need be with the last column folded to 20."""
    *widths, last = _widths(cells).values()
    return sum(widths) + min(last, 20) + 3 * len(widths) + 4 <= console.width


def _widths(cells: Mapping[str, list[str]]) -> dict[str, int]:
    return {name: max(map(cell_len, (name, *texts))) for name, texts in cells.items()}


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 5 else ""
    return ", ".join(names if not more else names[:4]) + more


def _rich_table(cells: Mapping[str, list[str]], right: set[str]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for number, name in enumerate(cells, 1):
        table.add_column(
            Text(name),
            justify="right" if name in right else "left",
            no_wrap=number < len(cells),
            overflow="fold",
        )
    for row in zip(*cells.values(), strict=True):
        table.add_row(*(Text(text, style=_STYLES.get(text, "")) for text in row))
    return table


def _write_plain(cells: Mapping[str, list[str]], right: set[str]) -> None:
    """Write aligned columns; not through rich, which would cut or wrap them."""
    widths = _widths(cells)
    for row in (tuple(cells), *zip(*cells.values(), strict=True)):
        aligned = []
        for name, text in zip(cells, row, strict=True):
            space = " " * (widths[name] - cell_len(text))
            aligned.append(space + text if name in right else text + space)
        sys.stdout.write("  ".join(aligned).rstrip() + "\n")


def _cell(value: Any) -> str:
    if value is None or value is pd.NA:
        return "-"
    if isinstance(value, float):
        return value_text(value)
    # Not by split(): control characters are blanks to it.
    text = re.sub(r"[ \t\n]+", " ", printable(str(value))).strip()
    return text or ("''" if isinstance(value, str) and value else "")


def show_text(text: str) -> None:
    """Print lines to stdout; in a terminal those that are not indented are headings."""
    text = printable(text)
    console = Console(highlight=False)
    if not console.is_terminal:
        sys.stdout.write(text + "\n")
        return
    for line in text.splitlines():
        bold = bool(line) and not line.startswith(" ")
        console.print(Text(line, style="bold" if bold else ""), soft_wrap=True)


def write_json(records: Iterable[Mapping[str, Any]]) -> None:
    """Print JSON lines to stdout. A NaN is null, an infinity is the text ``"Infinity"``."""
    for record in records:
        text = json.dumps(_strict(record), ensure_ascii=False, default=str)
        if not is_printable(text):
            text = json.dumps(_strict(record), default=str).replace("\x7f", "\\u007f")
        sys.stdout.write(text + "\n")


def write_frame_json(frame: pd.DataFrame) -> None:
    """Print a table as JSON lines: one object per row."""
    names = [str(name) for name in frame.columns]
    columns = [frame[name].tolist() for name in frame.columns]
    write_json(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _strict(value: Any) -> Any:
    """Return a value without NaN and infinities, which only Python's parser of JSON accepts."""
    if value is pd.NA:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value


def sweep_json(sweep: Sweep) -> dict[str, Any]:
    """Return the plan of a sweep as one JSON object."""
    seed = sweep.seed_axis
    return {
        "runs": len(sweep),
        "files": len({header.source.path for header in sweep.headers}),
        "configurations": sweep.n_configs,
        "layout": sweep.layout,
        "layout_reason": sweep.layout_reason,
        "dims": {
            axis.name: {"key": axis.key, "labels": axis.labels.tolist()} for axis in sweep.axes
        },
        "seed": {
            "key": seed.key,
            "kind": seed.kind,
            "labels": seed.labels.tolist(),
            "reason": seed.reason,
        },
        "coordinates": {
            coord.name: {"key": coord.key, "dims": list(coord.dims)} for coord in sweep.coords
        },
        "excluded": sweep.excluded,
        "constant": sweep.constant,
        "skipped": [{"path": p.path, "kind": p.kind, "message": p.message} for p in sweep.skipped],
        "notes": list(sweep.notes),
    }


class Shown(Protocol):
    """Callable that shows the state of a sweep."""

    def __call__(self, counts: Mapping[str, int], best: Mapping[str, Any]) -> None:
        """Show the state.

        Parameters
        ----------
        counts : mapping of str to int
            Number of runs by status.
        best : mapping of str to object
            The best run so far; see `runcube.cli.watch.best`.
        """
        ...


@contextmanager
def live(*, as_json: bool = False) -> Iterator[Shown]:
    """Show the state of a sweep repeatedly: in a terminal as one table that changes, else as lines.

    Parameters
    ----------
    as_json : bool
        Write JSON lines, in a terminal too.

    Yields
    ------
    Shown
        Shows one state.
    """
    console = Console(highlight=False)
    if as_json or not console.is_terminal:

        def line(counts: Mapping[str, int], best: Mapping[str, Any]) -> None:
            record = {"time": _now(), **counts, "best": dict(best) or None}
            if as_json:
                write_json([record])
            else:
                sys.stdout.write(f"{_now()}  {_standing(counts)}  {_best(counts, best)}\n")
            sys.stdout.flush()

        yield line
        return
    with Live(console=console, auto_refresh=False) as drawn:

        def table(counts: Mapping[str, int], best: Mapping[str, Any]) -> None:
            made = Table(box=SIMPLE_HEAD)
            made.add_column("status")
            made.add_column("runs", justify="right")
            for status, count in counts.items():
                made.add_row(Text(status, style=_STYLES.get(status, "")), f"{count:,}")
            # Beside the table, which is narrow, they take the whole width.
            head = Text(f"as of {_now()}; Ctrl-C stops", style="italic")
            drawn.update(Group(head, made, Text(_best(counts, best))), refresh=True)

        yield table


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")


def _standing(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in counts.items())


def _best(counts: Mapping[str, int], best: Mapping[str, Any]) -> str:
    if not best:
        return "nothing logged yet" if any(counts.values()) else "waiting for the first log"
    own = ("metric", "split", "mode", "value", "run_id", "status")
    labels = ", ".join(f"{k}={_cell(v)}" for k, v in best.items() if k not in own)
    head = f"best {best['split']} {best['metric']} {best['value']:.6g}"
    order = "lowest" if best["mode"] == "min" else "highest"
    end = f"{labels}; {best['run_id']}, {best['status']}"
    return _cell(f"{head}, the {order} at the end of a run ({end})")


def show_remark(text: str) -> None:
    """Print a remark to stderr."""
    _stderr().print(Text(printable(text)), soft_wrap=True)


def _stderr() -> Console:
    return Console(stderr=True, highlight=False)


@contextmanager
def warnings_on_stderr() -> Iterator[None]:
    """Collect the warnings of a load and print each once to stderr, without file and line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        warnings.simplefilter("always", SweepWarning)
        yield
    for text in dict.fromkeys(
        str(w.message) for w in caught if issubclass(w.category, SweepWarning)
    ):
        shown = text.replace("rc.problems(ds) lists them", "`runcube problems` lists them")
        shown = printable(shown)
        _stderr().print(Text.assemble(("warning: ", "bold yellow"), shown), soft_wrap=True)
    for other in caught:
        if not issubclass(other.category, SweepWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)


@contextmanager
def progress_on_stderr() -> Iterator[bool | Progress]:
    """Draw a bar on stderr while logs are read, if that is a terminal.

    Yields
    ------
    callable or False
        For ``load_runs(progress=)``.
    """
    if not sys.stderr.isatty():
        yield False
        return
    with progress_bar("reading logs", at_first="finding logs") as step:
        yield step
