"""show: curves and final values of a selection."""

import json

import pytest
import sweeps
from shell import ok, quietly_loaded, rows, run


def test_show_lists_a_curve(logs):
    found = rows("show", logs, "--metric", "acc1", "--split", "val", "--where", "lr=0.1",
                 "--where", "weights=None", "--where", "seed=1")  # fmt: skip
    assert found == [
        {
            "lr": 0.1,
            "weights": "None",
            "seed": 1,
            "epoch": epoch,
            "value": sweeps.logged_value(0, 1, "val", "acc1", epoch),
        }
        for epoch in range(3)
    ]


def test_a_name_may_be_the_full_key_and_have_several_values(logs):
    where = ("--where", "optim.lr=1.0", "--where", "seed=1", "--where", "seed=2")
    what = ("--at", "epoch=2", "--metric", "loss", "--metric", "acc1", "--split", "val")
    found = rows("show", logs, *where, *what)
    assert {row["seed"] for row in found} == {1, 2}
    assert {row["lr"] for row in found} == {1.0}
    assert {row["metric"] for row in found} == {"loss", "acc1"}
    assert {row["epoch"] for row in found} == {2}
    assert "split" not in found[0]
    assert len(found) == 8


def test_show_gives_mean_and_standard_error(logs):
    found = rows("show", logs, "--metric", "loss", "--split", "val", "--final", "--over", "seed")
    ds = quietly_loaded(logs)
    last = ds.sel(metric="loss", split="val").sweep.final().where(ds.status == "complete")
    for row in found:
        values = last.sel(lr=row["lr"], weights=row["weights"]).dropna("seed").values
        assert row["n"] == len(values)
        assert row["mean"] == pytest.approx(values.mean())
        assert row["se"] == pytest.approx(values.std(ddof=1) / len(values) ** 0.5)
        assert row["nan"] == 0
    assert [row["n"] for row in found] == [3, 2, 3, 2]


def test_only_complete_runs_count_unless_told_otherwise(logs):
    args = ("show", logs, "--metric", "loss", "--split", "val", "--final", "--over", "seed")
    assert "left out, as not complete: 1 run;" in run(*args).stderr
    result = run(*args, "--all-runs", "--json")
    assert "left out" not in result.stderr
    assert [json.loads(line)["n"] for line in result.stdout.splitlines()] == [3, 2, 3, 3]


def test_a_diverged_run_shows(tmp_path):
    def value(index, seed, split, metric, epoch):
        return float("nan") if (index, seed) == (1, 0) else 1.0

    sweeps.write_sweep(tmp_path, sweeps.product_configs(lr=[0.1, 9.0]), [0, 1], value=value)
    found = rows(
        "show", tmp_path, "--metric", "loss", "--split", "val", "--final", "--over", "seed"
    )
    assert found[1] == {"lr": 9.0, "mean": 1.0, "se": None, "n": 1, "nan": 1}
    (single,) = rows("show", tmp_path, "--metric", "loss", "--split", "val", "--final",
                     "--where", "lr=9", "--where", "seed=0")  # fmt: skip
    assert single["value"] is None
    text = ok("show", tmp_path, "--metric", "loss", "--split", "val", "--final", "--over", "seed")
    assert text.splitlines()[2].split() == ["9", "1", "-", "1", "1"]


def test_show_works_in_the_configs_layout(logs):
    args = ("--metric", "acc1", "--split", "val", "--final", "--over", "seed")
    grid = rows("show", logs, *args, "--layout", "grid")
    assert rows("show", logs, *args, "--layout", "configs") == grid
    chosen = rows("show", logs, *args, "--layout", "configs", "--where", "lr=1.0")
    assert chosen == [row for row in grid if row["lr"] == 1.0]


def test_a_coordinate_of_the_runs_selects_too(logs):
    found = rows("show", logs, "--where", "run_id=001", "--metric", "loss", "--split", "val")
    assert [row["epoch"] for row in found] == [0, 1, 2]
    found = rows("show", logs, "--where", "status=incomplete", "--all-runs", "--final",
                 "--metric", "loss", "--split", "val")  # fmt: skip
    assert [(row["lr"], row["seed"]) for row in found] == [(1.0, 0)]


def test_a_hyperparameter_goes_before_what_is_known_of_a_run(tmp_path):
    sweeps.write_sweep(tmp_path, sweeps.product_configs(path=["A", "B"]), [0, 1])
    found = rows("show", tmp_path, "--where", "path=A", "--final")
    assert {row["path_"] for row in found} == {"A"}


def test_final_and_at_exclude_each_other(logs):
    assert run("show", logs, "--final", "--at", "epoch=1").exit_code == 2
