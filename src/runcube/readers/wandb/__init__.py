"""W&B's own files, offline or synced.

``records`` takes the records of a run to JSON lines and its configuration, item by item
(``items``). What columns are, ``readers.jsonl`` finds.
Start in ``reader``. May import ``core``, ``files`` and the modules beside this folder.
"""

from runcube.readers.wandb.reader import WandbReader

__all__ = ["WandbReader"]
