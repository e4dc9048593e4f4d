"""TensorBoard event files: TensorFlow 1 and 2, Keras, PyTorch, tensorboardX.

``reader`` is the reader; start there. ``folders`` decides which folders are one run, ``framing``
finds the records of a file, ``event`` decodes one, ``scalars`` all of a file as columns, those of
one ``layout`` together; ``rows`` makes the files of a run one table, which ``readers.jsonl`` makes
curves of as of any other; ``text_tables`` reads configurations that were logged as text. May import
``core``, ``files`` and the modules beside this folder.
"""

from runcube.readers.tensorboard.reader import TensorBoardReader

__all__ = ["TensorBoardReader"]
