"""Names of columns: the split and the metric in them, seeds, run ids."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from runcube.readers.jsonl.options import Options

# Names that are judged once: the logs of a sweep have the same ones.
_NAMES = 4096
_SPLITS = "train training val valid validation dev test testing eval evaluation"
SPLIT_WORDS = frozenset(_SPLITS.split())
SPLIT_KEYS = ("split", "mode", "phase", "stage", "subset", "data_name", "partition", "set")
RUN_KEYS = (
    *("run_id", "run", "run_name", "run_key", "run_uuid", "runid"),
    *("trial_id", "trial", "trial_name", "experiment_id", "experiment", "experiment_name"),
    *("exp_id", "exp_name", "exp", "job_id", "job_name", "task_id"),
)
CONFIG_KEYS = (
    *("config", "args", "hparams", "hyperparameters", "hyper_parameters", "hyperparams", "cfg"),
    *("params", "configuration", "settings", "flags", "opts", "options", "dict_config"),
)
EVENT_KEYS = ("event", "type", "msg", "message", "level")
# Objects that only wrap the metrics of a record.
WRAPPERS = (
    *("metrics", "agg_stats", "scalars", "values", "stats", "data", "logs", "log", "results"),
    *("record", "extra"),
)
ALL = "all"
# Names that only results of training have.
_MEASURE = re.compile(r"loss|acc|accuracy|reward|return|perplexity|ppl|error|score|auc|f1")
_SEED = re.compile(r"(?:.*[_/.])?seed(?:_.*)?")
_WORD = "|".join(sorted(SPLIT_WORDS, key=len, reverse=True))
# A word ends at a separator, or where a capital letter begins the next one.
_PREFIX = re.compile(
    rf"(?P<split>{_WORD})(?:[_/.:\- ]+|(?-i:(?=[A-Z])))(?P<metric>.+)", re.IGNORECASE
)
_SUFFIX = re.compile(
    rf"(?P<metric>.+?)(?:[_/.:\- ]+|(?-i:(?<=[a-z0-9])(?=[A-Z])))(?P<split>{_WORD})",
    re.IGNORECASE,
)


@lru_cache(_NAMES)
def is_seed_column(name: str) -> bool:
    """Return whether a column of this name may hold the seed."""
    return _SEED.fullmatch(name) is not None


@lru_cache(_NAMES)
def is_measure(name: str) -> bool:
    """Return whether a column of this name is a result, never an axis."""
    return _MEASURE.fullmatch(last_segment(name).lower()) is not None


def only_names_runs(name: str | None) -> bool:
    """Return whether a run column is a mere name: any but the seed, which is a hyperparameter."""
    return name is not None and not is_seed_column(name)


@lru_cache(_NAMES)
def last_segment(name: str) -> str:
    """Return the last part of a column's name: ``global_step`` of ``train/global_step``."""
    return re.split(r"[/.]", name)[-1]


@lru_cache(_NAMES)
def split_and_metric(name: str) -> tuple[str | None, str]:
    """Return the split in the name of a metric, None without one, and the rest of the name.

    Only the name is judged, so that a metric is called the same in every run.

    Examples
    --------
    >>> [split_and_metric(n) for n in ("val/loss", "acc_train", "testAcc", "interval")]
    [('val', 'loss'), ('train', 'acc'), ('test', 'Acc'), (None, 'interval')]
    """
    match = _PREFIX.fullmatch(name) or _SUFFIX.fullmatch(name)
    return (match["split"], match["metric"]) if match else (None, name)


@lru_cache(_NAMES)
def meaning(split: str) -> str:
    """Return the shortest word for the same split.

    Examples
    --------
    >>> [meaning(s) for s in ("validation", "Train", "dev", "val_unseen")]
    ['val', 'train', 'dev', 'val_unseen']
    """
    word = split.lower()
    if word not in SPLIT_WORDS:
        return split
    return min((w for w in SPLIT_WORDS if word.startswith(w)), key=len)


def split_in(name: str) -> str | None:
    """Return the split in the name of a column, objects that only wrap metrics aside.

    Examples
    --------
    >>> [split_in(n) for n in ("data/train_loss", "record/extra/val_acc", "best/val_acc")]
    ['train', 'val', None]
    """
    first, slash, rest = name.partition("/")
    if slash and first in WRAPPERS:
        return split_in(rest)
    return split_and_metric(name)[0]


def metric_names(
    columns: Iterable[str], options: Options, *, splits_elsewhere: bool, whole: Collection[str] = ()
) -> dict[str, tuple[str | None, str]]:
    """Return the split and the metric of each column.

    Parameters
    ----------
    columns : iterable of str
    options : Options
    splits_elsewhere : bool
        Whether the split of a row is in a column of its own: then the result has None for it.
    whole : collection of str
        First keys that only say what kind of record it is: not part of a metric's name.

    Returns
    -------
    dict of str to (str or None, str)
        Several columns may become one metric.
    """
    columns = list(columns)
    short = {name: _unwrapped(name, columns, whole) for name in columns}
    names = {name: _named(plain, options, splits_elsewhere) for name, plain in short.items()}
    if options.metrics is not None:
        wanted = set(options.metrics)
        names = {k: v for k, v in names.items() if v[1] in wanted or k in wanted}
    return names


def _named(name: str, options: Options, splits_elsewhere: bool) -> tuple[str | None, str]:
    if splits_elsewhere:
        return None, name
    if options.split is False:
        return ALL, name
    if isinstance(options.split, str) and "(?P<split>" in options.split:
        match = re.fullmatch(options.split, name)
        found = match.groupdict() if match else {}
        return found.get("split") or ALL, found.get("metric") or name
    split, metric = split_and_metric(name)
    return split or ALL, metric


def _unwrapped(name: str, columns: Collection[str], whole: Collection[str]) -> str:
    first, slash, rest = name.partition("/")
    wraps = first in WRAPPERS or (first in whole and first.lower() not in SPLIT_WORDS)
    if slash and wraps and rest not in columns:
        return _unwrapped(rest, columns, ())
    return name
