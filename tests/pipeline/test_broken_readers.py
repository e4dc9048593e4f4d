"""Readers that cannot look for their logs, or cannot be loaded, cost what they would have found."""

import json
import threading
import warnings
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest
from sweeps import product_configs, write_sweep

import runcube as rc
from runcube.readers import NativeReader, Source, base, registered_readers


@dataclass(frozen=True)
class Lost(NativeReader):
    """Finds one log, and then no more."""

    name: str = "lost"
    finds: int = 1
    error: type[Exception] = ZeroDivisionError

    def find(self, tree):
        for file in list(tree.unclaimed())[: self.finds]:
            yield Source(tree.root, file.path, (file,))
        raise self.error("oops")


class Own(NativeReader):
    """Finds logs of a name that no other reader takes for one."""

    def find(self, tree):
        for file in list(tree.unclaimed()):
            if file.path.endswith(".own"):
                yield Source(tree.root, file.path, (file,))


@pytest.fixture
def logs(tmp_path):
    return write_sweep(tmp_path / "logs", product_configs(lr=[0.1, 1.0]), seeds=(0, 1))


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(base, "_registered", dict(base._registered))


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def named(ds):
    return [(p["path"], p["kind"], p["message"]) for p in json.loads(ds.attrs["skipped"])]


RAISED = "find of the reader 'lost' raised ZeroDivisionError: oops"


@pytest.mark.parametrize("function", [rc.load_runs, rc.open_runs])
def test_what_a_reader_does_not_find_is_left_to_the_others(logs, registry, tmp_path, function):
    options = {"cache": tmp_path / "cache"} if function is rc.open_runs else {}
    want = quietly(rc.load_runs, logs)
    rc.register_reader(Lost())
    for _ in range(2):
        ds = quietly(function, logs, **options)
        assert named(ds) == [("", "reader_error", RAISED)]
        assert ds.curve.variable.compute().identical(want.curve.variable)
        logger = ds.logger.values.ravel().tolist()
        assert sorted(logger) == ["lost", "native", "native", "native"]
    with pytest.raises(rc.LogError, match=f"^reader_error: {RAISED}"):
        quietly(rc.load_runs, logs, errors="raise")


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError])
def test_where_no_other_reader_is_asked_the_error_names_what_was_raised(logs, error):
    raised = f"find of the reader 'lost' raised {error.__name__}: oops"
    with pytest.raises(rc.NoRunsError, match=raised) as told:
        rc.load_runs(logs, reader=Lost(finds=0, error=error))
    assert isinstance(told.value.__cause__, error)


def test_what_a_reader_raises_on_purpose_is_raised(logs):
    with pytest.raises(rc.PlanError, match=r"^oops$"):
        rc.load_runs(logs, reader=Lost(error=rc.PlanError))


def test_an_update_takes_no_runs_away_because_a_reader_is_broken(logs, registry, tmp_path):
    path = tmp_path / "sweep.nc"
    quietly(rc.archive_runs, logs, path)
    before = path.read_bytes()
    rc.register_reader(Lost(finds=0))
    with pytest.raises(rc.LogError, match=RAISED):
        rc.update_archive(path)
    assert path.read_bytes() == before


@pytest.fixture
def installed(registry, monkeypatch):
    """Entry points of packages that are installed, none of which is loaded yet."""

    def install(**values):
        points = [EntryPoint(name, value, base.ENTRY_POINT_GROUP) for name, value in values.items()]
        monkeypatch.setattr(base, "entry_points", lambda group: points)
        monkeypatch.setattr(base, "_broken", None)

    return install


def test_an_entry_point_that_cannot_be_loaded_is_named_and_costs_no_other(logs, installed):
    installed(gone="no_such_module:READER", ours=f"{__name__}:OURS", kind=f"{__name__}:Lost")
    gone = (
        "the entry point 'gone' of runcube.readers cannot be loaded: ModuleNotFoundError: No "
        "module named 'no_such_module'"
    )
    ds = quietly(rc.load_runs, logs)
    assert [problem[:2] for problem in named(ds)] == [("", "unloaded_reader")] * 2
    assert named(ds)[0][2] == gone
    assert "'kind' of runcube.readers cannot be loaded: TypeError: expected" in named(ds)[1][2]
    assert registered_readers()[0] is OURS
    assert ds.sizes["seed"] == 2
    with pytest.raises(rc.LogError, match=r"^unloaded_reader: the entry point 'gone'"):
        quietly(rc.load_runs, logs, errors="raise")
    assert named(quietly(rc.load_runs, logs, reader="native")) == []
    with pytest.raises(rc.PlanError, match=f"no such reader; known: .*; {gone}"):
        rc.load_runs(logs, reader="gone")


def test_an_entry_point_that_cannot_be_loaded_leaves_archives_and_the_cache_as_they_are(
    logs, installed, registry, tmp_path
):
    path, cache = tmp_path / "sweep.nc", tmp_path / "cache"
    log = min(logs.rglob("*.jsonl"))
    log.rename(log.with_suffix(".own"))
    rc.register_reader(Own("own"))
    quietly(rc.archive_runs, logs, path)
    want = quietly(rc.load_runs, logs)
    assert "own" in want.logger.values
    base._registered.pop("own")  # its package is broken now
    installed(own="no_such_module:READER")
    quietly(rc.update_archive, path)
    with rc.open_archive(path) as ds:
        assert ds.curve.variable.compute().identical(want.curve.variable)
        problems = rc.problems(ds).query("kind == 'deleted_log'")
        assert "the log cannot be read (the entry point 'own'" in problems["message"].item()
    found = rc.verify_archive(path, logs)
    assert found["path"].tolist() == [f"{log.parent.name}/{log.stem}.own"]
    assert found["message"].item().startswith("the log cannot be read (the entry point 'own'")
    for _ in range(2):
        quietly(rc.open_runs, logs, cache=cache)
    assert len(list(cache.glob("*.nc"))) == 1


def test_threads_see_all_readers_of_packages_or_wait(installed, monkeypatch):
    installed(ours=f"{__name__}:OURS")
    loading, go_on, seen = threading.Event(), threading.Event(), []
    load = EntryPoint.load

    def slowly(entry):
        assert registered_readers()  # a module of an entry point may ask: those of before
        loading.set()
        assert go_on.wait(60)
        return load(entry)

    monkeypatch.setattr(EntryPoint, "load", slowly)
    ask = lambda: seen.append(registered_readers()[0].name)  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(2)]
    threads[0].start()
    assert loading.wait(60)
    threads[1].start()
    threads[1].join(0.2)
    go_on.set()
    for thread in threads:
        thread.join()
    assert seen == ["ours", "ours"]


OURS = NativeReader(name="ours")
