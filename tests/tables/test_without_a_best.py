"""A table that calls nothing the best, and what stands in its rows and columns."""

import numpy as np
import xarray as xr

import runcube as rc


def test_without_a_mode_nothing_is_bold_and_nothing_is_said_of_it():
    values = xr.DataArray(
        [[1.0, 2.0, 3.0], [7.0, 8.0, 9.0]], dims=("lr", "seed"), coords={"lr": [0.1, 1.0]}
    )
    table = rc.tables.results(values, mode=None)
    assert "**" not in table.to_markdown()
    assert "Bold" not in table.caption
    assert "**" in rc.tables.results(values, mode="max").to_markdown()


def test_the_numbers_of_a_text_label_are_no_column():
    key = {"hparam": "optim.beta"}
    values = xr.DataArray(
        np.arange(6.0).reshape(2, 3),
        dims=("config", "seed"),
        coords={
            "beta": ("config", ["0.9", "absent"], key),
            "beta_value": ("config", [0.9, np.nan], key),
            "target_value": ("config", [1, 2], {"hparam": "target_value"}),
        },
    )
    assert list(rc.tables.results(values, mode="max").keys) == ["beta", "target_value"]


def test_values_of_runs_that_diverged_are_written_with_an_exponent():
    values = xr.DataArray(
        [[1.0, 2.0, 3.0], [1e30, 2e30, 6e30]], dims=("lr", "seed"), coords={"lr": [0.1, 1.0]}
    )
    table = rc.tables.results(values, mode="min")
    assert "| 0.1 | **2.0 ± 2.5** |" in table.to_markdown()  # its digits are its own
    assert "| 1 | **3e+30 ± 6.6e+30** |" in table.to_markdown()
    assert r"3 \cdot 10^{30} \pm 6.6 \cdot 10^{30}" in table.to_latex()
