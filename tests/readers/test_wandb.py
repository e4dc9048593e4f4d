"""W&B's own files: what was logged is what comes out, whole, cut, resumed and damaged."""

import gzip
import json
import math
import random
import shutil
import struct
import warnings
from pathlib import Path

import fsspec
import numpy as np
import pytest
import wandb_files as made

import runcube as rc
from runcube.core.model import Request, Status
from runcube.files.tree import Tree, list_files
from runcube.readers import WandbReader
from runcube.readers.leveldb_log import read_framed
from runcube.readers.wandb.records import RunRecords

DATA = Path(__file__).parents[1] / "data" / "wandb"
LOGS = DATA / "wandb"
TRUTH = json.loads((DATA / "truth.json").read_text())
REFERENCE = json.loads((DATA / "reference.json").read_text())
# Rows of the run that was killed that are in its file, as ``reference.json`` has them.
KILLED_AT = 84


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def load(root, **options):
    return quietly(rc.load_runs, root, **({"layout": "configs", "parallel": False} | options))


def runs_of(root):
    """The runs that the reader finds under a root, read with messages."""
    reader = WandbReader()
    found = []
    for source in reader.find(Tree(list_files(root))):
        own = reader.read(source, Request(messages=True))
        assert [run.header for run in own] == list(reader.headers(source))
        found += own
    return found


def one(root):
    (found,) = runs_of(root)
    return found


def points(run):
    """Values of a run by (split/metric, x of its rows in file order)."""
    found = {}
    for curves in run.curves:
        steps = curves.x["_step"].tolist()
        for name, row, there in zip(curves.metrics, curves.values, curves.logged, strict=True):
            key = name if curves.split == "all" else f"{curves.split}/{name}"
            found[key] = [(s, v) for s, v, t in zip(steps, row.tolist(), there, strict=True) if t]
    return found


def kinds(run):
    return [problem.kind for problem in run.problems]


@pytest.fixture(scope="module")
def ds():
    return load(LOGS, messages=True, layout="configs").stack(run=("config", "seed"))


def of_run(ds, run_id):
    return ds.isel(run=[path.endswith(f"run-{run_id}.wandb") for path in ds.path.values]).squeeze(
        "run"
    )


def wanted(run_id):
    """What the script logged, call by call: the last value of each key and step counts."""
    calls = TRUTH[run_id]["calls"]
    if run_id == "killed":
        calls = calls[:KILLED_AT]
    found = {}
    for call in calls:
        found |= {(key, call["step"]): value for key, value in call["values"].items()}
    return found


@pytest.mark.parametrize("run_id", TRUTH)
def test_every_value_that_was_logged_is_in_the_cube_and_no_other(ds, run_id):
    run = of_run(ds, run_id)
    expected = {}
    for (key, step), value in wanted(run_id).items():
        if key == "epoch":
            assert run.epoch.sel(_step=step) == value
        else:
            expected[key, step] = float(value)
    got = {}
    for split in ds.split.values:
        for metric in ds.metric.values:
            curve = run.sel(split=split, metric=metric)
            key = metric if split == "all" else f"{split}/{metric}"
            for step in ds._step.values[curve.logged.values]:
                got[key, int(step)] = float(curve.curve.sel(_step=step))
    extra = got.keys() - expected.keys()
    # What the script gave to others than ``log``, or is no single number.
    beside = {"a/b", "a/c/d", "pair/0", "pair/1", "best/acc", "val/acc/max", "summary/train/loss"}
    assert {key for key, _ in extra} <= beside
    np.testing.assert_array_equal(
        [got[key] for key in expected], [expected[key] for key in expected]
    )


@pytest.mark.parametrize("run_id", TRUTH)
def test_every_hyperparameter_is_that_of_the_run(run_id):
    (run,) = (
        run for run in runs_of(LOGS) if run.header.source.path.endswith(f"run-{run_id}.wandb")
    )
    config = dict(run.header.config)
    facts = config.pop("wandb")
    expected = TRUTH[run_id]["config"]
    assert config == expected
    assert facts["run_id"] == run_id
    assert facts["name"].startswith("the ")


def test_each_row_is_what_the_loggers_own_code_reads():
    for folder, own in REFERENCE.items():
        (path,) = (LOGS / folder).glob("*.wandb")
        records = RunRecords(rc.readers.Limits())
        lines = records.read(str(path), path.read_bytes()).splitlines()
        assert len(lines) == len(own["rows"])
        for line, row in zip(lines, own["rows"], strict=True):
            media = {key.rpartition("/")[0] for key in row if key.endswith("/_type")}
            kept = {k: json.loads(v) for k, v in row.items() if k.rpartition("/")[0] not in media}
            np.testing.assert_equal(json.loads(line), kept)
        config = {k: json.loads(v) for k, v in own["config"].items() if k != "_wandb"}
        for update in own["updates"]:
            config |= {k: json.loads(v) for k, v in update.items()}
        assert records.config == config
        assert records.facts.get("sweep_id", "") == own["sweep_id"]
        code = own["exit_code"]
        expected = Status.INCOMPLETE if code is None else Status.FAILED if code else Status.COMPLETE
        assert records.status == expected


def test_how_the_runs_ended(ds):
    status = {run_id: str(of_run(ds, run_id).status.values) for run_id in TRUTH}
    others = dict.fromkeys(status, "complete")
    assert status == others | {"crashed": "failed", "killed": "incomplete"}


def test_the_killed_run_is_named_as_cut(ds):
    run = of_run(ds, "killed")
    assert "truncated_tail: from byte" in str(run.problems.values)
    assert int(run.logged.sel(split="train", metric="m0").sum()) == KILLED_AT


def test_a_resumed_run_is_one_whose_later_rows_count(ds):
    run = of_run(ds, "resumed")
    assert "superseded_rows" in str(run.problems.values)
    loss = run.curve.sel(split="train", metric="loss")
    assert loss.sel(_step=1) == 0.2 / 2
    assert loss.sel(_step=2) == 0.2 / 3 + 5
    assert sum("-resumed/" in path for path in ds.path.values) == 1


def test_media_and_a_configuration_that_changes_are_named(ds):
    text = str(of_run(ds, "changed").problems.values)
    for part in (
        "line 1: left_out: 'hist': 3 values of type 'histogram', left out",
        "line 4: left_out: 'image': 1 value of type 'image-file', left out",
        "line 5: left_out: 'table': 1 value of type 'table-file', left out",
        "config_conflict: changed within the run: 'width'; the last value counts",
    ):
        assert part in text


def test_what_the_summary_adds_stands_at_the_last_step(ds):
    assert of_run(ds, "changed").curve.sel(split="all", metric="summary/train/loss", _step=6) == -1
    # The highest value, as define_metric asked for, beside the curve that ends with a lower one.
    assert of_run(ds, "changed").curve.sel(split="val", metric="acc/max", _step=6) == 0.9
    assert of_run(ds, "changed").curve.sel(split="val", metric="acc", _step=6) == 0.7


def test_sweeps_and_other_facts_are_no_dims(ds):
    assert not {"sweep_id", "run_id", "group", "job_type"} & (
        {*ds.dims} | {*ds.coords} - {"run_id"}
    )
    ids = [run.header.config["wandb"].get("sweep_id") for run in runs_of(LOGS)]
    assert ids.count("swp12345") == 4


def test_what_was_printed_is_in_the_messages(ds):
    printed = [str(text) for text in ds.messages.values]
    assert printed.count("begins\nends") == 4
    assert "RuntimeError: out of luck" in str(of_run(ds, "crashed").messages.values)
    assert "phase 0\nphase 1\nphase 2" in str(of_run(ds, "changed").messages.values)


def test_the_loggers_own_log_is_no_run_and_tables_are_named_once(ds):
    skipped = json.loads(ds.attrs["skipped"])
    assert [(s["kind"], s["path"].rpartition("/")[0].rpartition("/")[2]) for s in skipped] == [
        ("not_read", "table")
    ]


def test_explain_says_how_the_files_were_read():
    text = quietly(rc.scan, LOGS).explain()
    assert "records of the run" in text
    assert "one in 2 files, joined" in text
    assert "_step: by its name" in text


# The same runs by every road.


def _remote(logs, tmp_path):
    memory = fsspec.filesystem("memory")
    memory.put(str(logs), "memory://wandb-runs", recursive=True)
    return load("memory://wandb-runs")


def _archived(logs, tmp_path):
    quietly(rc.archive_runs, logs, tmp_path / "runs.nc", layout="configs")
    return rc.open_archive(tmp_path / "runs.nc").load()


def _updated(logs, tmp_path):
    own = tmp_path / "logs"
    shutil.copytree(logs, own, ignore=shutil.ignore_patterns("*-resumed", "*-changed"))
    first = next(logs.glob("*-resumed"))
    shutil.copytree(first, own / first.name)
    quietly(rc.archive_runs, own, tmp_path / "runs.nc", layout="configs")
    for folder in (*logs.glob("*-resumed"), *logs.glob("*-changed")):
        shutil.copytree(folder, own / folder.name, dirs_exist_ok=True)
    shutil.copy(logs / "debug-internal.log", own)
    quietly(rc.update_archive, tmp_path / "runs.nc", own)
    return rc.open_archive(tmp_path / "runs.nc").load()


ROADS = {
    "named": lambda logs, tmp_path: load(logs, reader="wandb"),
    "threads": lambda logs, tmp_path: load(logs, parallel="threads"),
    "processes": lambda logs, tmp_path: load(logs, parallel="processes"),
    "opened": lambda logs, tmp_path: quietly(
        rc.open_runs, logs, layout="configs", cache=tmp_path / "cache"
    ).load(),
    "remote": _remote,
    "archived": _archived,
    "updated": _updated,
}


@pytest.mark.parametrize("road", ROADS)
def test_by_every_road_the_cube_is_the_same(road, tmp_path):
    expected, got = load(LOGS), ROADS[road](LOGS, tmp_path)
    assert got.curve.equals(expected.curve)
    assert got.logged.equals(expected.logged)
    for name in ("status", "path", "run_config", "train_time", "problems"):
        np.testing.assert_array_equal(got[name].values, expected[name].values, err_msg=name)


# Files of the test itself.


def test_rows_of_one_step_are_one_and_keys_may_be_nested_or_not(tmp_path):
    made.write(
        tmp_path,
        [
            made.run({"lr": 0.1}),
            made.history({"_step": 0, "loss": 1.0, ("a", "b"): 5}, 0),
            made.history({"_step": 0, "acc": 0.5}, 0, nested=False),
            made.history({"loss": 2.0}, 1),
            made.ended(),
        ],
    )
    ds = load(tmp_path)
    assert ds.sizes["_step"] == 2
    row = ds.curve.squeeze().sel(_step=0)
    assert row.sel(metric=["loss", "acc", "a/b"]).values.tolist() == [1.0, 0.5, 5.0]
    assert int(ds.n_problems.squeeze()) == 0
    assert ds.status.item() == "complete"


def test_a_nested_key_and_one_spelled_like_it_are_both_kept(tmp_path):
    rows = [made.history({("a", "b"): i, "a/b": i + 10.0}, i) for i in range(2)]
    made.write(tmp_path, [made.run({}), *rows])
    assert points(one(tmp_path)) == {"a/b": [(0, 0), (1, 1)], "a/b (2)": [(0, 10), (1, 11)]}


def test_values_may_be_typed_instead_of_json(tmp_path):
    # As wandb_internal.proto has them: bool, sint64, double, text, json.
    values = {
        "on": made.field(4, 1),
        "count": made.field(5, 13),
        "loss": bytes([6 << 3 | 1]) + struct.pack("<d", math.inf),
        "word": made.field(7, 'a "b"'),
        "inner": made.field(8, '{"x": 2}'),
    }
    rows = b"".join(made.field(1, made.field(1, k) + v) for k, v in values.items())
    made.write(tmp_path, [made.run({}), made.field(2, rows + made.field(2, b"")), made.ended()])
    run = one(tmp_path)
    assert points(run) == {
        "on": [(0, 1.0)],
        "count": [(0, -7.0)],
        "loss": [(0, math.inf)],
        "inner/x": [(0, 2.0)],
    }
    assert run.header.constants["word"] == 'a "b"'


def test_a_bare_nan_is_a_value_and_a_null_is_none(tmp_path):
    rows = [made.history({"loss": v, "_step": i}) for i, v in enumerate([1, math.nan, None])]
    made.write(tmp_path, [made.run({}), *rows, made.ended()])
    ((_, first), (_, second)) = points(one(tmp_path))["loss"]
    assert first == 1
    assert math.isnan(second)


def test_a_configuration_is_updated_and_keys_are_removed_from_it_by_name(tmp_path):
    made.write(
        tmp_path,
        [
            made.run({"lr": 0.1, "net": {"depth": 2, "width": 3}, "gone": 1, "_wandb": {"a": 1}}),
            made.history({"loss": 1.0}, 0),
            made.field(5, made.config({"lr": 0.1, "net": {"depth": 4}}, ["gone"])),
            made.ended(),
        ],
    )
    run = one(tmp_path)
    assert {k: v for k, v in run.header.config.items() if k != "wandb"} == {
        "lr": 0.1,
        "net": {"depth": 4},
    }
    (problem,) = run.problems
    assert problem.message == (
        "changed within the run: 'net.depth', 'net.width', 'gone'; the last value counts"
    )


def test_a_users_own_section_wandb_stays_what_it_is(tmp_path):
    for number, own in enumerate([{"project": "mine", "x": 1}, "disabled"]):
        records = [made.run({"wandb": own}, project="theirs"), made.history({"a": 1}, 0)]
        made.write(tmp_path / str(number), records)
    first, second = (run.header.config for run in runs_of(tmp_path))
    assert first == {"wandb": {"project": "mine", "x": 1, "run_id": "abc"}}
    assert second == {"wandb": "disabled", "wandb.run_id": "abc", "wandb.project": "theirs"}


def test_what_a_synced_directory_has_beside_the_records_counts_where_they_say_nothing(tmp_path):
    yaml = "wandb_version: 1\n_wandb:\n  value:\n    cli: 1\nlr:\n  value: 0.2\nonly:\n  value: 7\n"
    made.write(
        tmp_path,
        [made.run({"lr": 0.1}), made.history({"loss": 1.0}, 3), made.ended()],
        config_yaml=yaml,
        wandb_summary_json='{"loss": 1.0, "best": 0.5, "_step": 3, "_wandb": {"runtime": 1}}',
        wandb_metadata_json='{"os": "Linux"}',
        output_log="one\n\ntwo\n",
    )
    ds = load(tmp_path, messages=True)
    assert json.loads(ds.attrs["constant_hparams"]) == {"lr": 0.1, "only": 7, "wandb.run_id": "abc"}
    assert ds.curve.sel(metric="best").item() == 0.5
    assert ds.messages.item() == "one\ntwo"
    assert "config_conflict: configuration: 'lr'" in ds.problems.item()
    assert json.loads(ds.attrs["skipped"]) == []


def test_of_a_file_that_was_cut_the_summary_stands_at_its_own_step(tmp_path):
    made.write(
        tmp_path,
        [made.run({}), made.history({"acc": 0.9}, 5)],
        wandb_summary_json='{"acc": 0.8, "best": 0.95, "_step": 2712}',
    )
    found = points(one(tmp_path))
    assert found["acc"] == [(5, 0.9)]
    assert (found["best"], found["summary/acc"]) == ([(2712, 0.95)], [(2712, 0.8)])


def test_without_output_log_what_was_printed_is_taken_from_the_records(tmp_path):
    printed = [made.field(13, made.field(3, text)) for text in ("be", "gins\n", "\n", "ends")]
    made.write(tmp_path, [made.run({}), made.history({"a": 1}, 0), *printed])
    assert one(tmp_path).messages == ["begins", "ends"]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ([], Status.INCOMPLETE),
        ([made.ended()], Status.COMPLETE),
        ([made.ended(1)], Status.FAILED),
        ([made.ended(2**64 - 9)], Status.FAILED),
        ([made.ended(255)], Status.INCOMPLETE),
        ([made.ended(0, not_complete=True)], Status.INCOMPLETE),
        ([made.ended(), made.history({"loss": 3.0}, 9)], Status.INCOMPLETE),
    ],
)
def test_the_record_of_the_end_says_how_the_run_ended(end, status, tmp_path):
    made.write(tmp_path, [made.run({}), made.history({"loss": 1.0}, 0), *end])
    assert one(tmp_path).marker == status


def test_only_directories_of_one_folder_are_one_run(tmp_path):
    for place, time in (
        ("a", "20260101_000000"),
        ("a", "20260102_000000"),
        ("b", "20260103_000000"),
    ):
        records = [made.run({"lr": 0.1}), made.history({"loss": 1.0}, 0), made.ended()]
        made.write(tmp_path / place, records, time=time)
    assert [len(run.parts) for run in runs_of(tmp_path)] == [2, 0]


def test_a_resumed_run_goes_on_in_the_order_of_its_starts_with_the_last_configuration(tmp_path):
    for time, lr, steps, code in (
        ("20260102_000000", 0.2, (2, 3), 0),
        ("20260101_000000", 0.1, (0, 1), 1),
    ):
        rows = [made.history({"loss": step * 1.0, "_runtime": 5.0}, step) for step in steps]
        made.write(tmp_path, [made.run({"lr": lr}), *rows, made.ended(code)], time=time)
    run = one(tmp_path)
    assert points(run)["loss"] == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]
    assert (run.header.config["lr"], run.marker) == (0.2, Status.COMPLETE)
    assert "'lr'" in run.problems[-1].message
    assert run.place(int(run.curves[0].lines[-1]))[1] == 2


def test_a_clock_that_a_resume_sets_back_is_no_metric(tmp_path):
    for number, time in enumerate(("20260101_000000", "20260102_000000")):
        rows = [made.history({"loss": 1.0, "_runtime": float(i)}, 2 * number + i) for i in range(2)]
        made.write(tmp_path, [made.run({}), *rows, made.ended()], time=time)
    assert one(tmp_path).metrics == ("loss",)


def test_a_copy_of_a_run_is_named_and_left_out(tmp_path):
    records = [made.run({"lr": 0.1}), made.history({"loss": 1.0}, 0), made.ended()]
    for place in ("here", "there"):
        made.write(tmp_path / place, records)
    ds = load(tmp_path)
    assert ds.sizes["config"] == 1
    assert [s["kind"] for s in json.loads(ds.attrs["skipped"])] == ["duplicate_run"]


def test_the_second_name_of_the_newest_run_is_not_another_run(tmp_path):
    """latest-run is a link, and a directory where links were followed: a clone, a copy."""
    records = [made.run({"lr": 0.1}), made.history({"loss": 1.0}, 0), made.ended()]
    folder = made.write(tmp_path, records)
    shutil.copytree(folder, folder.parent / "latest-run")
    ds = load(tmp_path)
    assert ds.path.values.tolist() == [[f"wandb/{folder.name}/run-abc.wandb"]]
    (skipped,) = json.loads(ds.attrs["skipped"])
    assert skipped["kind"] == "not_read"
    shutil.rmtree(folder)
    assert load(tmp_path).path.item() == "wandb/latest-run/run-abc.wandb"


def test_media_of_many_keys_are_one_problem(tmp_path):
    """Of a run that watches its layers, a hundred keys are histograms."""
    keys = [f"gradients/layer{i}.weight" for i in range(100)]
    media = {key: {"_type": "histogram", "values": [1], "bins": [0, 1]} for key in keys}
    rows = [made.history({"loss": 0.5, **media}, step) for step in range(2)]
    made.write(tmp_path, [made.run({}), *rows, made.ended()])
    (problem,) = one(tmp_path).problems
    assert problem.kind == "left_out"
    assert all(repr(key) in problem.message for key in keys)
    assert problem.message.endswith(": 200 values of type 'histogram', left out")


def test_a_file_without_any_record_is_named_and_costs_no_other(tmp_path):
    made.write(tmp_path, [made.run({"lr": 0.1}), made.history({"loss": 1.0}, 0), made.ended()])
    for run_id, data in (("head", made.HEAD), ("none", b""), ("other", b"\1" * 50)):
        made.write(tmp_path, data, run_id=run_id)
    ds = load(tmp_path)
    assert ds.curve.item() == 1
    assert {s["path"].rpartition("/")[2]: s["kind"] for s in json.loads(ds.attrs["skipped"])} == {
        "run-head.wandb": "no_config",
        "run-none.wandb": "empty",
        "run-other.wandb": "not_a_log",
    }


def test_a_damaged_block_costs_the_rows_in_it_and_is_named(tmp_path):
    rows = [made.history({"loss": float(i), "pad": "x" * 900}, i) for i in range(200)]
    data = bytearray(made.framed([made.run({"lr": 0.1}), *rows, made.ended()]))
    at = 2 * made.BLOCK + 9000
    data[at] ^= 1
    made.write(tmp_path, bytes(data))
    run = one(tmp_path)
    got = [value for _, value in points(run)["loss"]]
    lost = sorted({*map(float, range(200))} - {*got})
    assert got == sorted(got)
    assert 0 < len(lost) < made.BLOCK / 900
    assert (run.marker, kinds(run)) == (Status.COMPLETE, ["bad_line"])
    assert "are damaged: the records in them are lost" in run.problems[0].message


def test_a_record_that_is_no_message_and_a_value_that_is_no_json_are_named(tmp_path):
    odd = made.field(2, made.field(1, made.field(2, "loss") + made.field(16, "{1")))
    made.write(
        tmp_path,
        [made.run({}), made.history({"loss": 1.0}, 0), b"\x0b\x0b", odd, made.ended()],
    )
    run = one(tmp_path)
    assert points(run)["loss"] == [(0, 1.0)]
    assert kinds(run) == ["bad_line", "bad_line"]


def test_keys_nested_beyond_the_limit_cost_their_record_and_are_named(tmp_path):
    deep = [("k",) * depth for depth in (99, 20_000)]
    rows = [made.history({"loss": 1.0, names: 2.0}, i) for i, names in enumerate(deep)]
    settings = made.field(5, made.field(1, made.item(deep[1], 1)))
    made.write(tmp_path, [made.run({}), *rows, settings, made.summary({deep[1]: 1})])
    run = one(tmp_path)
    assert points(run)["loss"] == [(0, 1.0)]
    assert [p.message for p in run.problems] == [
        "3 records are no messages, or nested deeper than Limits(depth=100): left out"
    ]


def test_a_packed_file_is_read(tmp_path):
    folder = made.write(tmp_path, [made.run({}), made.history({"loss": 1.0}, 0), made.ended()])
    path = folder / "run-abc.wandb"
    (folder / "run-abc.wandb.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert points(one(tmp_path))["loss"] == [(0, 1.0)]


def test_a_file_beyond_the_limit_is_read_up_to_it_and_named(tmp_path):
    rows = [made.history({"loss": float(i)}, i) for i in range(9)]
    folder = made.write(tmp_path, [made.run({}), *rows, made.ended()])
    most = (folder / "run-abc.wandb").stat().st_size // 2
    reader = WandbReader(limits=rc.readers.Limits(file_bytes=most))
    (source,) = reader.find(Tree(list_files(tmp_path)))
    (run,) = reader.read(source, Request())
    assert 0 < len(points(run)["loss"]) < 9
    assert sorted(kinds(run)) == ["limit", "truncated_tail"]


def test_bytes_that_look_packed_are_not_unpacked(tmp_path):
    packed = gzip.compress(b"no record of this run\n")
    records = [made.run({"lr": 0.1}), made.field(13, made.field(3, packed))]
    made.write(tmp_path, [*records, made.history({"loss": 1.0}, 0), made.ended()])
    run = one(tmp_path)
    assert (points(run)["loss"], run.problems) == ([(0, 1.0)], [])


def by_path(ds):
    """What was logged by each file: (split, metric, step) and the value as text."""
    found = {}
    for run in ds.stack(run=("config", "seed")).transpose("run", ...).groupby("run", squeeze=False):
        frame = run[1].squeeze("run").curve.to_series()
        there = run[1].squeeze("run").logged.to_series()
        name = run[1].path.item().rpartition("/")[2]
        found[name] = {key: str(value) for key, value in frame[there].items()}
    return found


def mutated(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + rng.randint(1, 300)]
        elif kind == 2:
            data[at:at] = rng.randbytes(rng.randint(1, 60))
        else:
            data[at : at + 40] = bytes(40)
        if not data:
            return b"\0"
    return bytes(data)


def reframed(data, rng):
    """Damage what the records hold and give them new checksums."""
    records = read_framed(data).records
    for _ in range(rng.randint(1, 3)):
        number = rng.randrange(len(records))
        records[number] = mutated(records[number] or b"\0", rng)
    return made.framed(records)


def test_damage_to_one_run_changes_no_other(tmp_path):
    rng = random.Random(3)
    logs = tmp_path / "wandb"
    shutil.copytree(LOGS, logs, ignore=shutil.ignore_patterns("*-killed"))
    path = next(logs.glob("*-changed")) / "run-changed.wandb"
    data, whole = path.read_bytes(), by_path(load(logs))
    for _ in range(10):
        path.write_bytes(mutated(data, rng))
        assert {k: v for k, v in by_path(load(logs)).items() if k != path.name} == {
            k: v for k, v in whole.items() if k != path.name
        }


@pytest.mark.parametrize("damage", [mutated, reframed])
def test_no_mutation_raises_or_makes_a_value_up(damage, tmp_path):
    rng = random.Random(7)
    path = next(LOGS.glob("*-changed")) / "run-changed.wandb"
    data = path.read_bytes()
    known = {value for _, value in points(one(path.parent))["train/loss"]}
    folder = tmp_path / path.parent.name
    folder.mkdir()
    for _ in range(150):
        (folder / path.name).write_bytes(damage(data, rng))
        for run in runs_of(tmp_path):
            if damage is mutated:
                assert {v for _, v in points(run).get("train/loss", [])} <= known
