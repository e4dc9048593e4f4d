"""Rows whose x is in another unit than the others': found, named, and no attempt of their own."""

from logs import make_curves, make_log

from runcube.curves.attempts import attempts_of
from runcube.curves.units import curves_in_another_unit, other_unit
from runcube.curves.x_values import x_values


def points(attempt, metric):
    found = {}
    for track in attempt.tracks:
        for i in track.metrics:
            if track.curves.metrics[i] == metric:
                values = track.curves.values[i][track.rows]
                found |= zip(track.x.tolist(), values.tolist(), strict=True)
    return found


def logged(steps, losses, accs, **fields):
    """One split: ``loss`` on training rows, ``acc`` on evaluation rows, ``time`` on both."""
    metrics = {"loss": losses, "acc": accs, "time": [1.0] * len(steps)}
    return make_log(make_curves({"step": steps}, metrics, "all"), **fields)


def mmengine(**fields):
    steps, losses, accs = [], [], []
    for epoch in range(1, 4):
        steps += [*range(40 * epoch - 30, 40 * epoch + 1, 10), epoch]
        losses += [*range(4), None]
        accs += [None] * 4 + [epoch]
    return logged(steps, losses, accs, **fields)


def test_evaluations_by_epoch_are_no_attempts_of_training_by_iteration():
    (attempt,) = attempts_of(mmengine(), "step")
    assert len(points(attempt, "loss")) == 12
    assert points(attempt, "acc") == {1: 1, 2: 2, 3: 3}
    assert sorted(points(attempt, "time")) == [1, 2, 3, *range(10, 121, 10)]
    assert attempt.problems == []


def test_they_are_named_with_their_metrics():
    note = curves_in_another_unit([mmengine(), mmengine()], "step")
    assert note.startswith(
        "'acc', 'time' (all) have rows that end at 3 beside rows that end at 120"
    )


def test_one_run_does_not_decide():
    steps = [10, 20, 30, 20, 40, 50, 60, 60]
    both = [[1, 2, 3, None, 4, 5, 6, None], [None, None, None, 7, None, None, None, 8]]
    usual = logged(steps, *both)
    assert curves_in_another_unit([mmengine(), usual, usual], "step") == ""


def test_a_restart_is_no_other_unit():
    steps = [10, 20, 30, 40, 50, 1, 2, 3, 4]
    log = logged(steps, [1] * 9, [None] * 9)
    assert other_unit(log.curves, x_values(log, "step")) is None
    assert len(attempts_of(log, "step")) == 2


def test_metrics_of_the_beginning_are_in_the_same_unit():
    log = logged([1, 2, 100, 200], [None, None, 1, 2], [1, 2, None, None])
    assert other_unit(log.curves, x_values(log, "step")) is None


def test_checkpoints_that_are_evaluated_at_the_end_are_in_the_same_unit():
    log = logged([100, 200, 300, 100, 200, 300], [3, 2, 1, *[None] * 3], [*[None] * 3, 1, 2, 3])
    assert other_unit(log.curves, x_values(log, "step")) is None


def test_where_both_units_meet_the_usual_one_stays_and_the_other_is_named():
    steps = [1, 2, 3, 4, 5, 1, 6, 7, 8, 9, 10, 2]
    is_eval = [n in (5, 11) for n in range(12)]
    log = logged(steps, [None if e else 1 for e in is_eval], [1 if e else None for e in is_eval])
    (attempt,) = attempts_of(log, "step")
    assert points(attempt, "acc") == {1: 1, 2: 1}
    assert len(points(attempt, "loss")) == 10
    (problem,) = attempt.problems
    assert (problem.kind, problem.line) == ("repeated_x", 6)
    assert problem.message.startswith("'time' (all) with 'step': 2 rows with step in another unit")


def test_one_row_of_its_kind_at_a_restart_belongs_to_the_new_attempt():
    steps = [10, 20, 300, 10, 20, 400]
    log = logged(steps, [1, 2, 3, 4, 5, 6], [None, None, None, 7, None, None])
    first, second = attempts_of(log, "step")
    assert points(first, "loss") == {10: 1, 20: 2, 300: 3}
    assert points(second, "loss") == {10: 4, 20: 5, 400: 6}


def test_one_evaluation_by_epoch_is_no_attempt_of_its_own():
    (attempt,) = attempts_of(
        logged([10, 20, 1, 30], [1, 2, None, 3], [None, None, 7, None]), "step"
    )
    assert points(attempt, "loss") == {10: 1, 20: 2, 30: 3}
    assert points(attempt, "time") == {1: 1, 10: 1, 20: 1, 30: 1}
