"""The commands ``best``, ``compare`` and ``results``: what the seeds of a sweep can say."""

from __future__ import annotations

import dataclasses
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd
import yaml

from runcube.cli import comparisons, findings, launch, options, render, select
from runcube.cli.errors import Failure
from runcube.cli.logs import Logs, example, on_logs, remark_left_out
from runcube.core import PlanError, UnknownNameError, counted, printable, value_text
from runcube.cube import diverged, full_key, hyperparameters, to_grid
from runcube.files import is_netcdf
from runcube.stats import compare_all
from runcube.stats import select as select_best
from runcube.tables import results as table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from runcube.tables import Table

# Keys of which two values may not be comparable: `dataset`, `data.name`, `env_id`.
_DATA = re.compile(
    r"(?:^|\.)(?:data|data_?set|task|env|game|benchmark|corpus)(?:[._](?:name|id))?$"
)
_ENDS = click.Choice(["max", "min"])


@click.command(
    epilog=example(
        "runcube best logs/ --metric acc1 --mode max",
        "runcube best sweep.nc --metric loss --mode min --report eval --format yaml > best.yaml",
    )
)
@click.option("--metric", required=True, help="Metric that decides.")
@click.option("--mode", type=_ENDS, required=True, help="Which end of it is better.")
@click.option("--split", default="val", show_default=True, help="Split that chooses.")
@click.option("--report", help="Split that is reported; default: test, else eval.")
@options.one_of(
    "--epoch",
    ["best", "last", "each"],
    "x at which the mean over seeds is best, the last of each run, or the best of each run.",
)
@options.one_of(
    "--diverged",
    ["worst", "exclude", "fail"],
    "A run that logged NaN counts as the worst value, not, or rules its configuration out.",
)
@options.WHERE
@options.form("The winner's configuration alone: yaml, json, or 'python train.py lr={lr}'.")
@options.WITHIN
@options.CI
@options.RNG
@on_logs()
def best(logs: Logs, where: Any, form: str | None, within: str | None, **asked: Any) -> None:
    """Show the best configuration, with a value that its choice has not flattered.

    The value is cross-fitted over seeds: for each seed, all others choose configuration and epoch,
    and this one reports. The mean of the winner itself stands beside it; it is flattered, since the
    winner was chosen by these runs. All runs count with what they logged; --where status=complete
    leaves out the others. With --within, a configuration is chosen for each value of a
    hyperparameter, such as the dataset, by itself.
    """
    if form is not None and logs.plan["relabel"]:
        raise click.UsageError("best writes the values as logged: leave out --relabel")
    ds = select.where(logs.load(), where)
    if asked["report"] is None:
        splits = ds["split"].values.tolist()
        asked["report"] = next((s for s in ("test", "eval") if s in splits), "test")
    if within is not None:
        if form is not None:
            raise click.UsageError("--format writes one configuration: not with --within")
        _best_within(select.parts(ds, within), within, asked, as_json=logs.as_json)
        return
    found = select_best(ds, **asked)
    _remark_on_pooling(ds)
    if form == "yaml":
        sys.stdout.write(yaml.safe_dump(findings.configuration(found), sort_keys=False))
    elif form is not None:
        launch.write([findings.configuration(found)], form, ds)
    elif logs.as_json:
        render.write_json([findings.best_json(found, ds)])
    else:
        render.show_text(findings.best_text(found, ds))


@click.command(
    epilog=example(
        "runcube compare logs/ --over lr --baseline 0.2 --metric acc1 --split test",
        "runcube compare logs/ --over optimizer --metric loss --split val --where lr=0.1",
    )
)
@click.option("--over", required=True, metavar="NAME", help="Hyperparameter to compare along.")
@click.option("--baseline", metavar="VALUE", help="Compare with this one; default: each pair.")
@click.option("--metric", help="Metric to compare; needed if there are several.")
@click.option("--split", help="Split to compare; needed if there are several.")
@options.WHERE
@options.AT_BEST
@click.option("--mode", type=_ENDS, help="For --at-best: which end is better.")
@options.AT
@options.one_of(
    "--test",
    ["t", "permutation", "brunner-munzel"],
    "Welch's t, or Student's over pairs; exact permutation; P(a > b), from 10 seeds on.",
)
@click.option(
    "--paired/--unpaired",
    default=None,
    help="Whether seeds are pairs; default: where both sides share labels that were set.",
)
@options.one_of(
    "--adjust",
    ["holm", "bh", "dunnett", "games-howell", "max-t"],
    "What the verdict goes by: dunnett needs --baseline, max-t --test permutation.",
)
@options.WITHIN
@options.ALL_RUNS
@options.CI
@options.RNG
@on_logs()
def compare(logs: Logs, over: str, baseline: str | None, within: str | None, **asked: Any) -> None:
    """Compare the settings of a hyperparameter, all others being equal.

    Each row is a difference of means over seeds, a - b, with its interval, p, p adjusted for all
    rows, and a verdict, which goes by that. Settings to compare are chosen with --where. With
    --within, each value of a hyperparameter, such as the dataset, has a table of its own, and below
    all of them the verdicts are counted.
    """
    ds = select.where(logs.load(), asked["where"])
    named = {name: _only(ds, name, asked[name]) for name in ("metric", "split")}
    name = select.coordinate(ds, over)
    base = None if baseline is None else select.label(ds, name, baseline)
    if "config" in ds.dims:
        kept = {"metric": [*asked["at_best"]], "split": [*asked["at_best"].values()]}
        ds = to_grid(select.where(ds, {n: [named[n], *more] for n, more in kept.items()}))
    if name not in ds["status"].dims or name == "seed":
        raise PlanError(f"--over {over}: is no dim of the configurations")
    modes = dict.fromkeys(asked["at_best"], asked["mode"]) if asked["mode"] else {}
    values, words = select.one_value(ds, at=asked["at"], at_best=asked["at_best"], modes=modes)
    values, left_out = select.counted_runs(values, all_runs=asked["all_runs"])
    values = values.sel(named)
    found = compare_all(
        values,
        over=name,
        baseline=base,
        test=asked["test"],
        paired="auto" if asked["paired"] is None else asked["paired"],
        ci=asked["ci"],
        adjust=asked["adjust"],
        rng=asked["rng"],
    )
    remark_left_out(left_out)
    _remark_on_diverged(select.where(ds, {n: [text] for n, text in named.items()}))
    about = f"{named['metric']} of {named['split']}"
    found = comparisons.with_runs(found, values, name)
    if logs.as_json:
        render.write_frame_json(comparisons.differences_json(found, {**named, "values": words}))
        return
    _show_differences(found, f"{about}, {over}: a - b", within, ds)
    if bool(((found["n_a"] > 0) & (found["n_b"] > 0)).any()):
        render.show_remark(f"{about}, {words}; {comparisons.ways(found, over)}")


@click.command(
    epilog=example(
        "runcube results logs/ --metric acc1 --split test --mode max --latex -o table.tex",
        "runcube results logs/ --metric acc1 --metric loss --mode acc1=max --mode loss=min",
    )
)
@click.option("--metric", multiple=True, help="Metric to show; default: all.")
@click.option("--split", multiple=True, help="Split to show; default: all.")
@click.option(
    "--mode",
    multiple=True,
    required=True,
    metavar="[METRIC=]max|min",
    help="Which end is better; of several metrics, of each.",
)
@options.WHERE
@options.AT_BEST
@options.AT
@click.option("--markdown", "form", flag_value="markdown", default=True, help="The default.")
@click.option("--latex", "form", flag_value="latex", help="LaTeX; it needs booktabs.")
@click.option("--html", "form", flag_value="html", help="HTML.")
@click.option("--csv", "form", flag_value="csv", help="The numbers behind it, unrounded.")
@click.option(
    "--names",
    multiple=True,
    callback=options.pairs_of,
    metavar="NAME=TEXT",
    help="What to call a hyperparameter, a label, a metric or a split.",
)
@click.option("-o", "--output", metavar="FILE", help="Write it to a file.")
@options.many(
    "--keys", options.listed, "A,B", "Hyperparameters to show; default: those that say something."
)
@options.WITHIN
@options.ALL_RUNS
@options.CI
@on_logs()
def results(logs: Logs, form: str, output: str | None, **asked: Any) -> None:
    """Write a table of results for a paper: mean ± half of its interval over seeds.

    Digits are those that the interval leaves. The best of a column is bold, and so is all that may
    be the best (Hsu). The caption names the interval and the number of seeds. With --within, each
    value of a hyperparameter, such as the dataset, has a table of its own.
    """
    ds = select.where(logs.load(), asked["where"])
    wanted = {name: [*dict.fromkeys(asked[name])] for name in ("metric", "split") if asked[name]}
    if not select.where(ds, wanted)["logged"].any():
        raise Failure("nothing was logged of this metric and split")
    metrics = [*asked["metric"]] or ds["metric"].values.tolist()
    modes = _modes(asked["mode"], metrics, ds["metric"].values.tolist())
    made, left_out = _tables(ds, modes, wanted, asked)
    remark_left_out(left_out)
    _remark_on_diverged(select.where(ds, wanted))
    if asked["within"] is None:
        _remark_on_pooling(ds)
    if logs.as_json:
        for table, more in made:
            flat = table.frame.set_axis([" ".join(n).strip() for n in table.frame.columns], axis=1)
            render.write_frame_json(flat.assign(ci_level=asked["ci"], ci_method="t", **more))
        return
    text = _written([table for table, _ in made], form)
    if output is None:
        sys.stdout.write(printable(text) + "\n")
        return
    target = Path(output)
    if target.is_dir() or (target.exists() and is_netcdf(target)):
        raise Failure(f"{target}: is {'a directory' if target.is_dir() else 'an archive'}")
    target.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
    rows = sum(len(table.rows) for table, _ in made)
    render.show_remark(f"wrote {target}: {counted(rows, 'row', ',')}")


def _tables(
    ds: xr.Dataset, modes: dict[str, Any], wanted: Mapping[str, Any], asked: Mapping[str, Any]
) -> tuple[list[tuple[Table, dict[str, str]]], int]:
    """Return a table of each part with what it is of, and how many runs were left out."""
    made, left_out = [], 0
    for value, part in select.parts(ds, asked["within"]):
        values, words = select.one_value(
            part, at=asked["at"], at_best=asked["at_best"], modes=modes
        )
        values, out = select.counted_runs(values, all_runs=asked["all_runs"])
        left_out += out
        table = table_of(
            values.sel(wanted), mode=modes, ci=asked["ci"], names=asked["names"], keys=asked["keys"]
        )
        heading = "".join(f"{name} = {text}. " for name, text in value.items())
        caption = f"{heading}{words[0].upper()}{words[1:]}. {table.caption}"
        made.append((dataclasses.replace(table, caption=caption), {"values": words, **value}))
    return made, left_out


def _written(made: Sequence[Table], form: str) -> str:
    """Return tables as text in a form."""
    if form == "csv":
        for table in made:
            render.show_remark(table.caption)  # in all other forms it is part of the table
        frame = pd.concat([table.frame for table in made], ignore_index=True)
        return dataclasses.replace(made[0], frame=frame).to_csv().rstrip("\n")
    if form == "latex":
        ends = [""] if len(made) == 1 else [f"-{number}" for number in range(1, len(made) + 1)]
        texts = [t.to_latex(label=f"tab:results{e}") for t, e in zip(made, ends, strict=True)]
    else:
        texts = [t.to_html() if form == "html" else t.to_markdown() for t in made]
    return "\n\n".join(text.rstrip("\n") for text in texts)


def _best_within(
    parts: Sequence[tuple[dict[str, str], xr.Dataset]],
    within: str,
    asked: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Show the best configuration of each part, and how far all parts agree."""
    found = [(value, part, select_best(part, **asked)) for value, part in parts]
    if as_json:
        render.write_json([findings.best_json(own, part) | value for value, part, own in found])
        return
    for value, part, own in found:
        told = textwrap.indent(findings.best_text(own, part), "  ")
        render.show_text("".join(f"{n}={text}\n" for n, text in value.items()) + told + "\n")
    render.show_text(findings.agreement([own for _, _, own in found], within))


def _show_differences(found: xr.Dataset, title: str, within: str | None, ds: xr.Dataset) -> None:
    """Show comparisons as one table, or as one of each part, with their verdicts counted."""
    frame = comparisons.differences(found)
    if within is None or frame.empty:
        render.show_frame(frame, title, empty="no two runs differ in it alone")
        return
    own = ds[select.coordinate(ds, within)]
    column = comparisons.within(found, own)
    for value in dict.fromkeys(column.tolist()):
        heading = f"{within}={value_text(value)}"
        render.show_text(heading)
        rows = frame[(column == value).to_numpy()].drop(columns=str(own.name), errors="ignore")
        render.show_frame(rows, f"{title}, {heading}", empty="")
        render.show_text("")
    render.show_text(comparisons.joint(frame, column, within))


def _only(ds: xr.Dataset, name: str, asked: str | None) -> str:
    """Return the metric or split that was asked for, or the only one."""
    known: list[str] = ds[name].values.tolist()
    if asked is not None:
        select.where(ds, {name: [asked]})
        return asked
    if len(known) > 1:
        raise click.UsageError(f"--{name} is needed, one of {', '.join(known)}")
    return known[0]


def _modes(given: Sequence[str], metrics: list[str], known: list[str]) -> dict[str, Any]:
    """Return which end of each metric is better."""
    modes: dict[str, Any] = {}
    for text in given:
        name, sign, end = text.rpartition("=")
        if end not in ("max", "min"):
            raise click.UsageError(f"--mode {text}: expected max, min, or METRIC=max, METRIC=min")
        if not sign and len(metrics) > 1:
            raise click.UsageError(
                f"--mode {end}: there are {len(metrics)} metrics; name it for each, "
                f"--mode {metrics[0]}={end}, or choose one with --metric"
            )
        name = name if sign else metrics[0]
        if name not in known:
            raise UnknownNameError(f"--mode {name}: no such metric; known: {', '.join(known)}")
        modes[name] = end
    return modes


def _remark_on_pooling(ds: xr.Dataset) -> None:
    """Say that one choice is made for all values of what may be a dataset."""
    for name in hyperparameters(ds):
        if _DATA.search(full_key(ds, name).lower()) and len(select.parts(ds, name)) > 1:
            render.show_remark(
                f"all values of {name} are ranked together; --within {name} ranks each by itself"
            )
            return


def _remark_on_diverged(ds: xr.Dataset) -> None:
    """Say how many runs diverged: their values that are not finite are not in the means."""
    lost = int(diverged(ds).any(["split", "metric"]).sum())
    if lost:
        render.show_remark(
            f"logged NaN or an infinity: {counted(lost, 'run', ',')}; "
            "what is not finite is left out of means and of n"
        )
