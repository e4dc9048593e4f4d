"""Names of quantities that run along a curve: epochs, steps, samples, time; and of its length.

Readers use them to tell an x-axis from a metric, the cube to choose among several x-axes. What a
configuration calls the length of a run shows the planner which key says least, and whether a run
is whole.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Names that are judged once: the logs of a sweep have the same ones.
_NAMES = 4096
# Counts of work done so far. What counts the work of one iteration (``timesteps_this_iter``), or
# counts something that is an outcome (``episodes``), is a metric.
_COUNT = re.compile(
    r"""
    _?(?:epoch|epochs|epoch_(?:num|idx|index|id)|num_epochs?_(?:done|trained|completed))
    |_?(?:(?:global|train|training|trainer|optimizer|opt|total|env|environment|agent
        |gradient|grad|update|learner|num|sgd)_)?(?:time)?steps?
    |(?:time)?steps?_(?:total|done|count|num|idx|index|trained|sampled|so_far)
    |(?:num|total|n)_(?:env_|agent_|train_|time|env_time|agent_time)?steps
        (?:_(?:trained|sampled|done|total|lifetime))*
    |(?:num_|total_|n_)?(?:env|agent|grad|gradient|optimizer)_?(?:time)?steps?
        (?:_(?:trained|sampled|done|total|lifetime))*
    |(?:(?:global|training|train|total|num|n)_)?iter(?:s|ation|ations)?
        (?:_(?:num|idx|index|total|since_restore))?
    |timesteps_since_restore
    |(?:num_|total_|n_)?(?:updates?|batches|frames?|samples|tokens|images|examples|sequences)
        _(?:seen|trained|processed|consumed|total|so_far|done)
    |(?:total_)?(?:updates?|batches|frames?|samples|tokens|images|examples|sequences)
    |(?:num|n)_(?:updates|batches|frames)
    |(?:num_|total_|n_)?(?:sample|token|image|example|frame|batch|update)_(?:count|idx|index|total)
    |(?:num_|total_|n_)?(?:input_)?tokens_seen
    |batch|batch_(?:num|number)|minibatch|round|rounds|round_(?:num|idx)|generation
    |kimgs?|nimgs?
    """,
    re.VERBOSE,
)

# Time since the start, or since 1970. Durations of one step (``data_time``) are metrics.
_TIME = re.compile(
    r"""
    _?(?:wall|wall_?clock)(?:_?time)?(?:_?(?:s|sec|secs|seconds|ms|min|mins|minutes|h|hours))?
    |_?time(?:_(?:s|sec|secs|seconds|ms))?
    |_?timestamps?(?:_(?:s|ms|ns|sec|utc|unix))?
    |_?runtime(?:_(?:s|sec|secs|seconds|ms|min|minutes|h|hours))?
    |(?:time_)?(?:total|elapsed|since_restore|since_start|so_far)_time(?:_(?:s|sec|secs|seconds|ms|min|minutes|h|hours))?
    |time_(?:total|elapsed|since_restore|since_start|so_far)(?:_(?:s|sec|secs|seconds|ms|min|minutes|h|hours))?
    |(?:total_|train_|training_|relative_)?elapsed(?:_?time)?(?:_(?:time|s|sec|secs|seconds|ms|min|mins|minutes|h|hours))*
    |(?:total|cumulative|cum|accumulated|accum|relative|rel)_(?:train_|training_|run)?time(?:_(?:s|sec|secs|seconds|ms|min|minutes|h|hours))?
    |unix_?time
    |date_?time|date
    """,
    re.VERBOSE,
)

# Elapsed time whose last value is how long the run took; a clock (timestamp) is not.
_ELAPSED = re.compile(
    r"clock|^_?wall|runtime|elapsed|total|cumulative|cum_|accum|since_start|so_far"
)
# Last segments of configuration keys that promise how long a run will be.
_LENGTH_IN_EPOCHS = frozenset(
    "epochs max_epochs num_epochs n_epochs total_epochs num_train_epochs train_epochs "
    "max_epoch".split()
)
_LENGTH_IN_STEPS = frozenset(
    "max_steps total_steps num_steps n_steps train_steps num_train_steps max_train_steps steps "
    "max_iters num_iters total_iters max_iter iters iterations max_iterations num_iterations "
    "total_iterations num_updates max_updates total_updates".split()
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_UNITS = frozenset("s sec secs seconds ms min mins minutes h hours".split())
_SECONDS = {
    "ms": 1e-3,
    "min": 60.0,
    "mins": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hours": 3600.0,
    "ns": 1e-9,
}


@lru_cache(_NAMES)
def _last_segment(name: str) -> str:
    """Return the last part of a column name, in snake case; a unit goes with what it is of."""
    *above, last = re.split(r"[/.]", name)
    if above and last.lower() in _UNITS:
        last = f"{above[-1]}_{last}"
    return _CAMEL.sub("_", last).lower().replace("-", "_").replace(" ", "_")


@lru_cache(_NAMES)
def is_count_like(name: str) -> bool:
    """Return whether a column name counts work done so far (``epoch``, ``tokens_seen``, …)."""
    return _COUNT.fullmatch(_last_segment(name)) is not None


@lru_cache(_NAMES)
def is_time_like(name: str) -> bool:
    """Return whether a column of this name is a clock or an elapsed time.

    Only the name is judged: ``time`` is the duration of one step in some loggers, which shows in
    values that fall.

    Examples
    --------
    >>> names = ("wall_clock_sec", "time_total_s", "elapsed/seconds", "time_this_iter_s", "step")
    >>> [is_time_like(n) for n in names]
    [True, True, True, False, False]
    """
    return _TIME.fullmatch(_last_segment(name)) is not None


def is_x_like(name: str) -> bool:
    """Return whether a column of this name runs along a curve rather than being a value on it.

    Examples
    --------
    >>> [is_x_like(n) for n in ("epoch", "train/global_step", "_runtime", "loss", "episodes_total")]
    [True, True, True, False, False]
    """
    return is_count_like(name) or is_time_like(name)


@lru_cache(_NAMES)
def elapsed_seconds(name: str) -> float | None:
    """Return the seconds in one unit of an elapsed-time column; None for any other column.

    Examples
    --------
    >>> elapsed_seconds("time_total_s"), elapsed_seconds("elapsed_ms"), elapsed_seconds("timestamp")
    (1.0, 0.001, None)
    """
    last = _last_segment(name)
    if not is_time_like(name) or "stamp" in last or _ELAPSED.search(last) is None:
        return None
    return _SECONDS.get(last.rpartition("_")[2], 1.0)


@lru_cache(_NAMES)
def clock_seconds(name: str) -> float | None:
    """Return the seconds in one unit of a column that tells the time of day; None for any other.

    Examples
    --------
    >>> clock_seconds("wall_time"), clock_seconds("timestamp_ms"), clock_seconds("time_total_s")
    (1.0, 0.001, None)
    """
    last = _last_segment(name)
    is_clock = "stamp" in last or "unix" in last or last.lstrip("_").startswith("wall")
    return _SECONDS.get(last.rpartition("_")[2], 1.0) if is_clock and is_time_like(name) else None


def length_names(x: str) -> frozenset[str]:
    """Return the last segments of configuration keys that promise a length in the unit of x.

    Examples
    --------
    >>> "max_epochs" in length_names("epoch"), "max_epochs" in length_names("step")
    (True, False)
    """
    unit = x.lower()
    if "epoch" in unit:
        return _LENGTH_IN_EPOCHS
    steps = unit.endswith(("step", "steps", "iter", "iteration", "iterations", "update", "updates"))
    return _LENGTH_IN_STEPS if steps and unit != "training_iteration" else frozenset()


def is_length_name(key: str) -> bool:
    """Return whether a configuration key only promises how long a run will be.

    Examples
    --------
    >>> [is_length_name(k) for k in ("epochs", "trainer.max_steps", "warmup_steps")]
    [True, True, False]
    """
    last = key.rpartition(".")[2]
    return last in _LENGTH_IN_EPOCHS or last in _LENGTH_IN_STEPS
