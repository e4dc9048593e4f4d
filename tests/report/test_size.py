"""What a large sweep costs: bytes, and what a browser needs for the first picture and a filter."""

import json
import time

import numpy as np
import pytest
import xarray as xr

import runcube as rc


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """2,000 runs with 6 curves of 100 epochs."""
    rng = np.random.default_rng(0)
    cell = ("lr", "weight_decay", "depth", "seed")
    shape = (10, 5, 8, 5, 2, 3, 100)
    fall = np.exp(-np.arange(100) / rng.uniform(5, 60, (*shape[:-1], 1)))
    curve = 2.3 * fall + 0.1 * np.exp(0.2 * rng.standard_normal(shape))
    ds = xr.Dataset(
        {
            "curve": ((*cell, "split", "metric", "epoch"), curve),
            "logged": ((*cell, "split", "metric", "epoch"), np.ones(shape, dtype=bool)),
        },
        coords={
            "lr": ("lr", 10.0 ** np.linspace(-4, 0, 10), {"hparam": "optim.lr"}),
            "weight_decay": ("weight_decay", [0, 1e-4, 1e-3, 0.01, 0.1], {"hparam": "optim.wd"}),
            "depth": ("depth", np.arange(8), {"hparam": "model.depth"}),
            "seed": ("seed", np.arange(5), {"hparam": "seed"}),
            "split": ["train", "val"],
            "metric": ["loss", "error", "nll"],
            "epoch": np.arange(100),
            "status": (cell, np.full(shape[:4], "complete")),
        },
        attrs={"constant_hparams": json.dumps({"epochs": 100})},
    )
    path = tmp_path_factory.mktemp("large") / "report.html"
    rc.report(ds, path, metric="loss", rng=0)
    return path


def test_two_thousand_runs_are_less_than_six_megabytes(large):
    assert large.stat().st_size <= 6e6


@pytest.mark.slow
def test_the_first_picture_and_a_filter_come_soon(opened, large):
    # The bounds are generous, since other tests run beside; docs/report.md says what was measured.
    begin = time.monotonic()
    page = opened(large)
    assert time.monotonic() - begin < 10
    assert len(page.lines()["ys"]) == 400
    begin = time.monotonic()
    page.change(lambda p: p.uncheck("input[name='filter depth'][value='3']"))
    assert time.monotonic() - begin < 2
    assert len(page.lines()["ys"]) == 350
