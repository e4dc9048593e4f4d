"""Logs that are gone: the archive keeps what it has of them, and says so."""

import json
import shutil

import numpy as np
import pytest
from archives import (
    CHUNKS,
    HISTORIES,
    NativeLogs,
    TableLogs,
    archive,
    assert_same,
    assert_up_to_date,
    begun,
    happens,
    opened,
    quietly,
    set_chunks,
    update,
)
from hypothesis import given, reject
from hypothesis import strategies as st
from netCDF4 import Dataset
from odd_logs import SWEEPS, config_line, copies, epoch_line, jsonl, native, stats_line
from sweeps import write_run

import runcube as rc
from runcube.core.errors import RuncubeError
from runcube.core.text import clean_text
from runcube.files.local import LocalStore
from runcube.readers import JsonlReader
from runcube.readers.native import reader as native_reader


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
    made = archive(root, path, reader=reader, layout="grid", path_keys=None)
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


def test_a_run_of_a_log_that_is_gone_keeps_its_status(root, path):
    native(root, "other", [config_line(lr=0.1), *two(0, "val")])
    native(root, "again", [config_line(lr=0.3), *two(0), config_line(lr=0.3), *two(0)])
    before = archive(root, path).status.sel(lr=0.3).item()
    (root / "again" / "json_out.jsonl").unlink()
    assert update(path).status.sel(lr=0.3).item() == before


def two(epoch, split="train"):
    return epoch_line(epoch), stats_line(split, loss=epoch)


@HISTORIES
@given(data=st.data(), chunk=st.sampled_from(CHUNKS))
@pytest.mark.parametrize("kind", [NativeLogs, TableLogs])
def test_whatever_logs_are_gone_the_archive_keeps_them(tmp_path_factory, kind, data, chunk):
    folder = tmp_path_factory.mktemp("history")
    path = folder / "sweep.nc"
    logs = begun(folder, data, kind)
    happens(logs, data)
    with pytest.MonkeyPatch.context() as patch:
        set_chunks(patch, chunk)
        try:
            want = archive(logs.root, path)
        except RuncubeError:
            # An error of hypothesis where this is so of (nearly) every history.
            reject()
        held = sorted({p for p in want.path.values.flat if p})
        gone = data.draw(
            st.lists(st.sampled_from([*map(str, held)]), unique=True, max_size=len(held) - 1)
        )
        back = taken_away(logs.root, folder, gone)
        assert_kept(update(path), want, gone)
        back()
        happens(logs, data)
        assert_up_to_date(path, logs.root)


def without_x(root, *names, first=0):
    """Evaluations without a step, beside training with one."""
    for i, name in enumerate(names, first):
        rows = [r for s in (1, 2) for r in ({"step": s, "loss": s / (i + 1)}, {"acc": s + i / 8})]
        jsonl(root / f"{name}.jsonl", [{"config": {"lr": 0.125 * (i + 1)}}, *rows])


def of_before(path):
    """Take from an archive what those of before had not: where records without x stand."""
    with Dataset(path, "a") as file:
        facts = json.loads(file["logs"].getncattr("facts"))
        del facts["policy"]["contest"]["missing_x"]
        facts["version"] = "0.0"
        file["logs"].setncattr("facts", json.dumps(facts))


def assert_left_out(ds, names):
    """Nothing is logged that the archive never held, and what it left out is named once."""
    assert np.isfinite(ds.curve.values[ds.logged.values]).all()
    table = rc.problems(ds)
    left = table[table["message"].str.contains("when the archive was made")]
    assert sorted(left["path"]) == names
    assert set(left["message"]) == {
        "2 records without step left out when the archive was made, lines 3 to 5: 'acc' (all)"
    }
    assert set(left["kind"]) == {"missing_x"}
    assert "lost_values" not in set(table["kind"])


def test_what_an_archive_of_before_left_out_of_a_log_that_is_gone_is_no_value(root, path):
    without_x(root, "a", "b", "c")
    archive(root, path, missing_x="drop").close()
    of_before(path)
    (root / "a.jsonl").unlink()
    ds = update(path)
    assert_left_out(ds, ["a.jsonl"])
    acc = ds.logged.sel(metric="acc").sum([d for d in ds.logged.dims[-3:] if d != "metric"])
    assert acc.values.ravel().tolist() == [0, 2, 2]
    without_x(root, "b", "c", "d")
    assert_left_out(update(path), ["a.jsonl"])


def test_archives_of_before_are_merged_with_each_other_and_with_new_ones(root, tmp_path):
    parts = []
    for number, (name, is_old) in enumerate((("one", True), ("two", True), ("new", False))):
        without_x(root / name, f"{name}_a", f"{name}_b", first=2 * number)
        parts.append(tmp_path / f"{name}.nc")
        archive(root / name, parts[-1], missing_x="drop" if is_old else "carry").close()
        if is_old:
            of_before(parts[-1])
    one, two, new = parts
    first, second = ([f"{name}_{i}.jsonl" for i in "ab"] for name in ("one", "two"))
    for number, (several, names) in enumerate(
        (([one, two], first + second), ([one, new], first), ([new, two], second))
    ):
        merged = tmp_path / f"merged_{number}.nc"
        quietly(rc.merge_archives, several, merged)
        assert_left_out(opened(merged), names)


def refusing(monkeypatch, path, *where):
    """A file that is there, and that the system does not let one read."""

    def denied(function):
        def read(root, name, *args, **options):  # root: or the store of it
            if getattr(name, "path", name) == path:
                raise PermissionError(13, "Permission denied")
            return function(root, name, *args, **options)

        return read

    for module, name in where:
        monkeypatch.setattr(module, name, denied(getattr(module, name)))


HEAD = [(LocalStore, "open")]
WHOLE = [(native_reader, "read_from"), (native_reader, "read_bytes")]


@pytest.mark.parametrize("where", [HEAD, WHOLE], ids=["head", "whole"])
def test_a_log_that_cannot_be_read_keeps_its_run_and_is_named(grid, path, monkeypatch, where):
    name = "003/json_out.jsonl"
    want = archive(grid, path)
    with (grid / name).open("a") as stream:
        stream.write('{"type": "str", "value": "more"}\n')
    refusing(monkeypatch, name, *where)
    with pytest.warns(rc.SweepWarning, match="1 deleted_log"):
        rc.update_archive(path)
    ds = opened(path)
    assert_same(ds, want, but=["problems", "n_problems", "skipped"])
    table = rc.problems(ds)
    kept = table[table["kind"] == "deleted_log"]
    assert kept["path"].tolist() == [name]
    assert "Permission denied" in kept["message"].item()
    [named] = [p for p in json.loads(ds.attrs["skipped"]) if p["kind"] == "unreadable"]
    assert named["path"] == name
    # It goes on being kept, and comes back as it is by then.
    assert_same(update(path), ds)
    monkeypatch.undo()
    assert_up_to_date(path, grid)


def test_a_log_whose_content_is_not_there_yet_keeps_its_run(grid, path):
    archive(grid, path)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (grid / "003" / "json_out.jsonl").write_text(pointer)
    table = rc.problems(update(path))
    kinds = table["kind"][table["path"] == "003/json_out.jsonl"]
    assert sorted(kinds) == ["deleted_log", "lfs_pointer"]
