"""A name means the same coordinate in Python and at a shell, and a value the same text."""

import json

import numpy as np
import pytest
import sweeps
from hypothesis import given
from hypothesis import strategies as st
from plot_cubes import made
from shell import ok, quietly_loaded, rows

import runcube as rc
from runcube.core import value_text
from runcube.cube import find_name


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Two values of `path`, a name that is taken, and of `optim.lr`, by two seeds."""
    configs = [{"path": p, "optim": {"lr": lr}} for p in ("A", "B") for lr in (0.1, 1.0)]
    return sweeps.write_sweep(tmp_path_factory.mktemp("names"), configs, [0, 1, 2])


@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_a_key_of_the_logs_is_found_in_every_function(logs, layout):
    ds = quietly_loaded(logs, layout=layout)
    assert "path_" in ds.coords
    assert find_name(ds, "path") == find_name(ds, "path_") == "path_"
    how = {"metric": "acc1", "mode": "max"}
    for over in ("path", "path_"):
        assert rc.marginals(ds, over=over, **how)["path_"].values.tolist() == ["A", "B"]
        drawn = rc.plot.curves(ds.sel(metric="loss", split="val"), hue=over)
        (legend,) = drawn.figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["A", "B"]
        assert rc.to_grid(rc.to_configs(ds), dims=[over, "optim.lr"]).sizes["path_"] == 2
    grid = rc.to_grid(ds) if layout == "configs" else ds
    end = rc.final(grid.sel(metric="loss", split="val"))
    for over in ("path", "path_"):
        found = rc.compare_all(end, over=over)
        assert (found.a.item(), found.b.item()) == ("A", "B")
        assert rc.best_of_k(end, over=[over, "optim.lr"], dim="seed", mode="min").sizes["k"] == 4
        assert "path_" not in rc.summarize(end, dim=["seed", over]).dims
        assert rc.tables.results(end, mode="min", columns=[over]).columns == ["A", "B"]


def test_the_shell_takes_the_same_names(logs):
    for name in ("path", "path_"):
        asked = ("--metric", "loss", "--split", "val")
        assert {row["a"] for row in rows("compare", logs, "--over", name, *asked)} == {"A"}
        assert "A" in ok("show", logs, *asked, "--where", f"{name}=A", "--final", "--over", "seed")
        shown = rows("show", logs, *asked, "--final", "--over", name, "--over", "seed")
        assert [row["lr"] for row in shown] == [0.1, 1.0]


def test_an_end_of_a_key_will_do_unless_it_is_ambiguous():
    ds = made(np.zeros((2, 2, 2, 1, 1, 1)), np.ones((2, 2, 2, 1, 1, 1), bool),
              {"a_lr": [1, 2], "b_lr": [1, 2]}, ["val"], ["loss"])  # fmt: skip
    ds["a_lr"].attrs["hparam"], ds["b_lr"].attrs["hparam"] = "a.lr", "x.b.lr"
    assert find_name(ds, "b.lr") == find_name(ds, "x.b.lr") == "b_lr"
    with pytest.raises(rc.UnknownNameError, match=r"ambiguous, it could be 'a\.lr', 'x\.b\.lr'"):
        rc.marginals(ds, over="lr", metric="loss", mode="min", split="val")
    with pytest.raises(rc.UnknownNameError, match=r"over='c_lr': .*nearest: 'b_lr'"):
        rc.compare_all(rc.final(ds), over="c_lr")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_has_no_idle_zeros_and_six_digits(value):
    text = value_text(value)
    assert float(text) == pytest.approx(value, rel=5e-6, abs=5e-324)
    assert not text.endswith(".0")
    assert text != "-0" or value == 0


def test_a_weight_decay_of_zero_is_0_in_table_figure_page_and_shell(logs, tmp_path):
    configs = sweeps.product_configs(weight_decay=[0.0, 0.1], width=[20000.0, 0.5])
    sweeps.write_sweep(tmp_path / "logs", configs, [0, 1, 2])
    ds = quietly_loaded(tmp_path / "logs")
    end = rc.final(ds.sel(metric="loss", split="val"))
    assert {row[0] for row in rc.tables.results(end, mode="min").rows} == {"0", "0.1"}
    figure = rc.plot.heatmap(ds.sel(metric="loss", split="val"), x="weight_decay", y="width")
    assert [t.get_text() for t in figure.get_xticklabels()] == ["0", "0.1"]
    assert {t.get_text() for t in figure.get_yticklabels()} == {"0.5", "20000"}
    from runcube.report.data import sweep_data

    keys = {key["name"]: key for key in sweep_data(ds, 0.95)["keys"]}
    assert "0" in json.dumps(keys["weight_decay"])
    assert '"0.0"' not in json.dumps(keys["weight_decay"])
    said = ok("best", tmp_path / "logs", "--metric", "loss", "--mode", "min", "--report", "train")
    winner = next(line for line in said.splitlines() if line.startswith("winner"))
    assert "weight_decay=0 " in winner
    assert "weight_decay=0.0" not in said


@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_the_seed_is_the_dim_though_the_logs_have_a_key_of_that_name(tmp_path, layout):
    """With seed="replicate" the logged seed is the coordinate seed_."""
    for number in range(8):
        config = {"lr": 0.1 * (1 + number % 2), "seed": 42} if number < 6 else {"lr": 0.1}
        with rc.RunLogger(tmp_path / f"{number}" / "log.jsonl", config) as log:
            log.log("val", {"loss": number * 1.0})
    ds = quietly_loaded(tmp_path, seed="replicate", layout=layout)
    assert "seed_" in ds.coords
    assert find_name(ds, "seed") == "seed"
    found = rc.summarize(rc.final(ds))
    assert "seed" not in found.dims
    assert int(found.n.sum()) == 8


def test_a_seed_that_runs_lack_is_none_to_run_with(tmp_path):
    for number, config in enumerate([{"lr": 0.1, "seed": 1}, {"lr": 0.2, "seed": 1}, {"lr": 0.1}]):
        with rc.RunLogger(tmp_path / f"{number}" / "log.jsonl", config) as log:
            log.log("val", {"loss": 1.0})
    ds = quietly_loaded(tmp_path)
    assert ds.seed.values.tolist() == ["1", "absent"]
    assert ds.sweep.missing().empty
