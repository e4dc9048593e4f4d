"""A resume replaces every row of the branch that was left, in all splits (rule 14)."""

from hypothesis import given
from hypothesis import strategies as st
from logs import make_curves, make_log

from runcube.curves.attempts import attempts_of


def resolved(rows, x="step"):
    """The rows ``(split, x)``, one a line, that stay, by split with the line of each x."""
    curves = []
    for split in dict.fromkeys(split for split, _ in rows):
        mine = [(line, value) for line, (own, value) in enumerate(rows, 1) if own == split]
        lines, values = zip(*mine, strict=True)
        curves.append(make_curves({x: values}, {"loss": lines}, split, lines))
    (attempt,) = attempts_of(make_log(*curves), x)
    found = {
        t.curves.split: dict(zip(t.x.tolist(), t.lines.tolist(), strict=True))
        for t in attempt.tracks
    }
    return found, attempt.problems


def train(*steps):
    return [("train", step) for step in steps]


def val(*steps):
    return [("val", step) for step in steps]


def test_no_value_of_the_branch_that_was_left_stays():
    found, problems = resolved([*train(0, 10, 20), *val(25), *train(30, 10, 15)])
    assert found == {"train": {0: 1, 10: 6, 15: 7}}
    assert [p.kind for p in problems] == ["superseded_rows"] * 2
    assert "val" in problems[1].message or "val" in problems[0].message


def test_what_was_logged_before_the_branch_stays():
    found, _ = resolved([*train(0, 10), *val(10), *train(20), *val(20), *train(20, 30), *val(30)])
    assert found["val"] == {10: 3, 20: 5, 30: 8}
    found, _ = resolved([*val(10), *train(10, 20, 30, 20, 30)])
    assert found == {"val": {10: 1}, "train": {10: 2, 20: 5, 30: 6}}


def test_a_run_that_is_evaluated_first_when_it_is_resumed_keeps_that():
    found, _ = resolved([*train(0, 40), *val(40), *train(41, 42), *val(40), *train(40, 41)])
    assert found == {"train": {0: 1, 40: 7, 41: 8}, "val": {40: 6}}


def test_a_split_that_comes_back_later_is_not_resumed_again():
    rows = [*train(0, 1, 2), *val(2), *train(3, 4), *val(4), *train(2, 3), *val(3), *train(4)]
    found, _ = resolved(rows)
    assert found == {"train": {0: 1, 1: 2, 2: 8, 3: 9, 4: 11}, "val": {3: 10}}


def test_one_last_row_that_steps_back_is_no_resume_of_the_others():
    found, _ = resolved([("train", 0), ("val", 0), *train(1), *val(1), *train(2), *val(2), *val(1)])
    assert found["train"] == {0: 1, 1: 3, 2: 5}


@given(data=st.data())
def test_whatever_was_resumed_the_last_branch_alone_stays(data):
    """A run with a checkpoint after each epoch dies in the middle of one, and goes on from one."""
    order = data.draw(
        st.sampled_from([("train", "val"), ("val", "train"), ("train", "val", "test")])
    )
    every = {split: data.draw(st.integers(1, 3)) for split in order}
    rows, kept, start = [], {}, 0
    for session in range(data.draw(st.integers(1, 4))):
        stop = start + data.draw(st.integers(2, 6))
        mine = [(s, e) for e in range(start, stop) for s in order if e % every[s] == 0]
        lost = data.draw(st.integers(0, 2)) if len(mine) > 6 else 0
        mine = mine[: len(mine) - lost]
        kept = {(s, e): line for (s, e), line in kept.items() if e < start}
        kept |= {row: line for line, row in enumerate(mine, len(rows) + 1)}
        rows += mine
        if session == 0 and not all(any(s == own for s, _ in rows) for own in order):
            return
        # From an epoch that the split shows which is always logged, behind the first one.
        often = [s for s in order if every[s] == 1]
        last = max((e for s, e in mine if s in often), default=0)
        if not often or order[0] not in often or last < 2:
            break
        start = data.draw(st.integers(1, last - 1)) if last > 1 else 1
    found, _ = resolved(rows)
    assert {(s, e): line for s, own in found.items() for e, line in own.items()} == kept
