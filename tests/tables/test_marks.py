"""What a table says of runs that diverged or did not end, its digits, and keys that say nothing."""

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from plot_cubes import made

import runcube as rc
from runcube.tables.digits import places_of, shown

NAN = np.nan


@pytest.fixture(scope="module")
def real():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs("examples/logs")


def cube(values, status=None):
    """Return a cube of one epoch of values (lr, seed), all logged but None."""
    logged = np.array([[v is not None for v in row] for row in values])
    numbers = np.array([[NAN if v is None else v for v in row] for row in values])
    labels = {"lr": 10.0 ** -np.arange(len(values))}
    ds = made(
        numbers[:, :, None, None, None], logged[:, :, None, None, None], labels, ["val"], ["loss"]
    )
    return ds if status is None else ds.assign_coords(status=(("lr", "seed"), status))


SURVIVORS = [[0.1, 0.1, NAN, np.inf, NAN], [0.4, 0.5, 0.6, 0.5, 0.4], [NAN] * 5, [None] * 5]


def test_a_mean_of_survivors_is_marked_and_never_bold():
    table = rc.tables.results(rc.final(cube(SURVIVORS)), mode="min")
    assert [(row[0].n, row[0].marks["d"], row[0].is_best) for row in table.cells] == [
        (2, 3, False),
        (5, 0, True),
        (0, 5, False),
    ]
    lines = table.to_markdown().splitlines()
    assert lines[2:5] == [
        "| 1 | 0.10 ± 0.00 (2, 3d) |",
        "| 0.1 | **0.48 ± 0.10 (5)** |",
        "| 0.01 | – (5d) |",
    ]
    assert r"0.01 & -- (5d) \\" in table.to_latex()
    assert "d: runs that diverged (a logged NaN or infinity), left out" in table.caption
    assert "means without their diverged runs are not ranked" in table.caption
    assert table.frame["loss val", "n_diverged"].tolist() == [3, 0, 5]
    assert "not ranked" not in rc.tables.results(rc.final(cube(SURVIVORS)), mode=None).caption


def test_what_was_not_logged_is_missing_and_has_not_diverged():
    table = rc.tables.results(rc.final(cube([[1.0, None, None], [1.0, 2.0, 3.0]])), mode="min")
    assert [row[0].marks["d"] for row in table.cells] == [0, 0]
    assert "diverged" not in table.caption


def test_incomplete_and_failed_runs_are_counted_and_said_to_be_left_out_or_not():
    status = np.full((2, 3), "complete", dtype="<U10")
    status[0] = "complete", "incomplete", "failed"
    end = rc.final(cube([[1.0, 2.0, None], [1.0, 2.0, 3.0]], status))
    every = rc.tables.results(end, mode="min")
    assert "(2, 1i 1f)" in every.to_markdown()
    assert "i: incomplete runs, counted; f: failed runs, left out" in every.caption
    complete = rc.tables.results(end.where(end.status == "complete"), mode="min")
    assert "(1, 1i 1f)" in complete.to_markdown()
    assert "i: incomplete runs, left out" in complete.caption


def test_a_run_that_stopped_because_it_diverged_counts_as_diverged():
    status = np.array([["complete", "incomplete", "complete"], ["complete"] * 3])
    end = rc.final(cube([[1.0, NAN, 1.1], [2.0, 2.1, 2.2]], status))
    for own in (end, end.where(end.status == "complete")):
        (first,), (second,) = rc.tables.results(own, mode="min").cells
        assert (first.marks, first.is_best, second.is_best) == (
            {"d": 1, "i": 0, "f": 0},
            False,
            True,
        )


def test_the_marks_of_the_real_sweep_are_those_of_its_logs(real):
    ds = real.sel(metric="loss", split="train")
    last = rc.final(ds)
    table = rc.tables.results(last, mode="min")
    lost = (ds.logged.any("epoch") & ~np.isfinite(last)).sum("seed").values.ravel()
    assert [row[0].marks["d"] for row in table.cells] == lost.tolist()
    assert lost.sum() > 0
    other = rc.tables.results(
        rc.final(rc.to_configs(real).sel(metric="loss", split="train")), mode="min"
    )
    lazy = rc.tables.results(rc.final(ds.chunk()), mode="min")
    assert table.to_csv() == other.to_csv() == lazy.to_csv()


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(1e-8, 1e6)), min_size=1))
def test_no_half_width_is_zeros_or_has_more_than_four_digits(rows):
    values, errors = zip(*rows, strict=True)
    for (value, error), places in zip(rows, places_of(values, errors), strict=True):
        text = shown(value, error, places)[1]
        digits = text.partition("e")[0].replace(".", "").lstrip("0")
        is_rounding = error <= 1e-12 * abs(value)
        assert is_rounding == (not digits)
        assert len(digits) <= 4 or "." not in text
        assert abs(float(text) - error) <= 0.51 * 10.0**-places


def test_a_column_is_aligned_unless_it_is_too_mixed():
    assert places_of([93.5, 86.1, 8.75], [0.26, 1.5, 62.0]) == [2, 2, 2]
    assert places_of([2.3026, 40.5, 0.1], [0.0002, 3.7, 0.01]) == [5, 1, 3]
    assert places_of([1234.0, 0.001, NAN], [NAN] * 3) == [0, 6, 0]
    table = rc.tables.results(rc.final(cube([[1234.0], [0.001]])), mode=None)
    assert [row[0].value for row in table.cells] == ["1234", "0.001000"]


@given(st.floats(1e-12, 9e-5), st.floats(0.01, 0.99))
def test_small_numbers_have_an_exponent_and_the_same_digits(value, share):
    error = value * share
    (places,) = places_of([value], [error])
    text, half = shown(value, error, places)
    assert float(half) == pytest.approx(error, rel=0.051)
    assert abs(float(text) - value) <= 0.51 * 10.0**-places
    assert len(text) < 14


def test_what_rounding_leaves_is_no_uncertainty():
    assert places_of([419968.0, 0.5], [5.8e-11, 0.1]) == [2, 2]
    assert places_of([0.9991], [1.1e-16]) == places_of([0.9991], [NAN]) == [3]


def test_a_column_without_any_value_is_named_and_not_shown():
    ds = cube([[1.0, 2.0], [NAN, NAN]])
    both = xr.concat([ds, ds.assign(logged=ds.logged & False)], dim="split")
    table = rc.tables.results(rc.final(both.assign_coords(split=["val", "test"])), mode="min")
    assert table.columns == ["loss val"]
    assert len(table.cells[0]) == 1
    assert table.caption.endswith("Without any value: loss test.")
    assert "loss test" in table.to_csv()


def configs(**columns):
    count = len(next(iter(columns.values())))
    rng = np.random.default_rng(0)
    coords = {name: ("config", own, {"hparam": name}) for name, own in columns.items()}
    return xr.DataArray(rng.normal(size=(count, 3)), dims=("config", "seed"), coords=coords)


def test_keys_that_another_decides_or_that_are_the_same_are_named_and_not_shown():
    names = ["cora", "cora", "dblp", "dblp"]
    values = configs(data=names, data_id=[3, 3, 7, 7], depth=[1, 2, 1, 2], note=["absent"] * 4)
    table = rc.tables.results(values, mode="max", names={"data": "graph"})
    assert table.keys == ["graph", "depth"]
    assert table.caption.endswith(
        "Not shown: data_id, which graph decides; the same in all rows: note = absent."
    )
    assert r"graph & depth & value \\" in table.to_latex()
    assert table.frame["data_id", ""].tolist() == ["3", "3", "7", "7"]
    both = rc.tables.results(values, mode="max", keys=["data_id", "depth"])
    assert both.keys == ["data_id", "depth"]
    assert "Not shown" not in both.caption
    with pytest.raises(rc.UnknownNameError, match=r"keys='dept': .*'depth'"):
        rc.tables.results(values, mode="max", keys=["dept"])
    with pytest.raises(rc.UnknownNameError, match=r"columns='metrik': no such dim"):
        rc.tables.results(values, mode="max", columns=["metrik"])


def test_a_key_that_differs_in_most_rows_decides_nothing():
    rng = np.random.default_rng(1)
    values = configs(lr=rng.random(9), wd=rng.random(9), bn=[True] * 4 + [False] * 5)
    assert rc.tables.results(values, mode="max").keys == ["lr", "wd", "bn"]
    assert rc.tables.results(values[:1], mode="max").keys == ["lr", "wd", "bn"]
