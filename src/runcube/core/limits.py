"""Bounds on what one log may cost: all in one place, generous, and named when they strike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader takes of one file. Beyond it, a problem of kind ``limit`` names the bound.

    Parameters
    ----------
    file_bytes : int
        Bytes of one file after decompression; the lines before are read. By default 2 GiB, some
        ten million records: text and table of so much fit into the memory of a laptop.
    line_bytes : int
        Bytes of one line; a longer one is left out.
    depth : int
        Objects and lists inside each other, in a record or a configuration.
    columns : int
        Distinct keys of the records of one log, nested ones flattened; values of further keys are
        left out.
    keys : int
        Values in one configuration file, those that YAML repeats by an alias included.
    digits : int
        Length of one number as text.

    Examples
    --------
    >>> from runcube.readers import Limits
    >>> Limits(depth=500).depth
    500
    """

    file_bytes: int = 1 << 31
    line_bytes: int = 1 << 27
    depth: int = 100
    columns: int = 20_000
    keys: int = 200_000
    digits: int = 4_300


DEFAULT_LIMITS = Limits()
