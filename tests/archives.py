"""Archives made of logs, for the tests: made, updated, compared with a load."""

import inspect
import json
import os
import random
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import settings
from hypothesis import strategies as st
from odd_logs import (
    CASES,
    config_line,
    epoch_line,
    lines,
    stats_line,
)

import runcube as rc
from runcube.core.errors import RuncubeError
from runcube.netcdf import writer
from runcube.testing import nested

LAYOUTS = ("auto", "grid", "configs")


# Chunks of a few values, so that small cubes have many, too.
CHUNKS = (64, 256, 1 << 17)


def set_chunks(patch, size):
    """Let chunks have so many bytes; with few, curves of a few values are cut into pieces."""
    patch.setattr(writer, "CHUNK_BYTES", size)
    patch.setattr(writer, "_LONG_X", {64: 2, 256: 4}.get(size, 1024))


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


each_sweep = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=[f"{n}-{'-'.join(o) or 'plain'}" for n, o in CASES]
)


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


HISTORIES = settings(max_examples=max(1, settings().max_examples // 5))


def begun(folder, data, kind):
    logs = kind(folder / "logs", data.draw)
    for number in range(data.draw(st.integers(1, 4))):
        logs.start(f"m_{number}", {"seed": number % 2, "lr": [0.1, 0.2][number // 2]})
    return logs


def happens(logs, data):
    for change in data.draw(st.lists(st.sampled_from(logs.CHANGES), min_size=1, max_size=3)):
        getattr(logs, change)()
