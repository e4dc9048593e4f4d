"""Runs of several loggers in one tree are one cube, and each says which logger wrote it."""

import json

import numpy as np
import pytest
from tensorboard_logs import load, scalar, session_end, session_start, write_events
from wandb_files import ended, history, run, write

import runcube as rc

NAME = "events.out.tfevents.1700000000.host.1.0"
LOGGERS = ["tensorboard", "csv", "wandb", "native"]
STEPS = range(5)
pytestmark = pytest.mark.filterwarnings("ignore::runcube.SweepWarning")


def loss(step, lr, seed):
    return float(np.float32(lr / (step + 3) + seed))


def tensorboard(folder, config, points):
    flat = {"lr": config["lr"], "seed": config["seed"], "optim/name": "adam", "batch_size": 32.0}
    own = [
        scalar(tag, v, s) for s, (t, o) in points for tag, v in (("loss/train", t), ("loss/val", o))
    ]
    write_events(folder / NAME, [session_start(flat), *own, session_end(1)])


def csv(folder, config, points):
    folder.mkdir(parents=True)
    text = f"lr: {config['lr']}\nseed: {config['seed']}\noptim:\n  name: adam\nbatch_size: 32\n"
    (folder / "hparams.yaml").write_text(text)
    rows = "".join(f"{s},{t!r},{v!r}\n" for s, (t, v) in points)
    (folder / "metrics.csv").write_text("step,train_loss,val_loss\n" + rows)


def wandb(folder, config, points):
    rows = [history({"train/loss": t, "val/loss": v, "_step": s}) for s, (t, v) in points]
    write(folder.parent, [run(config), *rows, ended()], run_id=folder.name.replace(".", ""))


def native(folder, config, points):
    folder.mkdir(parents=True)
    records = [{"type": "dict_config", "value": config}]
    for s, (t, v) in points:
        for split, value in (("train", t), ("val", v)):
            own = {"title": f"agg_{split}", "data_name": split, "step": s}
            records.append(own | {"agg_stats": {"loss": value}})
    (folder / "json_out.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))


WRITERS = {"tensorboard": tensorboard, "csv": csv, "wandb": wandb, "native": native}


@pytest.fixture
def tree(tmp_path):
    for lr in (0.1, 0.2):
        for seed, logger in enumerate(LOGGERS):
            config = {"lr": lr, "seed": seed, "optim": {"name": "adam"}, "batch_size": 32}
            points = [(s, (loss(s, lr, seed), 2 * loss(s, lr, seed))) for s in STEPS]
            WRITERS[logger](tmp_path / "logs" / logger / f"{lr}_{seed}", config, points)
    return tmp_path / "logs"


def test_one_cube_holds_the_runs_of_four_loggers(tree):
    ds = load(tree)
    assert dict(ds.sizes) == {"lr": 2, "seed": 4, "split": 2, "metric": 1, "step": 5}
    assert ds.split.values.tolist() == ["train", "val"]
    for lr in (0.1, 0.2):
        for seed in range(4):
            own = ds.curve.sel(lr=lr, seed=seed, metric="loss")
            assert own.sel(split="train").values.tolist() == [loss(s, lr, seed) for s in STEPS]
            assert own.sel(split="val").values.tolist() == [2 * loss(s, lr, seed) for s in STEPS]
    constant = json.loads(ds.attrs["constant_hparams"])
    assert {"optim.name": "adam", "batch_size": 32}.items() <= constant.items()


def test_each_run_says_its_logger(tree):
    ds = load(tree)
    assert ds.logger.dims == ("lr", "seed")
    assert ds.logger.values.tolist() == [LOGGERS, LOGGERS]
    assert ds.curve.where(ds.logger == "csv").count("seed").max() == 1
    rc.archive_runs(tree, tree.parent / "sweep.nc")
    rc.update_archive(tree.parent / "sweep.nc")
    with rc.open_archive(tree.parent / "sweep.nc") as found:
        np.testing.assert_array_equal(found.logger.values, ds.logger.values)
        np.testing.assert_array_equal(found.curve.values, ds.curve.values)


def test_cells_without_a_run_have_no_logger(tree):
    (tree / "csv/0.1_1/metrics.csv").unlink()
    assert load(tree).logger.sel(lr=0.1).values.tolist() == ["tensorboard", "", "wandb", "native"]


def test_runs_of_one_logger_have_no_such_coordinate(tree):
    assert "logger" not in load(tree / "csv").coords
    assert "logger  " not in str(rc.scan(tree / "csv").explain())


def test_explain_counts_the_logs_of_each_reader(tree):
    text = str(rc.scan(tree).explain())
    assert all(f"2 logs  {name}" in text for name in LOGGERS)


def test_a_step_by_another_name_is_the_step_of_the_others_and_a_note_says_so(tree):
    with pytest.warns(rc.SweepWarning, match="'_step' of 2 logs is 'step', as the others call it"):
        rc.load_runs(tree)
    assert "_step" in load(tree / "wandb").dims


def test_a_step_beside_another_one_is_another_quantity(tmp_path):
    for seed in range(2):
        rows = [history({"loss": 1 / (s + 2), "_step": s, "step": 100 * s}) for s in STEPS]
        write(tmp_path, [run({"seed": seed}), *rows, ended()], run_id=f"a{seed}")
    rows = [history({"loss": 1 / (s + 2), "_step": s}) for s in STEPS]
    write(tmp_path, [run({"seed": 2}), *rows, ended()], run_id="b")
    ds = load(tmp_path)
    assert ds._step.dims == ("_step",)
    assert ds._step.values.tolist() == [*STEPS]


def test_a_hyperparameter_called_logger_keeps_a_name_of_its_own(tmp_path):
    for name in ("a", "b"):
        csv(tmp_path / name, {"lr": 0.1, "seed": 0}, [(s, (s / 7, s / 9)) for s in STEPS])
        with (tmp_path / name / "hparams.yaml").open("a") as file:
            file.write(f"log:\n  logger: {name}\n")
    ds = load(tmp_path, dims=["log.logger"])
    assert ds.log_logger.values.tolist() == ["a", "b"]


def test_sections_of_the_hyperparameters_in_events_are_sections(tmp_path):
    for lr in (0.1, 0.2):
        said = {
            "opt/lr": lr,
            "opt/name": "x",
            "optim/z": 7,
            "optim": "y",
            "a/b": 1,
            "a": 2,
            "/": 3,
            "model/width": 8,
        }
        write_events(tmp_path / f"{lr}" / NAME, [session_start(said), scalar("loss", 1.0, 0)])
    ds = load(tmp_path)
    found = json.loads(ds.attrs["constant_hparams"])
    assert found["model.width"] == 8
    assert found["opt.name"] == "x"
    assert {str(v) for v in found.values()} == {*"xy12378"}
    assert ds.lr.attrs["hparam"] == "opt.lr"
