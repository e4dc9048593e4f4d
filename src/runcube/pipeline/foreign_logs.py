"""Files of other loggers that are not read: recognised, and named once for each logger."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runcube.core import Problem
from runcube.files import unpacked_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from runcube.core import LogFile

_SQLITE = b"SQLite format 3\0"
_MLFLOW = re.compile(rb"CREATE TABLE [\"'\[`]?latest_metrics\b")
_ONE_PAGE = b"\0\0\0\1"
_RECORDS = 'write what you need of it as JSON lines, {"step": 1, "train/loss": 0.5}'
_NO_TABLES = "tables are missing: damaged, or the -wal file was not copied along"
# As torch and pickle begin what they write.
_PICKLES = (b"PK\x03\x04", b"\x80")
_HF_NAMES = (
    r"(^|/)((generation|tokenizer|processor|preprocessor|adapter)_config|tokenizer|vocab"
    r"|special_tokens_map|added_tokens|(all|train|eval|predict|test)_results"
    r"|(model\.safetensors|pytorch_model\.bin)\.index)\.json$"
)
_CSV = re.compile(r"\.(csv|tsv)$")
_TABLES = "CSV tables"
_EVENTS = "TensorBoard event files"
_ROWS = 3
_SHORTEST = 2


@dataclass(frozen=True, slots=True)
class _Logger:
    """How the files of a logger are recognised, and what the user can do with them.

    Parameters
    ----------
    name : str
        Of the logger and its files, in the plural.
    path : pattern
        Found in the path, without the ending of a packed file.
    head : callable
        Takes the first bytes of a file and returns whether they are of this logger.
    advice : str
        The end of the message.
    """

    name: str
    path: re.Pattern[str]
    head: Callable[[bytes], bool]
    advice: str


def _header(head: bytes) -> list[str]:
    """Return the names of the columns of a CSV file; none if it holds no numbers."""
    if b"\0" in head:
        return []
    text = head.decode("utf-8-sig", "replace")
    # Monitor files begin with a comment that holds the configuration.
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    separator = "\t" if lines and lines[0].count("\t") > lines[0].count(",") else ","
    try:
        rows = list(csv.reader(lines[: _ROWS + 1], delimiter=separator))
    except csv.Error:
        return []
    if len(rows) < _SHORTEST:
        return []
    names = [name.strip() for name in rows[0]]
    is_named = all(names) and len({*names}) == len(names) and not any(map(_is_number, names))
    has_numbers = any(_is_number(cell) for row in rows[1:] for cell in row[: len(names)])
    return names if is_named and has_numbers and len(names) >= _SHORTEST else []


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_LOGGERS = (
    _Logger(
        "W&B tables",
        re.compile(r"(^|/)files/media/.*\.table\.json$"),
        lambda head: b'"columns"' in head,
        _RECORDS,
    ),
    _Logger(
        "W&B summaries",
        re.compile(r"(^|/)wandb-(summary|metadata)\.json$"),
        lambda head: head.lstrip().startswith(b"{"),
        "they hold no curves, which are in the files *.wandb",
    ),
    _Logger(
        "SwanLab run files",
        re.compile(r"\.swanlab$"),
        lambda head: head.startswith(b":SWL"),
        _RECORDS,
    ),
    _Logger(
        "MLflow databases",
        re.compile(r"\.(db|sqlite3?)$"),
        lambda head: head.startswith(_SQLITE) and _MLFLOW.search(head) is not None,
        _NO_TABLES,
    ),
    _Logger(
        "MLflow databases",
        re.compile(r"(^|/)mlflow\.db$"),
        lambda head: head.startswith(_SQLITE),
        _NO_TABLES,
    ),
    _Logger(
        "SQLite databases without a table",
        re.compile(r"\.(db3?|sqlite3?)$"),
        lambda head: head.startswith(_SQLITE) and head[28:32] == _ONE_PAGE,
        "what was written to them is in a -wal file, which was not copied along",
    ),
    _Logger(
        "Aim repositories",
        re.compile(r"(^|/)\.aim/.*(^|/)CURRENT$"),
        lambda head: head.startswith(b"MANIFEST-"),
        f"aim.Repo(...).query_metrics() reads them: {_RECORDS}",
    ),
    _Logger(
        "Training arguments of the Hugging Face Trainer",
        re.compile(r"(^|/)training_args\.bin$"),
        lambda head: head.startswith(_PICKLES),
        "they are pickled, and nothing is unpickled: where there is no training_args.json, write "
        "trainer.args.to_json_string() to one beside them",
    ),
    _Logger(
        "Hugging Face model files",
        re.compile(_HF_NAMES),
        lambda head: head.lstrip()[:1] in (b"{", b"["),
        "they hold no curves, which are in the files trainer_state.json",
    ),
    _Logger(
        _EVENTS,
        re.compile(r"tfevents\."),
        lambda head: b"brain.Event:" in head,
        "of those that are no run there is nothing to read",
    ),
    _Logger(
        _TABLES,
        _CSV,
        lambda head: bool(_header(head)),
        "a table of results has no x along its rows; CsvReader(x=...) reads one that has",
    ),
)
_BESIDE = {
    _TABLES: "they are second records, or hold other quantities; files=... with reader='csv' reads "
    "them",
    _EVENTS: "they are second records, in float32; reader='tensorboard' reads them alone",
}


def foreign_logger(path: str, head: bytes) -> str | None:
    r"""Return the logger that a file is of, if none of our readers reads its files yet.

    Parameters
    ----------
    path : str
        Posix path of the file.
    head : bytes
        Its first bytes.

    Returns
    -------
    str or None
        A name in the plural, such as ``"W&B run files"``; None for any other file.

    Examples
    --------
    >>> foreign_logger("run/metrics.csv", b"epoch,loss,val_loss\n0,0.5,0.7\n")
    'CSV tables'
    >>> foreign_logger("run/names.csv", b"name,colour\na,red\n") is None
    True
    """
    return next((logger.name for logger in _named_like(path) if logger.head(head)), None)


def foreign_problems(
    files: Iterable[LogFile], head: Callable[[str], bytes], has_log: Callable[[str], bool]
) -> list[Problem]:
    """Return one problem for each logger whose files are recognised, but are not read.

    Parameters
    ----------
    files : iterable of LogFile
        Those that no reader has claimed.
    head : callable
        Returns the first bytes of a file by its path; called only if the name may be that of a log.
    has_log : callable
        Returns whether a reader has claimed a file of a folder, by the path of the folder.

    Returns
    -------
    list of Problem
        Of kind ``not_read``, with the count of the files and the path of the first.
    """
    found: dict[str, list[str]] = {}
    advice: dict[str, str] = {}
    for file in files:
        loggers = [*_named_like(file.path)] if file.size else []
        start = head(file.path) if loggers else b""
        logger = next((logger for logger in loggers if logger.head(start)), None)
        if logger is not None:
            name, said = logger.name, logger.advice
            if name in _BESIDE and has_log(file.path.rpartition("/")[0]):
                name, said = f"{name} beside the log of a run", _BESIDE[name]
            elif name == _EVENTS:  # they describe a sweep
                continue
            found.setdefault(name, []).append(file.path)
            advice[name] = said
    return [
        Problem(
            "not_read",
            f"{name} are recognised but not read: {count_files(paths)}; {advice[name]}",
            paths[0],
        )
        for name, paths in found.items()
    ]


def aside_problems(aside: Mapping[str, list[str]]) -> list[Problem]:
    """Return one problem, of kind ``not_read``, for each kind of files that readers set aside."""
    return [
        Problem("not_read", f"{what} are not read: {count_files(paths)}", paths[0])
        for what, paths in aside.items()
    ]


def _named_like(path: str) -> Iterator[_Logger]:
    """Return the loggers whose files may have such a name."""
    return (logger for logger in _LOGGERS if logger.path.search(unpacked_path(path)))


def count_files(paths: Sequence[str]) -> str:
    """Return how many files there are, as the problem of the first of them says it."""
    return "1 file" if len(paths) == 1 else f"{len(paths):,} files, this is the first"
