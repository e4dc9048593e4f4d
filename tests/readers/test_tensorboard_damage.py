"""Damaged, cut and empty event files: each costs what is damaged, is named, and nothing else."""

import random
import struct

import numpy as np
import pytest
from tensorboard_logs import (
    START,
    as_logged,
    curve,
    event,
    kinds,
    load,
    one_by_one,
    scalar,
    session_start,
    tensor,
    write_events,
)

import runcube as rc
from runcube.core import DEFAULT_LIMITS
from runcube.readers.tensorboard import TensorBoardReader
from runcube.readers.tensorboard.scalars import read_events

NAME = "events.out.tfevents.1700000000.host.1.0"
POINTS = {step: step / 7 for step in range(50)}


@pytest.fixture
def log(tmp_path):
    """The path of an event file, and where its records begin."""
    path = tmp_path / "a" / NAME
    starts = write_events(path, [scalar("loss", value, step) for step, value in POINTS.items()])
    return path, starts


def damage(path, at, data):
    whole = bytearray(path.read_bytes())
    whole[at : at + len(data)] = data
    path.write_bytes(whole)


@pytest.mark.parametrize("left", [1, 8, 11, 12, 13, 30, -1])
def test_a_cut_last_record_costs_itself(log, left):
    path, starts = log
    whole = path.read_bytes()
    path.write_bytes(whole[: starts[-1] + left] if left > 0 else whole[:left])
    ds = load(path.parent)
    wanted = as_logged(POINTS)
    wanted.popitem()
    assert curve(ds, "all", "loss") == wanted
    assert kinds(ds) == ["truncated_tail"]
    assert rc.problems(ds).line.item() == 51


def test_a_tail_of_zeros_is_the_end(log):
    path, _ = log
    path.write_bytes(path.read_bytes() + bytes(10_000))
    ds = load(path.parent)
    assert curve(ds, "all", "loss") == as_logged(POINTS)
    assert kinds(ds) == ["truncated_tail"]


@pytest.mark.parametrize("at", [0, 7, 8, 11, 12, 20, 30, 33])
@pytest.mark.parametrize("record", [0, 20, 48])
def test_a_damaged_record_costs_itself_wherever_it_is_damaged(log, at, record):
    path, starts = log
    damage(path, starts[record] + at, b"\xa5")
    ds = load(path.parent)
    wanted = as_logged(POINTS)
    del wanted[record]
    assert curve(ds, "all", "loss") == wanted
    assert kinds(ds) == ["bad_line"]
    assert rc.problems(ds).line.item() == record + 2


def test_a_length_that_leads_beyond_the_end_costs_its_record(log):
    path, starts = log
    damage(path, starts[9], struct.pack("<Q", 1 << 40))
    ds = load(path.parent)
    assert curve(ds, "all", "loss") == {s: v for s, v in as_logged(POINTS).items() if s != 9}


def test_damaged_bytes_at_the_very_beginning_cost_no_value(log):
    path, _ = log
    damage(path, 0, b"\xff" * 12)
    assert curve(load(path.parent), "all", "loss") == as_logged(POINTS)


def test_an_empty_file_is_a_run_that_logged_nothing(log):
    path, _ = log
    (path.parents[1] / "b").mkdir()
    (path.parents[1] / "b" / NAME).write_bytes(b"")
    for run, lr in (("a", 0.1), ("b", 0.2)):
        (path.parents[1] / run / "hparams.yaml").write_text(f"lr: {lr}\n")
    ds = load(path.parents[1])
    assert ds.status.sel(lr=[0.1, 0.2]).values.ravel().tolist() == ["complete", "failed"]
    assert kinds(ds) == ["empty"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "lfs_pointer"),
        (b"hello, this is no event file at all", "not_a_log"),
    ],
)
def test_what_is_only_called_like_an_event_file_is_named(log, data, kind):
    path, _ = log
    path.with_name("events.out.tfevents.2.host").write_bytes(data)
    ds = load(path.parent)
    assert curve(ds, "all", "loss") == as_logged(POINTS)
    assert kinds(ds) == [kind]


@pytest.mark.parametrize("data", [b"", bytes(50), b"\x18" + bytes(11)], ids=len)
def test_a_run_without_a_whole_record_is_named_with_the_rest(log, data):
    path, _ = log
    (path.parents[1] / "b").mkdir()
    (path.parents[1] / "b" / NAME).write_bytes(data)
    ds = load(path.parents[1])
    assert "b" in "".join(rc.problems(ds).path)
    assert curve(ds.where(ds.run_id == "a", drop=True), "all", "loss") == as_logged(POINTS)


def test_hyperparameters_nested_without_end_cost_their_record(tmp_path):
    def field(number, data):
        size, length = len(data), b""
        while size > 0x7F:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + data

    value = b""
    for _ in range(3000):
        value = field(6, field(1, value))
    entry = field(1, b"a") + field(2, value)
    own = session_start({})
    own.summary.value[0].metadata.plugin_data.content = field(3, field(1, entry))
    write_events(tmp_path / NAME, [own, scalar("loss", 1.0, 0)])
    ds = load(tmp_path)
    assert curve(ds, "all", "loss") == {0: 1.0}
    assert kinds(ds) == ["bad_line"]


def mixed_events():
    rng = np.random.default_rng(1)
    events = [session_start({"lr": 0.1, "name": "a", "bn": True})]
    for step in range(30):
        events.append(scalar("loss/train", rng.normal(), step))
        events.append(scalar("loss/val", rng.normal(), step))
        own = tensor("acc", dtype=1, float_val=[rng.random()])
        events.append(event(step, own, wall=START + step))
    events.append(event(0, tensor("note", "text", (1,), dtype=7, string_val=[b"hello"])))
    return events


def logged(found):
    values = found.values.tolist()
    return {
        (found.tags[code], step, value)
        for code, step, value in zip(found.codes, found.steps.tolist(), values, strict=True)
    }


def mutated(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 3, 20])):
        at = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + rng.randrange(1, 40)] = rng.randbytes(rng.randrange(40))
        elif kind == 2:
            del data[at : at + rng.randrange(1, 200)]
        elif kind == 3:
            data[at:at] = data[rng.randrange(len(data)) :][: rng.randrange(200)]
        else:
            data[at : at + 8] = struct.pack("<Q", rng.randrange(1 << rng.randrange(1, 64)))
        if not data:
            return b""
    return bytes(data)


@pytest.mark.parametrize("seed", range(300))
def test_no_mutation_raises_or_makes_up_a_value(seed, tmp_path):
    path = tmp_path / NAME
    write_events(path, mixed_events())
    whole = path.read_bytes()
    truth = logged(read_events(whole, NAME, DEFAULT_LIMITS))
    data = mutated(whole, random.Random(seed))
    found = read_events(data, NAME, DEFAULT_LIMITS)
    slow = one_by_one(data, NAME)
    assert logged(found) == logged(slow)
    assert logged(found) <= truth
    lost = len(found.values) < len(truth) or not found.sessions or not found.texts
    assert found.problems or not lost or not data
    assert found.problems == slow.problems


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_run_changes_no_other(seed, tmp_path):
    for run in "ab":
        write_events(tmp_path / run / NAME, mixed_events())
    (tmp_path / "b" / "more.tfevents.2").write_bytes((tmp_path / "b" / NAME).read_bytes()[:500])
    before = load(tmp_path / "b")
    path = tmp_path / "a" / NAME
    path.write_bytes(mutated(path.read_bytes(), random.Random(seed)))
    ds = load(tmp_path, reader=TensorBoardReader())
    own = ds.where(ds.run_id == "b", drop=True)
    for split in before.split.values:
        for metric in before.metric.values:
            assert curve(own, split, metric) == curve(before, split, metric)
