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
    seed = draw(st.none() | size)
    return [c for c in made if c.n_labels > 1], None if seed is None else make_column("seed", seed)


def rows(counted, n):
    return list(zip(*counted, strict=True)) if counted else [()] * n


def determines(counted, goal):
    pairs = zip(rows(counted, len(goal)), goal, strict=True)
    return len(set(pairs)) == len(set(rows(counted, len(goal))))


def present(column):
    if column.absent_code is None:
        return [True] * len(column.codes)
    return (column.codes != column.absent_code).tolist()


def counts(keys, counted):
    """The codes of keys that count: those whose presence is decided by keys that do."""
    counted, waiting = [*counted], [*keys]
    while ready := [c for c in waiting if determines(counted, present(c))]:
        counted += [c.codes.tolist() for c in ready]
        waiting = [c for c in waiting if c not in ready]
    return counted


def drop_order(columns):
    return sorted(columns, key=lambda c: (-c.n_labels, not c.numeric, -len(c.key), -int(c.key[1:])))


def leading(columns, seed):
    """One key for each pattern of presence that nothing decides, the most present first."""
    base = [] if seed is None else [seed.codes.tolist()]
    found = []
    partial = [c for c in columns if c.absent_code is not None]
    for column in sorted(partial, key=lambda c: -sum(present(c))):
        if not determines(counts(columns, base), present(column)):
            alike = [c for c in partial if twins(present(c), present(column))]
            found.append(drop_order(alike)[-1])
            base.append(found[-1].codes.tolist())
    return found


def determined(keys, target, seed, lead):
    """Whether keys, and the seed, determine one, a key counting once its presence is decided."""
    base = [] if seed is None else [seed.codes.tolist()]
    counted = counts(keys, [*base, *(c.codes.tolist() for c in lead)])
    return determines(counted, target.codes.tolist())


def eliminated(columns, protected, seed, lead):
    """One key after the other, from most labels to fewest, as the rule says."""
    left = columns
    for column in drop_order(left):
        others = [c for c in left if c is not column]
        if column not in [*protected, *lead] and determined(others, column, seed, lead):
            left = others
    return left


def twins(one, other):
    one, other = [[*map(int, codes)] for codes in (one, other)]
    return determines([one], other) and determines([other], one)


def n_labels(columns):
    return sum(column.n_labels for column in columns)


@given(columns())
def test_the_dims_are_what_dropping_key_by_key_leaves(case):
    columns, seed = case
    found = [columns[i] for i in choose_dims(columns, seed)]
    free = [c for c in columns if seed is None or not twins(c.codes, seed.codes)]
    lead = leading(free, seed)
    of_seed = [
        c
        for c in free
        if seed is not None
        and determines([seed.codes.tolist()], c.codes.tolist())
        and not twins(c.codes, present(seed))
    ]
    # Of those that tell the same runs apart, one.
    protected = [
        c for c in of_seed if c is drop_order([d for d in of_seed if twins(c.codes, d.codes)])[-1]
    ]
    plain = eliminated(free, protected, seed, lead)
    assert n_labels(found) <= n_labels(plain)
    if n_labels(found) == n_labels(plain):
        assert {c.key for c in found} == {c.key for c in plain}
    for column in free:
        assert column in found or determined(found, column, seed, lead)


def test_a_run_that_lacks_most_keys_makes_one_dim_of_them_or_none():
    """It failed before it had its whole configuration: that is one thing, not twenty."""
    n = 12
    lr = make_column("lr", [i % 3 for i in range(n)] + [0])
    late = [make_column(f"late{i}", [i] * n + [ABSENT]) for i in range(20)]
    known = make_column("seed", [i // 3 for i in range(n)] + [0])
    new = make_column("seed", [i // 3 for i in range(n)] + [9])
    none = make_column("seed", [i // 3 for i in range(n)] + [ABSENT])
    assert choose_dims([lr, *late], known) == [0, 1]
    assert choose_dims([lr, *late], new) == [0, 1]
    assert choose_dims([lr, *late], none) == [0]
    assert choose_dims([lr, *late], None) == [0, 1]


def test_runs_without_a_common_key_take_linear_time():
    n = 10_000
    made = [make_column(f"a{i}", [i, ABSENT]) for i in range(n)]
    made += [make_column(f"b{i}", [ABSENT, i]) for i in range(n)]
    start = time.perf_counter()
    assert choose_dims(made, None) == [0]
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
