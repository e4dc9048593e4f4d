"""One line of a native log to its record: what a record is, and what a configuration may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube.readers.lines import BadLine, concatenated, decode_line, is_deep, salvage, split_lines

if TYPE_CHECKING:
    from runcube.core import Limits

_CONFIG = b'"dict_config"'


def is_config(value: Any) -> bool:
    """Return whether a decoded line is a configuration."""
    return (
        isinstance(value, dict)
        and value.get("type") == "dict_config"
        and isinstance(value.get("value"), dict)
    )


def is_record(value: Any) -> bool:
    """Return whether a decoded line is a record of this layout."""
    return isinstance(value, dict) and (
        ("type" in value and "value" in value) or isinstance(value.get("agg_stats"), dict)
    )


def decode_record(line: bytes, limits: Limits) -> Any:
    """Return the value of a line; only a configuration is nested beyond ``limits.depth``.

    Raises
    ------
    BadLine
        As :func:`~runcube.readers.lines.decode_line`.
    """
    if _CONFIG in line:
        value = decode_line(line, limits, deep=True)
        if is_config(value):
            return value
    return decode_line(line, limits)


def whole_records(line: bytes, limits: Limits) -> tuple[int, list[Any]]:
    """Return where the records begin that are whole on a broken line, and these records.

    Either several follow each other, or one whole record follows half of another one.
    """
    if not line.endswith(b"}"):
        return len(line), []
    several = concatenated(line, limits)
    if several and all(map(is_record, several)):
        return 0, several
    found = salvage(line, is_record, limits)
    return (len(line), []) if found is None else (found[0], [found[1]])


def within_depth(record: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], list[str]]:
    """Return a record of configuration without the keys whose values are nested too deeply.

    Returns
    -------
    record : dict
    cut : list of str
        Dotted names of the keys that were left out.
    """
    cut: list[str] = []
    # The record itself is one level more.
    if is_deep(record, limits.depth + 1):
        record = _cut(record, limits.depth + 1, "", cut)
    return record, [name.removeprefix("value.") for name in cut]


def _cut(value: dict[str, Any], depth: int, prefix: str, cut: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict) and depth > 1:
            kept[key] = _cut(inner, depth - 1, f"{prefix}{key}.", cut)
        elif is_deep(inner, depth - 1):
            cut.append(prefix + key)
        else:
            kept[key] = inner
    return kept


def find_config(data: bytes, limits: Limits) -> Any:
    """Return the first configuration of a log, as far as its bytes are given; None without one."""
    if _CONFIG not in data:
        return None
    for line in split_lines(data):
        if _CONFIG in line.data:
            try:
                values = [decode_record(line.data, limits)]
            except BadLine:
                values = whole_records(line.data, limits)[1]
            for value in values:
                if is_config(value):
                    # A walk through the configuration costs more than to decode it.
                    brackets = line.data.count(b"{") + line.data.count(b"[")
                    flat = brackets <= limits.depth
                    return (value if flat else within_depth(value, limits)[0])["value"]
    return None
