"""Globs: which files of a listing a pattern means, as pathlib and git read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runcube.core import PlanError, nearest
from runcube.files.paths import display_root, own_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runcube.files.listing import Listing

# "**/" is any directories or none, "/**" all that is below, "*" and "?" stay within a name.
_WORDS = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", re.DOTALL)
_MEANS = {"**/": "(?:[^/]+/)*", "/**": "/.+", "**": "[^/]*", "*": "[^/]*", "?": "[^/]"}


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Return what matches the posix paths that a glob means, relative to the root.

    A glob that means a directory means all that is in it.

    Examples
    --------
    >>> paths = ["metrics.jsonl", "a/metrics.jsonl", "a/b/metrics.jsonl", "a/agg/x.jsonl"]
    >>> [bool(glob_pattern("**/metrics.jsonl").fullmatch(path)) for path in paths]
    [True, True, True, False]
    >>> [bool(glob_pattern("*/agg").fullmatch(path)) for path in paths]
    [False, False, False, True]
    """
    parts = _WORDS.findall(glob.removeprefix("./").removesuffix("/"))
    return re.compile("".join(map(_meaning, parts)) + "(?:/.*)?", re.DOTALL)


def _meaning(word: str) -> str:
    if word in _MEANS:
        return _MEANS[word]
    if len(word) > 1:  # a set of characters
        inside = word[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
    return re.escape(word)


class FileFilter:
    """Which files of a listing are asked for, and which are left out.

    Parameters
    ----------
    root : str
        Of the listing. Globs are relative to it; of several roots, to each.
    files, ignore : sequence of str
        Globs of what may be a log (none: everything), and of what is left out.

    Raises
    ------
    PlanError
        If a glob is malformed.
    """

    def __init__(self, root: str, files: Sequence[str] = (), ignore: Sequence[str] = ()) -> None:
        self._root = root
        self._files = _patterns("files", files)
        self._ignore = _patterns("ignore", ignore)

    def may_be_log(self, path: str) -> bool:
        """Return whether a file is asked for; one that is not may still be beside a log."""
        return not self._files or self._is_in(path, self._files)

    def is_ignored(self, path: str) -> bool:
        """Return whether a file or directory is left out altogether."""
        return bool(self._ignore) and self._is_in(path, self._ignore)

    def check(self, listing: Listing) -> None:
        """Raise if a glob matches no file.

        Raises
        ------
        PlanError
            The message has what is there instead.
        """
        paths = [own_place(self._root, file.path)[1] for file in listing.files]
        for argument, patterns in (("files", self._files), ("ignore", self._ignore)):
            for glob, pattern in patterns:
                if not any(map(pattern.fullmatch, paths)):
                    raise PlanError(
                        f"{argument}={glob!r}: matches none of the {len(paths):,} files under"
                        f" {display_root(self._root)}{nearest(glob, paths)}; globs are relative to"
                        " it, and **/ in front means at any depth"
                    )

    def _is_in(self, path: str, patterns: Iterable[tuple[str, re.Pattern[str]]]) -> bool:
        below = own_place(self._root, path)[1]
        return any(pattern.fullmatch(below) for _, pattern in patterns)


def _patterns(argument: str, globs: Sequence[str]) -> list[tuple[str, re.Pattern[str]]]:
    try:
        return [(glob, glob_pattern(glob)) for glob in globs]
    except re.error as error:
        raise PlanError(f"{argument}={[*globs]!r}: no glob ({error})") from error
