"""JSON lines to columns of cells: in C where the package was built with a compiler, else in Python.

One contract (``model``), two implementations: ``compiled`` is the face of the extension
``_jsonlines``, ``twin`` is the same in Python alone, several times as slow. Tests hold them to each
other. ``RUNCUBE_KERNEL=0`` in the environment chooses the twin. May import ``core`` and
``readers.lines``. Start in ``model``.
"""

import os

from runcube.readers.kernel import twin
from runcube.readers.kernel.model import MAX_DEPTH, Bad, Cells, Decoded, Items, Kind, by_appearance

KERNEL = "Python"
decode = twin.decode
if os.environ.get("RUNCUBE_KERNEL") != "0":
    try:
        from runcube.readers.kernel import compiled
    except ImportError:
        pass
    else:
        KERNEL, decode = "C", compiled.decode

__all__ = [
    "KERNEL",
    "MAX_DEPTH",
    "Bad",
    "Cells",
    "Decoded",
    "Items",
    "Kind",
    "by_appearance",
    "decode",
]
