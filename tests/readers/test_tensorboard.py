"""TensorBoard event files: what was logged is what comes out, whichever library wrote it."""

import gzip
import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard_logs import (
    START,
    as_logged,
    curve,
    event,
    experiment,
    keras,
    kinds,
    load,
    masked,
    one_by_one,
    scalar,
    session_end,
    session_start,
    tensor,
    write_events,
    written,
)
from tensorboardX import SummaryWriter
from tensorboardX.proto.summary_pb2 import Summary

import runcube as rc
from runcube.core import DEFAULT_LIMITS, Limits
from runcube.readers.tensorboard import TensorBoardReader
from runcube.readers.tensorboard.framing import checksum, checksums
from runcube.readers.tensorboard.scalars import read_events

NAME = "events.out.tfevents.1700000000.host.1.0"


def test_every_value_and_hyperparameter_that_tensorboardx_logged_comes_out(tmp_path):
    rng = np.random.default_rng(0)
    truth = {}
    for lr in (0.1, 0.01):
        for seed in (0, 1):
            with SummaryWriter(str(tmp_path / f"run_{lr}_{seed}")) as writer:
                for tag in ("loss/train", "val/loss", "grad_norm"):
                    points = dict(enumerate(rng.normal(size=30)))
                    truth[lr, seed, tag] = as_logged(points)
                    for step, value in points.items():
                        writer.add_scalar(tag, value, step)
                writer.add_hparams({"lr": lr, "seed": seed, "opt": "adam", "bn": True}, {"m": 2.5})
    ds = load(tmp_path)
    assert ds.sizes["lr"] == ds.sizes["seed"] == 2
    assert ds.seed.dtype == np.int64
    assert json.loads(ds.attrs["constant_hparams"]) == {"opt": "adam", "bn": True}
    for (lr, seed, tag), points in truth.items():
        split, metric = {"grad_norm": ("all", tag)}.get(tag, (tag.strip("/los").strip(), "loss"))
        split = {"loss/train": "train", "val/loss": "val"}.get(tag, split)
        assert curve(ds, split, metric, lr=lr, seed=seed) == points
    assert (ds.curve.sel(split="all", metric="m", step=0) == 2.5).all()
    assert kinds(ds) == []


def test_the_time_of_each_step_is_an_axis_beside_it(tmp_path):
    write_events(tmp_path / "a" / NAME, [scalar("loss", 1.0, s, START + 2 * s) for s in range(5)])
    ds = load(tmp_path)
    assert ds.wall_time.values.ravel().tolist() == [START + 2 * s for s in range(5)]
    assert ds.train_time.item() == 8.0


def test_float32_is_said_in_attrs_and_by_explain(tmp_path):
    write_events(tmp_path / NAME, [scalar("loss", 0.1, 0)])
    ds = load(tmp_path)
    assert "float32" in ds.attrs["values"]
    assert ds.curve.values.ravel().tolist() == [0.10000000149011612]
    assert "float32" in rc.scan(tmp_path).explain()


def test_a_logged_nan_is_no_missing_point(tmp_path):
    written(tmp_path / "a", {"loss": {0: 1.0, 1: math.nan, 2: math.inf, 3: -math.inf}})
    ds = load(tmp_path)
    assert ds.logged.values.all()
    np.testing.assert_array_equal(ds.curve.values.ravel(), [1.0, np.nan, np.inf, -np.inf])


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"dtype": 1, "float_val": [0.1]}, float(np.float32(0.1))),
        ({"dtype": 1, "tensor_content": np.float32(0.1).tobytes()}, float(np.float32(0.1))),
        ({"dtype": 2, "double_val": [0.1]}, 0.1),
        ({"dtype": 2, "tensor_content": np.float64(0.1).tobytes()}, 0.1),
        ({"dtype": 3, "int_val": [-7]}, -7.0),
        ({"dtype": 9, "int64_val": [-(2**40)]}, -float(2**40)),
        ({"dtype": 9, "tensor_content": np.int64(-3).tobytes()}, -3.0),
        ({"dtype": 10, "bool_val": [True]}, 1.0),
        ({"dtype": 19, "half_val": [int(np.float16(1.5).view(np.uint16))]}, 1.5),
        ({"dtype": 14, "half_val": [0x3FC0]}, 1.5),
        ({"dtype": 14, "tensor_content": struct.pack("<H", 0x3FC0)}, 1.5),
        ({"dtype": 1}, 0.0),
    ],
    ids=str,
)
@pytest.mark.parametrize("plugin", ["scalars", ""])
@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("count", [1, 20])
def test_a_tensor_of_one_number_is_a_scalar(fields, value, plugin, shape, count, tmp_path):
    own = tensor("loss", plugin, shape, **fields)
    write_events(tmp_path / NAME, [event(step, own) for step in range(count)])
    assert curve(load(tmp_path), "all", "loss") == dict.fromkeys(range(count), value)


def test_several_values_of_one_summary_are_all_read(tmp_path):
    tags = ("loss", "val/loss", "acc")
    events = [
        event(s, *(Summary.Value(tag=t, simple_value=s + i) for i, t in enumerate(tags)))
        for s in range(40)
    ]
    write_events(tmp_path / NAME, events)
    ds = load(tmp_path)
    assert curve(ds, "val", "loss") == {s: s + 1.0 for s in range(40)}
    assert curve(ds, "all", "acc") == {s: s + 2.0 for s in range(40)}


def test_no_scalar_is_sampled_away(tmp_path):
    points = {step: step / 7 for step in range(12_000)}
    write_events(tmp_path / NAME, [scalar("loss", v, s) for s, v in points.items()])
    assert curve(load(tmp_path), "all", "loss") == as_logged(points)


def test_the_folders_of_keras_are_splits_of_one_run(tmp_path):
    for run, more in (("a", 0), ("b", 10)):
        for split, shift in (("train", 0), ("validation", 0.5)):
            path = tmp_path / run / split / f"events.out.tfevents.17.{run}{split}.v2"
            write_events(path, [keras("epoch_loss", s + shift + more, s) for s in range(4)])
    ds = load(tmp_path)
    assert sorted(ds.run_id.values.ravel()) == ["a", "b"]
    assert ds.split.values.tolist() == ["train", "validation"]
    assert ds.metric.values.tolist() == ["epoch_loss"]
    one = ds.curve.isel(config=0).sel(split="validation", metric="epoch_loss")
    assert one.values.ravel().tolist() == [0.5, 1.5, 2.5, 3.5]
    assert kinds(ds) == []


def test_a_folder_that_is_called_like_a_split_beside_other_runs_is_a_run(tmp_path):
    for more, run in enumerate(("test", "baseline")):
        write_events(tmp_path / run / NAME, [scalar("loss", s + more, s) for s in range(3)])
    ds = load(tmp_path)
    assert sorted(ds.run_id.values.ravel()) == ["baseline", "test"]
    assert ds.split.values.tolist() == ["all"]


def test_the_curves_of_add_scalars_are_of_the_run_above(tmp_path):
    with SummaryWriter(str(tmp_path / "x")) as writer:
        for step in range(5):
            writer.add_scalar("lr", 0.1, step)
            writer.add_scalars("loss", {"train": step, "val": 2 * step}, step)
            writer.add_scalars("data/group", {"a": step}, step)
    for step, (split, factor) in enumerate((("train", 1), ("val", 2))):
        # As PyTorch names the folder.
        path = tmp_path / "y" / f"a_loss_{split}" / f"events.out.tfevents.17.h.{step}"
        write_events(path, [scalar("a/loss", factor * s, s) for s in range(5)])
    write_events(tmp_path / "y" / NAME, [scalar("lr", 0.1, s) for s in range(5)])
    ds = load(tmp_path)
    x, y = (ds.isel(config=i) for i in np.argsort(ds.run_id.values.ravel()))
    assert curve(x, "train", "loss") == curve(y, "train", "a/loss")
    assert curve(x, "val", "loss") == curve(y, "val", "a/loss") == {s: 2.0 * s for s in range(5)}
    assert curve(x, "all", "group/a") == {s: float(s) for s in range(5)}
    assert kinds(ds) == []


def test_sessions_of_one_writer_that_differ_are_runs_of_their_own(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        for i in range(4):
            writer.add_hparams({"lr": 0.1 * i, "bsize": i}, {"acc": 10 * i}, name=f"trial{i}")
    ds = load(tmp_path)
    assert ds.sizes["lr"] == 4
    assert ds.curve.sel(metric="acc").values.ravel().tolist() == [0.0, 10.0, 20.0, 30.0]


def test_hyperparameters_that_are_logged_twice_are_of_the_run_above(tmp_path):
    with SummaryWriter(str(tmp_path / "a")) as writer:
        writer.add_scalar("loss", 1.0, 0)
        for name in ("begin", "end"):
            writer.add_hparams({"lr": 0.1}, {"acc": 1}, name=name)
    ds = load(tmp_path)
    assert ds.run_id.values.ravel().tolist() == ["a"]
    assert json.loads(ds.attrs["constant_hparams"]) == {"lr": 0.1}


def test_the_experiment_above_its_sessions_is_no_run(tmp_path):
    write_events(tmp_path / NAME, [experiment()])
    for i, status in enumerate((1, 2)):
        path = tmp_path / f"run{i}" / NAME
        points = [keras("loss", s, s) for s in range(3)]
        begin = session_start({"units": 16 + i}, START, START)
        write_events(path, [begin, *points, session_end(status, START + 9, START + 9)])
    ds = load(tmp_path)
    assert ds.units.values.tolist() == [16, 17]
    assert ds.status.values.ravel().tolist() == ["complete", "failed"]
    assert kinds(ds) == []


def test_the_end_that_add_hparams_writes_says_nothing_of_the_run(tmp_path):
    for run, steps in (("a", 10), ("b", 3)):
        head = [session_start({"lr": 0.1}), session_end(1)]
        path = tmp_path / run / NAME
        write_events(path, [*head, *(scalar("loss", s, s) for s in range(steps))])
    ds = load(tmp_path)
    assert sorted(ds.status.values.ravel()) == ["complete", "incomplete"]


def test_files_count_in_the_order_of_their_first_record_and_a_restart_is_an_attempt(tmp_path):
    first = [scalar("loss", 1.0, s, START + s) for s in range(5)]
    second = [scalar("loss", 2.0, s, START + 100 + s) for s in range(8)]
    write_events(tmp_path / "a" / "events.out.tfevents.2.h", first, START)
    write_events(tmp_path / "a" / "events.out.tfevents.1.h", second, START + 100)
    ds = load(tmp_path)
    assert curve(ds, "all", "loss") == dict.fromkeys(range(8), 2.0)
    assert kinds(ds) == ["duplicate_run"]
    assert "tfevents.2.h" in rc.problems(ds).message[0]


def test_a_resume_replaces_what_came_after_it_in_all_splits(tmp_path):
    def part(name, low, high, value, begin):
        for split in ("train", "validation"):
            events = [keras("loss", value, s, begin + s) for s in range(low, high)]
            write_events(tmp_path / "a" / split / f"{name}.tfevents.1", events, begin)

    part("x", 0, 8, 1.0, START)
    part("w", 5, 10, 2.0, START + 1000)
    ds = load(tmp_path)
    wanted = {s: 1.0 if s < 5 else 2.0 for s in range(10)}
    assert curve(ds, "train", "loss") == curve(ds, "validation", "loss") == wanted
    assert set(kinds(ds)) == {"superseded_rows"}


def test_a_resume_within_files_written_side_by_side_loses_nothing_of_what_follows(tmp_path):
    train = [(s, START + s) for s in range(100)] + [(s, START + 60 + s) for s in range(50, 150)]
    val = [(0, START), (40, START + 40), (80, START + 140), (120, START + 180)]
    for split, points in (("train", train), ("val", val)):
        path = tmp_path / "a" / split / NAME
        write_events(path, [keras("loss", w - START, s, w) for s, w in points])
    ds = load(tmp_path)
    assert curve(ds, "val", "loss") == {s: w - START for s, w in val}
    assert curve(ds, "train", "loss") == {s: float(s if s < 50 else s + 60) for s in range(150)}


def test_tags_that_count_in_different_units_are_no_resumes(tmp_path):
    events = []
    for epoch in range(5):
        steps = range(epoch * 10, epoch * 10 + 10)
        events += [scalar("train/loss", s, s, START + s) for s in steps]
        events.append(scalar("val/loss", epoch, epoch, START + epoch * 10 + 9.5))
    write_events(tmp_path / NAME, events)
    ds = load(tmp_path)
    assert curve(ds, "train", "loss") == {s: float(s) for s in range(50)}
    assert curve(ds, "val", "loss") == {s: float(s) for s in range(5)}
    assert kinds(ds) == []


def test_tags_called_like_the_step_and_the_time_are_metrics(tmp_path):
    tags = ("step", "wall_time", "train/step")
    events = [scalar(t, s + 0.5, s) for s in range(20) for t in tags]
    write_events(tmp_path / NAME, events)
    ds = load(tmp_path)
    wanted = {s: s + 0.5 for s in range(20)}
    assert curve(ds, "all", "step") == curve(ds, "all", "wall_time") == wanted
    assert curve(ds, "train", "step") == wanted
    assert ds.step.values.tolist() == [*range(20)]


def test_what_is_no_scalar_is_skipped_and_named_once_for_each_file(tmp_path):
    picture = Summary.Value(tag="img", image={"height": 9, "encoded_image_string": bytes(300_000)})
    many = tensor("w", "histograms", (10, 3), dtype=2, double_val=range(30))
    events = [event(s, picture) for s in range(3)] + [event(s, many) for s in range(20)]
    write_events(tmp_path / NAME, [*events, scalar("loss", 1.0, 0)])
    ds = load(tmp_path)
    (problem,) = rc.problems(ds).itertuples()
    assert (problem.kind, problem.line) == ("left_out", 2)
    assert problem.message.startswith("3 images, 20 histograms: ")
    assert curve(ds, "all", "loss") == {0: 1.0}


def test_texts_are_messages(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", 1.0, 0)
        writer.add_text("note", "good \u2603", 0)
    assert load(tmp_path, messages=True).messages.item() == "note: good \u2603"


def test_a_table_of_parameters_is_the_configuration(tmp_path):
    for seed in (1, 2):
        settings = {"learning_rate": 2.5e-4, "seed": seed, "torch": True, "env": "Pong|v5"}
        table = "|param|value|\n|-|-|\n" + "\n".join(f"|{k}|{v}|" for k, v in settings.items())
        with SummaryWriter(str(tmp_path / f"Pong__{seed}")) as writer:
            writer.add_text("hyperparameters", table)
            writer.add_scalar("charts/episodic_return", seed, 0)
    ds = load(tmp_path)
    assert ds.seed.values.tolist() == [1, 2]
    found = json.loads(ds.attrs["constant_hparams"])
    assert found == {"learning_rate": 2.5e-4, "torch": True, "env": "Pong|v5"}


def test_a_file_beside_the_events_keeps_its_types_and_what_differs_is_named(tmp_path):
    text = "model:\n  width: 8\n  act: null\nlr: 0.1\nsteps: 5.0\ncuda: true\n"
    (tmp_path / "hparams.yaml").write_text(text)
    said = {"model/width": 8, "model/act": "None", "lr": 0.2, "steps": 5, "more": True}
    said["cuda"] = 1  # as PyTorch writes true
    write_events(tmp_path / NAME, [session_start(said), session_end(1), scalar("loss", 1.0, 0)])
    ds = load(tmp_path)
    found = json.loads(ds.attrs["constant_hparams"])
    assert found["model.width"] == 8
    assert found["model.act"] is None
    assert found["lr"] == 0.2
    assert found["more"] is True
    assert found["cuda"] is True
    assert kinds(ds) == ["config_conflict"]


def test_a_run_is_called_as_its_folder(tmp_path):
    write_events(tmp_path / "logs" / "ppo" / "PPO_1" / NAME, [scalar("loss", 1.0, 0)])
    assert load(tmp_path).run_id.item() == "logs/ppo/PPO_1"


def test_the_root_itself_may_be_a_run_and_files_may_be_packed(tmp_path):
    write_events(tmp_path / NAME, [scalar("loss", s, s) for s in range(3)])
    packed = gzip.compress((tmp_path / NAME).read_bytes())
    (tmp_path / NAME).unlink()
    (tmp_path / f"{NAME}.gz").write_bytes(packed)
    ds = load(tmp_path)
    assert ds.path.item() == "."
    assert curve(ds, "all", "loss") == {0: 0.0, 1: 1.0, 2: 2.0}


def test_binary_bytes_that_look_packed_are_left_as_they_are(tmp_path):
    inside = gzip.compress(b"x" * 1000)
    picture = Summary.Value(tag="img", image={"encoded_image_string": inside})
    write_events(tmp_path / NAME, [event(0, picture), scalar("loss", 1.0, 0)])
    ds = load(tmp_path)
    assert curve(ds, "all", "loss") == {0: 1.0}
    assert kinds(ds) == ["left_out"]


def test_tags_beyond_the_limit_are_named(tmp_path):
    write_events(tmp_path / NAME, [scalar(f"t{i:03}", i, 0) for i in range(40)])
    ds = load(tmp_path, reader=TensorBoardReader(limits=Limits(columns=10)))
    assert ds.metric.values.tolist() == [f"t{i:03}" for i in range(10)]
    assert kinds(ds) == ["limit"]
    assert "30 values" in rc.problems(ds).message[0]


@given(st.binary(max_size=70))
def test_the_checksum_is_that_of_tensorboardx(data):
    assert checksum(data) == masked(data)
    rows = np.frombuffer(data * 3, np.uint8).reshape(3, -1)
    assert checksums(rows).tolist() == [masked(data)] * 3


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["loss", "acc/val", "a", "b", "\u00e9t\u00e9"]),
            st.floats(width=32),
            st.one_of(st.integers(0, 300), st.integers(-(2**63), 2**63 - 1)),
            st.integers(1, 12),
        ),
        max_size=12,
    )
)
def test_both_roads_find_what_was_written(tmp_path_factory, drawn):
    rows = [(t, v, s) for t, v, s, count in drawn for _ in range(count)]
    path = tmp_path_factory.mktemp("events") / NAME
    write_events(path, [scalar(t, v, s, START) for t, v, s in rows])
    data = path.read_bytes()
    for found in (read_events(data, NAME, DEFAULT_LIMITS), one_by_one(data, NAME)):
        assert [found.tags[code] for code in found.codes] == [t for t, _, _ in rows]
        np.testing.assert_array_equal(found.values, [v for _, v, _ in rows])
        assert found.steps.tolist() == [s for _, _, s in rows]
        assert found.numbers.tolist() == [*range(2, len(rows) + 2)]
        assert found.problems == []
