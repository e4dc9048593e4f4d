"""W&B's own files, offline or synced.

``framing`` takes the bytes of a file to records, ``fields`` a record to its fields, ``records`` the
records of a run to JSON lines and its configuration. What columns are, ``readers.jsonl`` finds.
Start in ``reader``. May import ``core``, ``files`` and the modules beside this folder.
"""

from runcube.readers.wandb.reader import WandbReader

__all__ = ["WandbReader"]
