"""The native layout: one JSONL file a run, configuration first, then records of statistics.

``reader`` chooses between two roads through a log: ``typed`` takes the columns of the kernel where
nothing but values is unusual (``pattern``: what logs of one sweep share), ``exact`` goes line by
line (``entries``: lines to records, damaged ones too; ``scalars``: values to columns). For both,
``records`` says which key is what, ``texts`` what text lines mean; ``epochs`` counts what the
layout does not write. ``appended`` joins what was appended. Start in ``reader``. May import
``core``, ``files``, ``readers.kernel`` and ``readers.lines``.
"""

from runcube.readers.native.reader import NativeReader

__all__ = ["NativeReader"]
