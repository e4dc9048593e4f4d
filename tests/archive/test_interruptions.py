"""What was interrupted goes on; nothing that is whole is lost."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import zlib
from textwrap import dedent

import pytest
from archives import (
    archive,
    assert_archived,
    assert_same,
    assert_up_to_date,
    hidden,
    load,
    opened,
    quietly,
)
from odd_logs import (
    lines,
    stats_line,
)
from sweeps import product_configs, write_run, write_sweep

import runcube as rc
from runcube.pipeline import tasks


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


def test_an_archive_that_is_interrupted_again_and_again_reads_each_batch_once(
    grid, path, read, monkeypatch
):
    monkeypatch.setattr(tasks, "_BATCH", 1)
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


def test_a_journal_of_another_version_is_as_none(grid, path):
    line = b'{"form":1,"record":{"path":"a.jsonl","at":[0]},"arrays":[],"end":0}'
    journal, spool = (path.with_name(f".{path.name}.{end}") for end in ("journal", "spool"))
    journal.write_bytes(b"%08x %s\n" % (zlib.crc32(line), line))
    spool.write_bytes(bytes(8))
    assert_archived(grid, path)


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
    dice, seen = random.Random(int(seed)), []
    alone, together = NativeReader.read, NativeReader.read_batch
    for _ in range(int(os.environ.get("KILLS", "5"))):
        child = os.fork()
        if not child:
            rc.archive_runs(logs, path, overwrite=True)
            os._exit(0)
        time.sleep(dice.uniform(0, float(span)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        now = path.read_bytes() if path.exists() else None
        if now != before:
            with rc.open_archive(path) as ds, rc.open_archive(fresh) as want:
                assert ds.load().equals(want.load())
            before = now
    def reading(self, sources, request):
        seen.extend(source.path for source in sources)
        return together(self, sources, request)
    def reading_one(self, source, request):  # what is left may be one
        seen.append(source.path)
        return alone(self, source, request)
    NativeReader.read_batch, NativeReader.read = reading, reading_one
    journal = path.with_name(".sweep.nc.journal")
    kept = journal.read_bytes().count(b"\\n") if journal.exists() else 0
    rc.archive_runs(logs, path, overwrite=True)
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
