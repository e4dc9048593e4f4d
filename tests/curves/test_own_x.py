"""No log costs another one values: runs that x does not serve stand in the order of their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs import make_curves, make_log

from runcube.core.errors import UnknownNameError
from runcube.curves.attempts import AttemptResolver
from runcube.curves.own_x import choose_for_runs

AXES, METRICS, SPLITS = ("epoch", "step", "task"), ("a", "b"), ("train", "val")


def simple(axis, count=3, *, by=1, start=0, **fields):
    x = [start + by * n for n in range(count)]
    return make_log(make_curves({axis: x}, {"loss": list(range(count))}), **fields)


def chosen(logs, x=None, missing_x="carry"):
    return choose_for_runs(logs, range(len(logs)), x, missing_x)


def resolved(logs, choice, missing_x="carry"):
    resolver = AttemptResolver(choice.x, missing_x)
    return [resolver.attempts(log, choice.own.get(run)) for run, log in enumerate(logs)]


def test_one_odd_log_beside_many_is_numbered_and_they_keep_their_x():
    logs = [simple("epoch", by=10) for _ in range(500)] + [simple("step", by=100)]
    choice = chosen(logs)
    assert (choice.x, choice.own, choice.is_mixed) == ("epoch", {500: "step"}, False)
    attempts = resolved(logs, choice)
    assert [a.tracks[0].x.tolist() for (a,) in attempts[-2:]] == [[0, 10, 20], [0, 1, 2]]
    assert attempts[-2][0].course.ends == {"val": 20}
    assert attempts[-1][0].course.ends == {}  # how far it came in epochs, nothing shows
    (problem,) = attempts[-1][0].problems
    assert problem.kind == "missing_x"
    assert problem.message == (
        "3 records numbered in the order of 'step', and not at 'epoch', which would not keep their"
        " values, lines 1 to 3"
    )


@pytest.mark.parametrize(
    ("epochs", "steps", "is_mixed"), [(2, 1, 0), (1, 1, 1), (30, 2, 1), (40, 2, 0)]
)
def test_few_runs_never_decide_and_many_of_another_axis_make_points(epochs, steps, is_mixed):
    logs = [simple("epoch") for _ in range(epochs)] + [simple("step") for _ in range(steps)]
    choice = chosen(logs)
    assert choice.is_mixed == is_mixed
    assert set(choice.own.values()) == ({"epoch", "step"} if is_mixed else {"step"})


def test_one_long_log_does_not_outweigh_many_short_ones():
    logs = [simple("epoch") for _ in range(30)] + [simple("step", 10_000)]
    assert (chosen(logs).x, chosen(logs).own) == ("epoch", {30: "step"})


def test_an_axis_that_serves_all_goes_before_points():
    def repeating(epochs):
        steps = list(range(len(epochs)))
        return make_log(make_curves({"epoch": epochs, "step": steps}, {"loss": steps}))

    logs = [repeating(list(range(100))) for _ in range(4)] + [repeating([0, 0, 1])] * 2
    choice = chosen(logs)
    assert (choice.x, choice.own) == ("step", {})
    assert choice.reason == "2 of 6 runs would lose values on epoch"


def test_what_is_asked_for_is_x_whatever_the_logs_hold():
    logs = [simple("epoch"), simple("step"), simple("step")]
    choice = chosen(logs, "epoch")
    assert (choice.x, choice.own) == ("epoch", {})
    assert [a.points for (a,) in resolved(logs, choice)] == [3, 0, 0]
    with pytest.raises(UnknownNameError):
        chosen(logs, "task")


def test_pairs_of_counters_are_numbered_beside_runs_that_have_one_axis():
    x = {"epoch": [1, 1, 2, 2], "iter": [1, 2, 1, 2]}
    pair = make_log(make_curves(x, {"loss": [4, 3, 2, 1]}))
    logs = [pair, pair, pair, simple("step", by=10)]
    choice = chosen(logs)
    assert (choice.x, choice.own) == (("epoch", "iter"), {3: "step"})
    (attempt,) = resolved(logs, choice)[3]
    assert attempt.tracks[0].x.tolist() == [0, 1, 2]
    assert attempt.problems == []


def test_one_run_that_restarts_its_step_takes_nothing_from_those_that_have_no_epoch():
    x = {"epoch": [1, 1, 2, 2], "step": [1, 2, 1, 2]}
    odd = make_log(make_curves(x, {"loss": [4, 3, 2, 1]}))
    logs = [*(simple("step") for _ in range(9)), odd]
    choice = chosen(logs)
    assert (choice.x, choice.own) == ("step", {9: ("epoch", "step")})
    assert [a.points for (a,) in resolved(logs, choice)] == [*[3] * 9, 4]


@st.composite
def logs_of_some_axes(draw):
    """A log whose rows have some axes, each of them rising, repeating or now and then missing."""
    axes = draw(st.lists(st.sampled_from(AXES), unique=True, max_size=3))
    lines, parts = 1, []
    for split in draw(st.sampled_from([SPLITS[:1], SPLITS])):
        count = draw(st.integers(1, 5))
        numbers = st.integers(0, 4) | st.sampled_from([0.5, None])
        columns = st.one_of(
            st.just(list(range(count))),
            st.lists(numbers, min_size=count, max_size=count),
            st.lists(st.integers(0, 9), min_size=count, max_size=count).map(sorted),
        )
        x = {axis: draw(columns) for axis in axes}
        x = {axis: v for axis, v in x.items() if any(n is not None for n in v)}
        held = draw(st.lists(st.sampled_from(METRICS), unique=True, min_size=1))
        masks = {m: draw(st.lists(st.booleans(), min_size=count, max_size=count)) for m in held}
        values = {m: [i if there else None for i, there in enumerate(k)] for m, k in masks.items()}
        parts.append(make_curves(x, values, split, range(lines, lines + count)))
        lines += count
    return make_log(*parts)


def kept(attempts):
    """The values of the attempt that keeps most, as (split, metric, line)."""
    best = max(attempts, key=lambda attempt: attempt.points)
    return {
        (track.curves.split, track.curves.metrics[i], line)
        for track in best.tracks
        for i in track.metrics
        for line in track.lines.tolist()
    }


@pytest.mark.parametrize("missing_x", ["carry", "drop"])
@given(logs=st.lists(logs_of_some_axes(), min_size=1, max_size=6), often=st.integers(1, 40))
def test_every_run_keeps_beside_others_what_it_has_alone(missing_x, logs, often):
    logs = [*logs, *logs[:1] * (often - 1)]
    attempts = resolved(logs, chosen(logs, None, missing_x), missing_x)
    for log, beside in zip(logs, attempts, strict=True):
        alone = resolved([log], chosen([log], None, missing_x), missing_x)
        assert kept(beside) >= kept(alone[0])
        for attempt in beside:
            assert all((np.diff(track.x) > 0).all() for track in attempt.tracks)
