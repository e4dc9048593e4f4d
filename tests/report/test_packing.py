"""Values come back from few bytes, in Python and in the browser."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from runcube.report.packing import packed, unpacked
from runcube.report.thinning import kept_points

shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=8)
floats = st.floats(allow_nan=True, allow_infinity=True)


def assert_near(found, values, logged, own):
    """Equal where not finite, else within the precision that is said."""
    there = np.isfinite(values) & logged
    np.testing.assert_array_equal(found[~there], np.where(logged, values, np.nan)[~there])
    if own.scale == "linear":
        scale = np.abs(values[there]).max(initial=0.0)
        limit = own.error * 1.01 + 4e-16 * scale
        assert (np.abs(found[there] - values[there]) <= limit).all()
    elif own.scale == "log":
        ratio = np.abs(np.log10(found[there]) - np.log10(values[there]))
        assert (ratio <= own.error * 1.01 + 1e-12).all()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_values_come_back_within_the_precision_that_is_said(data):
    shape = data.draw(shapes)
    values = data.draw(hnp.arrays(np.float64, shape, elements=floats))
    logged = data.draw(hnp.arrays(np.bool_, shape))
    own = packed(values, logged)
    assert_near(unpacked(own, shape[1]), values, logged, own)


def test_the_axis_is_that_of_the_values():
    on = np.ones((1, 100), dtype=bool)
    rng = np.random.default_rng(0)
    assert packed(rng.random((1, 100)) + 1, on).scale == "linear"
    assert packed(10 ** rng.uniform(-6, 3, (1, 100)), on).scale == "log"
    spike = rng.standard_normal((1, 100))
    spike[0, 7] = 1e30
    own = packed(spike, on)
    assert own.scale == "asinh"  # a linear one would make all others equal
    np.testing.assert_allclose(unpacked(own, 100), spike, rtol=0.02, atol=1e-2)


@pytest.mark.parametrize("scale", ["linear", "log", "asinh"])
def test_the_browser_unpacks_the_same(opened, page_file, scale):
    rng = np.random.default_rng(1)
    values = {
        "linear": rng.random((5, 40)) + 1,
        "log": 10 ** rng.uniform(-9, 9, (5, 40)),
        "asinh": np.where(rng.random((5, 40)) < 0.02, -1e20, rng.standard_normal((5, 40))),
    }[scale]
    values[1, 3], values[1, 4], values[2, 0] = np.nan, np.inf, -np.inf
    logged = rng.random((5, 40)) < 0.9
    logged[1, 3] = logged[1, 4] = logged[2, 0] = True
    own = packed(values, logged)
    assert own.scale == scale
    page = opened(page_file)
    given_ = {name: getattr(own, name) for name in ("codes", "bounds", "scale", "unit")}
    code = """async own => {
        const {values, bad} = await unpacked(own, 5);
        return [Array.from(values, v => isNaN(v) ? null : v), Array.from(bad)];
    }"""
    found, bad = page.js(code, given_)
    wanted = unpacked(own, 40).ravel()
    there = np.isfinite(wanted)
    np.testing.assert_allclose(np.array(found, float)[there], wanted[there], rtol=1e-12)
    assert np.isnan(np.array(found, float)[~there]).all()
    codes = np.array(bad).reshape(5, 40)
    assert (codes[1, 3], codes[1, 4], codes[2, 0]) == (65534, 65533, 65532)
    assert (codes[~logged] == 0).all()
    assert json.dumps(given_)


def test_long_curves_keep_extremes_and_what_is_not_finite():
    rng = np.random.default_rng(2)
    values = rng.standard_normal((20, 50_000)).cumsum(axis=1)
    values[3, 777] = np.nan
    values[4, 778] = np.inf
    logged = rng.random(values.shape) < 0.5
    logged[3, 777] = logged[4, 778] = True
    kept = kept_points(values, logged, 400)
    assert len(kept) <= 402
    assert {777, 778} <= set(kept.tolist())
    there = np.where(logged & np.isfinite(values), values, np.nan)
    assert np.nanmax(there[:, kept]) == np.nanmax(there)
    assert np.nanmin(there[:, kept]) == np.nanmin(there)
    assert (kept[0], kept[-1]) == (0, 49_999)


@given(hnp.arrays(np.float64, shapes, elements=floats), st.integers(1, 6))
def test_every_run_keeps_what_is_not_finite(values, most):
    logged = np.ones(values.shape, dtype=bool)
    kept = kept_points(values, logged, most)
    bad = ~np.isfinite(values)
    assert (bad[:, kept].any(axis=1) == bad.any(axis=1)).all()
