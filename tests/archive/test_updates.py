"""Whatever was archived first, an update brings the rest."""

from dataclasses import replace

import numpy as np
import pytest
from archives import archive, assert_up_to_date, each_sweep, quietly, set_chunks, update
from odd_logs import (
    SWEEPS,
    config_line,
    epoch_line,
    native,
    stats_line,
)

import runcube as rc
from runcube.archive.existing import ExistingArchive
from runcube.netcdf import opened as opened_file
from runcube.netcdf import writer
from runcube.pipeline.discover import discover
from runcube.testing import write_native

# A column that was configuration of every log and no longer is has to be read as a metric.
READ_AGAIN = {"a_column_that_varies_in_one_log"}


@each_sweep
def test_what_is_archived_later_makes_no_difference(root, path, monkeypatch, read, name, options):
    set_chunks(monkeypatch, 64)
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
