"""A log's own history: attempts, resumes, repeats, missing x."""

import numpy as np
from logs import make_curves, make_log

from runcube.curves.attempts import attempts_of


def points(attempt, metric="loss", split="val"):
    found = {}
    for track in attempt.tracks:
        for i in track.metrics:
            if (track.curves.split, track.curves.metrics[i]) == (split, metric):
                values = track.curves.values[i][track.rows]
                found.update(zip(track.x.tolist(), values.tolist(), strict=True))
    return found


def kinds(attempt):
    return [p.kind for p in attempt.problems]


def one(*curves, x="step"):
    (attempt,) = attempts_of(make_log(*curves), x)
    return attempt


def test_a_rising_curve_is_one_track_as_it_is():
    attempt = one(make_curves({"step": [1, 2, 3]}, {"loss": [3, 2, 1], "acc": [0, 0, 1]}))
    assert len(attempt.tracks) == 1
    assert points(attempt) == {1: 3, 2: 2, 3: 1}
    assert attempt.course.ends == {"val": 3}
    assert attempt.points == 6
    assert kinds(attempt) == []


def test_metrics_on_different_rows_are_different_tracks():
    attempt = one(make_curves({"step": [1, 1, 2]}, {"loss": [3, None, 2], "acc": [None, 7, None]}))
    assert points(attempt) == {1: 3, 2: 2}
    assert points(attempt, "acc") == {1: 7}
    assert kinds(attempt) == []


def test_rows_without_x_are_counted_and_the_others_kept():
    attempt = one(make_curves({"step": [1, None, 3]}, {"loss": [3, 2, 1]}, lines=[4, 6, 8]))
    assert points(attempt) == {1: 3, 3: 1}
    assert attempt.tracks[0].x.dtype == np.int64
    (problem,) = attempt.problems
    assert (problem.kind, problem.line) == ("missing_x", 6)


def test_an_axis_that_the_log_lacks_loses_every_row_by_name():
    attempt = one(make_curves({"step": [1, 2]}, {"loss": [3, 2]}), x="epoch")
    assert attempt.points == 0
    assert kinds(attempt) == ["missing_x"]


def test_stepping_back_to_the_first_x_begins_a_new_attempt():
    train = make_curves(
        {"step": [0, 1, 2, 0, 1]}, {"loss": [9, 8, 7, 5, 4]}, "train", [1, 3, 5, 7, 9]
    )
    val = make_curves({"step": [0, 1, 0]}, {"loss": [90, 80, 50]}, "val", [2, 4, 8])
    first, second = attempts_of(make_log(train, val), "step")
    assert points(first, split="train") == {0: 9, 1: 8, 2: 7}
    assert points(first) == {0: 90, 1: 80}
    assert points(second, split="train") == {0: 5, 1: 4}
    assert points(second) == {0: 50}
    assert (first.number, second.number) == (0, 1)


def test_a_split_that_did_not_get_there_again_stays_with_the_first_attempt():
    train = make_curves(
        {"step": [0, 1, 2, 0, 1]}, {"loss": [9, 8, 7, 5, 4]}, "train", [1, 2, 3, 5, 6]
    )
    val = make_curves({"step": [2]}, {"loss": [70]}, "val", [4])
    first, second = attempts_of(make_log(train, val), "step")
    assert points(first) == {2: 70}
    assert points(second) == {}


def test_a_resume_replaces_what_follows_it():
    attempt = one(make_curves({"step": [0, 1, 2, 3, 2, 3]}, {"loss": [9, 8, 7, 6, 5, 4]}))
    assert points(attempt) == {0: 9, 1: 8, 2: 5, 3: 4}
    assert kinds(attempt) == ["superseded_rows"]
    assert "2 rows" in attempt.problems[0].message
    assert attempt.problems[0].line == 3


def test_a_resume_replaces_also_what_it_did_not_reach_again():
    attempt = one(make_curves({"step": [0, 1, 2, 3, 4, 2]}, {"loss": [9, 8, 7, 6, 5, 1]}))
    assert points(attempt) == {0: 9, 1: 8, 2: 1}
    assert "3 rows" in attempt.problems[0].message


def test_of_a_repeated_x_the_last_value_wins_and_is_counted():
    attempt = one(make_curves({"step": [0, 1, 1, 2]}, {"loss": [9, 8, 7, 6]}))
    assert points(attempt) == {0: 9, 1: 7, 2: 6}
    assert kinds(attempt) == ["repeated_x"]


def test_a_curve_whose_x_never_moves_is_numbered_by_order():
    attempt = one(make_curves({"step": [5, 5, 5]}, {"loss": [9, 8, 7]}))
    assert points(attempt) == {0: 9, 1: 8, 2: 7}
    assert kinds(attempt) == ["repeated_x"]


def test_a_last_row_that_was_written_twice_is_one_row():
    attempt = one(make_curves({"step": [5, 5]}, {"loss": [9, 9]}))
    assert points(attempt) == {5: 9}
    attempt = one(make_curves({"step": [4, 5, 5]}, {"loss": [10, 9, 9]}))
    assert points(attempt) == {4: 10, 5: 9}
