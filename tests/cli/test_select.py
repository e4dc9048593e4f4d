"""Selections and tables as functions."""

import pandas as pd
import pytest
import sweeps
import xarray as xr
from shell import quietly_loaded

import runcube as rc
from runcube.cli import render
from runcube.cli import select as selection


def test_numbers_and_bools_are_read_as_the_axis_has_them(tmp_path):
    configs = sweeps.product_configs(lr=[1e-5, 0.3], bn=[True, False], depth=[2, 16])
    sweeps.write_sweep(tmp_path, configs, [0, 1])
    ds = quietly_loaded(tmp_path)
    for spelled in ("0.00001", "1e-05", "1E-5"):
        assert selection.where(ds, {"lr": [spelled]}).lr.values.tolist() == [1e-5]
    for spelled in ("True", "true", "1"):
        assert selection.where(ds, {"bn": [spelled]}).bn.values.tolist() == [True]
    assert selection.where(ds, {"depth": ["16.0"]}).depth.values.tolist() == [16]
    with pytest.raises(rc.UnknownNameError, match="known: 16, 2"):
        selection.where(ds, {"depth": ["15"]})
    with pytest.raises(rc.UnknownNameError, match=r"known: (True, False|False, True)"):
        selection.where(ds, {"bn": ["maybe"]})
    with pytest.raises(rc.PlanError, match="not a runcube cube"):
        selection.where(xr.Dataset(), {"lr": ["1"]})


def test_a_table_may_run_over_several_dims(logs):
    ds = quietly_loaded(logs).sel(metric="loss", split="val")
    frame = selection.values_table(ds, last=True, over=["seed", "weights"])
    assert frame.columns.tolist() == ["lr", "mean", "se", "n", "nan"]
    assert frame["n"].tolist() == [5, 6]


def test_x_of_each_run_is_a_column(tmp_path):
    for number, seed in enumerate((0, 1)):
        with rc.RunLogger(tmp_path / f"{number}", {"lr": 0.1, "seed": seed}) as log:
            for epoch in range(3):
                log.log("val", {"loss": 1.0}, epoch=epoch + 10 * seed)
    frame = selection.values_table(quietly_loaded(tmp_path, align="order"))
    assert frame["epoch"].tolist() == [0, 1, 2, 10, 11, 12]
    assert frame["point"].tolist() == [0, 1, 2, 0, 1, 2]


def test_json_is_strict():
    assert render._strict({"a": [float("nan"), float("-inf"), 1.5, pd.NA], "b": {"c": None}}) == {
        "a": [None, "-Infinity", 1.5, None],
        "b": {"c": None},
    }


def test_followers_are_what_the_columns_before_tell(tmp_path):
    configs = [{"lr": lr, "model": {"name": n, "depth": d}}
               for lr in (0.1, 1.0) for n, d in (("small", 2), ("big", 8))]  # fmt: skip
    sweeps.write_sweep(tmp_path, configs, [0, 1])
    (follower,) = selection.followers(quietly_loaded(tmp_path))
    assert follower in ("depth", "name", "model_name")
