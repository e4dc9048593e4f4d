"""Records without x: they stand at the x of the record before, and displace nothing."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs import make_curves, make_log

from runcube.curves.attempts import attempts_of


def points(attempt, metric, split="val"):
    """Return x -> value of one metric; no two of its values may share an x."""
    found = {}
    for track in attempt.tracks:
        assert all(a < b for a, b in pairwise(track.x.tolist()))
        for i in track.metrics:
            if (track.curves.split, track.curves.metrics[i]) == (split, metric):
                values = track.curves.values[i][track.rows]
                assert not found.keys() & set(track.x.tolist())
                found |= zip(track.x.tolist(), values.tolist(), strict=True)
    return found


def missing(attempt):
    return [(p.line, p.message) for p in attempt.problems if p.kind == "missing_x"]


def one(*curves, x="step", missing_x="carry"):
    (attempt,) = attempts_of(make_log(*curves), x, missing_x)
    return attempt


def test_a_record_without_x_stands_at_that_of_the_record_before_whatever_its_split():
    train = make_curves({"step": [10, 20, 30]}, {"loss": [3, 2, 1]}, "train", [1, 3, 4])
    val = make_curves({"epoch": [0, 1]}, {"acc": [7, 8]}, "val", [2, 5])
    attempt = one(train, val)
    assert points(attempt, "acc", "val") == {10: 7, 30: 8}
    assert missing(attempt) == [
        (2, "2 records without step stand at the step of the record before")
    ]
    carried = next(track for track in attempt.tracks if track.carried)
    assert carried.x.dtype == np.int64


def test_before_the_first_x_it_stands_at_the_first():
    attempt = one(
        make_curves({"step": [None, 5, 6]}, {"acc": [1, None, None], "loss": [None, 3, 2]})
    )
    assert points(attempt, "acc") == {5: 1}


def test_a_carried_value_never_displaces_one_and_is_named():
    attempt = one(make_curves({"step": [5, None, 6]}, {"loss": [3, 9, 2], "b.c": [4, 9, 1]}))
    assert points(attempt, "loss") == {5: 3, 6: 2}
    ((line, message),) = missing(attempt)
    assert line == 2
    assert message == (
        "'loss', 'b.c' (val): 1 row without step left out for others at the same step, line 2"
    )


def test_of_several_carried_values_at_one_x_the_last_stays_and_the_others_are_named():
    attempt = one(
        make_curves({"step": [5]}, {"loss": [3]}, "train", [1]),
        make_curves({}, {"acc": [1, 2, 3]}, "val", [2, 3, 4]),
    )
    assert points(attempt, "acc", "val") == {5: 3}
    assert missing(attempt) == [
        (4, "1 record without step stands at the step of the record before"),
        (2, "'acc' (val): 2 rows without step left out for others at the same step, lines 2 to 3"),
    ]


def test_where_they_are_dropped_they_are_named_with_their_metrics():
    curves = make_curves({"step": [5, None, 6]}, {"loss": [3, None, 2], "acc": [None, 9, None]})
    attempt = one(curves, missing_x="drop")
    assert points(attempt, "acc") == {}
    assert missing(attempt) == [(2, "1 record without step left out, line 2: 'acc' (val)")]


def test_a_run_in_which_no_record_has_x_has_no_point_on_it():
    attempt = one(make_curves({"epoch": [1, 2]}, {"loss": [3, 2]}))
    assert (attempt.points, attempt.course.ends) == (0, {})
    assert missing(attempt) == [
        (1, "2 records without step left out, lines 1 to 2: 'loss' (val) with 'epoch'")
    ]


def test_what_is_carried_says_nothing_of_how_far_a_run_came():
    train = make_curves({"step": [1, 2, 9]}, {"loss": [3, 2, 1]}, "train", [1, 3, 5])
    val = make_curves({"step": [1, 2, None]}, {"acc": [3, 2, 1]}, "val", [2, 4, 6])
    attempt = one(train, val)
    assert points(attempt, "acc", "val") == {1: 3, 2: 2, 9: 1}
    assert attempt.course.ends == {"train": 9, "val": 2}
    assert sum(attempt.course.lengths.values()) == 5


def test_what_is_carried_belongs_to_the_attempt_of_the_record_before():
    train = make_curves(
        {"step": [0, 1, 0, 1, 2]}, {"loss": [9, 8, 7, 6, 5]}, "all", [1, 3, 5, 7, 9]
    )
    val = make_curves({}, {"acc": [10, 20, 30, 40, 50]}, "val", [2, 4, 6, 8, 10])
    first, second = attempts_of(make_log(train, val), "step")
    assert points(first, "acc", "val") == {0: 10, 1: 20}
    assert points(second, "acc", "val") == {0: 30, 1: 40, 2: 50}
    assert [m[0] for m in (*missing(first), *missing(second))] == [2, 6]


def test_what_is_carried_goes_with_a_record_that_a_resume_replaces():
    train = make_curves(
        {"step": [0, 1, 2, 1, 2]}, {"loss": [9, 8, 7, 6, 5]}, "all", [1, 3, 5, 7, 9]
    )
    val = make_curves({}, {"acc": [10, 20, 30, 40]}, "val", [2, 4, 6, 8])
    attempt = one(train, val)
    assert points(attempt, "acc", "val") == {0: 10, 1: 40}
    messages = [p.message for p in attempt.problems if p.kind == "superseded_rows"]
    assert messages == [
        "'loss' (all) with 'step': 2 rows replaced by those after a resume, lines 3 to 5",
        "'acc' (val): 2 rows without step replaced with those before by a resume, lines 4 to 6",
    ]


def test_a_curve_whose_x_stays_keeps_its_numbers_beside_what_is_carried():
    train = make_curves({"step": [1, 2, 3]}, {"loss": [3, 2, 1]}, "train", [1, 3, 6])
    val = make_curves({"step": [2, 2, None, None]}, {"acc": [1, 2, 3, 4]}, "val", [4, 5, 2, 7])
    attempt = one(train, val)
    assert points(attempt, "acc", "val") == {0: 1, 1: 2, 3: 4}
    assert missing(attempt)[1][0] == 2


SPLITS, METRICS = ("train", "val"), ("a", "b")


@st.composite
def records(draw, steps):
    """Records (split, x or None, metrics); every value is another number."""
    found = []
    for number in range(draw(st.integers(1, 14))):
        metrics = draw(st.sets(st.sampled_from(METRICS), min_size=1))
        values = {m: float(2 * number + METRICS.index(m)) for m in sorted(metrics)}
        found.append((draw(st.sampled_from(SPLITS)), draw(steps), values))
    return found


def log_of(rows):
    curves = []
    for split in SPLITS:
        mine = [(n, x, v) for n, (s, x, v) in enumerate(rows, 1) if s == split]
        if mine:
            names = [m for m in METRICS if any(m in v for _, _, v in mine)]
            metrics = {m: [v.get(m) for _, _, v in mine] for m in names}
            steps = [x for _, x, _ in mine]
            axes = {} if set(steps) == {None} else {"step": steps}
            curves.append(make_curves(axes, metrics, split, [n for n, _, _ in mine]))
    return make_log(*curves)


@given(rows=records(st.none() | st.just(0)))
def test_values_stand_where_a_plain_loop_over_the_records_puts_them(rows):
    rows = [(s, n if x == 0 else None, v) for n, (s, x, v) in enumerate(rows)]
    steps = [x for _, x, _ in rows if x is not None]
    wanted, late = {}, {}
    here = steps[0] if steps else None
    for split, x, values in rows:
        here = here if x is None else x
        for metric, value in values.items():
            if here is not None:
                (late if x is None else wanted).setdefault((split, metric), {})[here] = value
    for curve, found in late.items():
        wanted[curve] = found | wanted.get(curve, {})
    (attempt,) = attempts_of(log_of(rows), "step")
    for split in SPLITS:
        for metric in METRICS:
            assert points(attempt, metric, split) == wanted.get((split, metric), {})


def is_named(attempts, line, metric, split):
    for problem in (p for attempt in attempts for p in attempt.problems):
        lines = [int(n) for n in re.findall(r"\d+", problem.message.partition("line")[2])[:2]]
        names = re.findall(rf"'{metric}'[^;]*\({split}\)", problem.message)
        if names and lines and lines[0] <= line <= lines[-1]:
            return True
    return False


@pytest.mark.parametrize("missing_x", ["carry", "drop"])
@given(rows=records(st.none() | st.integers(0, 4)))
def test_no_value_vanishes_without_a_name(missing_x, rows):
    attempts = attempts_of(log_of(rows), "step", missing_x)
    found = [
        {(s, m, value) for s in SPLITS for m in METRICS for value in points(a, m, s).values()}
        for a in attempts
    ]
    for line, (split, _, values) in enumerate(rows, 1):
        for metric, value in values.items():
            where = [(split, metric, value) in one for one in found]
            assert sum(where) <= 1
            assert any(where) or is_named(attempts, line, metric, split)
