"""Rule 11: which quantity is x."""

import numpy as np
import pytest
from logs import make_curves, make_log

from runcube.core.errors import UnknownNameError
from runcube.curves.attempts import attempts_of
from runcube.curves.own_x import Choice
from runcube.curves.x_axis import align_x
from runcube.curves.x_choice import choose_x


def test_time_is_never_x():
    log = make_log(make_curves({"wall_time": [1.0, 2.0], "step": [1, 2]}, {"loss": [1, 2]}))
    assert choose_x([log])[0] == "step"


def test_an_axis_that_lumps_points_together_is_no_x():
    curves = make_curves({"epoch": [0, 0, 1, 1], "step": [1, 2, 3, 4]}, {"loss": [1, 2, 3, 4]})
    assert choose_x([make_log(curves)])[0] == "step"


def test_the_axis_with_the_smaller_union_wins():
    logs = [
        make_log(make_curves({"samples": [1 + i, 2 + i], "epoch": [0, 1]}, {"loss": [1, 2]}))
        for i in range(0, 50, 7)
    ]
    assert choose_x(logs)[0] == "epoch"


def test_points_of_different_metrics_may_share_an_x():
    curves = make_curves(
        {"epoch": [0, 0, 1, 1], "step": [1, 5, 9, 14]},
        {"loss": [1, None, 2, None], "acc": [None, 1, None, 2]},
    )
    other = make_curves(
        {"epoch": [0, 0, 1, 1], "step": [2, 6, 10, 15]},
        {"loss": [1, None, 2, None], "acc": [None, 1, None, 2]},
    )
    assert choose_x([make_log(curves), make_log(other)])[0] == "epoch"


def test_where_no_axis_keeps_the_points_apart_the_best_is_taken_and_said():
    rows = make_curves(
        {"epoch": [0] * 8, "step": [0, 0, 1, 1, 2, 2, 3, 3]}, {"loss": list(range(8))}
    )
    name, reason = choose_x([make_log(rows)])
    assert name == "step"
    assert reason == "no axis keeps 95 % of the points apart; step keeps the most (50%)"


def test_records_that_are_carried_keep_their_points_apart():
    steps = make_curves({"step": [1, 2, 4, 5]}, {"loss": [4, 3, 2, 1]}, "train", [1, 2, 4, 5])
    metrics = {f"m{i}": [1, 2] for i in range(9)}
    ends = make_curves({"epoch": [0, 1]}, metrics, "val", [3, 6])
    name, reason = choose_x([make_log(steps, ends)])
    assert name == "step"
    assert "95 %" not in reason
    assert choose_x([make_log(steps, ends)], missing_x="drop")[0] == "epoch"


def test_an_axis_that_is_not_there_is_refused_with_those_that_are():
    log = make_log(make_curves({"epoch": [1, 2]}, {"loss": [1, 2]}))
    with pytest.raises(UnknownNameError, match="epoch"):
        choose_x([log], "epohc")
    assert choose_x([log], "epoch") == ("epoch", "asked for")


@pytest.mark.parametrize(
    ("axes", "wanted"),
    [
        ({"epoch": [0.1, 0.2, 0.3], "step": [10, 20, 30]}, "step"),
        ({"words": [0.5, 1.5, 2.5], "spawn_step": [10, 20, 30]}, "spawn_step"),
        ({"task": [1, 2, 3], "step": [1, 2, 3], "epoch": [1, 2, 3]}, "epoch"),
        ({"epoch": [0.0, 0.01, 0.01], "current_steps": [10, 20, 30]}, "current_steps"),
        ({"timestamp": [1, 2, 3], "words": [1, 2, 3]}, "words"),
        ({"words": [1.0, np.nan, 3.0], "percent": [0.5, 1.0, 1.5]}, "percent"),
    ],
)
def test_whole_numbers_go_before_fractions_then_familiar_names(axes, wanted):
    axes = {name: [None if v != v else v for v in values] for name, values in axes.items()}
    assert choose_x([make_log(make_curves(axes, {"loss": [3, 2, 1]}))])[0] == wanted


def test_a_clock_is_x_only_where_it_is_asked_for():
    log = make_log(
        make_curves({"wall_time": [7.5, 7.5, 9.0]}, {"loss": [3, 2, 1]}, lines=[2, 4, 9])
    )
    x, reason = choose_x([log])
    assert x == ()
    assert "wall_time" in reason
    (attempt,) = attempts_of(log, x)
    assert attempt.tracks[0].x.tolist() == [0, 1, 2]
    assert align_x([attempt], Choice(x, reason), "auto", ()).dim == "point"
    assert choose_x([log], "wall_time") == ("wall_time", "asked for")


def inner(epochs=(1, 2, 3), restart=True):
    """Several rows in each epoch, an iteration that starts anew in each, one validation row."""
    x = {"epoch": [], "iter": []}
    for i, epoch in enumerate(epochs):
        x["epoch"] += [epoch] * 4
        x["iter"] += [10 * (4 * i * (not restart) + k) for k in (1, 2, 3, 4)]
    count = len(x["epoch"])
    lines = [n + n // 4 + 1 for n in range(count)]
    train = make_curves(x, {"loss": list(range(count))}, "train", lines)
    ends = [5 * i + 5 for i in range(len(epochs))]
    val = {"epoch": list(epochs), "iter": [7] * len(epochs)}
    return make_log(train, make_curves(val, {"acc": list(range(len(epochs)))}, "val", ends))


def test_an_epoch_and_a_counter_that_starts_anew_in_it_are_x_together():
    logs = [inner(), inner(epochs=(1, 2))]
    x, reason = choose_x(logs)
    assert x == ("epoch", "iter")
    assert "iter starts anew in each epoch" in reason
    (attempt,) = attempts_of(logs[0], x)
    assert attempt.points == 15
    assert attempt.problems == []
    axis = align_x([attempt], Choice(x, reason), "auto", ())
    assert (axis.name, axis.dim, axis.labels.tolist()) == ("point", "point", list(range(15)))


def test_what_is_asked_for_is_x_alone_and_of_a_counter_that_starts_anew_the_last_value_stays():
    log = inner()
    assert choose_x([log], "epoch") == ("epoch", "asked for")
    assert choose_x([log], "iter") == ("iter", "asked for")
    (attempt,) = attempts_of(log, "iter")
    train = attempt.tracks[0]
    assert train.x.tolist() == [10, 20, 30, 40]
    assert train.curves.values[0][train.rows].tolist() == [8, 9, 10, 11]
    assert attempt.outer == "epoch"
    assert attempt.problems[0].message == (
        "'loss' (train) with 'epoch', 'iter': 8 rows of a repeated iter (first 10) replaced by the"
        " last: it starts anew in each epoch, lines 1 to 9"
    )


def test_a_restart_beside_a_count_that_goes_on_is_an_attempt():
    x = {"step": [1, 2, 3, 1, 2, 3, 4], "samples": [10, 20, 30, 40, 50, 60, 70]}
    log = make_log(make_curves(x, {"loss": list(range(7))}))
    assert len(attempts_of(log, "step")) == 2


def test_a_counter_that_counts_through_is_x_alone():
    assert choose_x([inner(restart=False)])[0] == "iter"


def test_where_the_epoch_keeps_the_points_apart_it_is_x_alone():
    curves = make_curves({"epoch": [1, 2, 3], "iter": [10, 10, 5]}, {"loss": [3, 2, 1]})
    assert choose_x([make_log(curves)])[0] == "epoch"


def test_a_run_that_starts_again_has_no_inner_counter():
    x = {"epoch": [1, 1, 2, 2] * 2, "step": [10, 20, 30, 40] * 2}
    log = make_log(make_curves(x, {"loss": list(range(8))}))
    assert choose_x([log])[0] == "step"
    assert len(attempts_of(log, "step")) == 2


def test_one_run_does_not_make_a_counter_an_inner_one():
    x = {"epoch": [1, 1, 2, 2], "step": [10, 20, 5, 40]}
    odd = make_log(make_curves(x, {"loss": [1, 2, 3, 4]}))
    assert choose_x([inner(restart=False), inner(restart=False), odd])[0] == "iter"
    x["step"] = [10, 20, 30, 40]
    plain = make_log(make_curves(x, {"loss": [1, 2, 3, 4]}))
    assert choose_x([plain, plain, odd])[0] == "step"


def test_a_resume_within_an_epoch_replaces_what_follows_on_both_counters():
    x = {"epoch": [1, 1, 2, 2, 2, 2, 3], "iter": [1, 2, 1, 2, 1, 2, 1]}
    log = make_log(make_curves(x, {"loss": list(range(7))}))
    (attempt,) = attempts_of(log, ("epoch", "iter"))
    (track,) = attempt.tracks
    assert track.x.tolist() == [0, 1, 2, 3, 4]
    assert track.curves.values[0][track.rows].tolist() == [0, 1, 4, 5, 6]
    assert [p.kind for p in attempt.problems] == ["superseded_rows"]
