"""Rule 12: whether the runs share x, and what its dim is called."""

import numpy as np
import pytest
from logs import make_curves, make_log

from runcube.curves.attempts import attempts_of
from runcube.curves.own_x import Choice
from runcube.curves.x_axis import align_x, identifier


def lined_up(logs, name="step", align="auto"):
    attempts = [attempt for log in logs for attempt in attempts_of(log, name)]
    return align_x(attempts, Choice(name, ""), align, ())


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
