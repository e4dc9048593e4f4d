"""YAML to values, from the events of its parser: no Python object is made, no alias copied."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runcube.readers.config_files.carry import (
    NO_FLOAT,
    REPEATED,
    Note,
    OddText,
    Parsed,
    holds,
    too_long,
    too_many,
)
from runcube.readers.lines import BOM

if TYPE_CHECKING:
    from runcube.core import Limits

_MERGE = "\0<<"
_SHOWN = 80  # characters of a tag
_CORE = "tag:yaml.org,2002:"
# Kinds of values that lists, mappings, texts and JSON's scalars say all of, and Python's own names.
_KINDS = frozenset(
    "str null bool int float timestamp binary set map seq omap pairs merge value".split()
)
_OF_PYTHON = {
    **{f"python/{name}": name for name in ("str", "bool", "int", "float")},
    "python/none": "null",
    "python/long": "int",
    "python/unicode": "str",
    "python/tuple": "seq",
    "python/list": "seq",
    "python/dict": "map",
}
# YAML 1.1 wants a dot in a float; people and YAML 1.2 write 1e-4.
_FLOAT = re.compile(
    r"""^(?:[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+
    |[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)
# What YAML does not allow, lone surrogates of undecodable bytes among it.
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPED = Note("config_value", "characters that YAML does not allow: escaped")
_BYTES = Note("config_value", "bytes: kept as their text in base64")
_NO_ANCHOR = Note("config_value", "an alias of nothing: kept as text")
_NO_NUMBER = Note("config_value", "not the number that its tag says: kept as text")
_NO_NAME = Note("config_value", "a list or mapping as a key: kept as text")
_DOCUMENTS = Note("config_value", "documents behind the first: left out")


def parse_yaml(data: bytes, limits: Limits) -> Parsed:
    """Return the value of the first document of a YAML text.

    Raises
    ------
    ValueError
        If it is no YAML.
    """
    import yaml

    text = data.removeprefix(BOM).decode("utf-8", "surrogateescape").strip("\0")
    printable = _NOT_PRINTABLE.sub(_escape, text)
    loader = _loader()(printable)
    build = _Builder(loader, limits)
    try:
        while loader.check_event():
            build.add(loader.get_event())
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from error
    finally:
        loader.dispose()
    if printable != text:
        build.parsed.note(build.parsed.value, None, _ESCAPED)
    if build.documents > 1:
        build.parsed.note(build.parsed.value, None, _DOCUMENTS)
    return build.parsed


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("ConfigLoader", (base,), {})
    loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    return loader


@dataclass
class _Open:
    """A list or mapping whose end has not come yet.

    Parameters
    ----------
    container : list or dict
        It stands in its place already, since an alias inside may mean it.
    is_set : bool
        A set is the list of its keys.
    is_key : bool
        Whether it is itself the key of a mapping.
    key : str or None
        Of a mapping: the key whose value comes next.
    merges : list
        What the ``<<`` of a mapping name.
    """

    container: Any
    is_set: bool = False
    is_key: bool = False
    key: str | None = None
    merges: list[Any] = field(default_factory=list)


class _Builder:
    """Makes values of events.

    Parameters
    ----------
    loader : yaml.SafeLoader
        Resolves and constructs scalars.
    limits : Limits

    Attributes
    ----------
    parsed : Parsed
        The value of the first document.
    documents : int
        How many have begun.
    """

    def __init__(self, loader: Any, limits: Limits) -> None:
        self.parsed = Parsed()
        self.documents = 0
        self._loader = loader
        self._limits = limits
        self._open: list[_Open] = []
        self._anchors: dict[str, Any] = {}
        self._merged = 0

    def add(self, event: Any) -> None:
        """Take the next event."""
        import yaml

        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            self._anchors.clear()
        elif isinstance(event, yaml.ScalarEvent):
            self._add_scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            name = str(event.anchor)
            self._place(self._anchors.get(name, OddText("*" + name, _NO_ANCHOR)))
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._begin(event, is_mapping=isinstance(event, yaml.MappingStartEvent))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._end(self._open.pop())

    def _add_scalar(self, event: Any) -> None:
        value = self._scalar(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._place(value, event.value, is_merge=event.implicit[0] and event.value == "<<")

    def _begin(self, event: Any, *, is_mapping: bool) -> None:
        kind = _kind(event.tag or "!")
        is_set = kind == "set"
        container: Any = {} if is_mapping and not is_set else []
        if event.anchor is not None:
            self._anchors[event.anchor] = container
        if kind not in _KINDS and kind != "!":
            self.parsed.note(container, None, _tag_note(event.tag))
        above = self._open[-1] if self._open else None
        is_key = above is not None and isinstance(above.container, dict) and above.key is None
        if not is_key:
            self._place(container)
        self._open.append(_Open(container, is_set, is_key))

    def _place(self, value: Any, as_key: str | None = None, *, is_merge: bool = False) -> None:
        """Put a value where the open container has its next place; as a key it is text."""
        if not self._open:
            if self.documents == 1:
                self.parsed.value = value
            return
        above = self._open[-1]
        if above.is_set:
            above.key = "" if above.key is None else None
            if above.key is not None:
                above.container.append(value)
        elif isinstance(above.container, list):
            above.container.append(value)
        elif above.key is None:
            above.key = _MERGE if is_merge else as_key if as_key is not None else _as_key(value)
        else:
            key, above.key = above.key, None
            if key == _MERGE:
                above.merges.append(value)
                return
            if key in above.container:
                self.parsed.note(above.container, key, REPEATED)
            above.container[key] = value

    def _end(self, done: _Open) -> None:
        if done.merges:
            self._merge(done)
        if done.is_key:
            above = self._open[-1]
            key = _as_key(done.container)
            self.parsed.note(above.container, key, _NO_NAME)
            self._place(done.container, key)

    def _merge(self, done: _Open) -> None:
        """Put what ``<<`` names before the mapping's own keys, which count; the first counts."""
        own = dict(done.container)
        done.container.clear()
        named = [
            m for value in done.merges for m in (value if isinstance(value, list) else [value])
        ]
        for mapping in reversed([dict(m) if isinstance(m, dict) else {"<<": m} for m in named]):
            self._merged += len(mapping)
            if self._merged > self._limits.keys:
                self.parsed.note(done.container, "<<", too_many(self._limits))
                break
            done.container.update(mapping)
        done.container.update(own)

    def _scalar(self, event: Any) -> Any:
        import yaml

        text, tag = event.value, event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, text, event.implicit)
        kind = _kind(tag)
        if kind in ("int", "float") and len(text) > self._limits.digits:
            return OddText(text, too_long(self._limits))
        if kind in ("null", "bool", "int", "float"):
            try:
                value = getattr(self._loader, f"construct_yaml_{kind}")(yaml.ScalarNode(tag, text))
            except (ValueError, KeyError, IndexError):
                return OddText(text, _NO_NUMBER)
            if kind == "float" and not holds(value, text):
                return OddText(text, NO_FLOAT)
            return value
        if kind == "binary":
            return OddText(text.strip(), _BYTES)
        # Dates stay the text that was written: labels and JSON know no dates.
        return text if kind in _KINDS else OddText(text or _short(tag), _tag_note(tag))


def _kind(tag: str) -> str:
    """Return the name of a tag of YAML itself, or of what Python calls the same; else the tag."""
    kind = tag.removeprefix(_CORE)
    return _OF_PYTHON.get(kind, kind)


def _short(tag: str) -> str:
    return tag.replace(_CORE, "!!")


def _tag_note(tag: str) -> Note:
    return Note("config_value", f"the tag {_short(tag)[:_SHOWN]} is left out, the value kept")


def _as_key(value: Any) -> str:
    """Return what a key that is an alias, a list or a mapping is called."""
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(value, list | dict) and any(isinstance(item, list | dict) for item in inner):
        return "…"  # it may contain itself
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
