"""Keys that only a path holds: read them, merge them into configurations."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runcube.core import PlanError, Problem
from runcube.plan.values import token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FIELD = re.compile(r"\{([^{}]*)\}")
# No hyphen in a key: directories that schedulers name end in ``…-v4_0_env=Pong`` and the like.
_PAIR = re.compile(r"[A-Za-z_][\w.]*=.+")
# ``lr=0.1_weight_decay=0``: a value ends where the next pair begins.
_PAIRS = re.compile(r"(?:\A|[_+&;-])([A-Za-z_][\w.]*)=(.+?)(?=[_+&;-][A-Za-z][\w.]*=|\Z)")
# What a scheduler puts behind the last value, and before the first key: ``PPO_12_00003_3_lr=…``.
_STARTED = re.compile(r"[_-](?:19|20)\d\d-\d\d-\d\d.*")
_NUMBERED = re.compile(r".*\d[^_]*_(?=[A-Za-z])")
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?)")
_NAMED = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


def keys_from_paths(paths: Sequence[str], template: str | None) -> list[dict[str, Any]]:
    """Return the keys that the paths of logs hold.

    Parameters
    ----------
    paths : sequence of str
        Relative to the root, with ``/``.
    template : str or None
        As ``"{study}/{workload}/trial_{trial}"``: a field matches text without ``/``. The
        template has to match the first parts of a path, whole; what follows is free. With
        ``"auto"`` directories that are ``key=value`` as a whole are read, or several of them. With
        None there are no keys.

    Returns
    -------
    list of dict
        Name to value for each path. Numbers, ``true``, ``false`` and ``null``/``None`` are read as
        such; a path that does not match has no keys.

    Raises
    ------
    PlanError
        If the template is malformed or matches no path.

    Examples
    --------
    >>> keys_from_paths(["a/cifar/trial_7/log.jsonl"], "{study}/{data}/trial_{trial}")
    [{'study': 'a', 'data': 'cifar', 'trial': 7}]
    >>> keys_from_paths(["lr=0.1,bs=32/seed=1/log.jsonl", "lr=0.1/seed=2/log.jsonl"], "auto")
    [{'lr': 0.1, 'bs': 32, 'seed': 1}, {'lr': 0.1, 'seed': 2}]
    """
    if template is None:
        return [{} for _ in paths]
    if template == "auto":
        return _written_pairs(paths)
    pattern = compile_template(template)
    found = [pattern.match(path) for path in paths]
    if paths and not any(found):
        raise PlanError(f"path_keys={template!r} matches none of the paths, such as {paths[0]!r}")
    return [
        {name: parse_value(text) for name, text in match.groupdict().items()} if match else {}
        for match in found
    ]


def compile_template(template: str) -> re.Pattern[str]:
    """Return what matches the first parts of a path, a group for each field of a template.

    Raises
    ------
    PlanError
        If the template has no field, or fields that cannot be named so.
    """
    names = _FIELD.findall(template)
    bad = [name for name in names if not name.isidentifier()]
    if not names or bad or len(set(names)) < len(names):
        raise PlanError(
            f"path_keys={template!r}: expected a template with fields of different names, "
            "such as '{study}/trial_{trial}'"
        )
    parts = _FIELD.split(template.strip("/"))
    pattern = "".join(
        f"(?P<{part}>[^/]+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)
    )
    return re.compile(pattern + r"(?=/|\Z)")


def _written_pairs(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return the pairs ``key=value`` of the directories of each path.

    A number in front of a key that is another one in other runs (``exp3_lr``) is none of the key.
    """
    found = [_pairs(path) for path in paths]
    keys: dict[tuple[tuple[int, int], str], set[str]] = defaultdict(set)
    for pairs in found:
        for place, (key, _) in pairs.items():
            keys[place, _NUMBERED.sub("", key)].add(key)

    def own(place: tuple[int, int], key: str) -> str:
        rest = _NUMBERED.sub("", key)
        return rest if len(keys[place, rest]) > 1 else key

    return [
        {own(place, key): parse_value(text) for place, (key, text) in pairs.items()}
        for pairs in found
    ]


def _pairs(path: str) -> dict[tuple[int, int], tuple[str, str]]:
    """Return the keys and texts in a path, by their level and their place in it."""
    found: dict[tuple[int, int], tuple[str, str]] = {}
    if "=" not in path:
        return found
    for level, part in enumerate(path.split("/")[:-1]):
        pieces = part.split(",")
        if all(map(_PAIR.fullmatch, pieces)):
            pairs = [pair for piece in pieces for pair in _PAIRS.findall(piece)]
            for number, (key, text) in enumerate(pairs):
                found[level, number] = key, _STARTED.sub("", text)
    return found


def parse_value(text: str) -> Any:
    """Return the number, bool or null that a text stands for, else the text.

    Examples
    --------
    >>> [parse_value(t) for t in ("007", "1e-3", "True", "None", "1_000", "adam")]
    [7, 0.001, True, None, '1_000', 'adam']
    """
    if text in _NAMED:
        return _NAMED[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def merge_path_keys(
    flats: Sequence[dict[str, Any]], paths: Sequence[str], given: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[tuple[int, Problem]]]:
    """Return flat configurations with the keys of the paths added.

    A key that has the values of a configuration key of that name or last segment is no new key.
    Where the two differ under one name, the configuration wins over a key that is written in the
    path (``lr=0.1``), and a key of a template wins over the configuration: a problem of the run.

    Parameters
    ----------
    flats : sequence of dict
        Flat configuration of each run; they are not changed.
    paths : sequence of str
        Path of each run.
    given : sequence of mapping
        Keys of each path.

    Returns
    -------
    flats : list of dict
    problems : list of (int, Problem)
        Run index and ``config_conflict``.
    """
    result = [dict(flat) for flat in flats]
    problems: list[tuple[int, Problem]] = []
    for key in dict.fromkeys(k for keys in given for k in keys):
        values = {i: keys[key] for i, keys in enumerate(given) if key in keys}
        written = re.compile(rf"(?:^|[^A-Za-z0-9.]){re.escape(key)}=")
        automatic = all(written.search(paths[i]) for i in values)
        twin = _twin(key, values, flats)
        for i, value in values.items():
            name = key if twin is None else twin
            config = result[i].get(name, value)
            if name not in result[i] or not (automatic or says_the_same(config, value)):
                result[i][name] = value
            if twin is None and not says_the_same(config, value):
                winner = "the configuration" if automatic else "the path"
                message = f"{key} is {value!r} in the path and {config!r} in the configuration; "
                problems.append(
                    (i, Problem("config_conflict", f"{message}{winner} counts", paths[i]))
                )
    return result, problems


def _twin(key: str, values: Mapping[int, Any], flats: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the configuration key that agrees in every run that has both; None without one.

    One of the same name or last segment, or one whose last segment the key ends in
    (``PPO_0_lr``).
    """
    names = dict.fromkeys(name for i in values for name in flats[i])
    alike = [name for name in names if name == key or name.endswith("." + key)]
    alike += [name for name in names if key.endswith("_" + name.rpartition(".")[2])]
    for name in alike:
        if all(name not in flats[i] or says_the_same(flats[i][name], v) for i, v in values.items()):
            return name
    return None


def says_the_same(config: Any, value: Any) -> bool:
    """Return whether a value of a path is that of the configuration, or is written like it.

    Names have numbers rounded, and text without the characters that a file name cannot have.

    Examples
    --------
    >>> says_the_same(0.00123456, 0.0012), says_the_same([256, 256], "256_256")
    (True, True)
    >>> says_the_same(0.14, 0.1), says_the_same("1.0", 10)
    (False, False)
    """
    if token(config) == token(value) or str(config) == str(value):
        return True
    if type(config) is float and type(value) in (int, float):
        return math.isfinite(config) and round(config, _decimals(value)) == value
    if isinstance(config, str | list) and isinstance(value, str):
        return _plain(str(config)) == _plain(value) != ""
    return False


def _decimals(value: float) -> int:
    """Return the decimals that a number was written with; names have four at the least."""
    exponent = Decimal(repr(value)).as_tuple().exponent
    return max(4, -exponent) if isinstance(exponent, int) else 4


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "_", text).strip("_")
