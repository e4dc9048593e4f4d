"""Checkpoints of Hugging Face's ``Trainer``: the ``trainer_state.json`` in each of them.

``reader`` finds which states are one run, and takes the longest; start there. ``history`` is what
the entries of ``log_history`` are called in a cube, and what they show. May import ``core``,
``files``, ``readers.jsonl``, ``readers.table`` and the modules beside this folder.
"""

from runcube.readers.hf_trainer.reader import TrainerReader

__all__ = ["TrainerReader"]
