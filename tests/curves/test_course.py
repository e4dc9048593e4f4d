"""Runs at the same x: what is found once for many of them is what each of them is alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import make_curves, make_log

from runcube.core.model import Problem
from runcube.curves.attempts import AttemptResolver, attempts_of
from runcube.curves.course import Course

X = st.sampled_from([[0, 1, 2], [0.0, 1.0, 2.0], [1, 2, 3], [0, 2, 1], [0, None, 2], [0, 1, 0]])
VALUES = st.sampled_from([[1, 2, 3], [1, None, 3], [None, 2, None]])
NAMES = st.sampled_from([("loss",), ("loss", "acc"), ("acc", "loss")])
SPLITS = st.lists(st.sampled_from(["train", "val"]), unique=True, max_size=2)
PROBLEMS = st.sampled_from([[], [Problem("bad_line", "no JSON", "a", 2)]])


@st.composite
def alike(draw):
    """Logs of one or two shapes, with lines, problems and numbers of their own."""
    shapes = [
        [
            (
                {"epoch": draw(X), "step": [10, 20, 30]},
                {n: draw(VALUES) for n in draw(NAMES)},
                split,
            )
            for split in draw(SPLITS)
        ]
        for _ in range(draw(st.integers(1, 2)))
    ]
    return [
        make_log(
            *(make_curves(*own, lines=draw(st.sampled_from([None, [2, 4, 6]]))) for own in shape),
            problems=list(draw(PROBLEMS)),
            attempt=draw(st.integers(0, 1)),
        )
        for shape in draw(st.lists(st.sampled_from(shapes), min_size=2, max_size=6))
    ]


def facts(attempt):
    tracks = [
        (
            next(i for i, c in enumerate(attempt.log.curves) if c is track.curves),
            track.metrics.tolist(),
            track.indices.tolist(),
            (track.x.dtype, track.x.tolist()),
            track.carried,
        )
        for track in attempt.tracks
    ]
    own = (attempt.problems, attempt.number, attempt.is_last, attempt.is_plain, attempt.points)
    course = attempt.course
    return tracks, own, course.spans, course.extents, course.lengths, attempt.counted.spans


@settings(max_examples=200)
@given(
    several=alike(),
    x=st.sampled_from(["epoch", "step", ("epoch", "step"), ()]),
    missing_x=st.sampled_from(["carry", "drop"]),
)
def test_a_log_beside_others_at_the_same_x_is_resolved_as_if_it_were_alone(several, x, missing_x):
    resolver = AttemptResolver(x, missing_x)
    for log in several:
        together, alone = resolver.attempts(log), attempts_of(log, x, missing_x)
        assert [*map(facts, together)] == [*map(facts, alone)]
        assert all(attempt.log is log for attempt in together)


def test_runs_at_the_same_x_have_one_course_and_their_own_values():
    resolver = AttemptResolver("epoch")
    values = [[1, 2], [3, 4]]
    (one,), (other,) = (
        resolver.attempts(make_log(make_curves({"epoch": [0, 1]}, {"loss": own}))) for own in values
    )
    assert one.course is other.course
    assert [a.tracks[0].curves.values.tolist() for a in (one, other)] == [[own] for own in values]


def test_a_long_log_is_compared_with_no_other():
    resolver = AttemptResolver("epoch")
    x = np.arange(1 << 15)
    (one,), (other,) = (
        resolver.attempts(make_log(make_curves({"epoch": x}, {"loss": x}))) for _ in range(2)
    )
    assert one.course is not other.course
    assert one.course.extents == other.course.extents


def test_a_course_has_each_x_of_a_split_once():
    course = Course([("val", np.array([0, 2])), ("val", np.array([2, 6])), ("test", np.arange(0))])
    assert course.spans == {"val": (0, 6)}
    assert course.extents == {"val": (0, 6, 3, 3)}
    assert course.lengths == {"val": 2}
