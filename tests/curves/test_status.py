"""Rules 15 and 10: complete or not, and which run stays."""

from dataclasses import replace

import numpy as np
import pytest
from logs import make_curves, make_log

from runcube.core.errors import PlanError
from runcube.core.model import Status
from runcube.curves.attempts import attempts_of
from runcube.curves.status import Candidate, statuses, winner
from runcube.curves.x_axis import XAxis

C, N, F = Status.COMPLETE, Status.INCOMPLETE, Status.FAILED


def run(length, *, splits=("val",), start=0, group=0, config=None, number=0, mtime=0, **fields):
    lengths = length if isinstance(length, dict) else dict.fromkeys(splits, length)
    curves = [
        make_curves({"epoch": list(range(start, start + n))}, {"loss": list(range(n))}, split)
        for split, n in lengths.items()
        if n
    ]
    path = f"{number}.jsonl"
    log = make_log(*curves, path=path, mtime=mtime, config=config, **fields)
    (attempt,) = attempts_of(log, "epoch")
    return Candidate(attempt, number, group)


def status(*runs, name="epoch", align="union", expected=None):
    runs = [replace(entrant, run=number) for number, entrant in enumerate(runs)]
    axis = XAxis(name, name, align, np.arange(1), "")
    return statuses(runs, axis, expected)


def test_a_run_without_metrics_failed_whatever_its_logger_says():
    assert status(run(0, marker=C), run(5)) == [F, C]


def test_the_loggers_word_goes_before_any_comparison():
    runs = run(3, marker=C), run(10), run(10, marker=N), run(10, marker=F)
    assert status(*runs) == [C, C, N, F]


@pytest.mark.parametrize("start", [0, 1])
def test_a_promise_has_to_be_kept(start):
    runs = [run(n, start=start, config={"train.epochs": 10}, group=n) for n in (10, 9)]
    assert status(*runs) == [C, N]


def test_each_run_has_its_own_promise():
    runs = (
        run(10, config={"epochs": 10}),
        run(20, config={"epochs": 20}),
        run(10, config={"epochs": 20}),
    )
    assert status(*runs) == [C, C, N]


def test_a_split_that_never_reaches_the_promise_need_not():
    often = {"train": 10, "val": 10, "test": 3}
    late = {"train": 10, "val": 8, "test": 3}
    runs = [run(n, config={"epochs": 10}) for n in (often, late)]
    assert status(*runs) == [C, N]


def test_a_promise_in_another_unit_is_none():
    runs = run(9, config={"max_steps": 10}), run(9, config={"epochs": "10"})
    assert status(*runs) == [C, C]


def test_two_promises_of_the_same_depth_are_none_and_the_outer_one_wins():
    assert status(run(5, config={"a.epochs": 10, "b.epochs": 7})) == [C]
    runs = run(5, config={"epochs": 5, "b.epochs": 7}), run(4, config={"epochs": 5, "b.epochs": 7})
    assert status(*runs) == [C, N]


def test_expected_goes_before_the_promise_and_before_the_word_that_a_run_is_done():
    runs = run(10, config={"epochs": 10}, marker=C), run(20), run(19)
    assert status(*runs, expected=20) == [N, C, N]
    assert status(run(3), expected=20) == [N]


def test_early_stopping_explains_a_short_run():
    runs = run(10), run(3, config={"es.patience": 5}), run(3, config={"early_stopping": None})
    assert status(*runs) == [C, C, N]


def test_runs_aligned_by_order_are_not_compared():
    assert status(run(10), run(3), align="order") == [C, C]


def test_runs_of_one_configuration_are_compared_with_the_longest():
    assert status(run(100), run(97), run(90)) == [C, C, N]
    assert status(run(100), run({"train": 100})) == [N, N]


def test_a_lone_run_is_compared_with_the_end_that_half_share():
    runs = [run(100, group=i, number=i) for i in range(3)] + [run(50, group=9, number=9)]
    assert status(*runs) == [C, C, C, N]
    runs = [run(10 * i, group=i, number=i) for i in range(1, 6)]
    assert status(*runs) == [C] * 5


def stays(runs, policy="prefer_complete"):
    return winner(range(len(runs)), runs, status(*runs), policy)


def test_complete_beats_longer_beats_newer():
    assert stays([run(5, marker=N), run(3, marker=C, number=1)]) == 1
    assert stays([run(5, marker=C), run(3, marker=C, number=1)]) == 0
    assert stays([run(5, marker=C, mtime=2), run(5, marker=C, mtime=1, number=1)]) == 0
    assert stays([run(5, marker=C), run(5, marker=C, number=1)]) == 1


def test_first_and_last_go_by_path_order_and_raise_names_both():
    runs = [run(5), run(3, number=1)]
    assert stays(runs, "first") == 0
    assert stays(runs, "last") == 1
    with pytest.raises(PlanError, match=r"0\.jsonl, 1\.jsonl"):
        stays(runs, "raise")
