"""Runs that are still to be done, for what starts them: JSON lines, YAML, command lines."""

from __future__ import annotations

import string
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import yaml

from runcube.cli import render
from runcube.core import PlanError, UnknownNameError, nearest, shell_word
from runcube.cube import full_key, hyperparameters, report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr


def write(runs: Sequence[Mapping[str, Any]], form: str, ds: xr.Dataset) -> None:
    """Print runs to stdout.

    Parameters
    ----------
    runs : sequence of mapping
        Full dotted key to value, as `runcube.cube.report.missing_configs` returns them.
    form : str
        ``json``, ``yaml``, or a text with fields, of which a line is made for each run.
    ds : Dataset
        The cube they are of.

    Raises
    ------
    PlanError
        If the form is none, or a run lacks what it asks for.
    UnknownNameError
        If a field names no key.
    """
    if form == "json":
        render.write_json(runs)
    elif form == "yaml":
        sys.stdout.write(yaml.safe_dump([*map(dict, runs)], sort_keys=False))
    else:
        for line in command_lines(runs, form, ds):
            sys.stdout.write(line + "\n")


def command_lines(runs: Sequence[Mapping[str, Any]], form: str, ds: xr.Dataset) -> list[str]:
    """Return a command line for each run: the form with its fields replaced.

    Parameters
    ----------
    runs, form, ds
        As for `write`.

    Returns
    -------
    list of str
        Each value is as JSON has it, text without quotes, and quoted for the shell.

    Raises
    ------
    PlanError, UnknownNameError
        As `write`.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> from runcube.cli.launch import command_lines
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> runs = ds.sweep.missing_configs()
    >>> command_lines(runs, "python train.py --lr {lr} --seed {seed} --epochs {epochs}", ds)[0]
    'python train.py --lr 0.004 --seed 1 --epochs 20'
    """
    constant = report.constant(ds) if "constant_hparams" in ds.attrs else {}
    runs = [{**constant, "_path": "", **run} for run in runs]
    parts = _parts(form)
    keys = _keys(ds, constant, runs)
    for _, field in parts:
        if field is not None and field not in keys:
            raise UnknownNameError(f"--format: no key {field!r}{nearest(field, keys)}")
    asked = [(text, None if field is None else keys[field]) for text, field in parts]
    lines = []
    for run in runs:
        lacking = next((key for _, key in asked if key is not None and key not in run), None)
        if lacking is not None:
            some = sum(lacking not in other for other in runs)
            raise PlanError(f"--format: {some} of {len(runs)} runs have no value of {lacking!r}")
        texts = (text + ("" if key is None else shell_word(run[key])) for text, key in asked)
        lines.append("".join(texts))
    return lines


def _parts(form: str) -> list[tuple[str, str | None]]:
    """Return the form as texts, each with the field behind it.

    Raises
    ------
    PlanError
        If it has no field, or one that is more than a name.
    """
    try:
        parsed = [*string.Formatter().parse(form)]
    except ValueError as error:
        raise PlanError(f"--format {form!r}: {error}; {{{{ and }}}} are braces") from error
    if any(spec or conversion for _, _, spec, conversion in parsed):
        raise PlanError(f"--format {form!r}: a field is a name alone, such as {{lr}}")
    if not any(field for _, field, _, _ in parsed):
        raise PlanError(f"--format {form!r}: expected yaml, json, or a text with fields: {{lr}}")
    return [(text, field) for text, field, _, _ in parsed]


def _keys(
    ds: xr.Dataset, constant: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Return the key that each field stands for: short names, full keys, status and path."""
    varying = {name: full_key(ds, name) for name in hyperparameters(ds)}
    if any(key == full_key(ds, "seed") for run in runs for key in run):
        varying["seed"] = full_key(ds, "seed")
    last = Counter(key.rpartition(".")[2] for key in constant)
    short = {key.rpartition(".")[2]: key for key in constant}
    own = {"status": "_status", "path": "_path", "_status": "_status", "_path": "_path"}
    known = {name: key for name, key in short.items() if last[name] == 1}
    full = {key: key for key in (*constant, *varying.values())}
    return own | known | full | varying
