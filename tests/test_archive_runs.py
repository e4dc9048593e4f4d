"""Archives made of logs: what is archived is what would be loaded, at once and after any update."""

import gzip
import json
import os
import random
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import product_configs, write_sweep

import runcube as rc
from runcube import ncfile
from runcube.model import RuncubeError
from runcube.readers import JsonlReader
from runcube.readers.native import NativeReader
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
        given = function(*arguments, **options)
    assert {w.filename for w in said} <= {__file__}
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


def assert_up_to_date(path, root, **options):
    """Once updated, an archive is what a new one of the same logs would be, and its ledger too."""
    fresh = path.with_name("fresh.nc")
    try:
        said, _ = told(rc.archive_runs, root, fresh, **options)
    except RuncubeError as error:
        before = path.read_bytes()
        with pytest.raises(type(error)):
            rc.update_archive(path)
        assert path.read_bytes() == before
    else:
        assert told(rc.update_archive, path)[0] == said
        assert_same(opened(path), opened(fresh))
        assert ledger(path) == ledger(fresh)
        assert rc.verify_archive(path).empty
        fresh.unlink()
    assert hidden(path.parent) == []


def ledger(path):
    """What an archive shows of its logs."""
    with xr.open_dataset(path, group="logs") as ds:
        names = ("path", "size", "mtime_ns", "sha256")
        return list(zip(*(ds[name].values.tolist() for name in names), strict=True))


def hidden(folder):
    return sorted(p.name for p in Path(folder).iterdir() if p.name.startswith("."))


def lines(*records):
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records)


def jsonl(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines(*records))


def config_line(**config):
    return {"type": "dict_config", "value": config}


def epoch_line(epoch):
    return {"type": "str", "value": f">> Start Epoch: {epoch}"}


def stats_line(split="val", **stats):
    return {"title": f"agg_{split}", "data_name": split, "agg_stats": stats}


def native(root, name, records):
    jsonl(root / name / "json_out.jsonl", records)


def write(root, name, config, values, split="val", metric="loss"):
    write_native(root / name, config, [{split: {metric: v}} for v in values])


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
def read(monkeypatch):
    """Paths of the logs that were read whole, as they are read."""
    seen = []
    for kind in (NativeReader, JsonlReader):

        def reading(self, source, request, kind=kind, read=kind.read):
            seen.append(source.path)
            return read(self, source, request)

        monkeypatch.setattr(kind, "read", reading)
    return seen


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
        patch.setattr(ncfile, "CHUNK_BYTES", chunk)
        assert_archived(folder / "logs", folder / "sweep.nc", **options)


# Logs with a history, and logs that are odd: each writes several runs


def plain(root):
    for lr in (0.1, 0.2):
        for seed in (0, 1, 2):
            write(root, f"{lr}_{seed}", {"lr": lr, "seed": seed, "epochs": 3}, [lr, seed, 1])


def one_log(root):
    write(root, "only", {"lr": 0.1}, [1, 2, 3])


def reconfigured(root):
    plain(root)
    more = lines(config_line(lr=0.7, seed=0), *(stats_line(loss=v) for v in (7, 8, 9)))
    for name in ("0.1_0", "0.2_2"):
        with (root / name / "json_out.jsonl").open("a") as log:
            log.write(more * (1 + (name == "0.2_2")))


def second_attempts(root):
    for seed in range(4):
        short, long = range(2), range(4)
        spans = ((short, long), (long, short), (short, short), (long, long))[seed]
        records = [config_line(seed=seed, lr=0.1)]
        for number, span in enumerate(spans):
            for e in span:
                records += [epoch_line(e), stats_line(loss=10 * number + e + seed / 2)]
        native(root, str(seed), records)


def resumed(root):
    for seed in range(4):
        records = [config_line(seed=seed, lr=0.1)]
        for start, stop in ((0, 8), (6, 12), (11, 14))[: 1 + seed]:
            for e in range(start, stop):
                records.append(epoch_line(e))
                records += [stats_line(s, loss=e + start / 8) for s in ("train", "val") if e != 7]
        native(root, str(seed), records)


def special_values(root):
    values = [float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308, 0.1]
    for seed in range(3):
        write(root, str(seed), {"seed": seed, "lr": 0.1}, values[seed:])


def repeated_x(root):
    for seed in range(4):
        rows = [{"config": {"seed": seed}}]
        rows += [{"epoch": e, "val_loss": e + seed + i / 8} for e in range(3) for i in range(2)]
        jsonl(root / f"{seed}.jsonl", rows)


def x_that_never_moves(root):
    for seed in range(4):
        rows = [{"config": {"seed": seed}}]
        rows += [{"epoch": 0, "val_loss": 1 + seed + i * (seed > 1)} for i in range(3)]
        jsonl(root / f"{seed}.jsonl", rows)


def one_row_logged_again(root):
    for seed in range(4):
        native(root, str(seed), [config_line(seed=seed), *([epoch_line(0), stats_line(a=7.0)] * 3)])


def no_x(root):
    for seed in range(4):
        rows = [{"config": {"seed": seed}}]
        rows += [{"val_loss": v / 4 + seed, "val_acc": v} for v in range(3 + seed % 2)]
        jsonl(root / f"{seed}.jsonl", rows)


def x_that_some_lack(root):
    for seed in range(6):
        axis = "epoch" if seed < 4 else "step"
        rows = [{"config": {"seed": seed}}, *({axis: e, "val_loss": e / 2} for e in range(3))]
        jsonl(root / f"{seed}.jsonl", [*rows, {"val_loss": 9.0}])


def no_shared_x(root):
    rng = np.random.default_rng(0)
    for seed in range(6):
        steps = np.sort(rng.choice(10_000, size=5 + seed % 3, replace=False)).tolist()
        rows = [{"config": {"seed": seed}}, *({"step": s, "val_loss": s / 10} for s in steps)]
        jsonl(root / f"{seed}.jsonl", rows)


def two_axes(root):
    for seed in range(3):
        rows = [{"config": {"seed": seed, "lr": 0.1}}]
        for e in range(3):
            rows += [
                {"step": s, "epoch": e, "wall_time": s + seed / 2, "train_loss": s + seed / 2}
                for s in range(10 * e, 10 * e + 10)
            ]
            rows.append({"step": 10 * e + 9, "epoch": e, "val_acc": e + seed / 2})
        jsonl(root / f"{seed}.jsonl", rows)


def several_runs_in_a_file(root):
    for part in range(3):
        rows = [
            {"run_id": f"{part}{run}", "lr": run / 8, "part": part, "step": s, "loss": s + run / 4}
            for s in range(4)
            for run in range(3)
        ]
        jsonl(root / f"{part}.jsonl", rows)


def columns_of_configuration(root):
    for number, (lr, wd) in enumerate([(0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)]):
        rows = [{"lr": lr, "wd": wd, "epoch": e, "val_loss": e + lr + wd} for e in range(4)]
        jsonl(root / f"{number}.jsonl", rows)


def a_column_that_varies_in_one_log(root):
    columns_of_configuration(root)
    rows = [{"lr": 0.1, "wd": e, "epoch": e, "val_loss": e} for e in range(4)]
    jsonl(root / "varying.jsonl", rows)


def duplicates(root):
    plain(root)
    for name, values in (("twin", [5, 5, 5]), ("shorter", [4]), ("longer", [1, 2, 3, 4])):
        write(root, name, {"lr": 0.1, "seed": 0, "epochs": 3, "tag": name}, values)


def copies(root):
    plain(root)
    for name in ("a_copy", "z_copy"):
        shutil.copytree(root / "0.1_0", root / name)


def no_logs_among_the_logs(root):
    plain(root)
    jsonl(root / "manifest.json", [{"what": "a manifest"}])
    (root / "empty.jsonl").write_text("")
    (root / "pointer.jsonl").write_text("version https://git-lfs.github.com/spec/v1\noid x\n")
    native(root, "headless", [epoch_line(0), stats_line(loss=1.0)])
    (root / "nothing").symlink_to(root / "nowhere")


def compressed(root):
    for seed in range(3):
        write(root, str(seed), {"seed": seed}, [1, 2, 3])
        log = root / str(seed) / "json_out.jsonl"
        packed = gzip.compress(log.read_bytes())
        (root / str(seed) / "log.jsonl.gz").write_bytes(packed[: len(packed) - 20 * (seed == 1)])
        log.unlink()


def sidecars(root):
    for number in range(3):
        folder = root / f"run{number}"
        jsonl(folder / "metrics.jsonl", [{"epoch": e, "val_loss": e / 2} for e in range(3)])
        day = f"start: 2026-01-0{number + 1}\n"
        (folder / "hparams.yaml").write_text(f"lr: 0.{number}\nsteps: {{1: a, 2: b}}\n{day}")


def odd_configurations(root):
    odd = [10**25, -(2**63), 1e400, float("nan"), "\ud800\0", [1, [2, {"a": None}]], {}, 1e-5]
    for number, value in enumerate(odd):
        write(root, f"r{number}", {"v": value, "seed": 0, "n": number % 2}, [number, 1])


def odd_names(root):
    for seed in range(4):
        stats = {"a": 1.0 + seed, "a\0": 2.0 + seed, "\ud800": 3.0, "x/y z": 4.0, "": 5.0}
        curves = [{"v\udcff": stats, "µ": stats, "": stats}] * 2
        write_native(root / f"run \udce9{seed}", {"seed": seed, "ü é": "\ud800"}, curves)


def nothing_logged(root):
    for seed in range(3):
        native(root, str(seed), [config_line(seed=seed, lr=0.1)])


def little_logged(root):
    for seed in range(4):
        rows = [epoch_line(e) for e in range(2)]
        stats = [stats_line("val", loss=1.0)] if seed > 1 else []
        native(root, str(seed), [config_line(seed=seed), *rows, *stats])


def long_messages(root):
    plain(root)
    with (root / "0.1_1" / "json_out.jsonl").open("a") as log:
        log.write(lines({"type": "str", "value": "é\0 " * 250_000}))
        log.write(lines({"type": "str", "value": "short"}))
    with (root / "0.2_0" / "json_out.jsonl").open("a") as log:
        log.writelines(f'{{"title": "agg_val", bad {i}\n' for i in range(10_000))


def jobs(root):
    for number in range(3):
        rows = [
            {"step": i, "metrics": {"train_loss": i / 2, "timestamp": 1.7e9 + i}} for i in range(4)
        ]
        jsonl(root / "runs" / f"net_a{number}" / "metrics.jsonl", rows)
        job = {"config": {"lr": number / 8}, "status": ("completed", "failed", "running")[number]}
        jsonl(root / "jobs" / f"a{number}.json", [job])


def keys_in_paths(root):
    for number, name in enumerate(("a/m", "a/n", "b/m", "b/n")):
        write(root, f"{name}/trial_1", {"lr": 0.1}, [number])


BY_COLUMN = JsonlReader(config=["lr", "part"], run="run_id", x="step", split=False)
SWEEPS = {
    maker.__name__: (maker, options)
    for maker, options in [
        (plain, {}),
        (one_log, {}),
        (reconfigured, {}),
        (second_attempts, {}),
        (resumed, {}),
        (special_values, {}),
        (repeated_x, {}),
        (x_that_never_moves, {}),
        (one_row_logged_again, {}),
        (no_x, {}),
        (x_that_some_lack, {}),
        (no_shared_x, {}),
        (two_axes, {}),
        (several_runs_in_a_file, {"reader": BY_COLUMN}),
        (columns_of_configuration, {}),
        (a_column_that_varies_in_one_log, {}),
        (duplicates, {"layout": "grid"}),
        (copies, {}),
        (no_logs_among_the_logs, {}),
        (compressed, {}),
        (sidecars, {}),
        (odd_configurations, {}),
        (odd_names, {}),
        (nothing_logged, {}),
        (little_logged, {}),
        (long_messages, {}),
        (jobs, {}),
        (keys_in_paths, {"path_keys": "{study}/{workload}/trial_{trial}"}),
    ]
}
FURTHER = {
    "two_axes": [{"x": "epoch"}, {"align": "order"}],
    "x_that_some_lack": [{"x": "step"}, {"x": "epoch", "expected": 3}],
    "no_shared_x": [{"align": "union"}],
    "duplicates": [{"on_duplicate": "first", "layout": "grid"}, {"layout": "configs"}],
    "second_attempts": [{"on_duplicate": "last"}, {"on_duplicate": "first"}],
    "several_runs_in_a_file": [
        {"reader": JsonlReader(run="run_id", metrics=["loss"], name="mine")},
        {"reader": JsonlReader(split=r"(?P<split>train|val)?_?(?P<metric>.+)")},
    ],
    "resumed": [{"splits": "train"}],
    "special_values": [{"splits": ["val"], "metrics": "loss", "dims": [], "layout": "grid"}],
}
CASES = [(name, options) for name, (_, options) in SWEEPS.items()]
CASES += [(name, options) for name, several in FURTHER.items() for options in several]
each_sweep = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=[f"{n}-{'-'.join(o) or 'plain'}" for n, o in CASES]
)


@each_sweep
def test_odd_logs_are_archived_as_they_are_loaded(root, path, name, options):
    SWEEPS[name][0](root)
    assert_archived(root, path, **options)


# Whatever was there first, the rest comes with an update


# A column that was configuration of every log and no longer is has to be read as a metric.
READ_AGAIN = {"a_column_that_varies_in_one_log"}


@each_sweep
def test_what_is_archived_later_makes_no_difference(root, path, monkeypatch, read, name, options):
    monkeypatch.setattr(ncfile, "CHUNK_BYTES", 64)
    SWEEPS[name][0](root)
    logs = sorted(root.iterdir())
    aside = path.with_name("aside")
    for held in dict.fromkeys([logs[len(logs) // 2], logs[-1]]):
        held.rename(aside)
        try:
            archive(root, path, **options)
        except rc.NoRunsError:
            continue
        finally:
            aside.rename(held)
        read.clear()
        quietly(rc.update_archive, path)
        new = {p.relative_to(root).as_posix() for p in (held, *held.rglob("*"))}
        assert set(read) <= new or name in READ_AGAIN
        assert_same(opened(path), load(root, **options))
        assert_up_to_date(path, root, **options)
        path.unlink()


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
        self.put(name, data[: self.draw(st.integers(data.find(b"\n") + 1, len(data)))])

    def touched(self):
        self.touch(self.one())

    def rerun(self):
        self.start(
            f"{self.draw(st.sampled_from('az'))}_{len(self.configs)}", self.configs[self.one()]
        )

    def worse(self):
        name = self.one()
        self.put(name, b"".join(self.file(name).read_bytes().splitlines(keepends=True)[:3]))

    CHANGES = (new_run, new_run, longer, other_values, shorter, touched, rerun, worse)


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

    CHANGES = (*Logs.CHANGES, reconfigured)


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

    CHANGES = (*Logs.CHANGES, column)


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


def happens(logs, data):
    for change in data.draw(st.lists(st.sampled_from(logs.CHANGES), min_size=1, max_size=3)):
        change(logs)


@HISTORIES
@given(data=st.data(), options=policies(), chunk=st.sampled_from(CHUNKS))
@pytest.mark.parametrize("kind", [NativeLogs, TableLogs])
def test_an_archive_that_is_updated_again_and_again_is_as_a_new_one(
    tmp_path_factory, kind, data, options, chunk
):
    folder = tmp_path_factory.mktemp("history")
    logs = begun(folder, data, kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ncfile, "CHUNK_BYTES", chunk)
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
        patch.setattr(ncfile, "CHUNK_BYTES", chunk)
        while left:
            count = data.draw(st.integers(1, len(left)))
            part, left = left[:count], left[count:]
            type(sweep)(sweep.splits, sweep.metrics, tuple(part)).write(folder / "logs")
            if (folder / "sweep.nc").exists():
                assert_up_to_date(folder / "sweep.nc", folder / "logs", **options)
            else:
                assert_archived(folder / "logs", folder / "sweep.nc", **options)
