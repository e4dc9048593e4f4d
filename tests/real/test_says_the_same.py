"""The arguments that explain() prints give the very cube that was found without them."""

import json
import warnings
from pathlib import Path

import pytest
import xarray as xr
from hostile_jsonl import sweeps, write, write_lines
from hypothesis import given, settings

import runcube as rc
from runcube.plan.reading import count_readings
from runcube.readers import Limits

DATA = Path(__file__).parents[1] / "data"
SETS = sorted(
    folder
    for folder in (*DATA.iterdir(), *(f for d in DATA.iterdir() if d.is_dir() for f in d.iterdir()))
    if folder.is_dir()
)


def load(root, reader="auto"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, reader=reader, messages=True)


def printed(root, reader="auto"):
    """The arguments that say the same, None where none do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        sweep = rc.scan(root, reader=reader)
    ((_, text),) = count_readings(sweep.headers).get("says the same", [(0, None)])
    return text


def assert_says_the_same(root, reader="auto"):
    text = printed(root, reader)
    if text is None:
        return None
    said = eval(text, {"CsvReader": rc.CsvReader, "JsonlReader": rc.JsonlReader, "Limits": Limits})
    one, other = load(root, reader), load(root, said)
    for ds in (one, other):
        for name in ("created", "command", "policies"):
            ds.attrs.pop(name)
    xr.testing.assert_identical(one, other)
    return text


@pytest.mark.parametrize("root", SETS, ids=lambda root: root.name)
def test_of_real_sets(root):
    assert_says_the_same(root)


SAID = {
    "muon-norm-cap/lmc_instability": "JsonlReader(header='_meta', x='spawn_step')",
    "muon-norm-cap/mech": "JsonlReader(header='_meta', x='step')",
    "reported-logs/clocks_and_nulls": "JsonlReader()",
    "raytune-rllib": None,
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_printed(name):
    assert printed(DATA / name) == SAID[name]


@settings(print_blob=True)
@given(logs=sweeps())
def test_of_hostile_sweeps(tmp_path_factory, logs):
    root = tmp_path_factory.mktemp("sweep")
    write(root, logs)
    try:
        load(root)
    except rc.NoRunsError:
        return
    assert_says_the_same(root)


ROWS = [{"step": i, "loss": 1 / (i + 1)} for i in range(4)]


def headed(header, rows=ROWS):
    return [{"config": header}, *rows]


LAYOUTS = {
    "a file for each split": {
        f"s{seed}/{split}.jsonl": headed({"seed": seed})
        for seed in (0, 1)
        for split in ("train", "val")
    },
    "a file beside": {"s0/log.jsonl": headed({"lr": 0.5}), "s0/config.json": [{"w": 1}]},
    "a file above": {"s0/log.jsonl": ROWS, "s1/log.jsonl": ROWS[:2], "config.json": [{"w": 1}]},
    "a flat header": {f"s{seed}.jsonl": [{"lr": 0.5, "seed": seed}, *ROWS] for seed in (0, 1)},
    "two objects": {"s0.jsonl": [{"args": {"lr": 0.5}, "hparams": {"w": 2}}, *ROWS]},
    "an object of its own name": {"s0.jsonl": [{"hp": {"lr": 0.5}, "env": {"w": 2}}, *ROWS]},
    "a column that never moves": {"s0.jsonl": headed({"lr": 1}, [{"w": "a"} | r for r in ROWS])},
    "several axes": {"s0.jsonl": [{"epoch": i // 2} | row for i, row in enumerate(ROWS)]},
    "logs of other axes": {
        "s0.jsonl": headed({"seed": 0}),
        "s1.jsonl": headed({"seed": 1}, [{"epoch": r["step"], "loss": 0.5} for r in ROWS]),
    },
    "nothing but x moves": {"s0.jsonl": headed({}, [{"task": i, "loss": 0.5} for i in range(3)])},
    "a run that does not show x": {
        "s0.jsonl": [
            {"loss": 0.0},
            {},
            *[
                {"run_id": run, "config": {}} if i < 0 else {"run_id": run, "split": "train"} | row
                for run, count in (("a", 4), ("b", 2))
                for i in range(-1, count)
                for row in [{"task": i, "loss": float(i == count - 1) / 2}]
            ],
        ]
    },
    "one record with a clock before x": {
        f"s{seed}.jsonl": [{"loss": 0.0, "acc": 0.0, "time": seed / 2, "epoch": 0}]
        for seed in (0, 1)
    },
    "a header that makes a log": {
        f"s{seed}/log.jsonl": [
            *[{"acc": "a"}] * seed,
            {"_meta": {"loss": 0.0}},
            {"task": 0, "loss": 0.0},
            {"_summary": {"loss": 0.0, "final": 0.5, "elapsed_sec": 3.25}},
        ]
        for seed in (0, 1)
    },
    "records that lack x and have a clock": {
        "s0.jsonl": headed({"seed": 0}, [{"time": 0.5, "loss": 1.0}])
        + [{"time": 0.75, "step": i // 2, "loss": 0.5} for i in range(4)]
    },
    "an empty log": {"s0/log.jsonl": headed({"seed": 0}), "s1/log.jsonl": []},
    "what is no log beside": {
        "s0.jsonl": headed({"seed": 0}),
        "rows.jsonl": [{"run_id": run, "step": 9, "acc": 1.0} for run in "ab"],
        "samples.jsonl": [{"step": i, "text": f"a text {i}"} for i in range(4)],
        "summary.json": [{"step": 9, "loss": 0.5}],
    },
    "runs of a column": {
        "a.jsonl": [
            {"run_id": run, "split": split} | row
            for run in "ab"
            for split in ("train", "val")
            for row in ROWS
        ],
        "b.jsonl": [{"run_id": run, "acc": 1.0} for run in "cd"],
    },
    "a log of the native layout": {
        "a/log.jsonl": [{"config": {"seed": 0}}, *ROWS],
        "b/log.jsonl": [
            {"type": "dict_config", "value": {"seed": 1}},
            {"title": "agg_val", "data_name": "val", "agg_stats": {"loss": 0.5}},
        ],
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_of_layouts(tmp_path, layout):
    for name, records in LAYOUTS[layout].items():
        write_lines(tmp_path / name, records)
    assert_says_the_same(tmp_path)


def test_arguments_that_were_given_are_among_them(tmp_path):
    for seed in (0, 1):
        rows = [row | {"val_acc": seed / 7, "bucket": "b"} for row in ROWS]
        write_lines(tmp_path / f"s{seed}.jsonl", [{"hp": {"seed": seed}}, *rows])
    reader = rc.JsonlReader(config="hp", metrics=["loss"], limits=Limits(depth=9))
    text = assert_says_the_same(tmp_path, reader)
    assert text.startswith("JsonlReader(config='hp', metrics=('loss',), limits=Limits(")
    assert text.endswith("), x='step')")


def test_where_another_reader_read_a_log_no_argument_says_the_same(tmp_path):
    for name, records in LAYOUTS["a log of the native layout"].items():
        write_lines(tmp_path / name, records)
    assert printed(tmp_path) is None
    assert "says the same" not in json.dumps(rc.scan(tmp_path).explain())
