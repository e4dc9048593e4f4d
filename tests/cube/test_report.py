"""``ds.sweep`` and the reports behind it."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
import sweeps
import xarray as xr

import runcube as rc
from runcube.cube import report
from runcube.cube.cells import ABSENT, json_value

FULL = sweeps.product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])


def load(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **options)


@pytest.fixture
def ds(tmp_path):
    """Two lr × two weights × three seeds: one run is absent, one incomplete."""
    sweeps.write_sweep(tmp_path, FULL, [0, 1, 2], leave_out=[(1, 2)], killed=[(3, 0)])
    return load(tmp_path)


def run_sweep(tmp_path, configs, seeds, **options):
    sweeps.write_sweep(tmp_path, configs, seeds, **options)
    return load(tmp_path)


# --- the accessor -----------------------------------------------------------------------------


def test_any_dataset_has_the_accessor_and_only_its_methods_complain():
    stranger = xr.Dataset({"a": ("x", [1.0])})
    assert hasattr(stranger, "sweep")
    for method in ("table", "missing", "missing_configs", "final", "to_grid", "problems"):
        with pytest.raises(rc.PlanError, match="not a runcube cube"):
            getattr(stranger.sweep, method)()
    with pytest.raises(rc.PlanError, match="constant"):
        _ = stranger.sweep.constant


def test_a_mean_over_seeds_is_told_that_its_runs_are_gone(ds):
    with pytest.raises(rc.PlanError, match="ask the cube before it"):
        ds.mean("seed").sweep.table()


def test_layouts_there_and_back(ds):
    configs = ds.sweep.to_configs()
    assert configs.sizes["config"] == 4
    xr.testing.assert_identical(configs.sweep.to_grid(), ds)


def test_methods_are_the_functions(ds):
    pd.testing.assert_frame_equal(ds.sweep.table(), report.table(ds))
    pd.testing.assert_frame_equal(ds.sweep.missing(), report.missing(ds))
    pd.testing.assert_frame_equal(ds.sweep.problems(), rc.problems(ds))
    xr.testing.assert_identical(ds.sweep.final(), rc.final(ds))
    how = {"how": "mean", "last": 2}
    xr.testing.assert_identical(ds.sweep.final(**how), rc.final(ds, **how))
    what = {"metric": "acc1", "split": "val", "mode": "max"}
    xr.testing.assert_identical(ds.sweep.at_best(**what), rc.at_best(ds, **what))
    xr.testing.assert_identical(ds.sweep.diverged(), rc.diverged(ds))
    assert ds.sweep.missing_configs() == report.missing_configs(ds)


def test_the_constant_hyperparameters_have_full_keys(tmp_path):
    configs = [{**c, "data": {"name": "digits"}} for c in FULL]
    assert run_sweep(tmp_path, configs, [0, 1]).sweep.constant == {
        "data.name": "digits",
        "epochs": 3,
    }


def test_html_sums_the_cube_up_and_escapes_labels(tmp_path):
    configs = sweeps.product_configs(name=["<b>", "plain"])
    html = run_sweep(tmp_path, configs, [0, 1], killed=[(0, 0)])._repr_html_()
    assert html  # xarray's own is untouched
    html = load(tmp_path).sweep._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>," not in html
    assert "4: 3 complete, 1 incomplete" in html


def test_html_counts_what_problems_lists(tmp_path):
    sweeps.write_sweep(tmp_path, FULL, [0, 1, 2], leave_out=[(1, 2)])
    with (tmp_path / "001" / "json_out.jsonl").open("a") as log:
        log.write("no json\n" * 3)
    sweeps.write_run(tmp_path / "rerun", {**FULL[0], "seed": 0, "epochs": 3})
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "json_out.jsonl").write_text("")
    ds = load(tmp_path)
    assert json.loads(ds.attrs["skipped"])
    for cube in (ds, ds.isel(seed=0), ds.sweep.to_configs()):
        assert f">{len(rc.problems(cube))}: ds.sweep.problems()<" in cube.sweep._repr_html_()
    assert len(rc.problems(ds)) > int(ds.n_problems.sum())


def test_html_tells_the_cells_without_a_run(ds):
    assert "1 of 12 cells have no run" in ds.sweep._repr_html_()
    assert "absent" not in ds.sel(seed=0).sweep._repr_html_()


def test_html_works_on_a_selection(ds):
    assert "lr" in ds.isel(lr=0, seed=0).sel(metric="loss").sweep._repr_html_()


# --- table ------------------------------------------------------------------------------------


def test_a_table_row_is_a_configuration(ds):
    table = ds.sweep.table()
    assert table.index.name == "config"
    rows = table.set_index(["lr", "weights"])
    assert list(rows.columns) == [*("seeds", "runs", "complete", "incomplete", "failed", "missing")]
    assert rows.loc[(0.1, "DEFAULT")].tolist() == [2, 2, 2, 0, 0, 1]
    assert rows.loc[(1.0, "DEFAULT")].tolist() == [3, 3, 2, 1, 0, 1]
    assert table["lr"].dtype == np.float64


def test_the_table_is_the_same_in_both_layouts(ds):
    pd.testing.assert_frame_equal(ds.sweep.table(), ds.sweep.to_configs().sweep.table())


def test_a_selection_has_the_table_of_what_is_left(ds):
    assert ds.sel(seed=2).sweep.table()["runs"].tolist() == [1, 1, 1]
    assert ds.sel(lr=0.1).sweep.table()["runs"].tolist() == [3, 2]
    one = ds.sel(lr=0.1, weights="None", seed=0).sweep.table()
    assert one["runs"].tolist() == [1]
    assert one["lr"].tolist() == [0.1]
    assert ds.sel(metric="loss", split="val").isel(epoch=-1).sweep.table().equals(ds.sweep.table())
    assert ds.transpose(..., "seed", "lr").sweep.table()["runs"].sum() == 11


def test_in_the_configs_layout_the_index_points_along_config(ds):
    configs = ds.sweep.to_configs().sel(seed=[2])
    table = configs.sweep.table()
    held = configs.isel(config=table.index.to_numpy())
    assert (held.status != "absent").all()
    assert held.sizes["config"] == 3


def test_a_table_needs_no_attrs_of_the_dataset(ds):
    bare = ds.drop_attrs(deep=False)
    pd.testing.assert_frame_equal(bare.sweep.table(), ds.sweep.table())
    pd.testing.assert_frame_equal(bare.sweep.missing(), ds.sweep.missing())
    assert bare.sweep.missing_configs() == ds.sweep.missing_configs()


def test_the_table_survives_netcdf(ds, tmp_path):
    ds.to_netcdf(tmp_path / "sweep.nc")
    with xr.open_dataset(tmp_path / "sweep.nc") as back:
        pd.testing.assert_frame_equal(back.sweep.table(), ds.sweep.table(), check_dtype=False)
        assert back.sweep.missing_configs() == ds.sweep.missing_configs()


def test_a_hyperparameter_that_follows_from_others_has_a_column(tmp_path):
    configs = [{"model": {"name": n, "depth": d}} for n, d in (("small", 2), ("big", 8))]
    table = run_sweep(tmp_path, configs, [0, 1]).sweep.table()
    assert {"depth", "name"} & set(table.columns)
    assert len(table.columns) == 2 + 6
    assert len(table) == 2


# --- missing ----------------------------------------------------------------------------------


def test_what_is_missing_are_seeds_of_known_configurations(ds):
    missing = ds.sweep.missing()
    assert missing[["lr", "weights", "seed", "status"]].values.tolist() == [
        [0.1, "DEFAULT", 2, "absent"],
        [1.0, "DEFAULT", 0, "incomplete"],
    ]
    assert missing["path"].str.endswith(".jsonl").tolist() == [False, True]


def test_a_launcher_reads_full_keys_and_json_values(ds):
    first, second = ds.sweep.missing_configs()
    assert first == {
        "optim.lr": 0.1,
        "model.weights": "DEFAULT",
        "seed": 2,
        "_status": "absent",
    }
    assert (second["_status"], second["_path"]) == ("incomplete", ds.path.values[1, 1, 0])
    assert type(first["seed"]) is int
    json.dumps([first, second])


def test_none_is_null_again(tmp_path):
    ds = run_sweep(tmp_path, FULL, [0, 1], leave_out=[(0, 1)])
    assert ds.sweep.missing_configs()[0]["model.weights"] is None


def test_nothing_is_missing_from_a_whole_sweep(tmp_path):
    ds = run_sweep(tmp_path, FULL, [0, 1])
    assert ds.sweep.missing().empty
    assert list(ds.sweep.missing().columns) == ["lr", "weights", "seed", "status", "path"]
    assert ds.sweep.missing_configs() == []


def test_combinations_that_never_ran_are_missing_on_request(tmp_path):
    ds = run_sweep(tmp_path, FULL, [0, 1], leave_out=[(3, 0), (3, 1)])
    assert ds.sweep.missing().empty
    found = ds.sweep.missing_configs(all_combinations=True)
    assert [(c["optim.lr"], c["model.weights"], c["seed"]) for c in found] == [
        (1.0, "DEFAULT", 0),
        (1.0, "DEFAULT", 1),
    ]
    with pytest.raises(rc.PlanError, match="to_grid"):
        ds.sweep.to_configs().sweep.missing(all_combinations=True)


def test_missing_is_the_same_in_both_layouts(ds):
    assert ds.sweep.to_configs().sweep.missing_configs() == ds.sweep.missing_configs()


def test_a_rerun_in_a_row_of_its_own_misses_no_seeds(tmp_path):
    sweeps.write_sweep(tmp_path, FULL, [0, 1, 2], killed=[(3, 0), (2, 1)])
    ds = load(tmp_path, layout="configs")
    ds = ds.isel(config=[0, 1, 2, 3, 3])
    ds["status"].values[4] = ["complete", "absent", "absent"]
    (config,) = ds.sweep.missing_configs()
    assert (config["optim.lr"], config["seed"], config["_status"]) == (1.0, 1, "incomplete")


def test_a_key_that_the_run_would_not_have_is_left_out(tmp_path):
    configs = [
        {"optim": {"name": "sgd", "momentum": 0.9}},
        {"optim": {"name": "sgd", "momentum": 0.5}},
        {"optim": {"name": "adam"}},
    ]
    ds = run_sweep(tmp_path, configs, [0, 1, 2], leave_out=[(0, 1), (2, 1)])
    found = ds.sweep.missing_configs()
    assert len(found) == 2
    for config in found:
        assert config["seed"] == 1
    momenta = [config.get("optim.momentum") for config in found]
    assert sorted(momenta, key=str) == [0.9, None]
    adam = found[momenta.index(None)]
    assert "optim.momentum" not in adam


def test_mixed_values_get_their_types_back(tmp_path):
    values = [None, 1, 30, True, [64, 32], "plain", "None"]
    configs = sweeps.product_configs(aug=values)
    ds = run_sweep(tmp_path, configs, [0, 1], leave_out=[(i, 1) for i in range(len(values))])
    # Another sweep size: the second seed exists once, so that seven are missing.
    sweeps.write_run(tmp_path / "again", {"aug": "plain", "seed": 1, "epochs": 3})
    ds = load(tmp_path)
    found = [config["aug"] for config in ds.sweep.missing_configs()]
    expected = [value for value in values if value != "plain"]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_a_value_that_only_the_run_would_tell_is_left_out(tmp_path):
    for index, lr in enumerate((0.1, 1.0)):
        for seed in range(8):
            if (index, seed) != (1, 7):
                config = {"lr": lr, "noise": (seed + index) % 2 + 0.5, "seed": seed, "epochs": 3}
                sweeps.write_run(tmp_path / f"{index}{seed}", config)
    ds = load(tmp_path, dims=["lr"])
    assert "seed" in ds.noise.dims
    (config,) = ds.sweep.missing_configs()
    assert config == {"lr": 1.0, "seed": 7, "_status": "absent"}
    (row,) = ds.sweep.missing().to_dict("records")
    assert np.isnan(row["noise"])
    assert "noise" not in ds.sweep.table()


def test_a_drawn_seed_is_not_invented(tmp_path):
    rng = np.random.default_rng(0)
    for index, lr in enumerate((0.1, 0.3, 1.0, 3.0)):
        for replicate in range(3):
            if (index, replicate) == (3, 2):
                continue
            config = {"lr": lr, "seed": int(rng.integers(1 << 30)), "epochs": 3}
            finish = (index, replicate) != (0, 1)
            epochs = 3 if finish else 1
            sweeps.write_run(tmp_path / f"{index}{replicate}", config, finish=finish, epochs=epochs)
    ds = load(tmp_path)
    assert "seed_value" in ds.coords
    incomplete, absent = ds.sweep.missing_configs()
    assert incomplete["_status"] == "incomplete"
    assert incomplete["seed"] == int(ds.seed_value.sel(lr=0.1, seed=1))
    assert absent == {"lr": 3.0, "_status": "absent"}


def test_without_a_seed_there_is_none_in_the_lines(tmp_path):
    for number, lr in enumerate((0.1, 0.3, 1.0)):
        log = rc.RunLogger(tmp_path / f"{number}", {"lr": lr, "epochs": 2})
        for epoch in range(2 if number else 1):
            log.log("val", {"loss": 1.0}, epoch=epoch)
        if number:
            log.close()
        else:
            log._file.close()
    (config,) = load(tmp_path).sweep.missing_configs()
    assert config.keys() == {"lr", "_status", "_path"}


@pytest.mark.parametrize(
    ("label", "number", "value"),
    [
        (3, None, 3),
        (0.1, None, 0.1),
        (True, None, True),
        ("None", None, None),
        ("absent", None, ABSENT),
        ("True", None, True),
        ('"None"', None, "None"),
        ('"1"', float("nan"), "1"),
        ("1", 1.0, 1),
        ("1.0", 1.0, 1.0),
        ("1e-05", 1e-05, 1e-05),
        ("inf", float("inf"), float("inf")),
        ("1", None, "1"),
        ("[1,2]", None, [1, 2]),
        ("{}", None, {}),
        ("[not json", None, "[not json"),
        ("plain", float("nan"), "plain"),
    ],
)
def test_a_label_stands_for_a_value(label, number, value):
    found = json_value(label, number)
    assert found == value
    assert type(found) is type(value)
