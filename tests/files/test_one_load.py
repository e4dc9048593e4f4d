"""What one load remembers of files disturbs no other, at the same time or afterwards."""

import json
import os
import sqlite3
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from sweeps import product_configs, write_sweep
from web import serving

import runcube as rc
from runcube.files import failed_reads, list_files, read_bytes, retry
from runcube.files.tree import Tree
from runcube.pipeline import progress_callback
from runcube.readers import database


def loaded(root):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root)


@pytest.fixture
def web(tmp_path, monkeypatch):
    monkeypatch.setattr(retry, "PAUSES", (0.01, 0.02, 0.03))
    write_sweep(tmp_path / "logs", product_configs(lr=[0.1, 1.0]), seeds=(0, 1, 2), epochs=200)
    with serving(tmp_path) as server:
        yield server


@pytest.fixture
def other_thread():
    with ThreadPoolExecutor(1) as thread:
        yield thread


def test_files_of_the_same_name_size_and_time_elsewhere_are_others(tmp_path, monkeypatch):
    for lr in (1, 2):
        folder = tmp_path / str(lr) / "logs"
        folder.mkdir(parents=True)
        (folder / "log.jsonl").write_text("".join(f'{{"step": {i}, "loss": 1}}\n' for i in (0, 1)))
        (folder / "config.yaml").write_text(f"lr: {lr}\n")
        for file in folder.iterdir():
            os.utime(file, (10**9, 10**9))
        monkeypatch.chdir(folder.parent)
        assert json.loads(loaded("logs").constant_hparams) == {"lr": lr}


def test_a_database_that_could_not_be_read_is_looked_at_by_the_next_load(tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE metrics (step, loss)")
    connection.close()

    def found():
        tree = Tree(list_files(tmp_path))
        return database.tables_in(tree, tree.files["a.db"])

    def failing(root, files):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(database, "open_database", failing)
        assert found() == {}
    assert found() == {"metrics": ("step", "loss")}


def test_failures_are_those_of_the_load_and_of_its_threads(tmp_path, other_thread):
    def fail():
        with pytest.raises(IsADirectoryError):
            read_bytes(str(tmp_path), "")

    list_files(tmp_path)
    other_thread.submit(list_files, tmp_path).result()
    other_thread.submit(fail).result()
    assert failed_reads() == 0
    assert other_thread.submit(failed_reads).result() == 1
    other_thread.submit(copy_context().run, fail).result()
    assert failed_reads() == 1
    list_files(tmp_path)
    assert failed_reads() == 0


def test_a_load_within_the_progress_of_another_is_one_of_its_own(tmp_path, web):
    other = write_sweep(tmp_path / "other", product_configs(lr=[0.1]), seeds=(0,))

    def asked(progress):
        web.asked.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rc.SweepWarning)
            rc.load_runs(web.url + "/logs", progress=progress)
        return sorted(map(str, web.asked))

    inner = []
    want = asked(lambda *_: None)
    assert asked(lambda *_: inner.append(loaded(other))) == want
    assert inner
    with pytest.raises(IsADirectoryError):
        read_bytes(str(tmp_path), "")
    with progress_callback(lambda *_: loaded(other)) as step:
        step(1, 1, 1)
    assert failed_reads() == 1


def test_another_load_of_a_url_leaves_what_was_fetched(web, other_thread):
    tree = Tree(list_files(web.url + "/logs"))
    tree.settle()
    first, *others = tree.files
    assert tree.head(first)
    web.asked.clear()
    other_thread.submit(list_files, web.url + "/logs").result()
    web.asked.clear()
    assert all(map(tree.head, others))
    assert web.asked == []


def test_a_server_that_was_gone_is_asked_again_as_patiently_as_ever(web):
    url = web.url + "/logs"
    want = loaded(url)
    web.failing = {"/logs": 10**9}
    for _ in range(9):
        with pytest.raises(OSError, match="HTTP 503"):
            loaded(url)
    web.failing = {"/logs": 3}
    assert loaded(url).curve.equals(want.curve)
