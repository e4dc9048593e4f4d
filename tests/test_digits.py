"""The main job on a real sweep with the mess of a cluster, against what was trained."""

import json
import warnings

import numpy as np
import pytest
import xarray as xr

import runcube as rc


def test_what_varies_is_found(digits):
    sweep = rc.scan(digits[0])
    assert {name: labels.tolist() for name, labels in sweep.dims.items()} == {
        "hidden": [16, 48],
        "weights": ["None", "DEFAULT"],
        "lr": [0.03, 0.3, 3.0, 100.0],
        "weight_decay": [0.0, 0.1],
        "seed": [0, 1, 2, 3, 4],
    }
    assert set(sweep.excluded) == {"paths.run_dir", "write_checkpoint"}
    assert sweep.constant["optim.name"] == "sgd"
    assert sweep.constant["epochs"] == 15
    assert sweep.layout == "grid"


def test_every_value_that_was_trained_is_in_its_cell_and_nothing_else(digits, digits_cube):
    root, truth = digits
    ds = digits_cube
    seen = 0
    for index, path in np.ndenumerate(ds.path.values):
        if not path:
            continue
        run = path.rpartition("/")[0]
        cell = dict(zip(ds.path.dims, index, strict=True))
        here = ds.isel(cell)
        config = json.loads((root / path).read_text(errors="replace").partition("\n")[0])["value"]
        assert here.lr == config["optim"]["lr"]
        assert here.weights == str(config["model"]["weights"])
        assert here.hidden == config["model"]["hidden"]
        assert here.weight_decay == config["optim"]["weight_decay"]
        assert here.seed == config["seed"]
        want, logged = expected(truth[run], here)
        np.testing.assert_array_equal(here.logged.values, logged)
        np.testing.assert_array_equal(here.curve.values, want)
        seen += 1
    assert seen == 156


def expected(run, here):
    """Give values and logged (split, metric, epoch) of what the file still holds."""
    want = np.full(here.curve.shape, np.nan)
    logged = np.zeros(here.curve.shape, bool)
    for epoch, splits in enumerate(run["epochs"]):
        for s, split in enumerate(here.split.values):
            if epoch >= run.get("whole_records", {}).get(split, 15) or run.get("no_metrics"):
                continue
            for m, metric in enumerate(here.metric.values):
                if metric in splits[split]:
                    want[s, m, epoch] = splits[split][metric]
                    logged[s, m, epoch] = True
    return want, logged


def test_every_kind_of_mess_is_named_and_nothing_more(digits, digits_cube):
    truth = digits[1]
    table = rc.problems(digits_cube)
    named = {(row.path.rpartition("/")[0], row.kind) for row in table.itertuples()}
    want = set()
    kinds = {
        "killed_after_bytes": "truncated_tail",
        "empty_file": "empty",
        "no_config": "no_config",
        "garbage_line": "bad_line",
        "superseded_by": "duplicate_run",
        "appended_after_epoch": "duplicate_run",
    }
    for run, facts in truth.items():
        want |= {(run, kind) for fact, kind in kinds.items() if fact in facts}
    assert named == want
    garbage = table[table.kind == "bad_line"].iloc[0]
    assert garbage.line == 8


def test_status_tells_whole_runs_from_killed_failed_and_absent_ones(digits, digits_cube):
    truth = digits[1]
    ds = digits_cube
    by_run = {
        path.rpartition("/")[0]: status
        for path, status in zip(ds.path.values.flat, ds.status.values.flat, strict=True)
    }
    for run, facts in truth.items():
        gone = {"deleted", "empty_file", "no_config", "superseded_by"} & facts.keys()
        if gone:
            assert run not in by_run
        elif "no_metrics" in facts:
            assert by_run[run] == "failed"
        elif "killed_after_bytes" in facts:
            assert by_run[run] == "incomplete"
        else:
            assert by_run[run] == "complete"
    assert int((ds.status == "absent").sum()) == 4


def test_the_rerun_holds_the_cell_of_the_crashed_run(digits_cube):
    skipped = json.loads(digits_cube.attrs["skipped"])
    crashed = [p for p in skipped if "09-08-11_run" in p["path"]]
    assert crashed[0]["kind"] == "duplicate_run"
    assert "2025-03-08/10-00-00_rerun" in crashed[0]["message"]
    assert "2025-03-08/10-00-00_rerun/json_out.jsonl" in digits_cube.path.values


def test_diverged_runs_are_logged_not_missing(digits, digits_cube):
    last = digits_cube.curve.sel(split="train", metric="loss", lr=100.0).isel(epoch=-1)
    logged = digits_cube.logged.sel(split="train", metric="loss", lr=100.0).isel(epoch=-1)
    diverged = np.isnan(last) & logged
    truth = digits[1]
    want = sum(
        bool(np.isnan(run["epochs"][-1]["train"]["loss"]))
        for run in truth.values()
        if not {"deleted", "empty_file", "no_config", "no_metrics", "superseded_by"} & run.keys()
        and "killed_after_bytes" not in run
    )
    assert int(diverged.sum()) == want > 10


def test_seed_statistics_are_plain_xarray(digits_cube):
    acc = digits_cube.curve.sel(metric="acc1", split="val").isel(epoch=-1)
    whole = acc.where(digits_cube.status == "complete")
    assert whole.count("seed").max() == 5
    assert whole.mean("seed").dims == ("hidden", "weights", "lr", "weight_decay")
    assert set(digits_cube.mean("seed").data_vars) == {"curve", "logged"}


def test_relabel_and_rename_name_things_as_the_paper_does(digits):
    with pytest.warns(rc.SweepWarning):
        ds = rc.load_runs(
            digits[0],
            rename={"model.weights": "init"},
            relabel={"model.weights": {None: "random", "DEFAULT": "pretrained"}},
            metrics="acc1",
        )
    assert ds.init.values.tolist() == ["random", "pretrained"]
    assert ds.init.attrs["hparam"] == "model.weights"


def test_plain_netcdf_keeps_everything(digits_cube, tmp_path):
    digits_cube.to_netcdf(tmp_path / "sweep.nc")
    with xr.open_dataset(tmp_path / "sweep.nc") as back:
        assert_same(back.load(), digits_cube)


def assert_same(one, other):
    """Identical, dtypes included."""
    xr.testing.assert_identical(one, other)
    for name in other.variables:
        assert one[name].dtype == other[name].dtype, name


def test_the_layouts_are_lossless_both_ways(digits_cube):
    configs = rc.to_configs(digits_cube)
    assert configs.sizes["config"] == 32
    assert_same(rc.to_grid(configs), digits_cube)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
    means = configs.curve.mean("seed").sel(config=(configs.lr == 3.0) & (configs.hidden == 48))
    assert means.sizes["config"] == 4


def test_one_warning_says_what_was_found(digits):
    with pytest.warns(rc.SweepWarning) as caught:
        rc.load_runs(digits[0], metrics="acc1", splits="val")
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "3 truncated_tail" in text
    assert "rc.problems(ds)" in text
    assert caught[0].filename == __file__


def test_the_first_problem_can_be_an_exception(digits):
    with pytest.raises(rc.LogError, match=r"09-47-11_run.*empty"):
        rc.load_runs(digits[0], errors="raise")


def test_only_what_is_asked_for_is_loaded_in_the_order_asked(digits):
    with pytest.warns(rc.SweepWarning):
        ds = rc.load_runs(digits[0], metrics=["acc5", "loss"], splits=["eval"])
    assert ds.metric.values.tolist() == ["acc5", "loss"]
    assert ds.split.values.tolist() == ["eval"]
    with pytest.raises(rc.UnknownNameError, match="acc1"):
        rc.load_runs(digits[0], metrics=["acc"])
    with pytest.raises(rc.UnknownNameError, match="train"):
        rc.load_runs(digits[0], splits="trian")


def test_a_typo_in_a_name_gets_the_nearest_names(digits):
    with pytest.raises(rc.UnknownNameError, match="weights"):
        rc.scan(digits[0], rename={"model.weight": "init"})


def test_a_table_of_configurations_counts_runs_by_status(digits):
    table = rc.scan(digits[0]).table()
    assert len(table) == 32
    assert table["incomplete"].sum() == 4
    assert table["failed"].sum() == 2
    assert table["runs"].sum() == 157
    assert table["complete"].sum() == 151


def test_the_configs_layout_is_the_same_data(digits, digits_cube):
    with pytest.warns(rc.SweepWarning):
        ds = rc.load_runs(digits[0], layout="configs")
    want = rc.to_configs(digits_cube)
    for attr in ("created", "policies", "layout"):
        ds.attrs.pop(attr, None), want.attrs.pop(attr, None)
    assert_same(ds, want)
