"""Rule 6: the keys that stay when those that others determine are dropped."""

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runcube.plan.dims import Placement, choose_dims
from runcube.plan.values import ABSENT, make_column

CODES = st.sampled_from([0, 1, 2, ABSENT])


@st.composite
def columns(draw):
    runs = draw(st.integers(1, 9))
    size = st.lists(CODES, min_size=runs, max_size=runs)
    made = [make_column(f"k{i}", raw) for i, raw in enumerate(draw(st.lists(size, max_size=7)))]
    seed = draw(st.none() | st.lists(st.integers(0, 2), min_size=runs, max_size=runs))
    return [c for c in made if c.n_labels > 1], None if seed is None else np.array(seed)


def rows(counted, n):
    return list(zip(*counted, strict=True)) if counted else [()] * n


def determines(counted, goal):
    pairs = zip(rows(counted, len(goal)), goal, strict=True)
    return len(set(pairs)) == len(set(rows(counted, len(goal))))


def determined(keys, target, seed):
    """Whether keys, and the seed, determine one, a key counting once its presence is decided."""
    counted, waiting = [] if seed is None else [seed.tolist()], list(keys)
    while True:
        ready = [
            c
            for c in waiting
            if c.absent_code is None or determines(counted, (c.codes == c.absent_code).tolist())
        ]
        if not ready:
            return determines(counted, target.codes.tolist())
        counted += [c.codes.tolist() for c in ready]
        waiting = [c for c in waiting if c not in ready]


def eliminated(columns, protected, seed):
    """One key after the other, from most labels to fewest, as the rule says."""
    left = [c for c in columns if seed is None or not twins(c.codes, seed)]
    order = sorted(left, key=lambda c: (-c.n_labels, not c.numeric, -len(c.key), -columns.index(c)))
    for column in order:
        others = [c for c in left if c is not column]
        if column not in protected and determined(others, column, seed):
            left = others
    return left


def twins(codes, seed):
    return determines([codes.tolist()], seed.tolist()) and determines(
        [seed.tolist()], codes.tolist()
    )


def n_labels(columns):
    return sum(column.n_labels for column in columns)


@given(columns())
def test_the_dims_are_what_dropping_key_by_key_leaves(case):
    columns, seed = case
    found = [columns[i] for i in choose_dims(columns, seed)]
    protected = [
        c
        for c in columns
        if seed is not None
        and determines([seed.tolist()], c.codes.tolist())
        and not twins(c.codes, seed)
    ]
    plain = eliminated(columns, protected, seed)
    assert n_labels(found) <= n_labels(plain)
    if n_labels(found) == n_labels(plain):
        assert {c.key for c in found} == {c.key for c in plain}
    for column in columns:
        if column not in found and not (seed is not None and twins(column.codes, seed)):
            assert determined(found, column, seed)


def test_runs_without_a_common_key_take_linear_time():
    n = 10_000
    made = [make_column(f"a{i}", [i, ABSENT]) for i in range(n)]
    made += [make_column(f"b{i}", [ABSENT, i]) for i in range(n)]
    start = time.perf_counter()
    assert len(choose_dims(made, None)) == 2 * n
    assert time.perf_counter() - start < 20  # 60 s where each key is tried against all others


def test_many_keys_that_all_differ_take_few_questions():
    rng = np.random.default_rng(0)
    made = [make_column(f"k{i}", rng.integers(0, 3, 20).tolist()) for i in range(1000)]
    start = time.perf_counter()
    assert len(choose_dims(made, None)) <= 5
    assert time.perf_counter() - start < 20


def test_a_key_of_several_runs_lies_on_the_fewest_dims():
    cells = np.array([[a, a, b, 0] for a in range(3) for b in range(2)])
    target = np.array([a for a in range(3) for _ in range(2)])
    placement = Placement(cells, [3, 3, 2, 1], [target, cells[:, 2], target])
    assert [placement.place(i) for i in range(3)] == [(1,), (2,), (1,)]
