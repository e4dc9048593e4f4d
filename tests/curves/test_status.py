"""Rules 15 and 10: complete or not, and which run stays."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from logs import make_curves, make_log

from runcube.core.errors import PlanError
from runcube.core.model import Remarks, Status
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


def noted(*runs, **options):
    runs = [replace(entrant, run=number) for number, entrant in enumerate(runs)]
    axis = XAxis("epoch", "epoch", "union", np.arange(1), "")
    notes = []
    return statuses(runs, axis, options.get("expected"), notes), notes


def test_where_many_runs_are_short_beside_others_alone_the_warning_says_so():
    lengths = [40, 25, 31, 22, 18, 36]
    _, (note,) = noted(*(run(n, number=i) for i, n in enumerate(lengths)))
    assert note.startswith("status: 5 of 6 runs are incomplete for no other reason")
    assert "expected=" in note
    killed = [40, 40, 40, 40, 18, 12]
    assert noted(*(run(n, number=i) for i, n in enumerate(killed)))[1] == []


def test_a_promise_that_no_run_keeps_is_still_a_promise():
    found, notes = noted(*[run(2, config={"epochs": 10}) for _ in range(4)])
    assert found == [N] * 4
    assert len(notes) == 1
    assert "epochs=10" in notes[0]
    assert "expected=" in notes[0]
    assert noted(*[run(2, config={"epochs": 10}) for _ in range(4)], expected=2) == ([C] * 4, [])


@settings(max_examples=300)
@given(
    goal=st.integers(6, 300),
    every=st.integers(1, 5),
    start=st.sampled_from(["0", "1", "every", "every - 1"]),
    behind=st.booleans(),
    died=st.lists(st.floats(0, 1, exclude_max=True), max_size=6),
    whole=st.integers(0, 3),
)
def test_whatever_is_counted_a_run_that_died_is_incomplete(goal, every, start, behind, died, whole):
    """Epochs or steps from 0 or from 1, each or each k-th, with or without one behind the end."""
    assume((start, every) != ("1", 2))  # as from 0, each second one: 1, 3, 5
    first = {"0": 0, "1": 1, "every": every, "every - 1": every - 1}[start]
    end = goal + (first > 0 and start != "every - 1") if not behind else goal + 1
    x = np.arange(first, end, every)
    if behind and x[-1] != goal:
        x = np.append(x, goal)
    assume(len(x) > 3)  # one point shows no spacing
    if not whole:
        died = [*died, 0.3, 0.5]
    # Where no run came to the end, nothing shows that a point is due behind it.
    most = len(x) - 1 - (behind and not whole)
    lengths = [len(x)] * whole + [min(int(part * len(x)), most) for part in died]
    lengths = [length for length in lengths if length > 0]
    runs = []
    for number, length in enumerate(lengths):
        curves = make_curves({"epoch": x[:length]}, {"loss": range(length)})
        log = make_log(curves, path=f"{number}.jsonl", config={"epochs": goal})
        runs.append(Candidate(attempts_of(log, "epoch")[0], number, 0))
    if sum(length == len(x) for length in lengths) <= sum(
        length == len(x) - 1 for length in lengths
    ):
        return  # as many died before their last point: it may be no point of a whole run
    assert status(*runs) == [C if length == len(x) else N for length in lengths]


def test_a_last_point_each_k_steps_is_near_enough():
    def each(k, last, goal=1000):
        x = list(range(0, last + 1, k))
        log = make_log(make_curves({"step": x}, {"loss": x}), config={"max_steps": goal})
        return Candidate(attempts_of(log, "step")[0], 0, 0)

    assert status(each(50, 950), each(50, 900), name="step") == [C, N]
    assert status(each(50, 1000), each(50, 950), name="step") == [C, N]
    assert status(each(300, 900), each(300, 600), name="step") == [C, N]


def test_a_promise_far_below_what_runs_do_is_none():
    runs = [run(n, config={"num_epochs": 3}) for n in (100, 100, 60)]
    found, notes = noted(*runs)
    assert found == [C, C, N]
    assert "num_epochs=3" in notes[0]


def test_runs_that_end_well_short_by_their_own_word_are_counted_in_another_unit():
    word = {"config": {"epochs": 90}}
    done = [run(20, marker=C, **word) for _ in range(3)]
    found, notes = noted(*done, run(20, **word), run(9, **word))
    assert found == [C, C, C, C, N]
    assert "epochs=90 is in another unit" in notes[0]
    found, notes = noted(*done[:2], run(20, **word), run(20, **word))
    assert found == [C, C, N, N]
    assert "another unit" not in "".join(notes)


def test_a_promise_that_x_cannot_be_compared_with_is_named():
    found, notes = noted(run(9, config={"max_steps": 100}), run(9, config={"max_steps": 100}))
    assert found == [C, C]
    assert "max_steps=100" in notes[0]
    assert "expected=" in notes[0]
    assert noted(run(9, marker=C, config={"max_steps": 9}))[1] == []


def test_early_stopping_explains_that_a_promise_is_not_kept_once_patience_is_over():
    early = {"epochs": 50, "stop": {"patience": 3}}
    found, notes = noted(run(2, config=early), run(8, config=early), run(50, config=early))
    assert found == [N, C, C]
    assert "1 run may have stopped" in notes[0]


def test_the_patience_of_a_scheduler_stops_no_run():
    config = {"epochs": 50, "scheduler.patience": 3}
    assert status(run(8, config=config), run(50, config=config)) == [N, C]


SUMMARY, DONE = "_summary", "'all done in #'"


def says(n, *kinds, before=(), **fields):
    return run(n, remarks=Remarks(frozenset(before), frozenset(kinds)), **fields)


def test_what_most_runs_end_with_is_the_loggers_word():
    config = {"epochs": 100}
    runs = says(30, SUMMARY), says(70, SUMMARY), says(100)
    assert status(*[replace(r, attempt=r.attempt) for r in runs]) == [C, C, N]
    short = [says(n, SUMMARY, config=config) for n in (30, 41, 57)]
    assert status(*short, says(100, config=config)) == [C, C, C, N]
    assert status(*short, says(100, config=config), expected=100) == [N, N, N, C]


def test_a_text_that_most_runs_end_with_may_be_missing_where_the_promise_is_kept():
    config = {"epochs": 100}
    stopped = [says(n, "'stopped early'", config=config) for n in (30, 41, 57)]
    assert status(*stopped, says(100, config=config), says(9, config=config)) == [C, C, C, C, N]


def test_what_stands_elsewhere_too_is_no_trailer():
    config = {"epochs": 10}
    runs = [says(4, DONE, before=[DONE], config=config) for _ in range(4)]
    assert status(*runs) == [N] * 4
    two = [says(2, "test", config=config) for _ in range(4)]  # it may be of each second epoch
    assert status(*two) == [N] * 4
    one = says(5, DONE, config=config)
    assert status(one) == [N]
    assert status(says(5, SUMMARY, config=config)) == [C]


def test_a_resumed_run_may_have_its_trailer_twice():
    assert status(*[says(9, SUMMARY)] * 3, says(5, SUMMARY, before=[SUMMARY])) == [C] * 4


def test_runs_that_say_how_they_failed_do_not_count_against_a_trailer():
    runs = [says(9, SUMMARY), says(9, SUMMARY), says(2)]
    assert status(*runs, *[says(3, marker=F)] * 5) == [C, C, N, *[F] * 5]


def test_a_reader_that_tells_nothing_takes_no_run_its_word():
    assert status(*[says(9, SUMMARY)] * 3, run(9)) == [C] * 4


def test_what_stands_at_the_end_of_a_log_is_of_its_last_attempt():
    x = [0, 1, 2, 3, 4, 0, 1, 2]
    log = make_log(make_curves({"epoch": x}, {"loss": x}), marker=F, config={"epochs": 3})
    first, second = (Candidate(a, 0, 0) for a in attempts_of(log, "epoch"))
    assert status(first, second) == [C, F]


def test_superseded_attempts_have_no_vote():
    lost = [replace(run(50), votes=False) for _ in range(5)]
    assert status(run(100), run(100, group=1), *lost)[:2] == [C, C]
    assert status(run(50), replace(run(100), votes=False)) == [C, C]


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
