"""The entries of ``log_history``: which split they are of, and what is no point of a curve."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from runcube.readers.lines import as_float

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STEP = "step"
AXES = (STEP, "epoch", "num_input_tokens_seen")
TRAIN_TIME = "train_runtime"
# Of each evaluation how long it took: before it stands what the evaluation is called.
_TIMED = "_runtime"
_WORDS = ("eval", "test")


def named_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with the split before the name of each metric: ``eval/loss``.

    What an evaluation is called stands in its ``<name>_runtime``; without one it is ``eval``.
    What is of none is of training. A name that begins with its split already stays what it is.

    Examples
    --------
    >>> named_entry({"loss": 0.5, "rewards/chosen": 1.0, "epoch": 0.1, "step": 2})
    {'train/loss': 0.5, 'train/rewards/chosen': 1.0, 'epoch': 0.1, 'step': 2}
    >>> named_entry({"eval_far_off_loss": 0.7, "eval_far_off_runtime": 1.5, "step": 2})
    {'eval_far_off/loss': 0.7, 'eval_far_off/runtime': 1.5, 'step': 2}
    """
    timed = [key.removesuffix(_TIMED) for key in entry if key.endswith(_TIMED)]
    splits = [*(name for name in timed if name), *_WORDS]
    found = {}
    for key, value in entry.items():
        if key in AXES or key.partition("/")[0] in ("train", *splits):
            found[key] = value
            continue
        split = next((s for s in splits if key.startswith(f"{s}_") and key != f"{s}_"), None)
        found[f"train/{key}" if split is None else f"{split}/{key[len(split) + 1 :]}"] = value
    return found


def is_summary(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry is what the Trainer says of the whole training at its end."""
    return TRAIN_TIME in entry


def step_of(entry: Any) -> float:
    """Return the step of an entry; -1 without one."""
    step = number_of(entry.get(STEP)) if isinstance(entry, dict) else None
    return step if step is not None and isfinite(step) else -1


def number_of(value: Any) -> float | None:
    """Return a value as float64; None if it is no number, or a whole one beyond it."""
    return as_float(value) if isinstance(value, int | float) else None


def common_length(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Return how many entries two histories have in common, from their beginnings."""
    # The NaN of the json module is one object: entries that have it are equal.
    pairs = enumerate(zip(one, other, strict=False))
    differing = (number for number, (mine, others) in pairs if mine != others)
    return next(differing, min(len(one), len(other)))


def filtered(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the entries whose loss is a number although its gradient is none.

    That is what a NaN leaves which the Trainer has replaced by the mean of the losses before it.
    """
    found = []
    for entry in entries:
        loss, gradient = number_of(entry.get("loss")), number_of(entry.get("grad_norm"))
        if loss is not None and gradient is not None and isfinite(loss) > isfinite(gradient):
            found.append(entry)
    return found
