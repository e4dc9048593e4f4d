"""Finished cubes of ``open_runs``, kept so that nothing is read where nothing has changed.

A file for each set of arguments, beside that of the logs (see ``schema_cache``). It is valid as
long as the listing of the logs is the one it was made from.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xarray.core import indexing

from runcube.core import Request, Roles
from runcube.cube import with_values
from runcube.files import portable_root
from runcube.lazy.array import LazyCube, Origins, block_shape
from runcube.lazy.cache_files import (
    KEY,
    UNREADABLE,
    cube_file,
    is_cube_file,
    read_cache,
    write_cache,
)
from runcube.lazy.log_index import LogTable
from runcube.lazy.serialize import array_in, array_out, frame_in, frame_out, part_in, part_out
from runcube.lazy.variable import BlockVariable
from runcube.pipeline import LoadSummary, attrs_of_now, library_versions, policy_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from runcube.files import Listing
    from runcube.pipeline import Policy
    from runcube.readers import Reader

FORM = 1
# Results of so many sets of arguments are kept for one directory of logs.
MOST = 8


@dataclass
class Opened:
    """A lazy cube in its parts.

    Parameters
    ----------
    frame : Dataset
        The coordinates, and the attr ``grid``.
    dims : tuple of str
        Of ``curve`` and ``logged``.
    attrs : dict
    summary : LoadSummary
    source : Origins
    """

    frame: xr.Dataset
    dims: tuple[str, ...]
    attrs: dict[str, Any]
    summary: LoadSummary
    source: Origins

    def cube(self) -> xr.Dataset:
        """Return the Dataset, whose values are read when they are needed."""
        arrays = [indexing.LazilyIndexedArray(LazyCube(self.source, kind)) for kind in ("f8", "?")]
        ds = with_values(self.frame, self.dims, *arrays)
        blocks = dict(zip(self.dims, block_shape(self.source.shape), strict=True))
        encoding = {"preferred_chunks": blocks}
        for name, array in zip(("curve", "logged"), arrays, strict=True):
            ds[name] = BlockVariable(self.dims, array, ds[name].attrs, encoding)
        ds.attrs = self.attrs | ds.attrs
        return ds


class CubeCache:
    """Keeps the cube of an opening for one with the same arguments.

    Parameters
    ----------
    beside : Path or None
        File of what the logs are like; without one nothing is kept.
    listing : Listing
    policy : Policy
    readers : sequence of Reader
        Those that are asked.
    """

    def __init__(
        self, beside: Path | None, listing: Listing, policy: Policy, readers: Sequence[Reader]
    ) -> None:
        self._root = listing.root
        self._readers = readers
        self._path: Path | None = None
        self._listing = ""
        asked = policy_key(policy, readers)
        if beside is not None and asked is not None:
            key = _digest([_environment(), listing.root, asked])
            self._path = cube_file(beside, key)
            self._listing = listing.digest()

    def find(self) -> Opened | None:
        """Return the cube that was kept, if the logs have not changed."""
        if self._path is None:
            return None
        with suppress(*UNREADABLE):  # a cache that cannot be read is none
            opened = self._load(self._path)
            if opened is not None:
                # The last ones that were used stay.
                os.utime(self._path)
            return opened
        return None

    def put(self, opened: Opened) -> None:
        """Write a cube; where it cannot be written, do without."""
        if self._path is None:
            return
        with suppress(*UNREADABLE):
            stored = {"listing": self._listing, **_opened_out(opened, self._readers)}
            write_cache(self._path, stored)
            self._forget_the_oldest(self._path)

    def _load(self, path: Path) -> Opened | None:
        stored = read_cache(path)
        if stored["listing"] != self._listing:
            return None
        return _opened_in(stored, self._root, self._readers)

    def _forget_the_oldest(self, path: Path) -> None:
        """Remove all results but those that were used last."""
        beside = path.name[: -len(f".{'0' * KEY}.cube")]
        with os.scandir(path.parent) as entries:
            kept = [entry for entry in entries if is_cube_file(beside, entry.name)]
        kept.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
        for entry in kept[MOST:]:
            os.unlink(entry.path)


def _opened_out(opened: Opened, readers: Sequence[Reader]) -> dict[str, Any]:
    source = opened.source
    numbers = {id(reader): number for number, reader in enumerate(readers)}
    cells = (source.log_of, source.run_of, source.place_of)
    request = source.request
    asked = [None if n is None else sorted(n) for n in (request.splits, request.metrics)]
    summary = opened.summary
    return {
        "frame": frame_out(opened.frame),
        "dims": [*opened.dims],
        "attrs": opened.attrs,
        "told": [summary.source, summary.runs, dict(summary.counts), [*summary.notes]],
        "shape": [*source.shape],
        "request": [*asked, (request.roles or Roles()).to_lists()],
        "readers": [numbers[id(reader)] for reader in source.readers],
        "words": source.fingerprints,
        "logs": [c if isinstance(c, bytes) else array_out(c) for c in source.logs.columns()],
        "cells": [array_out(column) for column in cells],
        "places": [[[n, part_out(part)] for n, part in place] for place in source.places],
        "token": source.token,
    }


def _opened_in(stored: dict[str, Any], root: str, readers: Sequence[Reader]) -> Opened:
    *asked, roles = stored["request"]
    splits, metrics = (None if n is None else frozenset(n) for n in asked)
    source = Origins(
        tuple(stored["shape"]),
        portable_root(root),
        Request(splits, metrics, roles=Roles.from_lists(roles)),
        [readers[number] for number in stored["readers"]],
        stored["words"],
        LogTable.from_columns([c if isinstance(c, bytes) else array_in(c) for c in stored["logs"]]),
        [[(n, part_in(part)) for n, part in place] for place in stored["places"]],
        stored["token"],
    )
    source.log_of, source.run_of, source.place_of = map(array_in, stored["cells"])
    where, runs, counts, notes = stored["told"]
    # What depends on the moment and not on the logs is set again.
    now = attrs_of_now(root)
    attrs = {name: value for name, value in stored["attrs"].items() if name != "git_commit"}
    return Opened(
        frame_in(stored["frame"]),
        tuple(stored["dims"]),
        attrs | now,
        LoadSummary(where, runs, counts, tuple(notes)),
        source,
    )


def _digest(about: Any) -> str:
    text = repr(about).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=KEY // 2).hexdigest()


def _environment() -> list[Any]:
    """Return what else a result depends on: versions, the code, and who may read which file."""
    who = os.geteuid() if hasattr(os, "geteuid") else None
    return [FORM, version("runcube"), library_versions(), _own_code(), who]


@lru_cache(maxsize=1)
def _own_code() -> list[Any]:
    """Return the files of the package: developers have other code under the same version."""
    package = Path(__file__).parents[1]
    return [_stamp(path) for path in sorted(package.rglob("*.py"))]


def _stamp(path: Path) -> tuple[str, int, int]:
    stat = os.stat(path)
    return str(path), stat.st_size, stat.st_mtime_ns
