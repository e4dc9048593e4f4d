"""Text: order of paths, nearest names, counts, what netCDF and a terminal can take."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Whole numbers are written in full below the one, and up to the other if they need it.
_LONG, _WHOLE = 1e7, 1e15


def clean_text(text: str) -> str:
    r"""Return a text with what netCDF text cannot hold escaped: NUL and undecodable bytes.

    Examples
    --------
    >>> print(clean_text("a\0b"), clean_text("caf\udce9"))
    a\x00b caf\udce9
    """
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


# What makes a terminal do something, or show something else than is there: control characters but
# for line ends and tabs, marks of the direction of text, line separators, tags, lone surrogates.
_UNSAFE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\ud800-\\udfff\\ufeff\\ufff9-\\ufffb\\U000e0000-\\U000e007f]"
)


def printable(text: str) -> str:
    r"""Return a text as it may be shown: what a terminal would act on is written as escapes.

    Logs decide about much of what is shown: names, paths, values, messages. Everything of ours
    that is shown goes through here; what is kept stays exact.

    Examples
    --------
    >>> print(printable("lr\x1b[31m=\u202e0.1"), printable("größe 学習\n"), end="")
    lr\x1b[31m=\u202e0.1 größe 学習
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escaped, text)


def is_printable(text: str) -> bool:
    """Return whether a terminal shows a text as it is."""
    return _UNSAFE.search(text) is None


def value_text(value: object, digits: int = 6) -> str:
    """Return a label of a hyperparameter as tables, figures, pages and the shell show it.

    Parameters
    ----------
    value : object
        A number has no zeros behind its point; whole numbers below ten million, and those that
        would lose digits, are written in full.
    digits : int
        Significant digits of other numbers.

    Examples
    --------
    >>> value_text(0.0), value_text(0.1 + 0.2), value_text(1e-05), value_text(1984128.0)
    ('0', '0.3', '1e-05', '1984128')
    >>> value_text(True), value_text("0.10"), value_text(1e9)
    ('True', '0.10', '1e+09')
    """
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.{digits}g}"
    in_full = value.is_integer() and abs(value) < _WHOLE
    return str(int(value)) if in_full and (abs(value) < _LONG or float(text) != value) else text


def shell_word(value: Any) -> str:
    """Return a value of a configuration as one word of a shell command.

    Parameters
    ----------
    value : object
        As JSON has it; text is written without quotes of JSON.

    Examples
    --------
    >>> print(shell_word(0.1), shell_word(None), shell_word("a b"), shell_word([1, 2]))
    0.1 null 'a b' '[1, 2]'
    """
    return _quoted(_spelt(value))


def shell_words(config: Mapping[str, Any], prefix: str = "") -> str:
    """Return a configuration as words of a shell command: ``lr=0.1``, or ``--lr=0.1``.

    Parameters
    ----------
    config : mapping
        Key to value as JSON has it.
    prefix : str
        What stands before each key.

    Examples
    --------
    >>> shell_words({"optim.lr": 0.1, "tag": "a b"}, "--")
    "--optim.lr=0.1 '--tag=a b'"
    """
    return " ".join(_quoted(f"{prefix}{key}={_spelt(value)}") for key, value in config.items())


def _spelt(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _quoted(text: str) -> str:
    if is_printable(text) and "\n" not in text:
        return shlex.quote(text)
    escaped = text.encode("unicode_escape").decode().replace("'", "\\'")
    return f"$'{escaped}'"


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def counted(count: int, noun: str, form: str = "") -> str:
    """Return a number of things in words, formatted as Python does.

    Examples
    --------
    >>> counted(1, "row"), counted(2000, "row"), counted(2000, "row", ",")
    ('1 row', '2000 rows', '2,000 rows')
    """
    return f"{count:{form}} {noun}{'s' * (count != 1)}"


def listed(names: Iterable[str], most: int, more: str = " and {} more") -> str:
    """Return the first names as one text, and how many more there are.

    Examples
    --------
    >>> listed("abc", 3), listed("abcde", 3), listed("abcde", 3, ", … {} more")
    ('a, b, c', 'a, b, c and 2 more', 'a, b, c, … 2 more')
    """
    every = [*names]
    left = len(every) - most
    return ", ".join(every[:most]) + (more.format(left) if left > 0 else "")


_DIGITS = re.compile(r"(\d+)")


@lru_cache(maxsize=1 << 17)
def natural_key(path: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts ``run_2`` before ``run_10``, directory by directory."""
    parts = _DIGITS.split(path.replace("/", "\0"))
    return tuple([_number(part) if i % 2 else _text(part) for i, part in enumerate(parts)])


# Paths of a sweep mostly share their parts: one object for each, or the keys of 100,000 logs
# take 120 MB.
@lru_cache(maxsize=1 << 14)
def _number(part: str) -> tuple[int, int, str]:
    return 1, int(part), part


@lru_cache(maxsize=1 << 14)
def _text(part: str) -> tuple[int, int, str]:
    return 0, 0, part


def close_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return the known names that are spelled nearly like one, the nearest first."""
    return difflib.get_close_matches(name, [*known], n=most, cutoff=0.5)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the tail of an error message: the names nearest to one, or the first few known.

    Parameters
    ----------
    name : str
        The name that was not found.
    known : iterable of str
        The names that exist.
    """
    known = list(dict.fromkeys(known))
    close = close_names(name, known)
    if close:
        return f" (nearest: {', '.join(repr(c) for c in close)})"
    return f" (known: {', '.join(repr(c) for c in known[:8])}{', …' if len(known) > 8 else ''})"
