"""What no rule of the planner could decide, each with the argument that decides it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.plan.exclude import BY_ARGUMENT, BY_NAME, is_fact
from runcube.plan.layout import MAX_SHARED
from runcube.plan.partitions import group, n_groups, recode
from runcube.plan.path_template import suggest_template
from runcube.plan.run_names import FEW, OWN_TEXT, is_of_each_run
from runcube.plan.seed import is_seed_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.plan.layout import LayoutChoice
    from runcube.plan.path_reading import NamesRead
    from runcube.plan.sweep import Sweep
    from runcube.plan.values import Column

# Names that a note lists, and keys that the argument it proposes may hold.
MOST_NAMES = 6


def plan_notes(
    sweep: Sweep,
    chosen: LayoutChoice,
    unplaced: Sequence[str],
    columns: Sequence[Column],
    swept: Sequence[str],
    names_read: NamesRead | None,
) -> tuple[str, ...]:
    """Return the notes of a plan.

    Parameters
    ----------
    sweep : Sweep
        Without notes.
    chosen : LayoutChoice
    unplaced : sequence of str
        Full keys that no set of dims determines.
    columns : sequence of Column
        All keys of the sweep.
    swept : sequence of str
        Full keys of dims that would be excluded by name, but for the evidence of their values.
    names_read : NamesRead or None
        How the names of the logs were read, if they were read unasked.
    """
    notes = [_swept(sweep, key) for key in swept]
    if names_read is not None:
        notes.append(
            f"{_join(names_read.keys)} read from the names of the logs, since"
            f" {names_read.n_alike} runs are alike without: path_keys="
            f"{_quoted(names_read.template)} does the same, path_keys=None reads nothing"
        )
    if chosen.noteworthy:
        other = "grid" if chosen.layout == "configs" else "configs"
        notes.append(
            f'layout "{chosen.layout}": {chosen.reason}; layout="{chosen.layout}" keeps it,'
            f' layout="{other}" overrules it'
        )
    notes += _with_seed(sweep, columns)
    notes += _averaged(sweep, columns)
    # About a rerun or two beside a seed key on_duplicate decides, once the logs are parsed.
    if sweep.shared_cells and (sweep.separate or sweep.seed_axis.kind == "none"):
        notes.append(_shared(sweep, columns))
    if unplaced and not sweep.shared_cells:
        notes.append(f"{_join(unplaced)}: not decided by dims, so only in run_config")
    return tuple(notes)


def _swept(sweep: Sweep, key: str) -> str:
    """Return the note on a dim whose name is that of no hyperparameter."""
    axis = next((axis for axis in sweep.axes if axis.key == key), None)
    name = sweep.names[key]
    what = "varies" if axis is None else f"is a dim, {len(axis.labels)} labels"
    return (
        f"{name} {what}: keys of this name mostly are no hyperparameters, but nothing else decides"
        f' its values, each in several runs; exclude="{name}" leaves it out'
    )


def _with_seed(sweep: Sweep, columns: Sequence[Column]) -> list[str]:
    """Return the notes on coordinates over which a mean over seeds averages.

    Another seed that is a function of this one (data_seed = seed) is no second quantity, and what
    is of each run (a measured time) is no setting. Runs that lack the seed mostly lack all else,
    since they failed before they had a configuration: what varies only thereby is counted.
    """
    column = {c.key: c for c in columns}
    varies: list[str] = []
    lacking: list[str] = []
    seed = column.get(sweep.seed_axis.key or "")
    has_seed = np.ones(len(sweep), dtype=bool) if seed is None else seed.present
    for coord in sweep.coords:
        only = len(coord.dims) == 1
        values = column[coord.key]
        measured = values.n_labels > FEW and is_of_each_run(values)
        if "seed" not in coord.dims or (only and is_seed_name(coord.key)) or measured:
            continue
        cells = recode(np.zeros(len(sweep), np.int64) if only else sweep.rows)[has_seed]
        own = group([cells, values.codes[has_seed]], int(has_seed.sum()))
        (varies if n_groups(own) > n_groups(cells) else lacking).append(coord.name)
    notes = []
    if lacking:
        n_without = int((~has_seed).sum())
        runs = "1 run logs" if n_without == 1 else f"{n_without} runs log"
        notes.append(f"{runs} no {seed.key if seed else 'seed'}, nor {_join(lacking)}")
    if varies:
        dims = [*(axis.name for axis in sweep.axes), *varies]
        one = len(varies) == 1
        argument = f"; {_dims_argument(dims)} makes {'it a dim' if one else 'them dims'} instead"
        notes.append(
            f"{_join(varies)} {'varies' if one else 'vary'} with the seed:"
            f' mean("seed") averages over {"it" if one else "them"}'
            f"{argument if len(varies) <= MOST_NAMES else ''}"
        )
    return notes


def _averaged(sweep: Sweep, columns: Sequence[Column]) -> list[str]:
    """Return the notes on keys outside the cube over which a mean over seeds averages.

    What has a value of its own in nearly every run is no setting, but where nothing besides tells
    runs apart.
    """
    excluded = sweep.excluded
    alone = not sweep.axes
    runs = _without_reruns(sweep)
    rows = recode(sweep.rows[runs])
    hidden = [
        c
        for c in columns
        if excluded.get(c.key, BY_ARGUMENT) != BY_ARGUMENT
        and n_groups(group([rows, c.codes[runs]], len(rows))) > n_groups(rows)
        and (
            not is_of_each_run(c)
            or (alone and c.n_labels <= FEW and excluded[c.key].startswith(OWN_TEXT))
        )
    ]
    facts = [c for c in hidden if excluded[c.key] == BY_NAME and is_fact(c.key)]
    settings = [c for c in hidden if c not in facts]
    differ = "between the seeds of a configuration"
    notes = []
    if settings:
        names = [sweep.names[c.key] for c in settings]
        one = len(names) == 1
        dims = [*(axis.name for axis in sweep.axes), *names]
        notes.append(
            f"{_join(names)} {'differs' if one else 'differ'} {differ}, but"
            f' {"is" if one else "are"} excluded: mean("seed") averages over'
            f" {'it' if one else 'them'}; {_dims_argument(dims)} makes"
            f" {'it a dim' if one else 'them dims'}"
        )
    if facts:
        names = [sweep.names[c.key] for c in facts]
        notes.append(f"{_join(names)} {'differs' if len(names) == 1 else 'differ'} {differ}")
    return notes


def _without_reruns(sweep: Sweep) -> NDArray[np.intp]:
    """Return the runs without those few that share a cell: rule 10 decides about these."""
    shared = [run for cell in sweep.shared_cells for run in cell.runs]
    if len(shared) - len(sweep.shared_cells) > MAX_SHARED * len(sweep):
        shared = []
    return np.setdiff1d(np.arange(len(sweep)), shared)


def _shared(sweep: Sweep, columns: Sequence[Column]) -> str:
    """Return the note on runs that nothing tells apart, with the arguments that would."""
    count = sum(len(cell.runs) for cell in sweep.shared_cells)
    place = "are separate rows of config" if sweep.separate else "share cells (see on_duplicate)"
    no_seed = sweep.seed_axis.kind == "none"
    head = f"{'no seed key: ' if no_seed else ''}{count} runs that nothing tells apart {place}"
    remedies = []
    differ = [
        key
        for key in dict.fromkeys(key for cell in sweep.shared_cells for key in cell.differ)
        if sweep.excluded.get(key) != BY_ARGUMENT
    ]
    if differ:
        names = [sweep.names.get(key, key) for key in differ[:3]]
        axes = [axis.name for axis in sweep.axes]
        remedies.append(f"{_dims_argument([*axes, names[0]])} brings in {names[0]}, which differs")
    paths = [header.source.path for header in sweep.headers]
    template = suggest_template(paths, columns, [cell.runs for cell in sweep.shared_cells])
    if template is not None:
        remedies.append(f"path_keys={_quoted(template)} reads what their paths say")
    if no_seed:
        remedies.append('seed="replicate" numbers them as replicates')
    if sweep.separate:
        remedies.append('layout="grid" keeps one of them per cell')
    return "; ".join([head, *remedies])


def _quoted(text: str) -> str:
    """Return a text as Python reads it."""
    plain = text.isprintable() and not {'"', "\\"} & set(text)
    return f'"{text}"' if plain else repr(text)


def _dims_argument(names: Sequence[str]) -> str:
    return "dims=[" + ", ".join(f'"{name}"' for name in names) + "]"


def _join(names: Sequence[str], most: int = MOST_NAMES) -> str:
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
