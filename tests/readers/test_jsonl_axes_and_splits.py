"""Axes and splits of JSONL logs."""

import warnings

import numpy as np
import pytest
from jsonl_logs import curve, epochs, kinds, load, write

import runcube as rc
from runcube.readers.jsonl.reader import JsonlReader


def test_splits_by_a_column(tmp_path):
    records = [
        {"epoch": e, "split": s, "loss": e + i}
        for e in range(3)
        for i, s in enumerate(("train", "valid"))
    ]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert run.splits == ("train", "valid")
    assert curve(run, "loss", "valid")[0].tolist() == [1, 2, 3]
    assert curve(run, "loss", "valid")[2].lines.tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    "names",
    [
        ("train_loss", "val_loss"),
        ("train/loss", "val/loss"),
        ("loss_train", "loss_val"),
        ("loss/train", "loss/val"),
    ],
)
def test_splits_by_prefix_or_suffix(tmp_path, names):
    write(tmp_path / "a.jsonl", [{"step": i, names[0]: i, names[1]: -i} for i in range(3)])
    (run,) = load(tmp_path)
    assert run.splits == ("train", "val")
    assert run.metrics == ("loss",)


def test_splits_by_a_pattern_and_none(tmp_path):
    write(tmp_path / "a.jsonl", [{"step": i, "src.acc": i, "tgt.acc": i} for i in range(3)])
    (run,) = load(tmp_path, JsonlReader(split=r"(?P<split>src|tgt)\.(?P<metric>.+)"))
    assert run.splits == ("src", "tgt")
    assert run.metrics == ("acc",)
    (run,) = load(tmp_path, JsonlReader(split=False))
    assert run.splits == ("all",)
    assert run.metrics == ("src.acc", "tgt.acc")


def test_nested_metrics_are_flattened_and_a_wrapper_is_no_part_of_the_name(tmp_path):
    records = [{"step": i, "metrics": {"val/acc": i, "opt": {"lr": 1 / (i + 1)}}} for i in range(3)]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert run.splits == ("val", "all")
    assert run.metrics == ("acc", "opt/lr")


def test_metrics_on_different_rows_share_a_curve_with_a_mask(tmp_path):
    write(tmp_path / "a.jsonl", [{"step": 0, "a": 1}, {"step": 1, "b": 2}, {"step": 2, "a": None}])
    (run,) = load(tmp_path)
    (found,) = run.curves
    assert found.logged.tolist() == [[True, False], [False, True]]
    assert found.x["step"].tolist() == [0, 1]


def test_a_duration_is_a_metric_and_a_clock_an_axis(tmp_path):
    times = [0.3, 0.1, 0.4, 0.1, 0.5]
    records = [{"step": i, "loss": i, "time": t, "elapsed": i * 60.0} for i, t in enumerate(times)]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert "time" in run.metrics
    assert set(run.curves[0].x) == {"step", "elapsed"}
    assert run.train_time == 240


def test_an_iteration_that_restarts_each_epoch_stays_what_was_logged(tmp_path):
    records = [{"env_info": "linux", "seed": 3, "exp_name": "x"}]
    for epoch in (1, 2):
        records += [{"mode": "train", "epoch": epoch, "iter": i, "loss": i} for i in (50, 100)]
        records += [{"mode": "val", "epoch": epoch, "iter": 20, "acc": epoch}]
    write(tmp_path / "a.log.json", records)
    (run,) = load(tmp_path)
    assert run.header.config["seed"] == 3
    assert curve(run, "loss", "train")[2].x["iter"].tolist() == [50, 100, 50, 100]
    val = curve(run, "acc", "val")[2]
    assert val.x["epoch"].tolist() == [1, 2]
    assert "iter" not in val.x  # it is the number of batches of the validation, and named
    assert [p.line for p in run.problems if p.message.startswith("'iter' on 2 rows")] == [4]


def test_without_any_x_the_records_of_a_split_are_counted(tmp_path):
    records = [{"split": s, "loss": 1.0 * i} for i in range(3) for s in ("train", "val")]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert curve(run, "loss", "val")[2].x["row"].tolist() == [0, 1, 2]


def test_the_rows_of_a_run_without_x_are_no_steps(tmp_path):
    for lr in (0.1, 0.2, 0.3):
        step = [{"step": 10 * i} if lr < 0.3 else {} for i in range(5)]
        rows = [s | {"loss": lr + i} for i, s in enumerate(step)]
        write(tmp_path / f"{lr}.jsonl", [{"config": {"lr": lr}}, *rows])
    with pytest.warns(rc.SweepWarning, match="numbered in the order of row: no step"):
        ds = rc.load_runs(tmp_path)
    assert ds.curve.dims[-1] == "step"
    (problem,) = rc.problems(ds).itertuples()
    assert (problem.path, problem.kind) == ("0.3.jsonl", "missing_x")


def test_a_row_without_x_stays_a_row(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(2), {"loss": 5.0}])
    (run,) = load(tmp_path)
    assert np.isnan(run.curves[0].x["epoch"][2])
    assert curve(run, "loss")[0][2] == 5


def test_an_x_on_records_of_its_own_holds_for_those_behind_it(tmp_path):
    records = [{"config": {"lr": 0.1}}]
    for epoch in (1, 2, 3):
        records += [{"event": "start", "epoch": epoch}, {"loss": 1 / epoch}]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert curve(run, "loss")[2].x["epoch"].tolist() == [1, 2, 3]
    assert not run.problems


def test_records_are_numbered_where_an_x_stands_beside_them_once(tmp_path):
    records = [
        {"config": {"lr": 0.1}},
        *({"loss": i / 7} for i in range(4)),
        {"epoch": 9, "code": "x"},
    ]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert curve(run, "loss")[2].x["step"].tolist() == [0, 1, 2, 3]
    assert kinds(run) == ["no_metric"]
    with pytest.warns(rc.SweepWarning, match="1 no_metric"):
        ds = rc.load_runs(tmp_path)
    assert ds.curve.values.ravel().tolist() == [i / 7 for i in range(4)]


def test_many_records_behind_one_x_are_all_kept(tmp_path):
    records = []
    for epoch in (1, 2):
        records += [
            {"epoch": epoch, "event": "start"},
            *({"loss": epoch + i / 7} for i in range(3)),
        ]
    write(tmp_path / "a.jsonl", [{"config": {"lr": 0.1}}, *records])
    ds = rc.load_runs(tmp_path)
    assert ds.curve.values.ravel().tolist() == [e + i / 7 for e in (1, 2) for i in range(3)]
    assert ds.epoch.values.ravel().tolist() == [1, 1, 1, 2, 2, 2]


def test_a_count_that_goes_up_and_down_is_no_axis_beside_one_that_rises(tmp_path):
    rows = []
    for i in range(40):
        rows.append({"type": "game", "episode": i, "reward": 1.0 * i, "steps": 3 + 7 * i % 20})
        rows.append({"type": "net", "episode": i, "critic_loss": 1 / (i + 1)})
    write(tmp_path / "a.jsonl", rows)
    (run,) = load(tmp_path)
    assert run.header.rising == {"episode"}


def test_whole_numbers_that_rise_go_before_a_fractional_epoch(tmp_path):
    rows = [{"current_steps": 5 * i, "loss": 1 / i, "epoch": i / 7} for i in range(1, 9)]
    write(tmp_path / "a.jsonl", rows)
    assert load(tmp_path)[0].header.rising == {"current_steps"}


def test_a_count_behind_a_split_is_the_axis_of_that_split(tmp_path):
    rows = []
    for i in range(1, 5):
        rows.append({"train_num_updates": str(10 * i), "train_loss": 1 / i})
        rows.append({"valid_num_updates": 10 * i + 1, "valid_loss": 2 / i, "valid_samples": 50})
    write(tmp_path / "a.jsonl", rows)
    (run,) = load(tmp_path)
    assert curve(run, "loss", "train")[2].x["num_updates"].tolist() == [10, 20, 30, 40]
    assert curve(run, "loss", "valid")[2].x["num_updates"].tolist() == [11, 21, 31, 41]


def test_counts_in_a_list_are_an_axis_each(tmp_path):
    rows = [{"step": [e, i], "loss": e + i / 10} for e in range(3) for i in range(4)]
    head = {"step": "PARAMETER", "data": {"lr": 0.1, "seed": 3}}
    write(tmp_path / "a.jsonl", [head, *rows, {"step": [], "val_acc": 0.5}])
    (run,) = load(tmp_path)
    x = curve(run, "loss")[2].x
    assert x["step_0"].tolist()[:5] == [0, 0, 0, 0, 1]
    assert x["step_1"].tolist()[:5] == [0, 1, 2, 3, 0]
    assert "loss" not in run.header.constants
    assert {"data/lr", "data/seed"} <= run.header.constants.keys() | {
        f"data/{key}" for key in run.header.config.get("data", {})
    }


def test_names_with_leading_zeros_are_no_numbers(tmp_path):
    write(tmp_path / "log.jsonl", epochs(3))
    saved = [{"name": f"{i:06}", "batch": i, "path": f"x/{i}"} for i in (5, 10)]
    write(tmp_path / "checkpoints.jsonl", saved)
    (run,) = load(tmp_path)
    assert run.header.source.path == "log.jsonl"


def test_of_axes_that_do_equally_well_the_first_of_the_record_is_x(tmp_path):
    for lr in (0.1, 0.2):
        rows = [dict.fromkeys("zqbxka", 5 * i) | {"loss": lr / i} for i in range(1, 6)]
        write(tmp_path / f"{lr}.jsonl", [{"config": {"lr": lr}}, *rows])
    assert rc.load_runs(tmp_path).curve.dims[-1] == "z"


@pytest.mark.parametrize("odd", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("name", ["epoch", "round", "task", "lr"])
def test_infinite_counts_are_read_without_a_word_of_numpy(tmp_path, odd, name):
    rows = [{"hp": {"lr": lr}, name: x, "loss": x} for lr in (1, 2) for x in (0, odd, odd, 1)]
    write(tmp_path / "a.jsonl", rows)
    (tmp_path / "b").mkdir()
    for split in ("train", "val"):
        write(tmp_path / "b" / f"{split}.jsonl", [{"lr": 1}, {"lr": 1}, *rows])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        rc.load_runs(tmp_path)
