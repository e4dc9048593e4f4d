"""Which colour and which dashes a line has, by the label of a hyperparameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.plot.labels import label_of, labels_of, name_of
from runcube.plot.lines import telling_apart
from runcube.plot.scales import calls_for_log
from runcube.plot.style import CMAP, COLOURS, DASHES, LIGHTEST, MARKERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

# So many numbers have a legend; more have a colour bar.
_MOST_IN_LEGEND = 8
_MOST_ENTRIES = 10
_TOGETHER = 7


@dataclass(frozen=True, eq=False)
class Colours:
    """The colour of each line.

    Parameters
    ----------
    title : str
        Display name of what colours stand for; empty where all lines have one.
    code : (lines,) intp
        Which label each line has.
    labels : list of str
        Display names of the labels.
    colours : list of colours
        One for each label.
    markers : list of str
        One for each label; empty where labels are ordered, and colours tell them apart in grey too.
    numbers : (labels,) float64 or None
        The labels, where they are many numbers and have a colour bar.
    """

    title: str
    code: NDArray[np.intp]
    labels: list[str]
    colours: list[Any]
    markers: list[str]
    numbers: NDArray[np.float64] | None = None

    @property
    def lines(self) -> list[NDArray[np.intp]]:
        """The lines of each label."""
        return [np.flatnonzero(self.code == i) for i in range(len(self.labels))]

    def of(self, lines: NDArray[np.intp]) -> list[tuple[Any, str]]:
        """Return the colour and the marker of some lines."""
        markers = self.markers or [""] * len(self.labels)
        return [(self.colours[i], markers[i]) for i in self.code[lines].tolist()]

    @property
    def is_log(self) -> bool:
        """Whether the colour bar is logarithmic."""
        return self.numbers is not None and calls_for_log(self.numbers)


@dataclass(frozen=True, eq=False)
class Dashes:
    """The line style of each line.

    Parameters
    ----------
    title : str
    code : (lines,) intp
    labels : list of str
    dashes : list
        One for each label, as matplotlib has them.
    """

    title: str
    code: NDArray[np.intp]
    labels: list[str]
    dashes: list[Any]

    def of(self, lines: NDArray[np.intp]) -> list[Any]:
        """Return the dashes of some lines."""
        return [self.dashes[i] for i in self.code[lines].tolist()]


def colours_of(
    found: xr.Dataset, hue: str | None, keys: Sequence[str], names: Mapping[str, str]
) -> tuple[Colours, list[str]]:
    """Return the colours of lines, and the keys that colours do not show.

    Parameters
    ----------
    found : Dataset
        Lines, as `runcube.plot.data` returns them.
    hue : str, optional
        What colours stand for. By default the one key that is left; all keys together where they
        make few lines; else the key with the most labels, numbers first.
    keys : sequence of str
        What tells lines apart, but for panels and line styles.
    names : mapping
        Display names.
    """
    if hue is None and len(keys) > 1:
        joined = np.array(_joined(found, keys, names))
        labels, first = np.unique(joined, return_index=True)
        if len(labels) <= _TOGETHER:
            order = labels[np.argsort(first)].tolist()
            code = np.array([order.index(own) for own in joined.tolist()], dtype=np.intp)
            title = "configuration"
            return _of_labels(title, code, order, is_ordered=False), []
        # The number of a configuration says nothing.
        hue = max(keys, key=lambda key: (key != "config", *_rank(found[key].values)))
    elif hue is None:
        hue = keys[0] if keys else None
    if hue is None:
        nothing = np.zeros(found.sizes["line"], dtype=np.intp)
        return Colours("", nothing, [""], [COLOURS[0]], []), []
    name = hue
    values = found[name].values
    labels, code = ordered(values)
    title = name_of(name, found[name], names)
    is_number = values.dtype.kind in "if"
    rest = [key for key in keys if key != name]
    shown = labels_of(labels.tolist(), names)
    made = _of_labels(title, code, shown, is_ordered=is_number)
    if is_number and len(labels) > _MOST_IN_LEGEND:
        numbers = labels.astype(np.float64)
        made = Colours(title, code, shown, _on_scale(numbers), [], numbers)
    return made, rest


def dashes_of(found: xr.Dataset, style: str | None, names: Mapping[str, str]) -> Dashes:
    """Return the line styles of lines: one for each label, the first solid."""
    if style is None:
        return Dashes("", np.zeros(found.sizes["line"], dtype=np.intp), [""], ["-"])
    name = style
    labels, code = ordered(found[name].values)
    dashes = [DASHES[i % len(DASHES)] for i in range(len(labels))]
    return Dashes(
        name_of(name, found[name], names), code, labels_of(labels.tolist(), names), dashes
    )


def ordered(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the labels of a column, numbers by size, text by first appearance, and the codes."""
    labels, first, code = np.unique(values, return_index=True, return_inverse=True)
    if values.dtype.kind in "if":
        return labels, code.reshape(-1)
    order = np.argsort(first)
    return labels[order], np.argsort(order)[code.reshape(-1)]


def entries(labels: Sequence[str]) -> list[int]:
    """Return which labels a legend shows: all, or the first of many."""
    return [*range(len(labels) if len(labels) <= _MOST_ENTRIES else _MOST_ENTRIES - 1)]


def keys_left(found: xr.Dataset, used: Sequence[str | None]) -> list[str]:
    """Return what tells lines apart and is not yet shown."""
    return [key for key in telling_apart(found) if key not in used]


def _joined(found: xr.Dataset, keys: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Return the labels of each line together, each with the name of its key."""
    columns = []
    for key in keys:
        title, values = name_of(key, found[key], names), found[key].values.tolist()
        columns.append([f"{title} {label_of(own, names)}" for own in values])
    return [", ".join(row) for row in zip(*columns, strict=True)]


def _rank(values: NDArray[Any]) -> tuple[bool, int]:
    return values.dtype.kind in "if", len(np.unique(values))


def _of_labels(title: str, code: NDArray[np.intp], labels: list[str], is_ordered: bool) -> Colours:
    if len(labels) == 1:
        return Colours(title, code, labels, [COLOURS[0]], [])
    if is_ordered or len(labels) > len(COLOURS):
        colours = _on_scale(np.arange(len(labels), dtype=np.float64))
        return Colours(title, code, labels, colours, [])
    return Colours(title, code, labels, [*COLOURS[: len(labels)]], [*MARKERS[: len(labels)]])


def _on_scale(numbers: NDArray[np.float64]) -> list[Any]:
    import matplotlib as mpl

    own = np.log(numbers) if calls_for_log(numbers) else numbers
    if not own.size:
        return []
    span = np.ptp(own)
    places = LIGHTEST * (own - own.min()) / (span if span > 0 else 1.0)
    return [tuple(colour) for colour in mpl.colormaps[CMAP](places)]
