"""What figures call things: display names, units, labels of values. Names from logs are data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import printable, value_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

_LONGEST = 24
_DIGITS = 4


def plain(text: object) -> str:
    r"""Return a text as matplotlib may show it: no markup, no control characters, not too long.

    Examples
    --------
    >>> print(plain("$x_1$"), plain("a\nb"))
    \$x_1\$ a b
    """
    shown = printable(str(text)).replace("\n", " ").replace("\t", " ")
    if len(shown) > _LONGEST:
        shown = f"{shown[: _LONGEST - 1]}…"
    return shown.replace("$", r"\$")


def name_of(name: str, coord: xr.DataArray | None, names: Mapping[str, str]) -> str:
    """Return the display name of a hyperparameter, an axis, a metric or a split, with its unit.

    Parameters
    ----------
    name : str
    coord : DataArray, optional
        Its attrs ``long_name`` and ``units`` are used.
    names : mapping
        Display names that the caller gave; they win, and may hold markup.

    Examples
    --------
    >>> name_of("lr", None, {"lr": "learning rate"}), name_of("epoch", None, {})
    ('learning rate', 'epoch')
    """
    if name in names:
        return names[name]
    attrs = {} if coord is None else coord.attrs
    shown = str(attrs.get("long_name", name))
    if shown in names:
        return names[shown]
    unit = attrs.get("units")
    return plain(shown) + (f" ({plain(unit)})" if unit else "")


def label_of(value: Any, names: Mapping[str, str]) -> str:
    """Return the label of one value: numbers with at most four digits, unless they need more.

    Examples
    --------
    >>> label_of(0.1, {}), label_of(1e-05, {}), label_of(True, {}), label_of("adam", {})
    ('0.1', '1e-05', 'True', 'adam')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if str(value) in names:
        return names[str(value)]
    if isinstance(value, float):
        return value_text(value, _DIGITS)
    return plain(value)


def labels_of(values: Any, names: Mapping[str, str]) -> list[str]:
    """Return the labels of several values, with as many digits as tell them apart."""
    found = [label_of(value, names) for value in values]
    if len({*found}) == len({*map(str, values)}):
        return found
    return [
        value_text(float(own), 12) if isinstance(own, float | np.floating) else label
        for own, label in zip(values, found, strict=True)
    ]


def value_name(found: xr.Dataset, names: Mapping[str, str]) -> str:
    """Return what lines are values of: the split and the metric that all of them have."""
    words = []
    for key in ("split", "metric"):
        labels = np.unique(found[key].values) if key in found.coords else np.array([])
        if len(labels) == 1 and (key, labels[0]) != ("split", "all"):
            words.append(label_of(labels[0], names))
    if "metric" in found.coords and words and len(np.unique(found["metric"].values)) > 1:
        words.append("value")
    name = found.attrs.get("name")
    return " ".join(words) or (name_of(name, None, names) if name else "value")


def value_label(found: xr.Dataset, names: Mapping[str, str]) -> str:
    """Return what values are: the metric, and which value of each run."""
    own, which = value_name(found, names), str(found.attrs["value_is"])
    return own if which in (own, "value") else f"{own}, {which}"


def counted(counts: Any) -> str:
    """Return how many, or from how few to how many.

    Examples
    --------
    >>> counted([5, 5]), counted([3, 5]), counted([])
    ('5', '3–5', '0')
    """
    values = np.asarray(counts)
    if not values.size:
        return "0"
    low, high = int(values.min()), int(values.max())
    return f"{high}" if low == high else f"{low}–{high}"


def interval_of(attrs: Mapping[str, Any]) -> str:
    """Return the name of the interval that ``summarize`` says it took; empty without one.

    Examples
    --------
    >>> interval_of({"ci_level": 0.95, "ci_method": "t", "ci_is": "pointwise"})
    '95 % interval (Student t)'
    """
    if "ci_level" not in attrs:
        return ""
    way = {
        "t": "Student t",
        "scaled": "scaled bootstrap",
        "percentile": "percentile bootstrap",
        "basic": "basic bootstrap",
        "bca": "BCa bootstrap",
        "studentized": "bootstrap t",
        "wilson": "Wilson",
    }.get(str(attrs["ci_method"]), str(attrs["ci_method"]))
    is_band = attrs.get("ci_is") == "simultaneous"
    kind = "simultaneous band" if is_band else "interval"
    return f"{100 * float(attrs['ci_level']):g} % {kind}" + ("" if is_band else f" ({way})")
