"""Readers: the files of one layout on disk to runs, behind one protocol.

This is the public place for authors of readers: the protocol `Reader`, the terms in which it
speaks (`Source`, `Request`, `Roles`, `RunHeader`, `Names`, `Curves`, `RunLog`, `Problem`, `Status`,
`Remarks`, `Resume`), the files under a root as a reader sees them (`Tree`, `LogFile`), bytes from
this machine or a URL (`read_bytes`), bounds (`Limits`), and `register_reader`. A reader of a layout
is a module or a folder of its own; ``lines``, ``table``, ``database``, ``json_file``,
``last_words``, ``protobuf``, ``leveldb_log``, ``run_folders``, ``reading``, ``times`` and
``config_files`` are what several of them share. Start in ``base``, then ``jobs``, the shortest
reader. May import ``core`` and ``files``.
"""

from runcube.core import (
    Curves,
    Limits,
    LogFile,
    Names,
    Problem,
    Remarks,
    Request,
    Resume,
    Roles,
    RunHeader,
    RunLog,
    Source,
    Status,
)
from runcube.files import Tree, read_bytes
from runcube.readers.base import (
    Reader,
    broken_entry_points,
    register_reader,
    registered_readers,
    resolve_reader,
)
from runcube.readers.csv import CsvReader
from runcube.readers.fingerprint import known_fingerprint, reader_fingerprint
from runcube.readers.hf_trainer import TrainerReader
from runcube.readers.jobs import JobsReader
from runcube.readers.jsonl import JsonlReader
from runcube.readers.kernel import KERNEL
from runcube.readers.mlflow import MlflowReader
from runcube.readers.native import NativeReader
from runcube.readers.optuna import OptunaReader
from runcube.readers.ray import RayReader
from runcube.readers.sacred import SacredReader
from runcube.readers.swanlab import SwanLabReader
from runcube.readers.tensorboard import TensorBoardReader
from runcube.readers.trackio import TrackioReader
from runcube.readers.wandb import WandbReader

# The most general first: readers registered later are asked earlier.
for _reader in (
    CsvReader(),
    TensorBoardReader(),
    JsonlReader(),
    SwanLabReader(),
    TrainerReader(),
    SacredReader(),
    WandbReader(),
    MlflowReader(),
    TrackioReader(),
    OptunaReader(),
    RayReader(),
    JobsReader(),
    NativeReader(),
):
    register_reader(_reader)

# What is not in the text above is for ``pipeline`` and ``lazy``.
__all__ = [
    "KERNEL",
    "CsvReader",
    "Curves",
    "JobsReader",
    "JsonlReader",
    "Limits",
    "LogFile",
    "MlflowReader",
    "Names",
    "NativeReader",
    "Problem",
    "RayReader",
    "Reader",
    "Remarks",
    "Request",
    "Resume",
    "Roles",
    "RunHeader",
    "RunLog",
    "Source",
    "Status",
    "Tree",
    "WandbReader",
    "broken_entry_points",
    "known_fingerprint",
    "read_bytes",
    "reader_fingerprint",
    "register_reader",
    "registered_readers",
    "resolve_reader",
]
