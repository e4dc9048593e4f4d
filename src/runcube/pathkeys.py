"""Keys that only a path holds: a template, or whole ``key=value`` parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runcube.model import PlanError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELD = re.compile(r"\{([^{}]*)\}")
# No hyphen in a key: trial directories of schedulers end in ``…-v4_0_env=Pong`` and the like.
_PAIR = re.compile(r"([A-Za-z_][\w.]*)=(.+)")
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?)")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


def keys_from_paths(paths: Sequence[str], template: str | None) -> list[dict[str, Any]]:
    """Read keys from the paths of logs.

    Parameters
    ----------
    paths : sequence of str
        Relative to the root, with ``/``.
    template : str or None
        As ``"{study}/{workload}/trial_{trial}"``: a field stands for text without ``/``. The
        template has to match the first parts of a path, whole; what follows is free. With None,
        parts that are ``key=value`` as a whole are read.

    Returns
    -------
    list of dict
        Numbers, ``true``, ``false`` and ``null``/``None`` are read as such; a path that does not
        match gives no keys.

    Raises
    ------
    PlanError
        If the template is malformed or matches no path.

    Examples
    --------
    >>> keys_from_paths(["a/cifar/trial_7/log.jsonl"], "{study}/{data}/trial_{trial}")
    [{'study': 'a', 'data': 'cifar', 'trial': 7}]
    >>> keys_from_paths(["lr=0.1,bs=32/seed=1/log.jsonl", "lr=0.1/seed=2/log.jsonl"], None)
    [{'lr': 0.1, 'bs': 32, 'seed': 1}, {'lr': 0.1, 'seed': 2}]
    """
    if template is None:
        return [_pairs(path) for path in paths]
    pattern = _compile(template)
    found = [pattern.match(path) for path in paths]
    if paths and not any(found):
        raise PlanError(f"path_keys={template!r} matches none of the paths, such as {paths[0]!r}")
    return [
        {name: parse_value(text) for name, text in match.groupdict().items()} if match else {}
        for match in found
    ]


def _compile(template: str) -> re.Pattern[str]:
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
    return re.compile(pattern + r"(?=/|$)")


def _pairs(path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "=" not in path:
        return found
    for part in path.split("/")[:-1]:
        matches = [_PAIR.fullmatch(piece) for piece in part.split(",")]
        if all(matches):
            found.update({m[1]: parse_value(m[2]) for m in matches if m})
    return found


def parse_value(text: str) -> Any:
    """Read text as the number, bool or null that it spells, else keep it.

    Examples
    --------
    >>> [parse_value(t) for t in ("007", "1e-3", "True", "None", "1_000", "adam")]
    [7, 0.001, True, None, '1_000', 'adam']
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
