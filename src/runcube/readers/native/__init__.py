"""The native layout: one JSONL file a run, configuration first, then records of statistics.

``reader`` chooses between two roads through a log: ``typed`` decodes what holds nothing unusual
all at once (``pattern``: what logs of one sweep share), ``exact`` goes line by line (``entries``:
lines to records, damaged ones too; ``scalars``: values to columns). For both, ``records`` says
which key is what, ``texts`` what text lines mean; ``epochs`` counts what the layout does not
write. ``appended`` joins what was appended. Start in ``reader``. May import ``core``, ``files``
and ``readers.lines``.
"""

from runcube.readers.native.reader import NativeReader

__all__ = ["NativeReader"]
