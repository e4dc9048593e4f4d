"""Options of the command line: their names, their help, and how their text is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

Command = Callable[..., "bool | None"]
Option = Callable[[Command], Command]

_CONSTANTS = {"none": None, "null": None, "true": True, "false": False}


def listed(_ctx: click.Context, _option: click.Parameter, given: Sequence[str]) -> Any:
    """Return names that are separated by commas, None without any; the callback of such options."""
    names = [name.strip() for text in given for name in text.split(",")]
    return [name for name in names if name] if given else None


def _globs(_ctx: click.Context, _option: click.Parameter, given: Sequence[str]) -> Any:
    return list(given)  # a glob may hold a comma


def _named(given: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each ``NAME=VALUE``."""
    for text in given:
        name, sign, value = text.partition("=")
        if not (name and sign):
            raise click.BadParameter(f"expected NAME=VALUE, got {text!r}")
        yield name, value


def pairs_of(_ctx: click.Context, _option: click.Parameter, given: Sequence[str]) -> Any:
    """Return the value of each name; the callback of options ``NAME=VALUE``.

    Raises
    ------
    click.BadParameter
        If one is no pair, or a name is given twice.
    """
    pairs: dict[str, str] = {}
    for name, value in _named(given):
        if name in pairs:
            raise click.BadParameter(f"{name} is given twice")
        pairs[name] = value
    return pairs


def choices_of(_ctx: click.Context, _option: click.Parameter, given: Sequence[str]) -> Any:
    """Return the values of each name; the callback of options ``NAME=VALUE`` that repeat a name.

    Parameters
    ----------
    _ctx, _option : click.Context, click.Parameter
        Unused; click passes them.
    given : sequence of str
        Texts ``NAME=VALUE``.

    Returns
    -------
    dict of str to list of str
        Name to its values, in the order of the command line.

    Raises
    ------
    click.BadParameter
        If a text has another form.
    """
    chosen: dict[str, list[str]] = {}
    for name, value in _named(given):
        chosen.setdefault(name, []).append(value)
    return chosen


def _relabelled(_ctx: click.Context, _option: click.Parameter, given: Sequence[str]) -> Any:
    relabel: dict[str, dict[Any, Any]] = {}
    for text in given:
        key, colon, change = text.partition(":")
        old, sign, new = change.partition("=")
        if not (key and colon and sign):
            raise click.BadParameter(f"expected KEY:OLD=NEW, got {text!r}")
        relabel.setdefault(key, {})[_value(old)] = _value(new)
    return relabel


def _value(text: str) -> Any:
    """Return None, bools and numbers as JSON or Python write them; text in quotes stays text."""
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, list | dict) else value


def _or_none(_ctx: click.Context, _option: click.Parameter, given: str) -> str | None:
    return None if given.lower() == "none" else given


def _defaults(ctx: click.Context, option: click.Parameter, given: Sequence[str]) -> Any:
    return {name: _value(text) for name, text in pairs_of(ctx, option, given).items()}


def many(name: str, callback: Callable[..., Any], metavar: str, text: str) -> Option:
    """Return an option that can be given several times.

    Parameters
    ----------
    name : str
        Name of the option, with its dashes.
    callback : callable
        Reads the texts of all occurrences.
    metavar : str
        Form of one text, for the help.
    text : str
        Help of the option.
    """
    return click.option(name, multiple=True, callback=callback, metavar=metavar, help=text)


def one_of(name: str, choices: Sequence[str], text: str) -> Option:
    """Return an option that is one of several words, the first by default."""
    return click.option(
        name, type=click.Choice(choices), default=choices[0], show_default=True, help=text
    )


def form(text: str) -> Option:
    """Return the option of the form in which configurations are written."""
    return click.option("--format", "form", metavar="FORM", help=text)


def _parallel(_ctx: click.Context, _option: click.Parameter, given: str) -> str | bool:
    return False if given == "off" else given


PARALLEL: Option = click.option(
    "--parallel",
    type=click.Choice(["auto", "off", "threads", "processes", "dask"]),
    default="auto",
    show_default=True,
    callback=_parallel,
    help="Where logs are read; auto starts threads if there is much to read.",
)
PLAN: dict[str, Option] = {
    "reader": click.option(
        "--reader", default="auto", help="Layout of the logs: native, jsonl, ray, …"
    ),
    "files": many("--files", _globs, "GLOB", "Files that may be logs: '**/metrics.jsonl'."),
    "ignore": many("--ignore", _globs, "GLOB", "Files to leave out: '**/agg/**'."),
    "path_keys": click.option(
        "--path-keys",
        default="auto",
        callback=_or_none,
        metavar="TEMPLATE",
        help="Keys in the path: '{study}/trial_{trial}', or auto or none.",
    ),
    "dims": many("--dims", listed, "A,B", "Hyperparameters that become dims."),
    "exclude": many("--exclude", listed, "A,B", "Hyperparameters to leave out."),
    "rename": many("--rename", pairs_of, "OLD=NEW", "Rename a hyperparameter."),
    "relabel": many(
        "--relabel", _relabelled, "KEY:OLD=NEW", "Replace a value: weights:null=random."
    ),
    "defaults": many(
        "--defaults", _defaults, "KEY=VALUE", "Value of a key in the runs that lack it."
    ),
    "exact_labels": click.option(
        "--exact-labels", is_flag=True, help="Keep values apart that are one number."
    ),
    "seed": click.option(
        "--seed",
        default="auto",
        callback=_or_none,
        help="Key of the seed, or auto, replicate or none.",
    ),
    "layout": one_of("--layout", ["auto", "grid", "configs"], "Layout of the cube."),
}
LOADING: dict[str, Option] = {
    "x": click.option("--x", help="Axis of the curves: epoch, step, …"),
    "align": one_of(
        "--align", ["auto", "union", "order"], "How runs with different x share an axis."
    ),
    "missing_x": one_of(
        "--missing-x", ["carry", "drop"], "Whether records without x stand at that before them."
    ),
    "splits": many("--splits", listed, "A,B", "Load only these splits."),
    "metrics": many("--metrics", listed, "A,B", "Load only these metrics."),
    "expected": click.option(
        "--expected", type=float, help="Length of a complete run, in units of x."
    ),
    "on_duplicate": one_of(
        "--on-duplicate",
        ["prefer_complete", "first", "last", "raise"],
        "Which run to keep where two share a cell.",
    ),
    "errors": one_of("--errors", ["warn", "raise"], "'raise' stops at the first problem."),
    "parallel": PARALLEL,
}
WHERE: Option = many(
    "--where", choices_of, "NAME=VALUE", "Only this label (null is None); repeat for more labels."
)
WITHIN: Option = click.option(
    "--within", metavar="NAME", help="For each value of it by itself, as of a dataset."
)
AT: Option = many("--at", choices_of, "X=VALUE", "Only this value of x: epoch=10.")
ALL_RUNS: Option = click.option(
    "--all-runs", is_flag=True, help="Include runs that are not complete."
)
AT_BEST: Option = many(
    "--at-best",
    pairs_of,
    "METRIC=SPLIT",
    "Values where this is best in each run, as with early stopping; default: the last ones.",
)
CI: Option = click.option(
    "--ci",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Level of the intervals.",
)
RNG: Option = click.option(
    "--rng", type=int, default=0, show_default=True, help="Seed of what is simulated or drawn."
)
JSON: Option = click.option("--json", "as_json", is_flag=True, help="Write JSON lines.")
EXIT_CODE: Option = click.option(
    "--exit-code", is_flag=True, help="Exit with 1 if anything is listed."
)
