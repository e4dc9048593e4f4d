"""Finding logs in a tree, and telling apart what is none."""

import gzip
import json
import os
import shutil
import warnings

import pytest

import runcube as rc
from runcube.testing import write_native


def load(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **options)


def sweep(root, lrs=(0.1, 0.2), seeds=(0, 1), epochs=3):
    for lr in lrs:
        for seed in seeds:
            curves = [{"val": {"loss": lr * e + seed}} for e in range(epochs)]
            write_native(root / f"{lr}_{seed}", {"lr": lr, "seed": seed}, curves)
    return root


def skipped(ds):
    return {p["path"]: p["kind"] for p in json.loads(ds.attrs["skipped"])}


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("json_out.jsonl", b"", "empty"),
        ("json_out.jsonl", b"\0" * 4096, "empty"),
        ("json_out.jsonl", b"\n \n", "empty"),
        ("json_out.jsonl", LFS.encode(), "lfs_pointer"),
        ("json_out.jsonl", b"\xff\xfe garbage \x00\x01", "not_a_log"),
        ("manifest.json", b'{\n "total_runs": 3,\n "runs": []\n}', "not_a_log"),
        ("summary.jsonl", b'{"run": 1, "best": 0.3}\n{"run": 2, "best": 0.2}\n', "not_a_log"),
        ("a.json", b"[1, 2, 3]", "not_a_log"),
        ("a.jsonl.gz", gzip.compress(b"hello\n", mtime=0), "not_a_log"),
    ],
)
def test_what_is_no_log_is_named_and_costs_nothing(tmp_path, name, content, kind):
    whole = load(sweep(tmp_path / "logs"))
    (tmp_path / "logs" / "bad").mkdir()
    (tmp_path / "logs" / "bad" / name).write_bytes(content)
    ds = load(tmp_path / "logs")
    assert skipped(ds) == {f"bad/{name}": kind}
    assert ds.curve.identical(whole.curve)


def test_files_of_other_kinds_are_not_worth_a_word(tmp_path):
    sweep(tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("hello")
    assert skipped(load(tmp_path)) == {}


def test_one_log_is_a_sweep_of_one_run(tmp_path):
    sweep(tmp_path)
    ds = load(tmp_path / "0.1_0" / "json_out.jsonl")
    assert ds.sizes["seed"] == 1
    assert ds.curve.size == 3


def test_links_are_followed_once_and_a_link_to_nothing_is_named(tmp_path):
    sweep(tmp_path / "real")
    logs = tmp_path / "logs"
    logs.mkdir()
    os.symlink(tmp_path / "real", logs / "linked")
    os.symlink(tmp_path / "real", logs / "again")
    os.symlink(logs, tmp_path / "real" / "loop")
    os.symlink(tmp_path / "gone.jsonl", logs / "gone.jsonl")
    ds = load(logs)
    assert int((ds.status == "complete").sum()) == 4
    assert skipped(ds) == {"gone.jsonl": "unreadable"}


def test_a_log_that_vanishes_after_the_listing_costs_that_log(tmp_path, monkeypatch):
    sweep(tmp_path)
    sweep_of = rc.scan(tmp_path)
    shutil.rmtree(tmp_path / "0.1_0")
    table = sweep_of.table()
    assert table["failed"].sum() == 1
    assert table["complete"].sum() == 3


def test_a_byte_for_byte_copy_is_one_run(tmp_path):
    sweep(tmp_path)
    shutil.copytree(tmp_path / "0.1_0", tmp_path / "backup" / "0.1_0")
    ds = load(tmp_path)
    assert skipped(ds) == {"backup/0.1_0/json_out.jsonl": "duplicate_run"}


def test_a_copy_whose_path_says_otherwise_is_a_run_of_its_own(tmp_path):
    for lr in (0.1, 0.2):
        write_native(tmp_path / f"lr={lr}" / "seed=0", {"model": "a"}, [{"val": {"loss": 1.0}}])
    ds = load(tmp_path)
    assert ds.lr.values.tolist() == [0.1, 0.2]
    assert skipped(ds) == {}


def test_a_tree_with_several_layouts_is_read_as_what_each_file_is(tmp_path):
    sweep(tmp_path)
    rows = [{"config": {"lr": 0.3, "seed": 0}}]
    rows += [{"epoch": e, "val_loss": float(e)} for e in range(3)]
    (tmp_path / "generic.jsonl").write_text("\n".join(map(json.dumps, rows)))
    trial = tmp_path / "ray" / "trial_2020-01-01_00-00-00abc"
    trial.mkdir(parents=True)
    (trial / "params.json").write_text('{"lr": 0.4, "seed": 0}')
    result = [{"training_iteration": i, "loss": i, "config": {"lr": 0.4}} for i in range(1, 4)]
    (trial / "result.json").write_text("\n".join(map(json.dumps, result)))
    ds = load(tmp_path)
    assert ds.lr.values.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert int((ds.status != "absent").sum()) == 6


def test_a_named_reader_reads_only_its_layout(tmp_path):
    sweep(tmp_path)
    (tmp_path / "generic.jsonl").write_text('{"epoch": 1, "loss": 2}\n{"epoch": 2, "loss": 1}\n')
    assert skipped(load(tmp_path, reader="native")) == {"generic.jsonl": "not_a_log"}
    with pytest.raises(rc.PlanError, match="'native'"):
        rc.load_runs(tmp_path, reader="natve")


class Broken:
    name = "broken"

    def find(self, tree):
        from runcube.readers import NativeReader

        return NativeReader().find(tree)

    def headers(self, source):
        from runcube.readers import NativeReader

        return NativeReader().headers(source)

    def read(self, source, request):
        from runcube.readers import NativeReader

        if "0.1_0" in source.path:
            raise ZeroDivisionError("oops")
        return NativeReader().read(source, request)


def test_a_readers_bug_costs_the_file_and_is_named(tmp_path):
    sweep(tmp_path)
    ds = load(tmp_path, reader=Broken())
    assert skipped(ds) == {"0.1_0/json_out.jsonl": "reader_error"}
    assert int((ds.status == "complete").sum()) == 3


@pytest.mark.parametrize("make", ["missing", "empty", "no logs"])
def test_a_path_without_logs_is_a_clear_error(tmp_path, make):
    path = tmp_path / "logs"
    if make == "missing":
        with pytest.raises(FileNotFoundError, match="no such file or directory"):
            rc.load_runs(path)
        return
    path.mkdir()
    if make == "no logs":
        (path / "readme.json").write_text("{}")
    with pytest.raises(rc.NoRunsError, match="empty" if make == "empty" else "no training logs"):
        rc.load_runs(path)
