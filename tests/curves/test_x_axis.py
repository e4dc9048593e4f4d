"""Rules 11 and 12: which quantity is x, and whether the runs share it."""

import numpy as np
import pytest
from logs import make_curves, make_log

from runcube.core.errors import UnknownNameError
from runcube.curves.attempts import attempts_of
from runcube.curves.x_axis import align_x, choose_x, identifier


def lined_up(logs, name="step", align="auto"):
    attempts = [attempt for log in logs for attempt in attempts_of(log, name)]
    return align_x(attempts, name, "", align, ())


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
    steps = make_curves({"step": list(range(8))}, {"loss": list(range(8))}, "train")
    ends = make_curves({"epoch": [0, 1]}, {"acc": [1, 2]}, "val")
    name, reason = choose_x([make_log(steps, ends)])
    assert name == "step"
    assert "95 %" in reason


def test_an_axis_that_is_not_there_is_refused_with_those_that_are():
    log = make_log(make_curves({"epoch": [1, 2]}, {"loss": [1, 2]}))
    with pytest.raises(UnknownNameError, match="epoch"):
        choose_x([log], "epohc")
    assert choose_x([log], "epoch") == ("epoch", "asked for")


def test_runs_that_share_x_get_its_sorted_union():
    logs = [make_log(make_curves({"step": s}, {"loss": [1, 2]})) for s in ([10, 20], [5, 20])]
    axis = lined_up(logs)
    assert axis.labels.tolist() == [5, 10, 20]
    assert (axis.dim, axis.align, axis.labels.dtype) == ("step", "union", np.int64)


def test_runs_that_share_no_x_are_aligned_by_order():
    logs = [make_log(make_curves({"step": [i, i + 100]}, {"loss": [1, 2]})) for i in range(9)]
    axis = lined_up(logs)
    assert (axis.dim, axis.align, axis.labels.tolist()) == ("point", "order", [0, 1])
    assert lined_up(logs, align="union").align == "union"
    assert lined_up(logs[:2], align="auto").align == "union"
    assert lined_up(logs[:2], align="order").align == "order"


def test_fractions_stay_fractions():
    axis = lined_up([make_log(make_curves({"step": [0.5, 1.0]}, {"loss": [1, 2]}))])
    assert axis.labels.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("logged", "name"),
    [
        ("epoch", "epoch"),
        ("time/step", "step"),
        ("env steps", "env_steps"),
        ("lr", "x_lr"),
        ("1", "x_1"),
    ],
)
def test_an_axis_has_a_name_that_sel_can_say(logged, name):
    assert identifier(logged, ["lr"]) == name
