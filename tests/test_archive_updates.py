"""Archives made of logs: what is archived is what would be loaded, at once and after any update."""

import inspect
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_logs import (
    CASES,
    SWEEPS,
    columns_of_configuration,
    config_line,
    copies,
    epoch_line,
    jsonl,
    lines,
    native,
    stats_line,
    write,
)
from sweeps import product_configs, write_run, write_sweep

import runcube as rc
from runcube.archive.existing import ExistingArchive
from runcube.core.errors import RuncubeError
from runcube.core.text import clean_text
from runcube.files.access import TAIL_BYTES
from runcube.netcdf import opened as opened_file
from runcube.netcdf import writer
from runcube.pipeline.discover import discover
from runcube.readers import JsonlReader
from runcube.readers.native import reader as native_reader
from runcube.readers.native.reader import NativeReader
from runcube.testing import logged_sweeps, nested, write_native

DATA = Path(__file__).parent / "data"
LAYOUTS = ("auto", "grid", "configs")
# Chunks of a few values, so that small cubes have many, too.
CHUNKS = (64, 256, 1 << 17)


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def told(function, *arguments, **options):
    """What a call warns of, and what it gives."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        here = inspect.currentframe().f_lineno + 1
        given = function(*arguments, **options)
    # Who calls is told, not who called that.
    assert {(w.filename, w.lineno) for w in said} <= {(__file__, here)}
    return [str(w.message) for w in said], given


def load(root, **options):
    return quietly(rc.load_runs, root, messages=True, **options)


def archive(root, path, **options):
    quietly(rc.archive_runs, root, path, **options)
    return opened(path)


def update(path, *arguments, **options):
    quietly(rc.update_archive, path, *arguments, **options)
    return opened(path)


def opened(path):
    with rc.open_archive(path, messages=True) as ds:
        return ds.load()


def assert_same(one, other, *, but=()):
    """Identical, with dtypes and the signs of zeros, made whenever and by whatever command."""
    one, other = (
        ds.drop_vars([n for n in but if n in ds.variables]).assign_attrs(
            dict.fromkeys(("created", "command", *(n for n in but if n in ds.attrs)), "")
        )
        for ds in (one, other)
    )
    xr.testing.assert_identical(one, other)
    for name, variable in other.variables.items():
        assert one[name].dtype == variable.dtype, name
        if variable.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(one[name].values), np.signbit(variable.values))


def assert_archived(root, path, **options):
    """What is archived is what is loaded; what cannot be loaded cannot be archived either."""
    try:
        said, want = told(rc.load_runs, root, messages=True, **options)
    except RuncubeError as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            rc.archive_runs(root, path, **options)
        assert not path.exists()
    else:
        assert told(rc.archive_runs, root, path, **options)[0] == said
        assert_same(opened(path), want)
    assert hidden(path.parent) == []


def assert_up_to_date(path, root, *, read=None, **options):
    """Once updated, an archive is what a new one of the same logs would be, and its ledger too.

    ``read`` is told what the update reads, and nothing else.
    """
    fresh = path.with_name("fresh.nc")
    fails = None
    try:
        said, _ = told(rc.archive_runs, root, fresh, **options)
    except RuncubeError as error:
        fails = error
    if read is not None:
        read.clear()
    if fails is not None:
        before = path.read_bytes()
        with pytest.raises(type(fails)):
            rc.update_archive(path)
        assert path.read_bytes() == before
    else:
        assert told(rc.update_archive, path)[0] == said
        assert_same(opened(path), opened(fresh))
        assert ledger(path) == ledger(fresh)
        assert rc.verify_archive(path).empty
        # A log that has grown is hashed in parts.
        against = [rc.verify_archive(made, root) for made in (path, fresh)]
        assert against[0].equals(against[1])
        fresh.unlink()
    assert hidden(path.parent) == []


def ledger(path):
    """What an archive shows of its logs."""
    with xr.open_dataset(path, group="logs") as ds:
        names = ("path", "size", "mtime_ns")
        return list(zip(*(ds[name].values.tolist() for name in names), strict=True))


def hidden(folder):
    return sorted(p.name for p in Path(folder).iterdir() if p.name.startswith("."))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "archives"
    folder.mkdir()
    return folder / "sweep.nc"


@pytest.fixture
def grid(root):
    """Six runs of two settings, as most sweeps are."""
    return write_sweep(root, product_configs(optim__lr=[0.1, 1.0]), seeds=(0, 1, 2))


# What is archived is what would be loaded


def test_the_example_is_archived_as_it_is_loaded(path):
    assert_archived("examples/logs", path)


@pytest.mark.parametrize(
    "options",
    [
        {"layout": "configs"},
        {"splits": "val", "metrics": ["loss", "acc1"]},
        {"relabel": {"weights": {None: "random"}}, "rename": {"weights": "init"}},
        {"exclude": "lr", "on_duplicate": "last"},
        {"dims": ["lr", "weights"], "layout": "grid"},
        {"x": "epoch", "align": "order", "expected": 12},
        {"path_keys": "{part}/{number}"},
        {"seed": None},
    ],
)
def test_the_example_is_archived_as_any_arguments_say(path, options):
    assert_archived("examples/logs", path, **options)


def test_the_digits_are_archived_as_they_are_loaded(digits, digits_cube, path):
    made = archive(digits[0], path)
    assert_same(made, load(digits[0]))
    assert_same(made.drop_vars("messages"), digits_cube, but=["policies"])


@pytest.mark.parametrize("folder", ["overfit-init-transfer", "raytune-rllib", "."])
def test_logs_of_other_people_are_archived_as_they_are_loaded(path, folder):
    assert_archived(DATA / folder, path)


@st.composite
def arguments(draw, sweep):
    """Some arguments of a load that go with a sweep, and some that do not."""
    keys = [*sweep.labels]
    options = {"layout": draw(st.sampled_from(LAYOUTS))}
    if keys and draw(st.booleans()):
        key = draw(st.sampled_from(keys))
        values = [v for v in sweep.labels[key] if v == v]
        old = draw(st.sampled_from([None, *values]))
        odd = [{"relabel": {key: {old: "random"}}}, {"rename": {key: "other"}}]
        odd += [{"exclude": [key]}, {"dims": draw(st.permutations(keys))}, {"exclude": key}]
        options |= draw(st.sampled_from(odd))
    further = {
        "splits": st.sampled_from(sweep.splits),
        "metrics": st.permutations(sweep.metrics),
        "x": st.just("epoch"),
        "align": st.sampled_from(["union", "order"]),
        "expected": st.integers(1, 4),
        "on_duplicate": st.sampled_from(["first", "last", "raise"]),
        "seed": st.sampled_from([None, "seed", "replicate"]),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(further)), max_size=2))
    return options | {name: draw(further[name]) for name in sorted(chosen)}


@settings(max_examples=settings().max_examples // 2)
@given(data=st.data(), sweep=logged_sweeps(), chunk=st.sampled_from(CHUNKS))
def test_a_written_sweep_is_archived_as_it_is_loaded(tmp_path_factory, data, sweep, chunk):
    folder = tmp_path_factory.mktemp("sweep")
    sweep.write(folder / "logs")
    (folder / "logs").mkdir(exist_ok=True)
    options = data.draw(arguments(sweep))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_BYTES", chunk)
        assert_archived(folder / "logs", folder / "sweep.nc", **options)


each_sweep = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=[f"{n}-{'-'.join(o) or 'plain'}" for n, o in CASES]
)


@each_sweep
def test_odd_logs_are_archived_as_they_are_loaded(root, path, read, name, options):
    SWEEPS[name][0](root)
    assert_archived(root, path, **options)
    before = path.stat()
    read.clear()
    quietly(rc.update_archive, path)
    assert read == []
    assert path.stat() == before, "nothing has changed"


# Whatever was there first, the rest comes with an update


# A column that was configuration of every log and no longer is has to be read as a metric.
READ_AGAIN = {"a_column_that_varies_in_one_log"}


@each_sweep
def test_what_is_archived_later_makes_no_difference(root, path, monkeypatch, read, name, options):
    monkeypatch.setattr(writer, "CHUNK_BYTES", 64)
    SWEEPS[name][0](root)
    logs = sorted(root.iterdir())
    held = logs[len(logs) // 2 if len(options) else -1]
    aside = path.with_name("aside")
    held.rename(aside)
    try:
        archive(root, path, **options)
    except rc.NoRunsError:
        return
    finally:
        aside.rename(held)
    assert_up_to_date(path, root, read=read, **options)
    new = {p.relative_to(root).as_posix() for p in (held, *held.rglob("*"))}
    assert set(read) <= new or name in READ_AGAIN


@pytest.mark.parametrize("name", sorted(SWEEPS))
def test_remembered_headers_are_those_of_the_logs(tmp_path, name):
    root, path = tmp_path / "logs", tmp_path / "sweep.nc"
    SWEEPS[name][0](root)
    quietly(rc.archive_runs, root, path, **SWEEPS[name][1])
    reader = SWEEPS[name][1].get("reader", "auto")
    fresh = discover(root, reader, None)
    with opened_file(path) as file:
        found = discover(root, reader, None, known=ExistingArchive(path, file).headers)
    assert found.jobs == fresh.jobs
    assert found.skipped == fresh.skipped
    for header, other in zip(found.headers, fresh.headers, strict=True):
        # Whether there are metrics may be known for sure by now.
        told = header.has_metrics is not False, other.has_metrics is not False
        assert told[0] == told[1]
        assert replace(header, has_metrics=True) == replace(other, has_metrics=True)


@pytest.mark.parametrize("name", sorted(n for n, (_, o) in SWEEPS.items() if not o))
def test_where_the_cube_changes_the_archive_still_has_its_values(root, path, read, name):
    SWEEPS[name][0](root)
    archive(root, path)
    records = [r for e in range(20) for r in (epoch_line(e), stats_line(loss=e, other=e / 2))]
    native(root, "zz", [config_line(seed=99, lr=0.1), *records])
    assert_up_to_date(path, root, read=read)
    assert read == ["zz/json_out.jsonl"]


def two_by(root, *settings, value=1.0):
    for a, lr in settings:
        name = f"{a}_{lr}_{value}"
        write_native(root / name, {"a": a, "lr": lr / 8, "seed": 0}, [{"val": {"loss": value}}])


def test_a_cell_that_a_larger_cube_adds_to_an_old_chunk_is_empty(root, path, monkeypatch):
    monkeypatch.setattr(writer, "CHUNK_BYTES", 64)
    two_by(root, *((a, lr) for a in (0, 1) for lr in range(11)))
    archive(root, path, layout="grid")
    two_by(root, (0, 11))
    ds = update(path)
    assert not ds.logged.sel(a=1, lr=11 / 8).any()
    assert_up_to_date(path, root, layout="grid")


def test_a_cell_that_goes_and_comes_back_holds_nothing_of_old(root, path, monkeypatch):
    monkeypatch.setattr(writer, "CHUNK_BYTES", 64)
    two_by(root, *((a, lr) for a in (0, 1) for lr in range(12)))
    archive(root, path, layout="grid")
    for a in (0, 1):
        log = root / f"{a}_11_1.0" / "json_out.jsonl"
        log.write_text(log.read_text().replace("1.375", "0.125").replace("1.0", "2.0"))
    assert update(path, root).sizes["lr"] == 11
    two_by(root, (0, 11), value=3.0)
    ds = update(path)
    assert not ds.logged.sel(a=1, lr=11 / 8).any()
    assert np.isnan(ds.curve.sel(a=1, lr=11 / 8)).all()
    assert_up_to_date(path, root, layout="grid")


# Random histories: whatever becomes of the logs, an update sees it

SPLITS = ("train", "val", "test set")
METRICS = ("loss", "acc1", "µ ß")
ODD_VALUES = (float("nan"), float("inf"), -0.0, 1e30, 5e-324)


class Logs:
    """Logs on disk that change, each change at a time of its own.

    Parameters
    ----------
    root : Path
    draw : callable
        Draws from a strategy.
    """

    def __init__(self, root, draw):
        self.root = root
        self.draw = draw
        self.clock = 1_700_000_000
        self.configs = {}
        self.dice = random.Random(draw(st.integers(0, 2**32)))

    def put(self, name, data):
        path = self.file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.touch(name)

    def touch(self, name):
        self.clock += 1
        os.utime(self.file(name), ns=(self.clock * 10**9, self.clock * 10**9))

    def append(self, name, *records):
        data = self.file(name).read_bytes()
        self.put(name, data + b"\n" * (not data.endswith(b"\n")) + lines(*records).encode())

    def one(self):
        return self.draw(st.sampled_from(sorted(self.configs)))

    def value(self):
        odd = self.dice.random() < 0.1
        return self.dice.choice(ODD_VALUES) if odd else self.dice.gauss(0, 1)

    # What may happen

    def new_run(self):
        config = dict(self.configs[self.one()])
        change = self.draw(st.sampled_from(["seed", "value", "key", "nothing"]))
        if change == "seed":
            config["seed"] = self.draw(st.integers(0, 3))
        elif change == "value" and len(config) > 1:
            key = self.draw(st.sampled_from(sorted(config.keys() - {"seed"})))
            config[key] = self.draw(st.sampled_from([0.125, 3, "other", None, [1, 2]]))
        elif change == "key":
            config[self.draw(st.sampled_from(["wd", "model.heads"]))] = self.draw(st.integers(0, 2))
        self.start(f"{self.draw(st.sampled_from('amz'))}_{len(self.configs)}", config)

    def start(self, name, config):
        self.configs[name] = config
        splits, metrics = (
            self.draw(st.lists(st.sampled_from(words), min_size=1, max_size=2, unique=True))
            for words in (SPLITS, METRICS)
        )
        epochs = range(self.draw(st.integers(0, 5)))
        records = [r for e in epochs for r in self.epoch(e, splits, metrics)]
        self.put(name, lines(self.first(config), *records).encode())

    def longer(self):
        name = self.one()
        seen = self.epochs_of(name)
        start = self.draw(st.sampled_from([seen, max(0, seen - 1), 0]))
        for e in range(start, seen + self.draw(st.integers(1, 2))):
            self.append(name, *self.epoch(e, SPLITS[:2], METRICS[:2]))

    def other_values(self):
        name = self.one()
        data = self.file(name).read_bytes()
        rotated = bytes.maketrans(b"123456789", b"234567891")
        found = re.sub(rb'(?<=": )-?[1-9]\.\d+', lambda m: m[0].translate(rotated), data)
        self.put(name, found)

    def shorter(self):
        name = self.one()
        data = self.file(name).read_bytes()
        least = len(b"".join(data.splitlines(keepends=True)[:3]))
        self.put(name, data[: self.draw(st.integers(least, len(data)))])

    def touched(self):
        self.touch(self.one())

    def rerun(self):
        self.start(
            f"{self.draw(st.sampled_from('az'))}_{len(self.configs)}", self.configs[self.one()]
        )

    def worse(self):
        name = self.one()
        self.put(name, b"".join(self.file(name).read_bytes().splitlines(keepends=True)[:3]))

    CHANGES = ("new_run new_run longer other_values shorter touched rerun worse").split()


class NativeLogs(Logs):
    """Logs in the native layout."""

    def file(self, name):
        return self.root / name / "json_out.jsonl"

    def first(self, config):
        return config_line(**nested(config))

    def epoch(self, number, splits, metrics):
        for split in splits:
            shown = [m for m in metrics if self.dice.random() < 0.9]
            yield epoch_line(number)
            yield stats_line(split, **{m: self.value() for m in shown})

    def epochs_of(self, name):
        return len(set(re.findall(rb"Start Epoch: \d+", self.file(name).read_bytes())))

    def reconfigured(self):
        name = self.one()
        self.append(name, config_line(lr=0.7, seed=0), *self.epoch(0, SPLITS[:1], METRICS[:1]))

    CHANGES = (*Logs.CHANGES, "reconfigured")


class TableLogs(Logs):
    """Logs whose rows hold everything: what is configuration hangs on all of them."""

    def file(self, name):
        return self.root / f"{name}.jsonl"

    def first(self, config):
        return json.dumps({"config": config, "precision": 16})

    def epoch(self, number, splits, metrics):
        for split in splits:
            row = {"epoch": number, "step": 10 * number + len(split), "width": 8}
            yield row | {f"{split}_{m}": self.value() for m in metrics}

    def epochs_of(self, name):
        return len(set(re.findall(rb'"epoch": \d+', self.file(name).read_bytes())))

    def column(self):
        name = self.one()
        values = self.draw(st.sampled_from([(8, 8), (8, 16), (16, 16)]))
        rows = [
            {"epoch": 7 + i, "width": w, "extra": 1, "val_loss": i} for i, w in enumerate(values)
        ]
        self.append(name, *rows)

    CHANGES = (*Logs.CHANGES, "column")


@st.composite
def policies(draw):
    """Arguments of an archive that any history may go on with."""
    options = {"layout": draw(st.sampled_from(LAYOUTS))}
    further = {
        "align": st.sampled_from(["union", "order"]),
        "on_duplicate": st.sampled_from(["first", "last"]),
        "expected": st.integers(1, 4),
        "splits": st.just("val"),
        "dtype": st.just("float32"),
        "significant_digits": st.integers(1, 9),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(further)), max_size=2))
    return options | {name: draw(further[name]) for name in sorted(chosen)}


HISTORIES = settings(max_examples=max(1, settings().max_examples // 5))


def begun(folder, data, kind):
    logs = kind(folder / "logs", data.draw)
    for number in range(data.draw(st.integers(1, 4))):
        logs.start(f"m_{number}", {"seed": number % 2, "lr": [0.1, 0.2][number // 2]})
    return logs


def happens(logs, data, but=()):
    may = [name for name in logs.CHANGES if name not in but]
    for change in data.draw(st.lists(st.sampled_from(may), min_size=1, max_size=3)):
        getattr(logs, change)()


@HISTORIES
@given(data=st.data(), options=policies(), chunk=st.sampled_from(CHUNKS))
@pytest.mark.parametrize("kind", [NativeLogs, TableLogs])
def test_an_archive_that_is_updated_again_and_again_is_as_a_new_one(
    tmp_path_factory, kind, data, options, chunk
):
    folder = tmp_path_factory.mktemp("history")
    logs = begun(folder, data, kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_BYTES", chunk)
        try:
            archive(logs.root, folder / "sweep.nc", **options)
        except RuncubeError:
            return
        for _ in range(data.draw(st.integers(1, 4))):
            happens(logs, data)
            assert_up_to_date(folder / "sweep.nc", logs.root, **options)


@HISTORIES
@given(data=st.data(), sweep=logged_sweeps(), chunk=st.sampled_from(CHUNKS))
def test_a_sweep_may_come_in_parts(tmp_path_factory, data, sweep, chunk):
    folder = tmp_path_factory.mktemp("sweep")
    options = data.draw(arguments(sweep))
    left = data.draw(st.permutations(sweep.runs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_BYTES", chunk)
        while left:
            count = data.draw(st.integers(1, len(left)))
            part, left = left[:count], left[count:]
            type(sweep)(sweep.splits, sweep.metrics, tuple(part)).write(folder / "logs")
            if (folder / "sweep.nc").exists():
                assert_up_to_date(folder / "sweep.nc", folder / "logs", **options)
            else:
                assert_archived(folder / "logs", folder / "sweep.nc", **options)


# Logs that are gone


def taken_away(root, folder, names):
    """Move logs away, with their times; the way back."""
    away = {root / name: folder / name.replace("/", "_") for name in names}
    for here, there in away.items():
        here.rename(there)

    def back():
        for here, there in away.items():
            there.rename(here)

    return back


def assert_kept(ds, want, deleted):
    """All is as if no log were gone, but that those that are gone are named."""
    assert_same(ds, want, but=["problems", "n_problems", "skipped"])
    gone = np.isin(want.path.values, sorted(deleted))
    np.testing.assert_array_equal(ds.n_problems.values - want.n_problems.values, gone.astype(int))
    table = rc.problems(ds)
    assert set(table["path"][table["kind"] == "deleted_log"]) == set(deleted)
    for said, before in zip(ds.problems.values[gone], want.problems.values[gone], strict=True):
        assert set(before.splitlines()) <= set(said.splitlines())
    np.testing.assert_array_equal(ds.problems.values[~gone], want.problems.values[~gone])


def test_a_log_that_is_gone_keeps_its_run_and_is_named(grid, path):
    want = archive(grid, path)
    back = taken_away(grid, path.parent, ["002/json_out.jsonl", "005/json_out.jsonl"])
    with pytest.warns(rc.SweepWarning, match="2 deleted_log"):
        rc.update_archive(path)
    assert_kept(opened(path), want, ["002/json_out.jsonl", "005/json_out.jsonl"])
    before = path.read_bytes()
    with pytest.warns(rc.SweepWarning, match="2 deleted_log"):
        rc.update_archive(path)
    assert path.read_bytes() == before
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    update(path)
    back()
    want = archive(grid, path.with_name("whole.nc"))
    back = taken_away(grid, path.parent, ["002/json_out.jsonl", "005/json_out.jsonl"])
    assert_kept(update(path), want, ["002/json_out.jsonl", "005/json_out.jsonl"])
    back()
    assert_up_to_date(path, grid)


def test_a_log_that_comes_back_is_not_read_again(grid, path, read):
    archive(grid, path)
    back = taken_away(grid, path.parent, ["003/json_out.jsonl"])
    update(path)
    back()
    read.clear()
    update(path)
    assert read == []
    assert_up_to_date(path, grid)


@pytest.mark.parametrize("left", ["", "no log any more\n"])
def test_a_log_that_is_there_is_not_gone_whatever_it_holds(grid, path, left):
    archive(grid, path)
    (grid / "002" / "json_out.jsonl").write_text(left)
    assert_up_to_date(path, grid)


def test_logs_that_are_gone_do_not_make_an_archive(grid, path):
    archive(grid, path)
    before = path.read_bytes()
    shutil.rmtree(grid)
    grid.mkdir()
    with pytest.raises(rc.NoRunsError):
        rc.update_archive(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", sorted(SWEEPS.keys() - {"copies", "one_log"}))
def test_odd_logs_that_are_gone_keep_their_runs(root, path, name):
    maker, options = SWEEPS[name]
    maker(root)
    want = archive(root, path, **options)
    files = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    spelled = {clean_text(file): file for file in files}
    held = sorted({p for p in want.path.values.flat if p})
    gone = held[:: len(held) - 1]
    taken_away(root, path.parent, [spelled[name] for name in gone])
    assert_kept(update(path), want, gone)
    before = path.stat()
    update(path)
    assert path.stat() == before


def test_a_run_whose_values_were_not_kept_does_not_come_back_without_them(root, path):
    reader = JsonlReader(run="run", x="step", config=["lr"])

    def runs(name, *ends):
        rows = [
            {"run": lr, "lr": lr, "step": s, "loss": s + lr} for lr, n in ends for s in range(n)
        ]
        jsonl(root / f"{name}.jsonl", rows)

    runs("one", (0.1, 6), (0.2, 3))
    runs("two", (0.2, 6), (0.3, 6))
    made = archive(root, path, reader=reader, layout="grid")
    assert made.logged.sum("step").values.ravel().tolist() == [6, 6, 6]
    (root / "one.jsonl").unlink()
    runs("two", (0.2, 2), (0.3, 6))
    ds = update(path)
    assert np.isfinite(ds.curve.values[ds.logged.values]).all()


def test_a_log_that_is_gone_does_not_compete_with_its_copies(root, path):
    copies(root)
    want = archive(root, path)
    [original] = [
        n for n in want.path.values.flat if n in {"0.1_0/json_out.jsonl", "a_copy/json_out.jsonl"}
    ]
    taken_away(root, path.parent, [original])
    ds = update(path)
    assert original in ds.path.values
    table = rc.problems(ds)
    said = table["message"][table["kind"] == "duplicate_run"]
    assert len(said) == 2
    assert said.str.contains(f"a copy of {original}, byte for byte").all()


def test_values_that_gave_way_in_a_log_that_is_gone_are_named_as_lost(root, path):
    def log(name, lr, epochs):
        rows = [{"step": s, "epoch": e, "loss": s + lr} for s, e in enumerate(epochs)]
        jsonl(root / f"{name}.jsonl", [{"config": {"lr": lr}}, *rows])

    once_again = [*range(20), 19, *range(20, 40)]
    log("one", 0.1, once_again)
    log("two", 0.2, once_again)
    assert archive(root, path).curve.dims[-1] == "epoch"
    (root / "one.jsonl").unlink()
    log("new", 0.3, [0] * 41)
    ds = update(path)
    assert ds.curve.dims[-1] == "step"
    table = rc.problems(ds)
    assert set(table["path"][table["kind"] == "lost_values"]) == {"one.jsonl"}
    gone, still = (ds.curve.sel(lr=lr).squeeze().values for lr in (0.1, 0.2))
    assert np.flatnonzero(np.isnan(gone)).tolist() == [19]
    np.testing.assert_array_equal(still, np.arange(41) + 0.2)


@HISTORIES
@given(data=st.data(), chunk=st.sampled_from(CHUNKS))
@pytest.mark.parametrize("kind", [NativeLogs, TableLogs])
def test_whatever_logs_are_gone_the_archive_keeps_them(tmp_path_factory, kind, data, chunk):
    folder = tmp_path_factory.mktemp("history")
    path = folder / "sweep.nc"
    logs = begun(folder, data, kind)
    happens(logs, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_BYTES", chunk)
        try:
            want = archive(logs.root, path)
        except RuncubeError:
            return
        held = sorted({p for p in want.path.values.flat if p})
        gone = data.draw(
            st.lists(st.sampled_from([*map(str, held)]), unique=True, max_size=len(held) - 1)
        )
        back = taken_away(logs.root, folder, gone)
        assert_kept(update(path), want, gone)
        back()
        happens(logs, data)
        assert_up_to_date(path, logs.root)


# What is read


def test_an_archive_reads_each_log_once(grid, path, read):
    archive(grid, path)
    assert read == [f"{n:03d}/json_out.jsonl" for n in range(1, 7)]


def test_an_update_without_a_change_reads_no_log_and_writes_nothing(grid, path, read):
    archive(grid, path)
    before = path.stat()
    read.clear()
    rc.update_archive(path)
    assert read == []
    assert path.stat() == before


def test_an_update_reads_what_is_new_and_what_has_changed(grid, path, read):
    archive(grid, path)
    read.clear()
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    changed = grid / "003" / "json_out.jsonl"
    changed.write_text(changed.read_text().replace("0.01", "0.02"))
    os.utime(grid / "004" / "json_out.jsonl", ns=(0, 0))
    quietly(rc.update_archive, path)
    assert read == ["003/json_out.jsonl", "004/json_out.jsonl", "new/json_out.jsonl"]
    assert_up_to_date(path, grid)


def appended(log, *records):
    with log.open("a") as stream:
        stream.write(lines(*records))


def epochs_line(epoch, **stats):
    return lines(epoch_line(epoch), *(stats_line(name, **stats) for name in ("train", "val")))[:-1]


@pytest.fixture
def fetched(monkeypatch):
    """Bytes of logs that were read from some place on."""
    seen = []
    read_from = native_reader.read_from

    def reading(root, path, offset):
        data = read_from(root, path, offset)
        seen.append(len(data))
        return data

    monkeypatch.setattr(native_reader, "read_from", reading)
    return seen


def test_of_a_log_that_has_grown_only_what_was_appended_is_read(grid, path, read, fetched):
    log = grid / "003" / "json_out.jsonl"
    for epoch in range(5, 1_000):
        appended(log, epochs_line(epoch, loss=epoch / 7))
    archive(grid, path)
    read.clear()
    for epoch in range(1_000, 1_020):
        before = log.stat().st_size
        appended(log, epochs_line(epoch, loss=epoch / 7), {"type": "str", "value": f"at {epoch}"})
        fetched.clear()
        quietly(rc.update_archive, path)
        if epoch < 1_015:
            assert fetched == [log.stat().st_size - before + TAIL_BYTES]
            assert read == []
    # Now and then a log is read whole, so that its hash has few parts.
    assert read == ["003/json_out.jsonl"]
    assert_up_to_date(path, grid)
    assert rc.verify_archive(path, grid).empty


def test_a_log_that_cannot_be_read_any_more_is_named(grid, path, monkeypatch):
    log = grid / "003" / "json_out.jsonl"
    archive(grid, path)
    appended(log, epochs_line(9, loss=0.75))

    def gone(*_):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(native_reader, "read_from", gone)
    monkeypatch.setattr(native_reader, "read_bytes", gone)
    ds = update(path)
    [named] = [p for p in json.loads(ds.attrs["skipped"]) if p["kind"] == "unreadable"]
    assert named["path"] == "003/json_out.jsonl"
    monkeypatch.undo()
    assert_up_to_date(path, grid)


def test_many_updates_of_growing_logs_leave_no_arrays_behind(grid, path):
    log = grid / "003" / "json_out.jsonl"
    for epoch in range(5, 100):
        appended(grid / "001" / "json_out.jsonl", epochs_line(epoch, loss=1.0))
    archive(grid, path)
    for epoch in range(5, 100):
        appended(log, epochs_line(epoch, loss=epoch / 7))
        quietly(rc.update_archive, path)
    with xr.open_dataset(path, group="logs") as ds:
        assert len(ds["arrays_sizes"]) < 100
    assert_up_to_date(path, grid)
    assert rc.verify_archive(path, grid).empty


GROWTH = {
    "a text": ['{"type": "str", "value": "x"}'],
    "another epoch": [epochs_line(7, loss=0.5)],
    "an epoch once more": [epochs_line(2, loss=0.5), epochs_line(2, loss=0.5)],
    "an epoch of long ago": [epochs_line(0, loss=0.25), epochs_line(1, loss=0.125)],
    "no marker": [stats_line("val", loss=0.5), stats_line("val", loss=0.5)],
    "a new split": [stats_line("test", loss=0.5)],
    "a new metric": [stats_line("val", loss=0.5, f1=1.0)],
    "a metric less": [stats_line("val"), stats_line("val", loss=1.0)],
    "its end": [{"type": "str", "value": "Training time 1:00:00.5"}],
    "two ends": [{"type": "str", "value": f"Training time 0:00:0{i}.1"} for i in range(3)],
    "not a number": [stats_line("val", loss=float("nan"))],
    "no JSON": ["{broken"],
    "another configuration": [config_line(optim={"lr": 9.0}, seed=0), epochs_line(0, loss=0.5)],
    "a step": [{"title": "t", "data_name": "val", "agg_stats": {"loss": 1.0}, "step": 4}],
    "blank lines": ["", ""],
}


@pytest.mark.parametrize("storage", [{}, {"dtype": "float32"}, {"metrics": "loss"}], ids=str)
@pytest.mark.parametrize("kind", GROWTH)
def test_whatever_is_appended_to_a_log_an_update_sees_it(grid, path, kind, storage):
    log = grid / "003" / "json_out.jsonl"
    archive(grid, path, **storage)
    appended(log, *GROWTH[kind])
    assert_up_to_date(path, grid, **storage)
    appended(log, epochs_line(9, loss=0.75), *GROWTH[kind])
    assert_up_to_date(path, grid, **storage)
    assert rc.verify_archive(path, grid).empty


def test_a_log_that_was_seen_in_the_middle_of_a_line_is_read_again(grid, path, read):
    log = grid / "003" / "json_out.jsonl"
    record = epochs_line(9, loss=0.75) + "\n"
    for part in (record[:70], record[70:-1], record[-1:]):
        with log.open("a") as stream:
            stream.write(part)
        archive(grid, path) if part == record[:70] else assert_up_to_date(path, grid, read=read)


def test_a_log_that_was_written_anew_and_is_longer_is_read_whole(grid, path, read):
    archive(grid, path)
    log = grid / "003" / "json_out.jsonl"
    text = log.read_text()
    for changed in (text.replace("0.01", "0.02"), text.replace('"seed": 0', '"seed": 7')):
        log.write_text(changed)
        appended(log, epochs_line(9, loss=0.75))
        assert_up_to_date(path, grid, read=read)
        assert read == ["003/json_out.jsonl"]


class WritingReader(NativeReader):
    """While it reads a log, somebody goes on writing it."""

    def read(self, source, request):
        appended(Path(source.root) / source.path, stats_line("val", loss=0.5))
        return super().read(source, request)


def test_what_is_written_while_a_log_is_read_counts_once(grid, path):
    archive(grid, path, reader=WritingReader())
    for _ in range(2):
        made = update(path, reader=WritingReader())
        assert_same(made, load(grid), but=["policies"])


def test_longer_runs_make_no_other_run_be_read_again(grid, path, read):
    archive(grid, path)
    read.clear()
    write_run(grid / "longer", {"optim": {"lr": 0.1}, "seed": 9, "epochs": 7}, epochs=7)
    update(path)
    assert read == ["longer/json_out.jsonl"]
    assert_up_to_date(path, grid)


def test_a_column_that_only_a_new_log_has_makes_no_other_log_be_read_again(root, path, read):
    columns_of_configuration(root)
    archive(root, path)
    read.clear()
    rows = [{"lr": 0.3, "wd": 0, "extra": 1, "epoch": e, "val_loss": e} for e in range(4)]
    jsonl(root / "new.jsonl", rows)
    update(path)
    assert read == ["new.jsonl"]
    assert_up_to_date(path, root)


def test_a_run_that_gave_way_is_read_when_its_winner_gets_worse(grid, path, read):
    config = {"optim": {"lr": 0.1}, "seed": 0, "epochs": 3}
    write_run(grid / "twin", config, config_index=7, epochs=2, finish=False)
    ds = archive(grid, path, layout="grid")
    assert "twin/json_out.jsonl" not in ds.path.values
    log = grid / "001" / "json_out.jsonl"
    log.write_text(log.read_text()[:300])
    read.clear()
    ds = update(path)
    assert str(ds.run_id.sel(lr=0.1, seed=0).values) == "twin"
    assert sorted(read) == ["001/json_out.jsonl", "twin/json_out.jsonl"]
    assert_up_to_date(path, grid, layout="grid")


def test_many_updates_make_an_archive_no_larger_than_a_new_one(grid, path):
    archive(grid, path)
    for number in range(12):
        log = grid / "003" / "json_out.jsonl"
        log.write_bytes(log.read_bytes() + lines(stats_line("val", loss=number)).encode())
        update(path)
    fresh = path.with_name("fresh.nc")
    archive(grid, fresh)
    assert path.stat().st_size < 1.3 * fresh.stat().st_size


@dataclass(frozen=True)
class OurReader:
    """A reader of somebody's own: the native layout, and a word of what it was asked."""

    name: str = "ours"
    asked: tuple = ()

    def find(self, tree):
        return NativeReader().find(tree)

    def headers(self, source):
        return NativeReader().headers(source)

    def read(self, source, request):
        return NativeReader().read(source, request)


def test_a_reader_of_ones_own_is_given_again(grid, path):
    archive(grid, path, reader=OurReader())
    before = path.read_bytes()
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    with pytest.raises(rc.ArchiveError, match=r"'ours'.*pass it as reader="):
        rc.update_archive(path)
    assert path.read_bytes() == before
    assert_same(update(path, reader=OurReader()), load(grid, reader=OurReader()))


def test_a_reader_that_is_registered_need_not_be_given_again(grid, path):
    rc.register_reader(OurReader())
    archive(grid, path, reader=OurReader())
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    assert_up_to_date(path, grid, reader=OurReader())


def test_a_reader_with_other_options_reads_anew(grid, path, read):
    archive(grid, path, reader=OurReader())
    read.clear()
    update(path, reader=OurReader(asked=("anew",)))
    assert len(read) == 6


# Where the logs are


def test_one_log_of_several_is_archived_and_updated_alone(grid, path):
    log = grid / "002" / "json_out.jsonl"
    shutil.copy(grid / "003" / "json_out.jsonl", grid / "002" / "other.jsonl")
    assert_archived(log, path)
    with log.open("a") as stream:
        stream.write(lines({"type": "str", "value": "afterwards"}))
    assert_up_to_date(path, log)


def test_an_archive_finds_its_logs_from_anywhere(grid, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quietly(rc.archive_runs, "logs", "archives/sweep.nc")
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    monkeypatch.chdir(path.parent)
    assert_same(update("sweep.nc"), load(grid), but=["source"])


def test_logs_may_have_moved(grid, path):
    archive(grid, path)
    moved = grid.rename(grid.with_name("moved"))
    with pytest.raises(FileNotFoundError, match="logs"):
        rc.update_archive(path)
    assert_same(update(path, moved), load(moved))
    rc.update_archive(path)


def test_logs_that_were_committed_meanwhile_are_of_that_commit(grid, path):
    archive(grid, path)
    (grid / ".git").mkdir()
    (grid / ".git" / "HEAD").write_text("0123456789abcdef\n")
    assert_up_to_date(path, grid)


# Arguments come back


def test_errors_that_raise_raise_in_an_update_as_well(grid, path):
    rc.archive_runs(grid, path, errors="raise")
    assert_up_to_date(path, grid, errors="raise")
    with (grid / "003" / "json_out.jsonl").open("a") as log:
        log.write("{broken\n")
    assert_up_to_date(path, grid, errors="raise")


@pytest.mark.parametrize(
    "options",
    [
        {"relabel": {"lr": {0.1: None, 1.0: float("inf")}}},
        {"relabel": {"lr": {np.float64(0.1): np.float32(0.5), 1.0: np.int64(3)}}},
        {"relabel": {"seed": {0: True, 1: False}}},
        {"dims": ("lr",), "exclude": ["epochs"]},
        {"metrics": np.array(["loss"]), "splits": ("val", "train")},
        {"expected": 2.5},
    ],
)
def test_arguments_of_any_type_come_back(grid, path, options):
    assert_archived(grid, path, **options)
    write_run(grid / "new", {"optim": {"lr": 0.1}, "seed": 0, "epochs": 4}, epochs=4)
    assert_up_to_date(path, grid, **options)


# What is interrupted goes on


def interrupt(root, path, after, **options):
    """Stop an archive once so many logs have been read."""

    def stop(done, total, files):
        if files == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quietly(rc.archive_runs, root, path, progress=stop, **options)
    return path.with_name(f".{path.name}.spool"), path.with_name(f".{path.name}.journal")


def test_an_interrupted_archive_goes_on_where_it_stopped(grid, path, read):
    interrupt(grid, path, 4)
    assert not path.exists()
    read.clear()
    assert_archived(grid, path)
    assert read[6:] == ["005/json_out.jsonl", "006/json_out.jsonl"]


def test_an_archive_that_is_interrupted_again_and_again_reads_each_log_once(grid, path, read):
    for _ in range(5):
        interrupt(grid, path, 1)
    made = archive(grid, path)
    assert len(read) == 6
    assert_same(made, load(grid))
    assert hidden(path.parent) == []


def test_what_has_changed_since_an_interruption_is_read_again(grid, path, read):
    interrupt(grid, path, 4)
    with (grid / "002" / "json_out.jsonl").open("a") as log:
        log.write(lines(stats_line("val", loss=99.0)))
    (grid / "003" / "json_out.jsonl").unlink()
    read.clear()
    made = archive(grid, path)
    assert read == [f"{n}/json_out.jsonl" for n in ("002", "005", "006")]
    assert_same(made, load(grid))


def test_what_was_read_for_other_arguments_is_read_again(grid, path):
    interrupt(grid, path, 4)
    assert_archived(grid, path, metrics="acc1")
    interrupt(grid, path, 6, metrics="loss", splits="val")
    assert_archived(grid, path, splits="train")


def test_what_was_read_of_other_logs_is_read_again(grid, path):
    other = grid.with_name("other")
    shutil.copytree(grid, other)
    for log in other.rglob("*.jsonl"):
        data = log.read_bytes()
        stat = (grid / log.relative_to(other)).stat()
        log.write_bytes(data.replace(b'"loss": 1', b'"loss": 2'))
        os.utime(log, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    interrupt(grid, path, 5)
    assert_archived(other, path)


def test_an_update_takes_in_what_an_interrupted_archive_has_read(grid, path, read):
    archive(grid, path)
    for seed in (7, 8, 9):
        write_run(grid / f"new{seed}", {"optim": {"lr": 0.1}, "seed": seed, "epochs": 3})
    interrupt(grid, path, 8)
    read.clear()
    quietly(rc.update_archive, path)
    assert read == ["new9/json_out.jsonl"]
    assert_up_to_date(path, grid)


def test_an_interrupted_update_leaves_the_archive_and_nothing_else(grid, path):
    archive(grid, path)
    before = path.read_bytes()
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})

    def stop(done, total, files):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rc.update_archive(path, progress=stop)
    assert path.read_bytes() == before
    assert hidden(path.parent) == []
    assert_up_to_date(path, grid)


@pytest.fixture
def torn(grid, path):
    """Calls an archive after whatever was done to the files that an interrupted one left."""
    want = load(grid)
    files = interrupt(grid, path, 5)
    left = [file.read_bytes() for file in files]

    def again(*changed):
        for file, data in zip(files, changed, strict=True):
            file.write_bytes(data)
        assert_same(archive(grid, path), want)
        assert hidden(path.parent) == []
        path.unlink()

    return again, *left


def offsets(data, ends, count):
    """Where a file may be cut: about each of the ends, and anywhere."""
    near = {at + step for at in (0, len(data), *ends) for step in (-2, -1, 0, 1, 2)}
    anywhere = random.Random(0).sample(range(len(data)), count)
    return sorted(at for at in near.union(anywhere) if 0 <= at <= len(data))


def test_a_journal_that_was_cut_anywhere_is_good_as_far_as_it_goes(torn):
    again, values, journal = torn
    for at in offsets(journal, [m.end() for m in re.finditer(b"\n", journal)], 20):
        again(values, journal[:at])


def test_values_that_were_cut_anywhere_are_good_as_far_as_they_go(torn):
    again, values, journal = torn
    ends = [json.loads(line)["end"] for line in journal.splitlines() if line.startswith(b"{")]
    for at in offsets(values, ends, 10):
        again(values[:at], journal)


@pytest.mark.parametrize("name", ["flip", "zero", "digit", "garbage"])
def test_damage_to_a_journal_costs_only_what_it_says(torn, name):
    again, values, journal = torn
    dice = random.Random(1)
    for _ in range(25):
        data = bytearray(journal)
        at = dice.randrange(len(data))
        if name == "flip":
            data[at] ^= 1 << dice.randrange(8)
        elif name == "zero":
            data[at:] = bytes(len(data) - at)
        elif name == "garbage":
            data[at:] = dice.randbytes(len(data) - at)
        else:
            digits = [m.start() for m in re.finditer(rb"\d", journal)]
            data[dice.choice(digits)] = dice.choice(b"0123456789")
        again(values, bytes(data))


# Forks, for a start of Python takes longer than what they do.
KILLED = """
    import os, random, signal, sys, time, warnings
    from pathlib import Path
    import runcube as rc
    from runcube.archive import staging
    from runcube.readers.native import NativeReader
    logs, folder, fresh, span, seed = sys.argv[1:]
    path = Path(folder) / "sweep.nc"
    before = path.read_bytes() if path.exists() else None
    warnings.simplefilter("ignore")
    staging._SYNC_SECONDS = 0.01
    dice, seen, read = random.Random(int(seed)), [], NativeReader.read
    for _ in range(int(os.environ.get("KILLS", "5"))):
        child = os.fork()
        if not child:
            rc.archive_runs(logs, path)
            os._exit(0)
        time.sleep(dice.uniform(0, float(span)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        now = path.read_bytes() if path.exists() else None
        if now != before:
            with rc.open_archive(path) as ds, rc.open_archive(fresh) as want:
                assert ds.load().equals(want.load())
            before = now
    NativeReader.read = lambda *task: (seen.append(task[1].path), read(*task))[1]
    journal = path.with_name(".sweep.nc.journal")
    kept = journal.read_bytes().count(b"\\n") if journal.exists() else 0
    rc.archive_runs(logs, path)
    print(kept, len(seen), len(set(seen)))
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Logs that take about a second to archive, their archive, and how long it took."""
    folder = tmp_path_factory.mktemp("many")
    configs = product_configs(optim__lr=[0.1, 0.2, 0.3, 0.4, 0.5], data__aug=["a", "b", "c"])
    root = write_sweep(folder / "logs", configs, seeds=range(20), epochs=60)
    start = time.perf_counter()
    archive(root, folder / "fresh.nc")
    return root, folder / "fresh.nc", time.perf_counter() - start


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True])
def test_a_killed_archive_goes_on_and_leaves_an_older_one_as_it_was(many, grid, path, old):
    root, fresh, took = many
    if old:
        archive(grid, path)
    command = [sys.executable, "-B", "-c", dedent(KILLED), root, path.parent, fresh, took, 3 + old]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    kept, read, different = map(int, done.stdout.split())
    assert read == different
    assert kept + read == 300
    assert_same(opened(path), opened(fresh))
    assert hidden(path.parent) == []


# Digits that are not kept


LOSSY = [
    {"dtype": "float32"},
    {"significant_digits": 3},
    {"dtype": "float32", "significant_digits": 2},
]


@pytest.mark.parametrize("storage", LOSSY, ids="-".join)
def test_digits_that_are_not_kept_are_the_same_after_an_update(grid, path, storage):
    exact = load(grid)
    made = archive(grid, path, **storage)
    assert_same(made.assign(curve=exact.curve.astype(made.curve.dtype)), exact.astype(made.dtypes))
    write_run(grid / "new", {"optim": {"lr": 1 / 3}, "seed": 0, "epochs": 5}, epochs=5)
    assert_up_to_date(path, grid, **storage)
    log = grid / "002" / "json_out.jsonl"
    log.write_text(log.read_text().replace('"loss": 1', '"loss": 3'))
    assert_up_to_date(path, grid, **storage)


@pytest.mark.parametrize("storage", LOSSY, ids="-".join)
def test_values_that_differ_in_digits_that_are_not_kept_still_differ(root, path, storage):
    for seed in range(3):
        rows = [{"config": {"seed": seed}}]
        rows += [{"epoch": 0, "val_loss": 1 + i * 1e-12} for i in range(3)]
        jsonl(root / f"{seed}.jsonl", rows)
    assert archive(root, path, **storage).sizes["epoch"] == 3
    rows = [{"config": {"seed": 3}}, *({"epoch": e, "val_loss": e} for e in range(5))]
    jsonl(root / "3.jsonl", rows)
    assert_up_to_date(path, root, **storage)


def test_a_value_that_is_too_large_for_single_precision_leaves_the_archive(grid, path):
    archive(grid, path, dtype="float32")
    before = path.read_bytes()
    write(grid, "new", {"optim": {"lr": 0.1}, "seed": 5, "epochs": 3}, [1e300])
    with pytest.raises(rc.ArchiveError, match=r"1e\+300 is out of its range"):
        rc.update_archive(path)
    assert path.read_bytes() == before
    assert hidden(path.parent) == []


# What cannot be updated


def test_an_archive_that_was_saved_from_a_cube_cannot_be_updated(grid, path):
    rc.save_archive(load(grid), path)
    before = path.read_bytes()
    with pytest.raises(rc.ArchiveError, match=r"archive_runs\(logs, path\) makes an archive"):
        rc.update_archive(path)
    with pytest.raises(rc.ArchiveError, match=r"archive_runs\(logs, path\) makes an archive"):
        rc.update_archive(path, grid)
    assert path.read_bytes() == before
    assert hidden(path.parent) == []


@pytest.mark.parametrize("save", [lambda ds, path: ds.to_netcdf(path), rc.save_archive])
def test_an_archive_that_was_saved_from_an_archive_cannot_be_updated(grid, path, save):
    archive(grid, path)
    with rc.open_archive(path) as ds:
        save(ds, path.with_name("copy.nc"))
    with pytest.raises(rc.ArchiveError, match="remembers no logs"):
        rc.update_archive(path.with_name("copy.nc"))


def test_what_is_no_archive_cannot_be_updated(path, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"sweep\.nc"):
        rc.update_archive(path)
    path.write_text("text")
    with pytest.raises(rc.ArchiveError, match="no netCDF file"):
        rc.update_archive(path)
    with pytest.raises(rc.ArchiveError, match="directory"):
        rc.update_archive(tmp_path)
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(rc.ArchiveError, match=r"other\.nc"):
        rc.update_archive(tmp_path / "other.nc")
    assert hidden(tmp_path) == hidden(path.parent) == []


def test_a_wrong_directory_leaves_the_archive_as_it_was(grid, path, tmp_path):
    archive(grid, path)
    before = path.stat()
    (tmp_path / "empty").mkdir()
    jsonl(tmp_path / "else" / "manifest.json", [{"what": "a manifest"}])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        rc.update_archive(path, tmp_path / "nowhere")
    for name in ("empty", "else"):
        with pytest.raises(rc.NoRunsError, match=name):
            rc.update_archive(path, tmp_path / name)
    assert path.stat() == before
    assert hidden(path.parent) == []


HOLD = """
    import sys
    from pathlib import Path
    from runcube.files import locked
    with locked(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.readline()
"""


def test_while_another_process_writes_an_archive_it_is_not_updated(grid, path):
    archive(grid, path)
    before = path.read_bytes()
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    command = [sys.executable, "-B", "-c", dedent(HOLD), str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        for call in (lambda: rc.update_archive(path), lambda: rc.archive_runs(grid, path)):
            with pytest.raises(rc.ArchiveError, match="another process is writing it"):
                call()
        process.communicate("go\n")
    assert path.read_bytes() == before
    assert_up_to_date(path, grid)


def test_arguments_that_fit_no_log_leave_the_older_archive(grid, path):
    archive(grid, path)
    before = path.read_bytes()
    for options in ({"metrics": "nothing"}, {"rename": {"nothing": "a"}}, {"x": "nothing"}):
        with pytest.raises(rc.UnknownNameError, match="nothing"):
            rc.archive_runs(grid, path, **options)
    with pytest.raises(rc.ArchiveError, match="float16"):
        rc.archive_runs(grid, path, dtype="float16")
    assert path.read_bytes() == before
    assert hidden(path.parent) == []


def test_ten_thousand_files_that_are_no_logs_can_be_named(grid, path):
    folder = grid / ("a rather long name of a directory " * 5)
    for number in range(2000):
        jsonl(folder / f"{number}.json", [{"what": "a manifest"}])
    assert_archived(grid, path)
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    assert_up_to_date(path, grid)


# Who reads meanwhile


def test_who_reads_an_archive_keeps_what_it_held(grid, path):
    want = archive(grid, path)
    with rc.open_archive(path, messages=True) as ds, rc.open_archive(path, chunks={}) as lazy:
        log = grid / "003" / "json_out.jsonl"
        log.write_text(log.read_text().replace('"loss": 2', '"loss": 3'))
        write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
        update(path)
        assert_same(lazy.load(), want.drop_vars("messages"))
        assert_same(ds.load(), want)
    assert_up_to_date(path, grid)


def test_a_ledger_of_another_form_is_refused_and_the_cube_still_opens(grid, path):
    import netCDF4

    want = archive(grid, path)
    with netCDF4.Dataset(path, "a") as file:
        facts = json.loads(file["logs"].getncattr("facts"))
        file["logs"].setncattr("facts", json.dumps(facts | {"form": 0}))
    before = path.read_bytes()
    with pytest.raises(rc.ArchiveError, match="another version of runcube wrote its ledger"):
        rc.update_archive(path)
    assert path.read_bytes() == before
    assert_same(opened(path), want)
