"""Every leaf of every record is in the cube, the configuration or the messages, or it is named."""

import json
from pathlib import Path

import pytest
from conservation import cells, curves, load, lost
from hostile_jsonl import Log, hostile_values, sweeps, write, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

TESTS = Path(__file__).parents[1]
REPORTED = sorted(p for p in (TESTS / "data" / "reported-logs").iterdir() if p.is_dir())
MUON = sorted(p for p in (TESTS / "data" / "muon-norm-cap").iterdir() if p.is_dir())
OTHERS = [TESTS / "data" / n for n in ("detectron2-smn", "raytune-rllib", "overfit-init-transfer")]
OTHERS.append(TESTS.parent / "examples" / "logs")
TABLES = sorted(p for p in (TESTS / "data" / "csv-loggers").iterdir() if p.is_dir())
TABLES += sorted(p for p in (TESTS / "data" / "neurons-csvlogger").iterdir() if p.is_dir())


@pytest.mark.parametrize("root", [*MUON, *REPORTED, *OTHERS, *TABLES], ids=lambda root: root.name)
def test_nothing_of_a_real_set_is_lost(root):
    assert lost(root, load(root)) == []


@pytest.mark.parametrize(
    "text",
    [
        "epoch;train_loss;lr\n0;0,5;0,1\n1;0,25;0,1\n",
        "epoch, train_loss , note\n0, 0.5, fine\n1, nan, bad\n\n2, NA, fine\n",
        'epoch,train_loss,"a, b"\n0,0.5,"x\ny"\n1,0.25,z\n',
        "epoch,loss\n0,0.5\n1,0.25\nepoch,loss\n0,1.5\n1,1.25\n2,1.0\n",
        "epoch,loss\n0,0.5\n1,0.25,7\n2,0.125\n3,0.1",
        '#{"env_id": "a"}\nepoch,loss\n0,0.5\n1,0.25\n',
    ],
    ids="decimal padded quoted again uneven comment".split(),
)
def test_nothing_of_a_table_is_lost_and_the_oracle_sees_what_is(text, tmp_path):
    for number in (1, 2):
        (tmp_path / f"lr={number}").mkdir()
        own = text.replace("0.25", f"0.25{number}")
        (tmp_path / f"lr={number}" / "log.csv").write_text(own)
    ds = load(tmp_path)
    assert lost(tmp_path, ds) == []
    if text.count("epoch") == 1:  # rows of another attempt are named by their metric and count
        assert lost(tmp_path, ds.assign(curve=ds.curve + 1)) != []
        assert lost(tmp_path, ds.assign(logged=ds.logged & (ds.epoch != 0))) != []


@pytest.mark.parametrize(
    "harm",
    [
        lambda ds: ds.assign(logged=ds.logged & (ds.epoch != 1)),
        lambda ds: ds.assign(curve=ds.curve + 1),
        lambda ds: ds.assign_coords(metric=["acc"]),
        lambda ds: ds.assign_coords(split=["val"]),
        lambda ds: ds.assign_coords(epoch=[5, 6, 7]),
        lambda ds: ds.assign_coords(lr=ds.lr * 2),
        lambda ds: ds.assign_coords(messages=ds.messages.astype("U1")),
        lambda ds: ds.assign_coords(path=(ds.path.dims, ds.path.values[::-1])),
    ],
    ids="point value metric split x label message run".split(),
)
def test_the_oracle_sees_what_is_missing(tmp_path, harm):
    for i in (1, 2):
        rows = [{"epoch": e, "train_loss": i + e / 7} for e in range(3)]
        config = {"config": {"lr": i / 10, "seed": 0}}
        write_lines(tmp_path / f"{i}.jsonl", [config, *rows, {"epoch": 2, "say": f"good bye {i}"}])
    ds = load(tmp_path, layout="configs")
    whole = lost(tmp_path, ds)
    assert len(lost(tmp_path, harm(ds))) > len(whole)


# Sweeps that nobody would write, and that somebody does.


def missing(root, logs):
    """What is lost of some logs beside a plain one, and logs with a rising x that are not read."""
    x = logs[0].x or "epoch"
    rows = [{x: e, "train_loss": e / 7, "val_acc": e / 3} for e in range(3)]
    write_lines(root / "plain.jsonl", [{"config": {"lr": 0.125, "seed": 11}}, *rows])
    write(root, logs)
    ds = load(root)
    named = {p["path"] for p in json.loads(ds.attrs["skipped"]) if p["kind"] == "not_a_log"}
    rising = {log.path for log in logs if sum(log.x in r for r in log.records) > 2}
    return [*lost(root, ds), *sorted(named & rising)]


# The same examples each time: the oracle ticks equal values off one by one, and of other examples
# it takes about one in five hundred for a loss that is none.
@settings(print_blob=True, derandomize=True)
@given(logs=sweeps())
def test_nothing_of_a_hostile_sweep_is_lost(tmp_path_factory, logs):
    assert missing(tmp_path_factory.mktemp("sweep"), logs) == []


@settings(print_blob=True, derandomize=True)
@given(held=st.dictionaries(st.sampled_from(["lr", "top", "acc", "opt", "note"]), hostile_values))
def test_nothing_of_an_object_behind_the_rows_is_lost(tmp_path_factory, held):
    rows = [{"epoch": e, "loss": e / 11} for e in range(4)]
    log = Log("r0/log.jsonl", (*rows, {"unheard": held}), x="epoch")
    assert missing(tmp_path_factory.mktemp("sweep"), (log,)) == []


SMALL = {
    "two columns that become one": [{"epoch": 0, "loss": 0.5, "val/loss": 1.0, "val_loss": 2.0}],
    "a key without a name": [{"epoch": e, "loss": 0.5, "": 1.0 + e} for e in (0, 1)],
    "a key that is blank": [{"epoch": e, "loss": 0.5, " ": 1.0 + e} for e in (0, 1)],
    "lists of two lengths": [{"epoch": e, "loss": 0.5, "n": [1.0 + e] * (e + 1)} for e in (0, 1)],
    "rows behind the last x": [{"epoch": 0, "loss": 0.5}, {"loss": 1.5}, {"loss": 2.5}],
    "a row before the first x": [
        {"loss": 0.5},
        {"epoch": 0, "loss": 1.5},
        {"epoch": 1, "loss": 2.0},
    ],
    "no x": [{"loss": 0.5}, {"loss": 1.5}, {"loss": 0.25}],
    "an event": [
        {"epoch": 0, "loss": 0.5},
        {"event": "resumed", "at": 7},
        {"epoch": 1, "loss": 1.0},
    ],
    "a type that changes": [{"epoch": e, "loss": 0.5, "n": [1, "a", None][e]} for e in (0, 1, 2)],
    "a number that becomes an object": [{"epoch": 0, "n": 1.5}, {"epoch": 1, "n": {"a": 2.5}}],
    "a number too large": [{"epoch": e, "loss": 0.5, "n": 10**400 + e} for e in (0, 1)],
    "numbers as text": [{"epoch": e, "loss": f"{e}.500", "n": ["NaN", "inf"][e]} for e in (0, 1)],
    "a text on every row": [{"epoch": e, "loss": 0.5 + e, "at": f"0:0{e}"} for e in range(3)],
    "a truth that moves": [{"epoch": e, "loss": 0.5 + e, "ok": e == 1} for e in range(3)],
    "a column called metric": [{"epoch": e, "loss": 0.5, "metric": e / 3} for e in range(3)],
    "a column called split": [{"epoch": e, "loss": 0.5, "split": e / 3} for e in range(3)],
    "two objects of configuration": [
        {"args": {"lr": 0.125}, "hparams": {"wd": 0.25}, "epoch": e, "loss": 0.5 + e}
        for e in (0, 1)
    ],
    "a configuration that changes": [{"a": {"lr": e / 7}, "epoch": e, "loss": 1.0} for e in (0, 1)],
    "an x that repeats": [{"epoch": 0, "loss": 0.5}, {"epoch": 0, "loss": 1.5}],
    "a second attempt": [{"epoch": e, "loss": n + e / 7} for n in (1, 2) for e in (0, 1, 2)],
    "a resume": [{"epoch": e, "loss": i / 7} for i, e in enumerate((0, 1, 2, 3, 2, 3, 4))],
}


@pytest.mark.parametrize("records", SMALL.values(), ids=SMALL)
def test_nothing_of_a_small_log_is_lost(tmp_path, records):
    write_lines(tmp_path / "log.jsonl", records)
    assert lost(tmp_path, load(tmp_path)) == []


def test_logs_of_different_axes_keep_all_their_values(tmp_path):
    for i, x in enumerate(("epoch", "step", "task")):
        rows = [{x: 10 * n, "loss": i + n / 7} for n in range(3)]
        write_lines(tmp_path / f"{i}.jsonl", [{"config": {"lr": 0.125 * i}}, *rows])
    ds = load(tmp_path)
    found = {
        c.path.item(): sorted(v for x in curves(c).values() for v in x.values()) for c in cells(ds)
    }
    assert found == {f"{i}.jsonl": [i + n / 7 for n in range(3)] for i in range(3)}
    assert lost(tmp_path, ds) == []


@settings(print_blob=True)
@given(logs=sweeps())
def test_a_hostile_log_changes_no_run_of_a_plain_one(tmp_path_factory, logs):
    root = tmp_path_factory.mktemp("sweep")
    rows = [{"epoch": e, "train_loss": e / 7, "val_acc": e / 3} for e in range(3)]
    write_lines(root / "plain.jsonl", [{"config": {"lr": 0.125, "seed": 11}}, *rows])
    alone = _plain_run(load(root, **PINNED))
    assert sum(map(len, alone.values())) == 6
    write(root, logs)
    after = _plain_run(load(root, **PINNED))
    # Its curves may get other names, and further ones beside them.
    assert [curve for curve in alone.values() if curve not in after.values()] == []


PINNED = {"x": "epoch", "align": "union", "layout": "configs"}


def _plain_run(ds):
    (cell,) = (c for c in cells(ds) if c.path.item() == "plain.jsonl")
    return curves(cell)
