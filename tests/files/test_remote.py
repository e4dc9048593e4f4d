"""Logs behind URLs: what is read is what would be read here, in few requests, whatever happens."""

import base64
import functools
import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import warnings
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from odd_logs import SWEEPS
from sweeps import product_configs, write_run, write_sweep
from web import serving

import runcube as rc
from runcube.cli.commands import main
from runcube.core.errors import RuncubeError
from runcube.files import retry
from runcube.files.access import read_bytes, read_from
from runcube.files.tree import Tree, list_files

DATA = Path(__file__).parents[1] / "data"
MADE = ("created", "command", "source", "git_commit", "policies")


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def loaded(root, **options):
    return quietly(rc.load_runs, root, **options)


def opened(root, cache=False, **options):
    return quietly(rc.open_runs, root, cache=cache, **options)


def assert_same(one, other):
    """Identical, but for where and when they were made."""
    one, other = (ds.compute().assign_attrs(dict.fromkeys(MADE, "")) for ds in (one, other))
    xr.testing.assert_identical(one, other)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Failing takes no time."""
    monkeypatch.setattr(retry, "PAUSES", (0.01, 0.02, 0.03))


@pytest.fixture
def memory():
    """Put a directory into the memory file system, and give its URL."""
    fs = fsspec.filesystem("memory")

    def put(root):
        for file in Path(root).rglob("*"):
            if file.is_file():
                fs.pipe_file(f"/sweep/{file.relative_to(root).as_posix()}", file.read_bytes())
        return "memory://sweep"

    yield put
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


@pytest.fixture
def logs(tmp_path):
    configs = product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    return write_sweep(tmp_path / "logs", configs, seeds=(0, 1, 2), epochs=200)


@pytest.fixture
def web(tmp_path):
    with serving(tmp_path) as server:
        yield server


# Equal to what is read here


@pytest.mark.parametrize("layout", ["grid", "configs"])
@pytest.mark.parametrize("name", ["digits", "overfit-init-transfer", "raytune-rllib"])
@pytest.mark.parametrize("place", ["memory", "web", "web without ranges"])
def test_the_logs_of_others_are_loaded_as_from_this_machine(place, name, layout, digits, memory):
    root = digits[0] if name == "digits" else DATA / name
    want = loaded(root, layout=layout, messages=True)
    if place == "memory":
        ds = loaded(memory(root), layout=layout, messages=True)
        assert ds.attrs["source"] == "memory://sweep"
    else:
        with serving(root) as web:
            web.has_ranges = place == "web"
            ds = loaded(web.url + "/", layout=layout, messages=True)
            assert ds.attrs["source"] == web.url
    assert "git_commit" not in ds.attrs
    assert_same(ds, want)


@pytest.mark.parametrize("name", SWEEPS)
def test_odd_logs_are_loaded_and_opened_as_from_this_machine(tmp_path, web, memory, name):
    root = tmp_path / "logs"
    root.mkdir()
    SWEEPS[name][0](root)
    for file in [*root.rglob("*")]:
        if file.is_symlink():  # a server shows no links
            file.unlink()
        else:  # and no fractions of a second, by which the newer of two runs may win
            os.utime(file, (10**9, 10**9))
    try:
        want = loaded(root)
    except RuncubeError as error:
        for url in (web.url + "/logs", memory(root)):
            with pytest.raises(type(error)):
                loaded(url)
        return
    for url in (web.url + "/logs", memory(root)):
        # Names that are no text are spelled by the server.
        names = ["run_id", "path"] if name == "odd_names" else []
        for ds in (loaded(url), opened(url)):
            assert_same(ds.drop_vars(names), want.drop_vars(names))


def test_a_tree_of_cubes_and_a_plan_come_from_a_url_as_well(logs, web):
    tree = quietly(rc.load_tree, web.url + "/logs")
    assert_same(tree["epoch"].to_dataset(), quietly(rc.load_tree, logs)["epoch"].to_dataset())
    assert [*rc.scan(web.url + "/logs").dims] == [*rc.scan(logs).dims]


def test_one_log_is_a_sweep_of_one(logs, web, memory):
    want = loaded(logs / "001" / "json_out.jsonl")
    assert_same(loaded(web.url + "/logs/001/json_out.jsonl"), want)
    assert_same(loaded(memory(logs) + "/001/json_out.jsonl"), want)


def test_a_file_url_is_a_path_here(logs):
    ds = loaded(f"file://{logs}")
    assert ds.identical(loaded(logs).assign_attrs(created=ds.created))


def test_compressed_logs_and_sidecars_are_read(tmp_path, web, memory):
    for lr in (0.1, 0.2):
        folder = tmp_path / "logs" / f"lr={lr}"
        folder.mkdir(parents=True)
        lines = [json.dumps({"epoch": i, "val_loss": lr + i}) + "\n" for i in range(5000)]
        (folder / "log.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode()))
        (folder / "config.yaml").write_text(f"optim: {{momentum: {lr * 10}}}\n")
    want = loaded(tmp_path / "logs")
    assert want.sizes["epoch"] == 5000
    assert_same(loaded(web.url + "/logs"), want)
    assert_same(loaded(memory(tmp_path / "logs")), want)


def test_names_are_those_of_the_files_however_the_server_spells_them(tmp_path, web, memory):
    names = ["lr=0.1,wd=0", "50% off", "a+b & c", "größe", "a%20b", "what?", "#1", "(x)'s"]
    for seed, name in enumerate(names):
        write_run(tmp_path / "logs" / name, {"seed": seed, "lr": 0.1})
    want = loaded(tmp_path / "logs")
    assert {p.split("/")[0] for p in want.path.values.ravel()} - {""} == {*names}
    assert_same(loaded(web.url + "/logs"), want)
    assert_same(loaded(memory(tmp_path / "logs")), want)


def test_keys_are_read_from_the_paths_of_urls(tmp_path, web):
    for study in ("a", "b"):
        write_run(tmp_path / "logs" / study / "trial_7", {"seed": 1, "lr": 0.1})
    ds = loaded(web.url + "/logs", path_keys="{study}/trial_{trial}")
    assert ds.study.values.tolist() == ["a", "b"]


def test_the_engine_and_the_command_take_urls(logs, web):
    want = loaded(logs)
    ds = quietly(xr.open_dataset, web.url + "/logs", engine="runcube", chunks={})
    np.testing.assert_array_equal(ds.curve, want.curve)
    done = CliRunner().invoke(main, ["table", web.url + "/logs", "--json"])
    assert done.exit_code == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    gone = CliRunner().invoke(main, ["explain", web.url + "/lags"])
    assert gone.exit_code == 2
    assert "lags: No such file or directory" in gone.stderr
    unknown = CliRunner().invoke(main, ["explain", "nowhere://logs"])
    assert unknown.exit_code == 2
    assert "nowhere" in unknown.stderr


# What is asked of the server


def test_headers_are_read_in_ranges(logs, web):
    size = sum(file.stat().st_size for file in logs.rglob("*.jsonl"))
    assert size > 12 * 30_000
    rc.scan(web.url + "/logs")
    gets = web.of_files()
    assert {g.status for g in gets} == {206}
    assert sum(g.sent for g in gets) == 12 * (8192 + 512)
    assert len(web.of_files("HEAD")) == 12 + 1  # and whether the root is a file


def test_a_load_asks_for_each_file_once_and_for_its_ends(logs, web):
    loaded(web.url + "/logs")
    gets = web.of_files()
    assert len([g for g in gets if g.range is None]) == 12
    assert len(gets) == 3 * 12


@pytest.mark.parametrize("parallel", [False, "threads", "processes"])
def test_an_archive_is_made_of_one_look_at_each_file(logs, web, tmp_path, parallel):
    path, url = tmp_path / "sweep.nc", web.url + "/logs"
    quietly(rc.archive_runs, url, path, parallel=parallel)
    gets = web.of_files()
    assert len([g for g in gets if g.range is None]) == 12
    assert len(gets) == 3 * 12
    assert len(rc.verify_archive(path, url)) == 0


def test_a_server_without_ranges_sends_each_file_once(logs, web):
    web.has_ranges = False
    loaded(web.url + "/logs")
    assert len(web.of_files()) == 12
    quietly(rc.archive_runs, web.url + "/logs", logs.parent / "sweep.nc")
    assert len(web.of_files()) == 24


def test_a_selection_of_an_open_cube_fetches_nothing(logs, web):
    ds = opened(web.url + "/logs")
    web.asked.clear()
    one = ds.curve.sel(lr=0.1, weights="DEFAULT", seed=1).compute()
    np.testing.assert_array_equal(one, loaded(logs).curve.sel(lr=0.1, weights="DEFAULT", seed=1))
    assert not web.asked


def test_what_is_known_of_logs_is_kept_for_the_next_opening(logs, web, tmp_path):
    url, cache = web.url + "/logs", tmp_path / "cache"
    want = opened(url, cache).compute()
    web.asked.clear()
    ds = opened(url, cache)
    assert not web.of_files()
    assert_same(ds, want)
    with (logs / "003" / "json_out.jsonl").open("a") as log:
        log.write("\n")
    web.asked.clear()
    ds = opened(url, cache)
    assert {g.path for g in web.of_files()} == {"/logs/003/json_out.jsonl"}
    np.testing.assert_array_equal(ds.curve, want.curve)


def test_a_cube_without_logs_that_were_denied_is_not_kept(logs, web, tmp_path):
    url, cache = web.url + "/logs", tmp_path / "cache"
    web.denied = {"007/json_out"}
    ds = opened(url, cache)
    assert json.loads(ds.attrs["skipped"])[0]["kind"] == "unreadable"
    # Sizes and times are those of before.
    web.denied = set()
    assert_same(opened(url, cache), opened(url))


class Meeting:
    """Requests of a kind are answered once so many of them are waiting for it at the same time."""

    def __init__(self, number):
        self.number = number
        self.lock = threading.Lock()
        self.waiting, self.alone = {}, set()
        self.met = defaultdict(threading.Event)

    def __call__(self, kind, path):
        if path.count("/") < 3:  # the root itself
            return
        kind = (kind, path.endswith("/"))
        with self.lock:
            met = self.met[kind]
            self.waiting[kind] = self.waiting.get(kind, 0) + 1
        if self.waiting[kind] >= self.number:
            met.set()
        if not met.wait(30):
            self.alone.add(kind)
            met.set()


def test_many_small_waits_overlap(tmp_path, web):
    write_sweep(tmp_path / "logs", product_configs(lr=[0.1, 0.2]), seeds=range(40), epochs=120)
    web.hold = meeting = Meeting(8)
    ds = loaded(web.url + "/logs")
    assert (ds.status == "complete").all()
    # Pages, sizes, beginnings and whole files: none is answered while fewer are asked for.
    assert len(meeting.waiting) == 4
    assert min(meeting.waiting.values()) >= 80
    assert meeting.alone == set()


def test_the_server_of_python_will_do(logs):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(logs.parent))
    )
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        assert_same(loaded(f"http://127.0.0.1:{server.server_port}/logs"), loaded(logs))
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_that_tells_no_sizes_will_do(logs, web):
    web.has_sizes = False
    assert_same(loaded(web.url + "/logs"), loaded(logs))


def test_pages_may_have_other_links(tmp_path, logs, web):
    shutil.move(logs / "002", tmp_path / "elsewhere")
    links = "".join(
        f'<a href="{link}">{link}</a>'
        for link in (
            "?C=N;O=D",
            "../",
            "/logs/",
            "/elsewhere/",
            "https://example.org/x.jsonl",
            *(f"/logs/{path.name}/" for path in logs.iterdir()),
        )
    )
    (logs / "index.html").write_text(f"<html><body>{links}</body></html>")
    assert_same(loaded(web.url + "/logs"), loaded(logs))


# When things go wrong


def test_what_fails_in_passing_is_asked_for_again(logs, web):
    want = loaded(logs)
    web.failing = {"/logs": 3}
    web.resetting = {f"{n:03d}/json_out": 1 for n in range(1, 5)}
    assert_same(loaded(web.url + "/logs"), want)
    assert len([a for a in web.asked if a.status == 503]) == 3
    assert not any(web.resetting.values())


def test_a_file_that_fails_for_good_costs_itself_alone(logs, web):
    web.failing = {"007/json_out": 10**9}
    ds = loaded(web.url + "/logs")
    (problem,) = json.loads(ds.attrs["skipped"])
    assert problem["kind"] == "unreadable"
    assert problem["path"].startswith("007/")
    assert problem["message"].startswith("HTTP 503")
    assert int((ds.status == "complete").sum()) == 11
    tries = [a for a in web.asked if "007/json_out" in a.path and a.method == "HEAD"]
    assert len(tries) == 4


def test_a_file_that_fails_only_when_it_is_read_costs_itself_alone(logs, web):
    web.resetting = {"007/json_out": 10**9}
    ds = loaded(web.url + "/logs")
    (problem,) = json.loads(ds.attrs["skipped"])
    assert (problem["kind"], problem["path"][:4]) == ("unreadable", "007/")
    assert int((ds.status == "complete").sum()) == 11


def test_a_log_that_has_vanished_is_named_at_once(logs, web):
    tree = Tree(list_files(web.url + "/logs"))
    path = next(iter(tree.files))
    (logs / path).unlink()
    web.asked.clear()
    with pytest.raises(FileNotFoundError, match="No such file"):
        read_bytes(tree.root, path)
    assert len([a for a in web.asked if path in a.path]) == 1


def test_a_server_that_is_gone_is_told_before_long(logs):
    with serving(logs) as web:
        url = web.url
    with pytest.raises(OSError, match=f"{url}"):
        loaded(url)


def test_patience_ends_when_all_is_in_vain():
    patience, tries = retry.Retrier(), []

    def request():
        tries.append(1)
        raise ConnectionResetError

    for _ in range(20):
        with pytest.raises(OSError, match="ConnectionResetError"):
            patience.ask(request, "x")
    assert len(tries) == 8 * 4 + 12


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("{web}/nothing", FileNotFoundError, "nothing"),
        ("{web}/empty", rc.NoRunsError, "the directory is empty"),
        ("{web}/other", rc.NoRunsError, "no training logs among 1 files"),
        ("memory://nothing", FileNotFoundError, "memory://nothing: no such file"),
        ("memory://other", rc.NoRunsError, "no training logs among 1 files"),
        ("nowhere://logs", rc.StoreError, "Protocol not known: nowhere"),
        ("s3://bucket/logs", rc.StoreError, "[Ii]nstall s3fs"),
        ("s3://bucket/logs", ImportError, "s3fs"),
    ],
)
def test_errors_are_those_of_paths_here(tmp_path, web, memory, url, error, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("hello")
    fsspec.filesystem("memory").pipe_file("/other/a.txt", b"hello")
    for function in (rc.load_runs, rc.open_runs, rc.scan):
        with pytest.raises(error, match=message):
            function(url.format(web=web.url))


def test_a_url_that_pathlib_has_halved_is_told(web):
    with pytest.raises(FileNotFoundError, match="give a URL as text"):
        rc.load_runs(Path(web.url + "/logs"))


# Secrets


def test_credentials_are_used_and_written_down_nowhere(logs, web, tmp_path, monkeypatch):
    web.user = "me:secret"
    with pytest.raises(PermissionError, match="HTTP 401"):
        rc.load_runs(web.url + "/logs")
    url = web.url.replace("//", "//me:secret@") + "/logs"
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "runcube", "table", url])
    ds = loaded(url)
    assert ds.attrs["source"] == web.url + "/logs"
    assert "secret" not in str(ds.attrs)
    path = tmp_path / "sweep.nc"
    quietly(rc.archive_runs, url, path)
    quietly(rc.update_archive, path, url)
    assert b"secret" not in path.read_bytes()
    with rc.open_archive(path) as back:
        assert "secret" not in str(back.attrs)
        assert_same(back, ds)
    with pytest.raises(FileNotFoundError) as caught:
        rc.load_runs(url.replace("logs", "lags"))
    assert "secret" not in str(caught.value)


def test_options_of_fsspec_hold(logs, web, monkeypatch):
    web.user = "me:secret"
    word = "Basic " + base64.b64encode(b"me:secret").decode()
    with pytest.raises(PermissionError):
        rc.load_runs(web.url + "/logs")
    monkeypatch.setitem(fsspec.config.conf, "http", {"headers": {"Authorization": word}})
    assert_same(loaded(web.url + "/logs"), loaded(logs))


def test_a_token_in_the_query_of_a_log_is_used_and_written_down_nowhere(logs, web):
    (log,) = (logs / "001").iterdir()
    ds = loaded(f"{web.url}/logs/001/{log.name}?token=secret")
    assert ds.path.values.ravel().tolist() == [log.name]
    assert "secret" not in str(ds.attrs)
    assert ds.attrs["source"] == f"{web.url}/logs/001"


# In parallel


@pytest.mark.parametrize("place", ["memory", "web"])
def test_each_way_of_reading_gives_the_same(place, logs, web, memory):
    url = memory(logs) if place == "memory" else web.url + "/logs"
    want = loaded(logs)
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2) as processes:
        for parallel in ("auto", False, "threads", "dask", threads, processes):
            assert_same(loaded(url, parallel=parallel), want)
    if place == "web":
        web.asked.clear()
        assert_same(loaded(url, parallel="processes"), want)
        assert len([g for g in web.of_files() if g.range is None]) == 12


@pytest.mark.parametrize("parallel", ["processes", "dask"])
def test_logs_in_memory_are_read_here_and_named(logs, memory, parallel):
    with pytest.warns(
        rc.SweepWarning, match=rf"{parallel}'.*memory of this process, and read in it"
    ):
        found = rc.load_runs(memory(logs), parallel=parallel)
    assert found.curve.equals(loaded(logs).curve)


# Archives


@pytest.mark.parametrize("has_tags", [False, True])
def test_an_archive_follows_the_logs_of_a_server(logs, web, tmp_path, has_tags):
    web.has_tags = has_tags
    url, path = web.url + "/logs", tmp_path / "sweep.nc"
    quietly(rc.archive_runs, url, path)
    with rc.open_archive(path) as ds:
        assert_same(ds, loaded(logs))
    assert len(rc.verify_archive(path, url)) == 0
    web.asked.clear()
    quietly(rc.update_archive, path)
    assert not web.of_files()

    (log,) = (logs / "003").iterdir()
    data = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(data[: len(data) // 2]))
    assert rc.verify_archive(path, url).kind.tolist() == ["changed_log"]
    quietly(rc.update_archive, path)
    with rc.open_archive(path) as ds:
        assert_same(ds, loaded(logs))
    assert len(rc.verify_archive(path, url)) == 0

    # It grows: what was there already is not sent again.
    log.write_bytes(b"".join(data))
    web.asked.clear()
    quietly(rc.update_archive, path)
    with rc.open_archive(path) as ds:
        assert_same(ds, loaded(logs))
    whole = [g for g in web.of_files() if g.range is None]
    assert whole == []
    assert len(rc.verify_archive(path, url)) == 0


def test_a_log_that_is_gone_from_the_server_stays_in_the_archive(logs, web, tmp_path):
    url, path = web.url + "/logs", tmp_path / "sweep.nc"
    want = loaded(logs)
    quietly(rc.archive_runs, url, path)
    shutil.rmtree(logs / "003")
    web.failing = {"/005/": 10**9}  # what cannot be listed is not forgotten either,
    web.resetting = {"/007/json": 10**9, "/009/json": 10**9}  # nor what cannot be read
    with (logs / "007" / "json_out.jsonl").open("a") as log:
        log.write("\n")  # of the other one the listing says that it has not changed
    quietly(rc.update_archive, path)
    with rc.open_archive(path) as ds:
        np.testing.assert_array_equal(ds.curve, want.curve)
        assert rc.problems(ds).kind.tolist().count("deleted_log") == 3


def test_a_log_rewritten_within_a_second_shows_by_its_tag(logs, web, tmp_path):
    web.has_tags = True
    url, path = web.url + "/logs", tmp_path / "sweep.nc"
    quietly(rc.archive_runs, url, path)
    (log,) = (logs / "003").iterdir()
    stat, data = log.stat(), log.read_bytes()
    at = data.rindex(b"0.") + 2
    log.write_bytes(data[:at] + b"7" + data[at + 1 :])
    os.utime(log, ns=(stat.st_atime_ns, stat.st_mtime_ns // 10**9 * 10**9 + 123))
    quietly(rc.update_archive, path)
    assert len(rc.verify_archive(path, url)) == 0


def test_an_archive_of_memory_is_updated(logs, memory, tmp_path):
    url, path = memory(logs), tmp_path / "sweep.nc"
    quietly(rc.archive_runs, url, path)
    write_run(logs / "new", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 9})
    memory(logs)
    quietly(rc.update_archive, path)
    with rc.open_archive(path) as ds:
        np.testing.assert_array_equal(ds.curve, loaded(logs).curve)


def test_archives_are_files_on_this_machine(logs, web, tmp_path):
    ds = loaded(logs)
    for write in (rc.save_archive, rc.merge_archives):
        with pytest.raises(rc.ArchiveError, match="files on this machine"):
            write([] if write is rc.merge_archives else ds, "memory://sweep.nc")
    for read in (rc.open_archive, rc.update_archive, rc.verify_archive):
        with pytest.raises(rc.ArchiveError, match="files on this machine"):
            read(web.url + "/sweep.nc")
    with pytest.raises(rc.PlanError, match="a directory on this machine"):
        rc.open_runs(web.url, cache="s3://bucket/cache")
    rc.save_archive(ds, f"file://{tmp_path}/sweep.nc")
    with rc.open_archive(tmp_path / "sweep.nc") as back:
        assert back.identical(ds)


def test_a_packed_sweep_is_read_through_two_file_systems(logs, web, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", logs.parent, "logs")
    want = loaded(logs)
    assert_same(loaded(f"zip://logs::{web.url}/packed.zip"), want)
    assert_same(loaded(f"zip://logs::file://{packed}"), want)
    ds = loaded(f"zip://logs/001/json_out.jsonl::file://{packed}")
    assert_same(ds, loaded(logs / "001" / "json_out.jsonl"))


def test_a_cache_of_fsspec_may_stand_between(logs, web, tmp_path):
    url = f"filecache::{web.url}/logs"
    assert_same(loaded(url), loaded(logs))


# Paths on this machine


def test_paths_on_this_machine_load_no_fsspec(logs, tmp_path):
    code = f"""
import sys, warnings
import runcube as rc
warnings.simplefilter("ignore", rc.SweepWarning)
rc.load_runs({str(logs)!r})
rc.archive_runs({str(logs)!r}, {str(tmp_path / "sweep.nc")!r})
rc.open_runs({str(logs)!r}, chunks=None).curve.load()
print(*[name for name in sys.modules if name.partition(".")[0] in ("fsspec", "aiohttp")])
print("runcube.files.remote" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False"]


def test_part_of_a_remote_file_is_its_part(tmp_path, web):
    data = os.urandom(200_000)
    (tmp_path / "a.bin").write_bytes(data)
    for web.has_ranges in (True, False):
        for url in (web.url, web.url + "/"):
            tree = Tree(list_files(url))
            for offset in (0, 1, 70_000, 199_999, 200_000, 300_000):
                assert read_from(tree.root, "a.bin", offset) == data[offset:]
