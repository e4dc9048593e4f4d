"""Archives made from logs: equal to a load, brought up to date, never half written."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import runcube as rc
from runcube import ncfile
from runcube.readers.native import NativeReader
from runcube.replace import locked
from runcube.testing import logged_sweeps, nested, write_native

from . import sweeps

ENTRY = ("created", "command", "policies", "git_commit")


def quiet(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*args, **options)


def archived(logs, path, **options):
    quiet(rc.archive_runs, logs, path, **options)
    return contents(path)


def updated(path, *args, **options):
    quiet(rc.update_archive, path, *args, **options)
    return contents(path)


def contents(path):
    with rc.open_archive(path, messages=True) as ds:
        return ds.load()


def loaded(logs, **options):
    return quiet(rc.load_runs, logs, messages=True, **options)


def assert_same(one, other):
    pair = [ds.copy() for ds in (one, other)]
    for ds in pair:
        ds.attrs = {name: value for name, value in ds.attrs.items() if name not in ENTRY}
    xr.testing.assert_identical(*pair)
    for name in one.variables:
        assert one[name].dtype == other[name].dtype, name


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


# --- what a load gives ------------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(sweep=logged_sweeps(), layout=st.sampled_from(["auto", "grid", "configs"]))
def test_an_archive_of_logs_is_what_a_load_gives(tmp_path_factory, sweep, layout):
    assume(sweep.runs)
    root = tmp_path_factory.mktemp("sweep")
    sweep.write(root / "logs")
    ds = archived(root / "logs", root / "sweep.nc", layout=layout)
    assert_same(ds, loaded(root / "logs", layout=layout))
    assert entries(root) == ["logs", "sweep.nc"]
    assert quiet(rc.verify_archive, root / "sweep.nc", root / "logs").empty


@pytest.mark.parametrize(
    "options",
    [
        {"rename": {"model.weights": "init"}, "relabel": {"model.weights": {None: "random"}}},
        {"splits": "val", "metrics": ["acc1"]},
        {"exclude": "lr", "on_duplicate": "last"},
        {"dims": ["lr"], "layout": "configs"},
        {"align": "order", "expected": 3},
        {"seed": None},
    ],
    ids=str,
)
def test_the_arguments_of_a_load_are_those_of_an_archive(tmp_path, options):
    ds = archived("examples/logs", tmp_path / "sweep.nc", **options)
    assert_same(ds, loaded("examples/logs", **options))
    # They are remembered.
    quiet(rc.update_archive, tmp_path / "sweep.nc")
    logs = tmp_path / "logs"
    shutil.copytree("examples/logs", logs)
    (logs / "sweep/000/json_out.jsonl").write_bytes(b"")
    fresh = archived(logs, tmp_path / "fresh.nc", **options)
    archived(logs, tmp_path / "sweep.nc", **options)
    assert_same(updated(tmp_path / "sweep.nc", logs), fresh)


def test_logs_of_many_runs_in_one_file(tmp_path):
    rows = [
        {"run_id": f"r{run}", "lr": 0.1 * run, "tag": "x", "step": step, "train_loss": run + step}
        for step in range(4)
        for run in range(3)
    ]
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    reader = rc.JsonlReader(run="run_id", x="step", split=r"(?P<split>train)_(?P<metric>.+)")
    ds = archived(logs, tmp_path / "sweep.nc", reader=reader)
    assert_same(ds, loaded(logs, reader=reader))
    with (logs / "runs.jsonl").open("a") as file:
        file.write(json.dumps({**rows[0], "step": 9}) + "\n")
    assert_same(updated(tmp_path / "sweep.nc"), archived(logs, tmp_path / "b.nc", reader=reader))


# Lines that a log may hold, with what they do to it.
def odd_log(kind):
    head = json.dumps({"type": "dict_config", "value": {"seed": 0, "lr": 0.1}})
    other = json.dumps({"type": "dict_config", "value": {"seed": 0, "lr": 0.2}})
    rows = [
        json.dumps({"title": "agg_val", "data_name": "val", "agg_stats": {"loss": value}})
        for value in (1.0, 0.5, float("nan"), float("inf"))
    ]
    text = json.dumps({"type": "str", "value": "x" * 1_000_000})
    stepped = [row[:-1] + f', "epoch": {at}}}' for row, at in zip(rows, (0, 1, 1, 2), strict=True)]
    still = [row[:-1] + ', "epoch": 7}' for row in rows]
    back = [row[:-1] + f', "epoch": {at}}}' for row, at in zip(rows, (0, 1, 2, 1), strict=True)]
    return "\n".join(
        {
            "reconfigured": [head, *rows, other, *rows],
            "second attempt": [head, *rows[:1], head, *rows],
            "repeated x": [head, *stepped],
            "x stays": [head, *still],
            "a resume": [head, *back],
            "long text": [head, text, *rows],
            "bad lines": [head, *rows, *["{garbage"] * 10_000],
            "no config": rows,
        }[kind]
    )


@pytest.mark.parametrize(
    "kind",
    [
        "reconfigured",
        "second attempt",
        "repeated x",
        "x stays",
        "a resume",
        "long text",
        "bad lines",
        "no config",
    ],
)
def test_odd_logs_are_archived_as_they_are_loaded(tmp_path, kind):
    logs = tmp_path / "logs"
    for seed in (1, 2):
        sweeps.write_run(logs / f"{seed}", {"seed": seed, "lr": 0.1})
    (logs / "odd").mkdir()
    (logs / "odd" / "json_out.jsonl").write_text(odd_log(kind) + "\n")
    path = tmp_path / "sweep.nc"
    assert_same(archived(logs, path), loaded(logs))
    sweeps.write_run(logs / "3", {"seed": 3, "lr": 0.1})
    assert_same(updated(path), archived(logs, tmp_path / "fresh.nc"))
    assert rc.verify_archive(path, logs).empty


# --- histories --------------------------------------------------------------------------------


class History:
    """A directory of logs, and things that happen to it."""

    def __init__(self, root, rng):
        self.root, self.rng, self.clock, self.number = root, rng, 10**18, 0
        self.keys = {"lr": [0.1, 1.0], "name": ["sgd"]}
        for _ in range(rng.randrange(1, 6)):
            self.add_run()

    def logs(self):
        return sorted(self.root.rglob("json_out.jsonl"))

    def touch(self, path):
        self.clock += 10**9
        os.utime(path, ns=(self.clock, self.clock))

    def rows(self, epochs):
        rng = self.rng
        metrics = rng.choice([("loss",), ("loss", "acc1"), ("acc1", "loss", "f1")])
        return [
            {split: {m: rng.choice([rng.random(), float("nan")]) for m in metrics}
             for split in rng.choice([("train", "val"), ("val",)])}
            for _ in range(epochs)
        ]  # fmt: skip

    def add_run(self, **fixed):
        flat = {key: self.rng.choice(values) for key, values in self.keys.items()}
        flat |= {"seed": self.rng.randrange(3), "epochs": 3} | fixed
        folder = self.root / f"run_{self.number}"
        self.number += 1
        write_native(folder, nested(flat), self.rows(self.rng.randrange(1, 5)))
        self.touch(folder / "json_out.jsonl")

    def new_value(self):
        self.keys[self.rng.choice(list(self.keys))].append(f"v{self.number}")
        self.add_run()

    def new_key(self):
        self.keys[f"section.key{self.number}"] = [1, 2]
        self.add_run()

    def number_key(self):
        self.keys["lr"].append(self.number / 7)
        self.add_run()

    def grow(self):
        path = self.rng.choice(self.logs())
        rows = [
            json.dumps({"title": f"agg_{s}", "data_name": s, "agg_stats": stats})
            for row in self.rows(2)
            for s, stats in row.items()
        ]
        with path.open("a") as file:
            file.write("\n".join(rows) + "\n")
        self.touch(path)

    def cut(self):
        path = self.rng.choice(self.logs())
        data = path.read_bytes()
        path.write_bytes(data[: max(1, len(data) - self.rng.randrange(1, 60))])
        self.touch(path)

    def rewrite(self):
        path = self.rng.choice(self.logs())
        shutil.rmtree(path.parent)
        self.number += 1
        flat = {key: self.rng.choice(values) for key, values in self.keys.items()}
        write_native(path.parent, nested({**flat, "seed": 0}), self.rows(3))
        self.touch(path)

    def touch_one(self):
        self.touch(self.rng.choice(self.logs()))

    def copy_one(self):
        path = self.rng.choice(self.logs())
        shutil.copytree(path.parent, self.root / f"copy_{self.number}")
        self.number += 1

    def step(self):
        happenings = [
            self.add_run, self.add_run, self.new_value, self.new_key, self.number_key, self.grow,
            self.cut, self.rewrite, self.touch_one, self.copy_one,
        ]  # fmt: skip
        for _ in range(self.rng.randrange(1, 4)):
            self.rng.choice(happenings)()


@pytest.fixture
def small_chunks(monkeypatch):
    """A chunk for a curve or two, so that some hold nothing new and are copied."""
    monkeypatch.setattr(ncfile, "CHUNK_BYTES", 64)


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_an_updated_archive_is_a_fresh_one(tmp_path_factory, small_chunks, seed):
    root = tmp_path_factory.mktemp("history")
    history = History(root / "logs", random.Random(seed))
    archived(history.root, root / "sweep.nc")
    for _ in range(3):
        history.step()
        assert_same(updated(root / "sweep.nc"), archived(history.root, root / "fresh.nc"))
        assert rc.verify_archive(root / "sweep.nc", history.root).empty
    assert entries(root) == ["fresh.nc", "logs", "sweep.nc"]


@pytest.fixture
def logs(tmp_path):
    configs = sweeps.product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    return sweeps.write_sweep(tmp_path / "logs", configs, [0, 1, 2])


def test_a_log_that_is_gone_keeps_its_run_and_is_named(logs, tmp_path):
    path = tmp_path / "sweep.nc"
    before = archived(logs, path)
    shutil.move(logs / "002", tmp_path / "away")
    after = updated(path)
    np.testing.assert_array_equal(after.curve.values, before.curve.values)
    named = rc.problems(after)
    assert named[["path", "kind"]].values.tolist() == [["002/json_out.jsonl", "deleted_log"]]
    assert_same(updated(path), after)
    sweeps.write_run(logs / "new", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 9})
    more = updated(path)
    assert "002/json_out.jsonl" in more.path.values
    shutil.move(tmp_path / "away", logs / "002")
    assert_same(updated(path), archived(logs, tmp_path / "fresh.nc"))


def test_a_run_that_gave_way_comes_back_when_the_other_gets_worse(logs, tmp_path):
    path = tmp_path / "sweep.nc"
    again = {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 0, "epochs": 3}
    sweeps.write_run(logs / "again", again, value=lambda *_: 7.0)
    archived(logs, path)
    good = logs / "again" / "json_out.jsonl"
    good.write_text(good.read_text()[:120] + "\n")
    after = updated(path)
    assert_same(after, archived(logs, tmp_path / "fresh.nc"))


@dataclass(frozen=True)
class CountingReader(NativeReader):
    name: str = "counting"
    read_paths: list = field(default_factory=list, repr=False, compare=False)

    def read(self, source, request):
        self.read_paths.append(source.path)
        return super().read(source, request)


def test_only_what_is_new_or_changed_is_read(logs, tmp_path):
    path = tmp_path / "sweep.nc"
    reader = CountingReader()
    archived(logs, path, reader=reader)
    assert len(reader.read_paths) == len(set(reader.read_paths)) == 12
    with pytest.raises(rc.ArchiveError, match="pass it as reader="):
        rc.update_archive(path)
    reader.read_paths.clear()
    before = path.read_bytes()
    updated(path, reader=reader)
    assert reader.read_paths == []
    assert path.read_bytes() == before
    changed = logs / "005" / "json_out.jsonl"
    changed.write_text(changed.read_text().replace("0.01", "0.02"))
    sweeps.write_run(logs / "new", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 9})
    updated(path, reader=reader)
    assert sorted(reader.read_paths) == ["005/json_out.jsonl", "new/json_out.jsonl"]


@pytest.mark.parametrize("storage", [{"dtype": "float32"}, {"significant_digits": 3}], ids=str)
def test_lossy_archives_are_updated_alike(logs, tmp_path, storage):
    path = tmp_path / "sweep.nc"
    archived(logs, path, **storage)
    sweeps.write_run(logs / "new", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 9})
    assert_same(updated(path), archived(logs, tmp_path / "fresh.nc", **storage))
    assert rc.verify_archive(path, logs).empty


def test_an_update_that_cannot_be_leaves_the_archive_as_it_was(logs, tmp_path):
    path = tmp_path / "sweep.nc"
    ds = archived(logs, path)
    before = path.read_bytes()
    (tmp_path / "empty").mkdir()
    with pytest.raises(rc.NoRunsError):
        rc.update_archive(path, tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        rc.update_archive(path, tmp_path / "nowhere")
    with locked(path), pytest.raises(rc.ArchiveError, match="another process is writing it"):
        rc.update_archive(path)
    assert path.read_bytes() == before
    rc.save_archive(ds, tmp_path / "saved.nc")
    with pytest.raises(rc.ArchiveError, match=r"archive_runs\(logs, path\) makes an archive"):
        rc.update_archive(tmp_path / "saved.nc")
    assert entries(tmp_path) == ["empty", "logs", "saved.nc", "sweep.nc"]


def test_seeds_that_are_added_one_by_one_leave_other_cells_empty(logs, tmp_path, small_chunks):
    path = tmp_path / "sweep.nc"
    archived(logs, path)
    for seed in (3, 4, 5):
        config = {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": seed, "epochs": 3}
        sweeps.write_run(logs / f"new_{seed}", config)
        assert_same(updated(path), archived(logs, tmp_path / "fresh.nc"))
        assert rc.verify_archive(path, logs).empty


def test_a_reader_keeps_what_it_opened(logs, tmp_path):
    path = tmp_path / "sweep.nc"
    before = archived(logs, path)
    with rc.open_archive(path) as old:
        changed = logs / "005" / "json_out.jsonl"
        changed.write_text(changed.read_text().replace("0.01", "0.02"))
        after = updated(path)
        np.testing.assert_array_equal(old.curve.values, before.curve.values)
    assert not np.array_equal(after.curve.values, before.curve.values)


# --- interruptions ----------------------------------------------------------------------------

SLOWLY = """
import sys, warnings
from runcube import spool
spool._SYNC_SECONDS = 0.02
warnings.simplefilter("ignore")
import runcube as rc
print("ready", flush=True)
rc.archive_runs(sys.argv[1], sys.argv[2])
"""


def start(logs, path):
    command = [sys.executable, "-c", SLOWLY, str(logs), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


@pytest.fixture(scope="module")
def many_logs(tmp_path_factory):
    configs = sweeps.product_configs(optim__lr=[0.1, 1.0, 2.0], model__weights=[None, "DEFAULT"])
    root = tmp_path_factory.mktemp("many")
    return sweeps.write_sweep(root / "logs", configs, range(40), epochs=30)


def test_whoever_is_killed_goes_on_where_it_stopped(many_logs, tmp_path):
    path = tmp_path / "sweep.nc"
    whole = archived(many_logs, tmp_path / "whole.nc")
    resumed = 0
    for delay in (0.02, 0.1, 0.2, 0.3, 0.45, 0.6):
        process = start(many_logs, path)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert not path.exists() or rc.verify_archive(path).empty
        reader = CountingReader(name="native")
        resumed += (tmp_path / ".sweep.nc.journal").exists()
    assert resumed
    assert_same(archived(many_logs, path), whole)
    assert entries(tmp_path) == ["sweep.nc", "whole.nc"]
    del reader


def test_a_torn_journal_costs_only_what_it_lost(many_logs, tmp_path):
    path = tmp_path / "sweep.nc"
    whole = archived(many_logs, tmp_path / "whole.nc")
    rng = random.Random(1)
    for number in range(6):
        process = start(many_logs, path)
        journal = tmp_path / ".sweep.nc.journal"
        for _ in range(200):
            if journal.exists() and journal.stat().st_size:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        spool = tmp_path / ".sweep.nc.spool"
        torn = [journal, spool][number % 2]
        if torn.exists():
            data = bytearray(torn.read_bytes())
            if number < 4:
                torn.write_bytes(data[: rng.randrange(len(data) + 1)])
            elif data and torn is journal:
                data[rng.randrange(len(data))] ^= 0x55
                torn.write_bytes(data)
        assert_same(archived(many_logs, path), whole)
        path.unlink()
    assert entries(tmp_path) == ["whole.nc"]


# --- many archives ----------------------------------------------------------------------------


def two_days(tmp_path):
    for day, name in (("monday", "sgd"), ("tuesday", "adam")):
        configs = sweeps.product_configs(optim__lr=[0.1, 1.0], optim__name=[name])
        sweeps.write_sweep(tmp_path / "logs" / day, configs, [0, 1], killed=[(0, 1)])
        archived(tmp_path / "logs" / day, tmp_path / f"{day}.nc")
    return [tmp_path / "monday.nc", tmp_path / "tuesday.nc"]


def test_merged_archives_are_an_archive_of_all_logs(tmp_path):
    parts = two_days(tmp_path)
    quiet(rc.merge_archives, parts, tmp_path / "all.nc")
    merged, fresh = contents(tmp_path / "all.nc"), archived(tmp_path / "logs", tmp_path / "f.nc")
    assert merged.optim_name.values.tolist() == ["sgd", "adam"]
    merged.attrs["source"] = fresh.attrs["source"]
    assert_same(merged, fresh)
    assert rc.verify_archive(tmp_path / "all.nc").empty


def test_what_was_constant_in_each_can_be_refused_by_name(tmp_path):
    parts = two_days(tmp_path)
    with pytest.raises(rc.PlanError, match=r"optim\.name is 'sgd' in .*monday"):
        rc.merge_archives(parts, tmp_path / "all.nc", differing="raise")
    assert not (tmp_path / "all.nc").exists()
    with pytest.raises(rc.ArchiveError, match="one of the archives"):
        rc.merge_archives(parts, parts[0])
    archived(tmp_path / "logs" / "monday", parts[0], exclude="lr")
    with pytest.raises(rc.PlanError, match="exclude="):
        rc.merge_archives(parts, tmp_path / "all.nc")
    with pytest.raises(rc.PlanError, match="no archives"):
        rc.merge_archives([], tmp_path / "all.nc")


def test_an_archive_merged_with_itself_holds_each_run_once(tmp_path):
    part, _ = two_days(tmp_path)
    quiet(rc.merge_archives, [part, part], tmp_path / "all.nc")
    merged = contents(tmp_path / "all.nc")
    np.testing.assert_array_equal(merged.curve.values, contents(part).curve.values)
    assert (rc.problems(merged)["kind"] == "duplicate_run").sum() == 4
    with pytest.raises(rc.ArchiveError, match="was merged; update"):
        rc.update_archive(tmp_path / "all.nc")


# --- verification -----------------------------------------------------------------------------


def test_verification_names_what_differs_from_the_logs(logs, tmp_path):
    path = tmp_path / "sweep.nc"
    archived(logs, path)
    assert rc.verify_archive(path, logs).empty
    os.utime(logs / "001" / "json_out.jsonl")  # the same bytes
    changed = logs / "005" / "json_out.jsonl"
    changed.write_text(changed.read_text().replace("0.01", "0.02"))
    shutil.rmtree(logs / "002")
    sweeps.write_run(logs / "new", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 9})
    found = rc.verify_archive(path, logs)
    assert sorted(found[["path", "kind"]].values.tolist()) == [
        ["002/json_out.jsonl", "missing_log"],
        ["005/json_out.jsonl", "changed_log"],
        ["new/json_out.jsonl", "new_log"],
    ]


def test_verification_finds_a_value_that_was_changed(logs, tmp_path):
    import netCDF4

    path = tmp_path / "sweep.nc"
    ds = archived(logs, path)
    with netCDF4.Dataset(path, "a") as file:
        file["curve"][1, 0, 2, 0, 0, 0] += 1e-9
    found = rc.verify_archive(path)
    assert found["kind"].tolist() == ["changed_values"]
    assert found["path"].tolist() == [ds.path.values[1, 0, 2]]


def test_no_damage_to_the_values_goes_unnoticed(many_logs, tmp_path):
    path = tmp_path / "sweep.nc"
    archived(many_logs, path)
    whole = contents(path)
    data = path.read_bytes()
    rng = random.Random(0)
    for _ in range(25):
        at = rng.randrange(len(data) // 10, len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            found = rc.verify_archive(path)
            if found.empty:
                np.testing.assert_array_equal(contents(path).curve.values, whole.curve.values)
        except rc.ArchiveError:
            continue
