"""Readers: one layout on disk each, behind one protocol."""

from runcube.readers.base import Reader, register_reader, registered_readers, resolve_reader
from runcube.readers.jobs import JobsReader
from runcube.readers.jsonl import JsonlReader
from runcube.readers.native import NativeReader
from runcube.readers.ray import RayReader

# The most general first: readers registered later are asked earlier.
for _reader in (JsonlReader(), RayReader(), JobsReader(), NativeReader()):
    register_reader(_reader)

__all__ = [
    "JobsReader",
    "JsonlReader",
    "NativeReader",
    "RayReader",
    "Reader",
    "register_reader",
    "registered_readers",
    "resolve_reader",
]
