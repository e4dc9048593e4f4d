"""The best configuration, what it is worth, and its configuration to copy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from runcube.core import PlanError, UnknownNameError, shell_words
from runcube.report.markup import copied, section, table, text
from runcube.stats import select
from runcube.tables import decimals_of, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from runcube.report.sections import Choices

_LONG_NAME = 200


def best_section(ds: xr.Dataset, own: Choices) -> str:
    """Return the best configuration as a section of the page, or why there is none.

    Parameters
    ----------
    ds : Dataset
        The cube, with what runs that do not count logged left out.
    own : Choices
    """
    title = "Best configuration"
    mode: Any = own.mode
    if own.mode is not None and not isinstance(own.mode, str):
        mode = own.mode.get(own.metric)
    if own.metric is None or mode is None:
        return section("best", title, "<p>mode= says which end of the metric is better.</p>")
    if own.split is None:
        why = "No split is there to choose by, such as val; split= (--split) names one."
        return section("best", title, f"<p>{why}</p>")
    try:
        found = select(
            ds,
            metric=own.metric,
            mode=mode,
            split=own.split,
            report=own.reported or own.split,
            ci=own.ci,
            rng=own.rng,
        )
    except (PlanError, UnknownNameError) as error:
        return section("best", title, f"<p>{text(error)}</p>")
    config: dict[str, Any] = json.loads(found.attrs["winner_config"])
    winner = json.loads(found.attrs["winner"])
    name = ", ".join(f"{key}={value}" for key, value in winner.items()) or "the only one"
    name = name if len(name) <= _LONG_NAME else f"{name[:_LONG_NAME]} …"
    return section(
        "best",
        title,
        f"<p><b>{text(name)}</b>, chosen by {text(_place(found, 'chosen_by_split'))}:"
        f" {'higher' if mode == 'max' else 'lower'} is better.</p>",
        table(("what", "value", "of what"), _numbers(found)),
        copied(
            "YAML",
            yaml.safe_dump(nested(config), sort_keys=False, allow_unicode=True),
            is_open=True,
        ),
        copied("Options", shell_words(config, "--")),
        copied("Overrides", shell_words(config)),
    )


def _numbers(found: xr.Dataset) -> list[tuple[str, str, str]]:
    """Return what is known of the winner: name, number, meaning."""
    value, ci = float(found["value"]), found["ci"].values
    half = float(ci[1] - ci[0]) / 2
    names = ("plain", "chosen_by", "optimism")
    numbers = {name: float(found[name]) for name in names}
    places = decimals_of([value, *numbers.values()], [half])

    def number(name: str) -> str:
        return shown(numbers[name], np.nan, places)[0] or "–"

    level = f"{100 * found.attrs['ci_level']:g} %"
    folds = int(found["n_folds"])
    reported, chosen = _place(found, "reported_split"), _place(found, "chosen_by_split")
    rows = []
    if np.isfinite(value):
        text, error = shown(value, half, places)
        rows.append(
            (
                "to report",
                f"{text} ± {error}" if error else text,
                f"{reported}, cross-fitted: for each of {folds} seeds, the others choose and it"
                f" reports; ± half of the {level} interval (Student's t)",
            )
        )
    plain = f"{reported}, mean over the seeds of the winner"
    rows.append(("plain", number("plain"), f"{plain}: too good, as all seeds had a say"))
    at = found["chosen_x"].item() if "chosen_x" in found else None
    where = "" if at is None else f", at x = {at:g}"
    rows.append(("chosen by", number("chosen_by"), f"{chosen}, mean over the seeds{where}"))
    rows.append(("optimism", number("optimism"), "by how much that is too good, at least"))
    variances = found.attrs["variances"]
    rivals = int(found["may_be_best"].sum())
    rows.append(
        (
            "may be best",
            str(rivals),
            f"configurations that may be the best (Hsu, {level}, {variances} variances)",
        )
    )
    lost = int(found["n_diverged"])
    rows.append(("diverged", str(lost), "runs that logged NaN or infinity: each counts as worst"))
    return [row for row in rows if row[1] != "–"]


def _place(found: xr.Dataset, attr: str) -> str:
    return f"{found.attrs['metric']} of {found.attrs[attr]}"


def nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted keys as a tree; as they are where one is both a value and a section.

    Examples
    --------
    >>> nested({"optim.lr": 0.1, "optim.name": "sgd", "epochs": 3})
    {'optim': {'lr': 0.1, 'name': 'sgd'}, 'epochs': 3}
    >>> nested({"a": 1, "a.b": 2})
    {'a': 1, 'a.b': 2}
    """
    tree: dict[str, Any] = {}
    for key, value in config.items():
        *path, last = key.split(".")
        at = tree
        for part in path:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                return dict(config)
        if last in at:
            return dict(config)
        at[last] = value
    return tree
