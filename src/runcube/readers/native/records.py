"""Records of a native log: which key is what, and what a configuration may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube.readers.lines import (
    BadLine,
    concatenated,
    decode_line,
    is_deep,
    is_deep_line,
    salvage,
    split_lines,
)

if TYPE_CHECKING:
    from runcube.core import Limits
    from runcube.readers.lines import Line

OWN_KEYS = frozenset({"type", "value", "title", "data_name", "agg_stats"})
_CONFIG = b'"dict_config"'
_SHOWN = 60


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


def split_of(record: dict[str, Any]) -> str:
    """Return the split of a record of metrics."""
    data_name, title = record.get("data_name"), record.get("title")
    if data_name:
        return str(data_name)
    return (str(title).removeprefix("agg_") if title else "") or "all"


def beside(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a record of metrics holds beside them, but for the words of the layout."""
    name, title = record.get("data_name"), record.get("title")
    if len(record) == 3 and name and title == f"agg_{name}":
        return {}
    found = {key: value for key, value in record.items() if key not in OWN_KEYS}
    if name and title and title not in (name, f"agg_{name}"):
        found["title"] = title
    if not name and name is not None and name != "":
        found["data_name"] = name
    if not isinstance(record.get("type", ""), str):
        found["type"] = record["type"]
    if "value" in record:
        found["value"] = record["value"]
    return found


def shown(text: str) -> str:
    """Return a text, or the beginning and the end of a long one."""
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]}…{text[-_SHOWN:]}"


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


def whole_records(line: Line, error: BadLine, limits: Limits) -> tuple[int, list[Any]]:
    """Return where the records begin that are whole on a bad line, and these records.

    Either several follow each other, or one whole record follows half of another one.
    """
    if error.kind != "limit" and line.data.endswith(b"}"):
        several = concatenated(line.data, limits)
        if several and all(map(is_record, several)):
            return 0, several
        found = salvage(line.data, is_record, limits)
        if found is not None:
            return found[0], [found[1]]
    return len(line.data), []


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
                records = [decode_record(line.data, limits)]
            except BadLine as error:
                _, records = whole_records(line, error, limits)
            for record in filter(is_config, records):
                deep = is_deep_line(line.data, record, limits.depth + 1)
                return (within_depth(record, limits)[0] if deep else record)["value"]
    return None
