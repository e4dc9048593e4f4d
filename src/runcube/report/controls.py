"""The controls of the page as HTML: one form, which the script of the page reads."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Key = Mapping[str, Any]
    Options = Sequence[tuple[str, str]]

_MOST_CHOICES = 12  # labels of a key that are listed one by one
_MOST_ACROSS = 24
_RULES = {
    "mean": "the mean of all its runs",
    "highest": "the highest mean over seeds of its configurations",
    "lowest": "the lowest mean over seeds of its configurations",
}


def controls(data: Mapping[str, Any], statuses: Collection[str]) -> dict[str, str]:
    """Return the controls of the page by their place in it.

    Parameters
    ----------
    data : mapping
        As `sweep_data` returns it, with what the page opens with as ``start``.
    statuses : collection of str
        Runs that are shown at first.
    """
    keys, start = data["keys"], data["start"]
    hparams = [key for key in keys if key["role"] == "hparam"]
    own = [(key["name"], key["shown"]) for key in hparams]
    unique = {
        name: [*dict.fromkeys(c[name] for c in data["curves"])] for name in ("metric", "split")
    }
    every = ("configuration", "configuration (all but the seed)")
    curves = [
        _select("metric", "metric", _same(unique["metric"]), start["metric"]),
        _select("by", "one line for each", [every, *own, ("run", "run")]),
        _select(
            "colour", "colour", [_same(["configuration"])[0], *own], _start_colour(data, hparams)
        ),
        _select("x", "x", _same([quantity["name"] for quantity in data["x"]])),
        _select(
            "band",
            f"{100 * data['ci']:g} % intervals",
            [("auto", "up to 12 lines"), ("on", "shown"), ("off", "hidden")],
        ),
        _select("smooth", "smoothing", [("0", "none"), *_same(["0.6", "0.9", "0.97"])]),
        _checkbox("logy", "on", "log y", start["log"]),
        *(_checkbox(name, "on", text, False) for name, text in _SWITCHES),
    ]
    splits = [_checkbox("split", one, one, one == start["split"]) for one in unique["split"]]
    # As many labels as an axis has room for, else as few as there are.
    by_size = sorted(hparams, key=_room, reverse=True)
    across, down = (by_size[i]["name"] if i < len(by_size) else "" for i in (0, 1))
    heatmap = [
        _select("across", "across", own, across),
        _select("down", "down", own, down),
        _select("rule", "value", [*_RULES.items()]),
    ]
    return {
        "curves_controls": "".join(curves),
        "splits": _fieldset("split", *splits) if len(splits) > 1 else "",
        "filters": "".join(_filter(key, statuses) for key in keys),
        "overviews": _overviews(len(hparams), "".join(heatmap)),
    }


def _overviews(n_hparams: int, heatmap: str) -> str:
    """Return the pictures of whole sweeps that so many hyperparameters have."""
    return "\n".join(
        _PICTURE.format(name=name, title=title, controls=inside)
        for name, title, least, inside in (
            ("distribution", "Distribution over runs", 0, ""),
            ("heatmap", "Two hyperparameters", 2, heatmap),
            ("parallel", "All hyperparameters", 1, ""),
        )
        if n_hparams >= least
    )


# More rows than fit are scrolled to, while the picture stays where it is.
_PICTURE = """<section id="look-{name}"><h2>{title}</h2>
<div class="controls">{controls}</div>
<figure>
<div id="{name}-rows"><div>
<div id="{name}" class="picture" role="img" aria-describedby="{name}-caption"></div>
</div></div>
<figcaption id="{name}-caption"></figcaption>
</figure>
</section>"""


_SWITCHES = (
    ("logx", "log x"),
    ("runs", "single runs"),
    ("clip", "clip y to 98 % of the points"),
)


def _room(key: Key) -> int:
    n = len(key["labels"])
    return n if n <= _MOST_ACROSS else -n


def _start_colour(data: Mapping[str, Any], hparams: Sequence[Key]) -> str:
    """Return the key that colours lines at first: one whose colours can be told apart."""
    n_configurations = next(len(k["labels"]) for k in data["keys"] if k["role"] == "configuration")
    if n_configurations <= len(data["palettes"]["categorical"]) or not hparams:
        return "configuration"
    few = [key for key in hparams if len(key["labels"]) <= _MOST_CHOICES]
    return str(max(few, key=lambda key: len(key["labels"]), default=hparams[0])["name"])


def _filter(key: Key, statuses: Collection[str]) -> str:
    """Return what filters runs by a key: boxes, a range of numbers, or a part of the text.

    Where lines are coloured by the key, it is their legend.
    """
    name, labels = f"filter {key['name']}", key["labels"]
    if 1 < len(labels) <= _MOST_CHOICES:
        is_status = key["role"] == "status"
        inside = [_checkbox(name, own, own, own in statuses or not is_status) for own in labels]
    elif key["role"] == "hparam" and key["numeric"]:
        inside = [_input(f"{name} from", f"from {labels[0]}"), _SCALE]
        inside.append(_input(f"{name} to", f"to {labels[-1]}"))
    elif key["role"] == "hparam":
        inside = [_input(f"{name} part", "contains"), *_ends(labels)]
    elif key["role"] == "configuration":
        inside = _ends(labels)
    else:
        return ""
    title = key["title"] if key["role"] in ("hparam", "seed") else ""
    return _fieldset(key["shown"], *inside, key=key["name"], title=title)


_SCALE = '<span class="scale"></span>'


def _ends(labels: Sequence[str]) -> list[str]:
    """Return the first and the last label with the colours between them."""
    first, last = (f'<span class="end">{escape(labels[i])}</span>' for i in (0, -1))
    return [first, _SCALE, last] if len(labels) > 1 else [_SCALE, first]


def _same(names: Sequence[str]) -> Options:
    return [(name, name) for name in names]


def _select(name: str, title: str, options: Options, chosen: str | None = None) -> str:
    inside = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>'
        f"{escape(text)}</option>"
        for value, text in options
    )
    return f'<label class="choice">{escape(title)}<select name="{name}">{inside}</select></label>'


def _checkbox(name: str, value: str, title: str, is_on: bool) -> str:
    return (
        f'<label class="check"><input type="checkbox" name="{escape(name)}" value="{escape(value)}"'
        f'{" checked" if is_on else ""}><span class="swatch"></span>{escape(title)}</label>'
    )


def _input(name: str, title: str) -> str:
    return f'<label class="choice">{escape(title)}<input name="{escape(name)}"></label>'


def _fieldset(legend: str, *inside: str, key: str = "", title: str = "") -> str:
    own = f' data-key="{escape(key)}"' if key else ""
    more = f' title="{escape(title)}"' if title else ""
    return f"<fieldset{own}><legend{more}>{escape(legend)}</legend>{''.join(inside)}</fieldset>"
