"""Which logs an update reads, and how much of them."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import xarray as xr
from archives import (
    archive,
    assert_same,
    assert_up_to_date,
    load,
    quietly,
    update,
)
from odd_logs import (
    columns_of_configuration,
    config_line,
    epoch_line,
    jsonl,
    lines,
    stats_line,
)
from sweeps import write_run

import runcube as rc
from runcube.files.access import TAIL_BYTES
from runcube.readers.native import reader as native_reader
from runcube.readers.native.reader import NativeReader


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

    def gone(*_, **_options):
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
