"""The command ``runcube report``: a page to send to a colleague."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from runcube.cli import options, render, select
from runcube.cli.errors import Failure
from runcube.cli.logs import Logs, example, on_logs
from runcube.cli.watch import chosen_metric, lower_is_better
from runcube.report import report as write_report


@click.command(
    epilog=example(
        "runcube report logs/ -o report.html",
        "runcube report sweep.nc -o report.html --metric acc1 --title 'Learning rates'",
        "runcube report logs/ -o report.html --where optimizer=adam --where lr=0.1 --where lr=0.2",
    )
)
@click.option("-o", "--output", required=True, metavar="FILE", help="HTML file to write.")
@click.option(
    "--metric", help="Metric to open with; default: of most runs, an accuracy, reward or loss."
)
@click.option("--split", help="Split to open with; default: that of most runs, val first.")
@click.option("--report", help="Split that is reported of the best; default: test or eval.")
@click.option(
    "--lowest/--highest",
    default=None,
    help="Which value of the metric is best; default: by its name, as of the other metrics.",
)
@options.WHERE
@options.ALL_RUNS
@click.option("--title", default="Training sweep", show_default=True, help="Title of the page.")
@on_logs()
def report(logs: Logs, output: str, *, lowest: bool | None, where: Any, **asked: Any) -> None:
    """Write a page to send to a colleague: results, curves to look around in, what is missing.

    One HTML file, which needs no network and asks for none.
    """
    target = Path(output)
    if target.suffix.lower() not in (".html", ".htm"):
        raise Failure(f"{target}: expected a name that ends in .html")
    ds = select.where(logs.load(), where)
    if where:
        pairs = (f"{name}={value}" for name, values in where.items() for value in values)
        ds = ds.assign_attrs(selection=", ".join(pairs))
    metric = chosen_metric(ds, asked.pop("metric"))
    names = [str(name) for name in ds["metric"].values.tolist()]
    modes: dict[str, Literal["max", "min"]] = {
        name: "min" if lower_is_better(name, ds) else "max" for name in names
    }
    if lowest is not None and metric is not None:
        modes[metric] = "min" if lowest else "max"
    try:
        write_report(ds, target, metric=metric, **asked, mode=modes, rng=0)
    except ImportError as error:
        raise Failure(str(error)) from error
    size = target.stat().st_size
    if logs.as_json:
        render.write_json([{"path": str(target), "bytes": size, "metric": metric, "mode": modes}])
    else:
        better = "lower" if metric is not None and modes[metric] == "min" else "higher"
        render.show_remark(f"wrote {target}: {size / 1e6:.1f} MB; of {metric}, {better} is better")
