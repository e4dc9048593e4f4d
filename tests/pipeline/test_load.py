"""From logs to cube: attempts, duplicates, axes, layouts, policies, on small sweeps."""

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from sweeps import product_configs, write_sweep

import runcube as rc
from runcube.testing import write_native


def load(root, loader=rc.load_runs, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return loader(root, **options)


def write(root, name, config, values, split="val", metric="loss"):
    write_native(root / name, config, [{split: {metric: v}} for v in values])


def jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")


def skipped(ds):
    return [(p["path"].partition("/")[0], p["kind"]) for p in json.loads(ds.attrs["skipped"])]


def assert_same(one, other):
    xr.testing.assert_identical(one, other)
    for name in other.variables:
        assert one[name].dtype == other[name].dtype, name


@pytest.fixture
def grid(tmp_path):
    for lr in (0.1, 0.2):
        for seed in (0, 1, 2):
            write(tmp_path, f"{lr}_{seed}", {"lr": lr, "seed": seed, "epochs": 3}, [lr, seed, 1])
    return tmp_path


def test_the_cube_is_as_the_data_model_says(grid):
    ds = rc.load_runs(grid)
    assert ds.curve.dims == ds.logged.dims == ("lr", "seed", "split", "metric", "epoch")
    assert list(ds.data_vars) == ["curve", "logged"]
    kinds = {name: ds[name].dtype.kind for name in ds.variables}
    assert kinds == {
        "curve": "f", "logged": "b", "lr": "f", "seed": "i", "split": "U", "metric": "U",
        "epoch": "i", "run_id": "U", "path": "U", "status": "U", "train_time": "f",
        "n_problems": "i", "problems": "O", "run_config": "O",
    }  # fmt: skip
    cells = ("lr", "seed")
    for name in ("run_id", "path", "status", "train_time", "n_problems", "problems", "run_config"):
        assert ds[name].dims == cells
    assert ds.lr.attrs == {"hparam": "lr", "long_name": "lr"}
    assert ds.train_time.attrs["units"] == "s"
    assert json.loads(ds.attrs["constant_hparams"]) == {"epochs": 3}
    assert all(isinstance(v, str | int | float) for v in ds.attrs.values())
    policies = json.loads(ds.attrs["policies"])
    assert policies["on_duplicate"] == "prefer_complete"
    assert policies["layout"] == "auto"


def test_selecting_while_loading_is_selecting_afterwards(digits, digits_cube):
    some = load(digits[0], metrics=["acc1", "loss"], splits=["val"], messages=True)
    want = digits_cube.sel(metric=["acc1", "loss"], split=["val"])
    xr.testing.assert_identical(some.curve.drop_vars("messages"), want.curve)
    xr.testing.assert_identical(some.logged.drop_vars("messages"), want.logged)
    assert ">> Done" in str(some.messages.values[0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("prefer_complete", "b"), ("first", "a"), ("last", "c")],
)
def test_two_runs_in_one_cell_compete_and_losers_are_named(grid, policy, kept):
    config = {"lr": 0.3, "seed": 0, "epochs": 3}
    write(grid, "a", config, [1])
    write(grid, "b", config, [1, 2, 3])
    write(grid, "c", config, [1, 2])
    ds = load(grid, layout="grid", on_duplicate=policy)
    assert str(ds.run_id.sel(lr=0.3, seed=0).values) == kept
    assert sorted(skipped(ds)) == sorted((n, "duplicate_run") for n in {"a", "b", "c"} - {kept})


def test_two_runs_in_one_cell_can_be_refused(grid):
    write(grid, "twin", {"lr": 0.1, "seed": 0, "epochs": 3}, [5, 5, 5])
    with pytest.raises(rc.PlanError, match=r"0\.1_0.*twin"):
        load(grid, layout="grid", on_duplicate="raise")


def test_a_complete_loser_is_in_the_warning_with_the_argument_that_brings_it_in(grid):
    for name in ("x", "y"):
        config = {"lr": 0.1, "seed": 9, "epochs": 3, "tag": name}
        write(grid, name, config, [1, 2, 3])
    with pytest.warns(rc.SweepWarning, match=r"tag.*dims="):
        rc.load_runs(grid, layout="grid")
    ds = load(grid, layout="grid", dims=["lr", "tag"])
    assert {"x", "y"} <= set(ds.run_id.values.flat)


def test_an_appended_attempt_with_another_configuration_is_a_run_of_its_own(grid):
    log = grid / "0.1_0" / "json_out.jsonl"
    other = grid / "other"
    write(grid, "other", {"lr": 0.7, "seed": 0, "epochs": 3}, [7, 8, 9])
    log.write_text(log.read_text() + (other / "json_out.jsonl").read_text())
    (other / "json_out.jsonl").unlink()
    ds = load(grid)
    assert ds.lr.values.tolist() == [0.1, 0.2, 0.7]
    assert ds.curve.sel(lr=0.7, seed=0).values.ravel().tolist() == [7, 8, 9]
    assert ds.curve.sel(lr=0.1, seed=0).values.ravel().tolist() == [0.1, 0, 1]


def test_drawn_seeds_become_replicates_and_are_kept(tmp_path):
    for i, lr in enumerate([0.1] * 3 + [0.2] * 3 + [0.3] * 3):
        write(tmp_path, f"run_{i}", {"lr": lr, "seed": 1000 + 7 * i}, [i])
    ds = load(tmp_path)
    assert ds.seed.values.tolist() == [0, 1, 2]
    assert ds.seed_value.dtype == np.int64
    assert ds.seed_value.sel(lr=0.2).values.tolist() == [1021, 1028, 1035]


def test_without_a_seed_nothing_is_averaged_in_silence(tmp_path):
    for number, folder in enumerate(("a/m", "a/n", "b/m", "b/n")):
        write(tmp_path, f"{folder}/trial_1", {"lr": 0.1}, [number])
    with pytest.warns(rc.SweepWarning, match="path_keys="):
        ds = rc.load_runs(tmp_path, path_keys=None)
    assert dict(ds.sizes) | {"config": 4, "seed": 1} == dict(ds.sizes)
    with pytest.warns(rc.SweepWarning, match="level1 and level2 read from the names of the logs"):
        ds = rc.load_runs(tmp_path)
    assert dict(ds.sizes) | {"level1": 2, "level2": 2, "seed": 1} == dict(ds.sizes)
    assert json.loads(ds.attrs["policies"])["path_keys"] == "auto"
    ds = load(tmp_path, path_keys="{study}/{workload}/trial_{trial}")
    assert ds.curve.dims[:3] == ("study", "workload", "seed")
    ds = load(tmp_path, path_keys=None, seed="replicate")
    assert ds.sizes["seed"] == 4


def test_a_conditional_hyperparameter_lies_on_the_dim_that_decides_it(tmp_path):
    for model, depth in (("small", 4), ("large", 12)):
        for seed in (0, 1):
            write(tmp_path, f"{model}{seed}", {"model": model, "depth": depth, "seed": seed}, [1])
    ds = load(tmp_path)
    assert ds.depth.dims == ("model",)
    assert ds.depth.sel(model="large") == 12


def test_another_x_like_quantity_is_a_coordinate_shared_or_per_run(tmp_path):
    for seed in (0, 1):
        rows = [{"config": {"seed": seed}}]
        rows += [
            {"epoch": e, "samples": 64 * e, "wall_time": e + seed / 2, "val_loss": e}
            for e in range(3)
        ]
        jsonl(tmp_path / f"{seed}.jsonl", rows)
    ds = load(tmp_path)
    assert ds.curve.dims[-1] == "epoch"
    assert ds.samples.dims == ("epoch",)
    assert ds.samples.values.tolist() == [0, 64, 128]
    assert set(ds.wall_time.dims) == {"config", "seed", "epoch"}
    assert ds.wall_time.sel(seed=1).values.ravel().tolist() == [0.5, 1.5, 2.5]


def test_runs_that_share_no_x_are_aligned_by_order_and_nothing_is_lost(tmp_path):
    rng = np.random.default_rng(0)
    want = {}
    for seed in range(8):
        steps = np.sort(rng.choice(10_000, size=5 + seed % 3, replace=False)).tolist()
        want[seed] = steps
        rows = [{"config": {"seed": seed}}]
        rows += [{"step": s, "val_loss": s / 10} for s in steps]
        jsonl(tmp_path / f"{seed}.jsonl", rows)
    with pytest.warns(rc.SweepWarning, match="align='union'"):
        ds = rc.load_runs(tmp_path)
    assert ds.curve.dims[-1] == "point"
    assert ds.step.dims == ("config", "seed", "point")
    for seed, steps in want.items():
        curve = ds.curve.sel(seed=seed).squeeze().values
        step = ds.step.sel(seed=seed).squeeze().values
        assert step[: len(steps)].tolist() == steps
        assert curve[: len(steps)].tolist() == [s / 10 for s in steps]
        assert np.isnan(step[len(steps) :]).all()
    union = load(tmp_path, align="union")
    assert union.curve.dims[-1] == "step"
    assert int(union.logged.sum()) == int(ds.logged.sum()) == sum(map(len, want.values()))


@pytest.fixture
def two_axes(tmp_path):
    for seed in (0, 1):
        rows = [{"config": {"seed": seed, "lr": 0.1}}]
        for epoch in range(3):
            steps = range(10 * epoch, 10 * epoch + 10)
            rows += [{"step": s, "epoch": epoch, "train_loss": s + seed / 2} for s in steps]
            rows.append({"step": 10 * epoch + 9, "epoch": epoch, "val_acc": epoch + seed / 2})
        jsonl(tmp_path / f"{seed}.jsonl", rows)
    return tmp_path


def test_a_tree_has_a_complete_cube_for_each_axis(two_axes):
    tree = load(two_axes, rc.load_tree)
    assert set(tree.children) == {"step", "epoch"}
    step, epoch = tree["step"].to_dataset(), tree["epoch"].to_dataset()
    for name in ("seed", "split", "metric"):
        assert step[name].identical(epoch[name])
    train = step.curve.sel(split="train", metric="loss", seed=1).squeeze()
    assert train.values.tolist() == [s + 0.5 for s in range(30)]
    acc = epoch.curve.sel(split="val", metric="acc", seed=1).squeeze()
    assert acc.values.tolist() == [0.5, 1.5, 2.5]
    # Thirty steps do not fit on three epochs.
    assert not epoch.logged.sel(split="train").any()
    assert not tree.to_dataset().variables
    assert epoch.status.identical(step.status)


def test_x_can_be_chosen(two_axes):
    ds = load(two_axes, x="epoch", splits="val")
    assert ds.curve.dims[-1] == "epoch"
    with pytest.raises(rc.UnknownNameError, match="epoch"):
        load(two_axes, x="epohc")


def two_logs(root, *axes):
    for seed, axis in enumerate(axes):
        rows = [{axis: i, "loss": 1 / (i + 1)} for i in range(4)]
        jsonl(root / f"s{seed}" / "log.jsonl", [{"config": {"lr": 0.1, "seed": seed}}, *rows])


@pytest.mark.parametrize("argument", ["x", "run", "split", "metrics", "config"])
@pytest.mark.parametrize("loader", [rc.load_runs, rc.load_tree, rc.scan])
def test_a_name_of_the_reader_that_no_log_has_raises_with_the_nearest(tmp_path, argument, loader):
    two_logs(tmp_path, "step", "step")
    name = {"config": "confg", "metrics": "los"}.get(argument, "stpe")
    near = {"config": "config", "metrics": "loss"}.get(argument, "step")
    with pytest.raises(rc.UnknownNameError, match=f"^{argument}='{name}'.*'{near}'"):
        load(tmp_path, loader, reader=rc.JsonlReader(**{argument: name}))


def test_a_log_that_alone_lacks_the_x_of_the_reader_is_named(tmp_path):
    two_logs(tmp_path, "step", "epoch")
    ds = load(tmp_path, reader=rc.JsonlReader(x="step"))
    assert (ds.curve.dims[-1], ds.step.size, ds.seed.size) == ("step", 4, 1)
    assert skipped(ds) == [("s1", "not_a_log")]


def test_where_no_file_is_a_log_no_name_is_to_blame(tmp_path):
    jsonl(tmp_path / "a.jsonl", [{"name": "x", "count": 1}, {"name": "y", "count": 2}])
    with pytest.raises(rc.NoRunsError):
        load(tmp_path, reader=rc.JsonlReader(x="step"))


def test_an_x_that_stands_behind_a_long_header_is_found(tmp_path):
    for seed in range(2):
        configs = [{"config": {"seed": seed}}, {"notes": ["x" * 50_000]}]
        jsonl(tmp_path / f"s{seed}.jsonl", [*configs, *({"words": i, "loss": i} for i in range(4))])
    ds = load(tmp_path, reader=rc.JsonlReader(x="words"))
    assert ds.words.values.tolist() == [0, 1, 2, 3]


def test_expected_overrules_what_the_configuration_promises(grid):
    assert set(load(grid).status.values.flat) == {"complete"}
    assert set(load(grid, expected=4).status.values.flat) == {"incomplete"}


def test_a_grid_that_cannot_fit_is_refused_before_it_is_made(tmp_path, monkeypatch):
    from runcube.core import resources

    for i in range(30):
        config = {"a": i * 1.1, "b": (i * 7) % 30 + 0.5, "seed": 0}
        write(tmp_path, f"r{i}", config, [1, 2])
    monkeypatch.setattr(resources, "available_bytes", lambda: 10_000)
    assert load(tmp_path).sizes["config"] == 30
    with pytest.raises(rc.CubeTooLargeError, match=r"900.*layout='configs'|cells.*configs"):
        load(tmp_path, layout="grid", dims=["a", "b"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS as Linux counts it")
def test_the_limit_of_a_batch_system_counts_as_memory(tmp_path):
    for i in range(300):
        write(tmp_path, f"r{i}", {"a": i * 1.1, "b": i * 0.7, "c": i * 0.3, "seed": 0}, [1, 2])
    code = (
        "import resource, sys, runcube as rc\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000,) * 2)\n"
        "try:\n"
        "    rc.load_runs(sys.argv[1], layout='grid', dims=['a', 'b', 'c'])\n"
        "except rc.CubeTooLargeError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    free = re.search(r"needs 6.8 GB, but ([01]\.\d) GB of memory are free", done.stdout)
    assert free, done.stdout + done.stderr
    assert float(free[1]) < 1.5


def test_the_warning_names_the_layout_and_the_argument_that_pins_it(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(30):
        config = {"lr": rng.random(), "wd": rng.random(), "seed": i % 3}
        write(tmp_path, f"r{i}", config, [i])
    with pytest.warns(rc.SweepWarning, match='layout="grid"'):
        ds = rc.load_runs(tmp_path)
    assert ds.attrs["layout"] == "configs"
    assert ds.lr.dims == ds.wd.dims == ("config",)


def test_rows_that_a_grid_cannot_tell_apart_are_refused_by_to_grid(tmp_path):
    for number, name in enumerate("abc"):
        write(tmp_path, name, {"lr": 0.1}, [number])
    ds = load(tmp_path)
    assert ds.sizes["config"] == 3
    with pytest.raises(rc.PlanError, match="several rows of config"):
        rc.to_grid(ds)


def test_a_selection_goes_to_the_grid_of_what_is_left(digits_cube):
    configs = rc.to_configs(digits_cube)
    some = configs.isel(config=np.flatnonzero((configs.lr == 3.0).values))
    grid = rc.to_grid(some)
    assert grid.lr.values.tolist() == [3.0]
    assert grid.curve.sel(lr=3.0).equals(digits_cube.curve.sel(lr=3.0))
    assert rc.to_configs(digits_cube.sel(lr=[3.0])).sizes["config"] == 8
    assert "lr" not in rc.to_configs(digits_cube.sel(lr=3.0)).dims


def test_problems_are_listed_with_file_and_line_twenty_a_run(tmp_path):
    write(tmp_path, "a", {"seed": 0}, [1] * 40)
    log = tmp_path / "a" / "json_out.jsonl"
    lines = log.read_text().splitlines()
    for i in range(5, 30):
        lines[i] = "{broken"
    log.write_text("\n".join(lines) + "\n")
    write(tmp_path, "b", {"seed": 1}, [1] * 40)
    ds = load(tmp_path)
    table = rc.problems(ds)
    assert table["line"].iloc[0] == 6
    assert table["path"].iloc[0] == "a/json_out.jsonl"
    assert len(table) == 21
    assert "5 more" in table["message"].iloc[-1]
    assert int(ds.n_problems.sel(seed=0).item()) == 25


def test_long_and_odd_text_survives_netcdf(tmp_path):
    write(tmp_path, "a", {"seed": 0, "note": "x" * 100_000, "uni": "é\u0000\ud800"}, [1])
    write(tmp_path, "b", {"seed": 1, "note": "y", "uni": "ß"}, [float("nan")])
    ds = load(tmp_path, messages=True)
    ds.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as back:
        assert_same(back.load(), ds)


# --- found by reviewers: each of these lost or misplaced good data once


def resumed(root, runs=6, late_val=False):
    """Runs of 12 epochs that crashed after 8 and were resumed from epoch 6."""
    for seed in range(runs):
        spans = [(0, 8), (6, 12)]
        lines = [json.dumps({"type": "dict_config", "value": {"seed": seed, "lr": 0.1}})]
        for start, stop in spans:
            for e in range(start, stop):
                lines.append(json.dumps({"type": "str", "value": f">> Start Epoch: {e}"}))
                for split in ("train", "val") if e >= 6 or not late_val else ("train",):
                    record = {"data_name": split, "agg_stats": {"loss": float(e)}}
                    lines.append(json.dumps(record))
        jsonl(root / str(seed) / "log.jsonl", [])
        (root / str(seed) / "log.jsonl").write_text("\n".join(lines) + "\n")


def test_resumed_runs_are_whole_in_the_cube_and_in_the_tree(tmp_path):
    resumed(tmp_path)
    ds = load(tmp_path)
    assert int(ds.logged.sum()) == 6 * 12 * 2
    tree = load(tmp_path, rc.load_tree)
    assert int(tree["epoch"].to_dataset().logged.sum()) == 6 * 12 * 2


def test_a_resume_is_no_new_attempt_where_a_split_begins_late(tmp_path):
    resumed(tmp_path, late_val=True)
    ds = load(tmp_path)
    train = ds.logged.sel(split="train", metric="loss").sum("epoch").squeeze()
    assert train.values.tolist() == [12] * 6
    assert (
        ds.logged.sel(split="val", metric="loss").sum("epoch").squeeze().values.tolist() == [6] * 6
    )
    assert skipped(ds) == []


def test_a_surrogate_in_a_config_or_a_name_is_escaped(tmp_path):
    for seed in range(2):
        config = {"v": "\ud800", "seed": seed}
        curves = [{"v\udcff": {"a": 1.0, "a\0": 2.0, "\ud800": 3.0}}]
        write_native(tmp_path / str(seed), config, curves)
    ds = load(tmp_path)
    assert ds.metric.values.tolist() == ["a", "a\\x00", "\\ud800"]
    ds.to_netcdf(tmp_path / "a.nc")


def test_a_long_config_in_a_compressed_log_is_found(tmp_path):
    import gzip

    for seed in range(2):
        write(tmp_path, str(seed), {"seed": seed, "layers": list(range(9000))}, [1, 2])
        log = tmp_path / str(seed) / "json_out.jsonl"
        (tmp_path / str(seed) / "log.jsonl.gz").write_bytes(gzip.compress(log.read_bytes()))
        log.unlink()
    ds = load(tmp_path)
    assert ds.seed.values.tolist() == [0, 1]
    assert skipped(ds) == []


@pytest.mark.parametrize("selection", [{"splits": ["train"]}, {"metrics": ["loss"]}])
def test_what_is_selected_changes_neither_status_nor_which_run_stays(tmp_path, selection):
    for lr in range(4):
        for seed in range(6):
            curves = [{"train": {"loss": e}, "val": {"loss": e, "acc": e}} for e in range(5)]
            write_native(tmp_path / f"{lr}_{seed}", {"lr": lr, "seed": seed, "epochs": 5}, curves)
    config = {"lr": 0, "seed": 1, "epochs": 5}
    write_native(tmp_path / "rerun", config, [{"train": {"loss": 777.0}} for _ in range(5)])
    whole, some = load(tmp_path), load(tmp_path, **selection)
    assert some.status.identical(whole.status.drop_vars(set(whole.coords) - set(some.coords)))
    assert some.path.equals(whole.path)


def test_an_evaluation_before_training_shortens_no_promise(tmp_path):
    for seed in range(4):
        rows = [{"lr": 0.1, "seed": seed, "epochs": 15}, {"epoch": 0, "split": "val", "loss": 3.0}]
        rows += [
            {"epoch": e, "split": split, "loss": 1.0}
            for e in range(1, 15 if seed == 3 else 16)
            for split in ("train", "val")
        ]
        jsonl(tmp_path / str(seed) / "log.jsonl", rows)
    status = load(tmp_path).status.values.ravel().tolist()
    assert status == ["complete"] * 3 + ["incomplete"]


def test_attempts_of_a_later_configuration_compete(tmp_path):
    write(tmp_path, "a", {"lr": 0.1, "seed": 0}, [1])
    write(tmp_path, "b", {"lr": 0.7, "seed": 0}, [2])
    log, other = (tmp_path / name / "json_out.jsonl" for name in "ab")
    log.write_text(log.read_text() + other.read_text() * 2)
    other.unlink()
    ds = load(tmp_path)
    assert ds.lr.values.tolist() == [0.1, 0.7]
    assert skipped(ds) == [("a", "duplicate_run")]
    assert ds.run_id.values.ravel().tolist() == ["a/json_out", "a@2"]


@pytest.mark.parametrize(
    "option",
    [
        {"on_duplicate": "bogus"},
        {"align": "bogus"},
        {"errors": "bogus"},
        {"layout": "bogus"},
        {"expected": "a"},
    ],
)
def test_a_word_that_is_no_policy_is_refused(grid, option):
    with pytest.raises(rc.PlanError, match=next(iter(option))):
        load(grid, **option)


def test_one_name_may_be_given_as_a_string(tmp_path):
    for value in (1, 2):
        config = {"a": value, "b": 2 * value, "ab": 3 * value, "seed": 0}
        write(tmp_path, str(value), config, [value])
    assert "ab" not in load(tmp_path, exclude="ab").coords
    assert load(tmp_path, dims="ab").sizes["ab"] == 2


def test_a_run_without_the_chosen_x_is_incomplete_not_failed(tmp_path):
    for seed in range(6):
        axis = "epoch" if seed < 4 else "step"
        rows = [{"config": {"seed": seed}}, *({axis: e, "val_loss": 1.0} for e in range(3))]
        jsonl(tmp_path / f"{seed}.jsonl", rows)
    ds = load(tmp_path, x="epoch")
    assert ds.status.values.ravel().tolist() == ["complete"] * 4 + ["incomplete"] * 2
    assert "missing_x" in rc.problems(ds)["kind"].tolist()


def test_the_reason_of_a_complete_loser_names_the_key_that_no_dim_tells(tmp_path):
    for lr in (1, 2):
        for wd in (3, 4):
            write(tmp_path, f"{lr}{wd}", {"lr": lr, "wd": wd, "seed": 0}, [lr, wd])
    with pytest.warns(rc.SweepWarning, match=r"differ in wd: dims=\['lr', 'wd'\]"):
        rc.load_runs(tmp_path, dims=["lr"], layout="grid")


def test_x_stays_whole_where_a_split_lacks_it(tmp_path):
    rows = [{"config": {"seed": 0}}, *({"step": e, "train_loss": 1.0} for e in range(30))]
    jsonl(tmp_path / "a.jsonl", [*rows, {"val_loss": 2.0}])
    assert load(tmp_path).step.dtype == np.int64


def test_of_two_complete_runs_the_same_stays_whatever_is_selected(tmp_path):
    for seed in range(20):
        curves = [{"train": {"loss": e}, "val": {"loss": e}} for e in range(3)]
        write_native(tmp_path / str(seed), {"lr": seed % 2, "seed": seed}, curves)
    write_native(tmp_path / "twin", {"lr": 0, "seed": 0}, [{"train": {"loss": 9.0}}] * 3)
    for name in ("0", "twin"):  # both are done, as their logger says
        with (tmp_path / name / "json_out.jsonl").open("a") as log:
            log.write('{"type": "str", "value": "Training time 0:00:01"}\n')
    for selection in ({}, {"splits": "train"}):
        ds = load(tmp_path, layout="configs", **selection)
        assert "0/json_out.jsonl" in ds.path.values
        assert "twin/json_out.jsonl" not in ds.path.values


def test_many_complete_losers_are_counted_in_the_warning(tmp_path):
    for lr in range(10):
        for wd in (3, 4):
            write(tmp_path, f"{lr}_{wd}", {"lr": lr, "wd": wd, "seed": 0}, [lr, wd])
    with pytest.warns(rc.SweepWarning, match="and 5 more complete runs were superseded"):
        rc.load_runs(tmp_path, dims=["lr"], layout="grid")


def test_a_directory_may_be_named_like_a_chain_of_file_systems(tmp_path, monkeypatch):
    write_sweep(tmp_path / "exp::v2", product_configs(lr=[1, 2]), [0])
    monkeypatch.chdir(tmp_path)
    for path in ("./exp::v2", Path("exp::v2"), tmp_path / "exp::v2"):
        assert rc.open_runs(path, cache=False).compute().equals(rc.load_runs(path))


def test_an_object_of_any_name_that_never_changes_is_configuration(tmp_path):
    for run, (lr, seed) in enumerate((lr, seed) for lr in (0.1, 0.2) for seed in (3, 5)):
        first = {"_meta": {"lr": lr, "seed": seed, "opt": {"name": "adam"}}}
        rows = [{"step": s, "loss": run + s / 10} for s in range(3)]
        last = {"_summary": {"lr": lr, "seed": seed, "final": run}}
        (tmp_path / f"{run}.jsonl").write_text("\n".join(map(json.dumps, [first, *rows, last])))
    ds = load(tmp_path)
    assert ds.curve.dims == ("lr", "seed", "split", "metric", "step")
    assert ds.seed.values.tolist() == [3, 5]
    assert (ds.lr.attrs["hparam"], ds.seed.attrs["hparam"]) == ("_meta.lr", "_meta.seed")
    assert json.loads(ds.attrs["constant_hparams"]) == {"_meta.opt.name": "adam"}
    assert ds.curve.sel(lr=0.2, seed=3, metric="loss", step=1).item() == 2.1


def test_runs_that_only_their_names_tell_apart_are_not_paired_over_seeds(tmp_path):
    # k1 lacks seed 1: numbered by seed, k2 would stand in its row.
    names = ("k1_s0", "k2_s0", "k2_s1", "k1_s2", "k2_s2")
    for value, name in enumerate(names):
        write(tmp_path, name, {"lr": 0.1, "seed": int(name[-1])}, [value, value])
    ds = load(tmp_path)
    assert (ds.path != "").sum("seed").values.tolist() == [1] * 5
    assert ds.seed.values.tolist() == [0, 1, 2]
