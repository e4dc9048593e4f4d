"""JSON lines of detectron2, mmcv and mmengine: medians are said, rows of validation stand right."""

import json
import warnings
from pathlib import Path

import pytest

import runcube as rc

DETECTRON = Path(__file__).parents[1] / "data" / "detectron2-smn"
BATCHES = 37


def load(path, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(path, **arguments)


def write(folder, rows, name="scalars.json"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def mmengine(by_epoch=True):
    """Three epochs as mmengine's LocalVisBackend writes them, iterations counted through."""
    for epoch in (1, 2, 3):
        for i in range(1, 5):
            step = (epoch - 1) * 200 + i * 50
            own = {"lr": 0.01, "data_time": 0.2, "loss": 1 / step + 0.5, "epoch": epoch}
            yield own | {"iter": step, "memory": 7000, "step": step}
        yield {"accuracy/top1": 50 + epoch * 3.5, "step": epoch if by_epoch else epoch * 200}


def mmcv(batches=lambda epoch: BATCHES):
    """Three epochs as mmcv's TextLoggerHook writes them, iterations counted in each epoch."""
    for epoch in (1, 2, 3):
        for i in range(1, 5):
            own = {"mode": "train", "epoch": epoch, "iter": i * 50, "lr": 0.01}
            yield own | {"data_time": 0.2, "loss": 1 / (epoch * 4 + i) + 0.5}
        own = {"mode": "val", "epoch": epoch, "iter": batches(epoch), "lr": 0.01}
        yield own | {"bbox_mAP": 0.5 + epoch * 0.035}


def curve(ds, metric, split="all"):
    own = ds.curve.sel(split=split, metric=metric).squeeze()
    dim = own.dims[0]
    own = own.dropna(dim)
    return dict(zip(own[dim].values.tolist(), own.values.tolist(), strict=True))


@pytest.mark.parametrize(
    ("rows", "what"),
    [(mmengine, "means of the last iterations"), (mmcv, "means since the row before")],
)
def test_the_attr_says_what_the_loop_did_to_the_values(rows, what, tmp_path):
    write(tmp_path / "run", rows())
    assert what in load(tmp_path).attrs["values"]
    assert what in str(rc.scan(tmp_path).explain())


def test_medians_of_detectron_are_said():
    assert "medians of up to 20 iterations" in load(DETECTRON).attrs["values"]


def test_of_other_logs_nothing_is_said(tmp_path):
    write(
        tmp_path, [{"iteration": i, "loss": i / 7, "data_time": 0.1} for i in range(4)], "a.jsonl"
    )
    assert "values" not in load(tmp_path).attrs


def test_a_step_that_is_the_epoch_is_no_step(tmp_path):
    write(tmp_path / "run", mmengine())
    ds = load(tmp_path)
    assert curve(ds, "accuracy/top1") == {200: 53.5, 400: 57.0, 600: 60.5}
    assert len(curve(ds, "loss")) == 12
    problem = rc.problems(ds).iloc[0]
    assert (problem["kind"], problem["line"]) == ("missing_x", 5)
    assert problem["message"].startswith("'step' on 3 rows of validation: it is the epoch")


def test_a_step_that_is_the_iteration_stays_where_it_is(tmp_path):
    write(tmp_path / "run", mmengine(by_epoch=False))
    ds = load(tmp_path, x="step")
    assert curve(ds, "accuracy/top1") == {200: 53.5, 400: 57.0, 600: 60.5}
    assert "it is the epoch" not in str(rc.problems(ds).message)


def test_a_number_of_batches_is_no_iteration(tmp_path):
    write(tmp_path / "run", mmcv(), "20260101_000000.log.json")
    ds = load(tmp_path)
    train, val = curve(ds, "loss", "train"), curve(ds, "bbox_mAP", "val")
    assert [*val.values()] == pytest.approx([0.535, 0.57, 0.605])
    # Each stands at the end of its epoch, where it was measured.
    assert [*val] == [[*train][i] for i in (3, 7, 11)]
    assert "number of batches" in rc.problems(ds).message[0]


def test_iterations_of_validation_that_move_are_iterations(tmp_path):
    write(tmp_path / "run", mmcv(lambda epoch: 200 + epoch), "20260101_000000.log.json")
    assert "number of batches" not in str(rc.problems(load(tmp_path)).message)


def test_a_log_of_somebody_else_with_these_names_is_left_as_it_is(tmp_path):
    rows = [{"epoch": e, "iter": e * 10, "step": e * 100, "loss": 1 / (e + 2)} for e in range(4)]
    write(tmp_path, [*rows, {"step": 3, "final": 0.5}], "a.jsonl")
    ds = load(tmp_path, x="step")
    assert curve(ds, "final") == {3: 0.5}
