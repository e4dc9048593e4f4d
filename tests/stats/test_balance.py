"""``balanced`` against every other choice."""

import itertools
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runcube as rc
from runcube.stats.balance import _largest


@pytest.fixture(scope="module")
def cube():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs("examples/logs")


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 5))))
def test_no_other_choice_has_more_runs(complete):
    configs, seeds = _largest(complete)
    assert complete[np.ix_(configs, seeds)].all()
    most = 0
    for size in range(1, complete.shape[1] + 1):
        for chosen in itertools.combinations(range(complete.shape[1]), size):
            most = max(most, complete[:, chosen].all(axis=1).sum() * size)
    assert configs.sum() * seeds.sum() == most


def test_many_seeds_are_balanced_too():
    complete = np.ones((30, 40), dtype=bool)
    complete[:, 7] = False
    complete[3, :10] = False
    configs, seeds = _largest(complete)
    assert (configs.sum(), seeds.sum()) == (29, 39)


def test_what_is_left_is_complete_in_both_layouts(cube):
    found = rc.balanced(cube)
    held = found.status != "absent"
    assert (found.status.where(held, "complete") == "complete").all()
    per_config = held.sum("seed").values
    assert set(per_config.ravel().tolist()) == {0, found.sizes["seed"]}
    rows = rc.balanced(rc.to_configs(cube))
    assert (rows.status == "complete").all()
    xr.testing.assert_equal(rc.to_configs(found).curve, rows.curve)
    kept = cube.curve.sel({d: found[d] for d in ("weights", "lr", "weight_decay", "seed")})
    np.testing.assert_array_equal(found.curve, kept.where(held))


def test_a_sweep_without_complete_runs_is_an_error(cube):
    failed = cube.assign_coords(status=cube.status.where(cube.status == "absent", "failed"))
    with pytest.raises(rc.PlanError, match="no run is complete"):
        rc.balanced(failed)
