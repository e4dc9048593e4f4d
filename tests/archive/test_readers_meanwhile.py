"""Who reads an archive while it is updated."""

import json

import pytest
from archives import (
    archive,
    assert_same,
    assert_up_to_date,
    opened,
    update,
)
from sweeps import write_run

import runcube as rc


def test_who_reads_an_archive_keeps_what_it_held(grid, path):
    want = archive(grid, path)
    with rc.open_archive(path, messages=True) as ds, rc.open_archive(path, chunks={}) as lazy:
        log = grid / "003" / "json_out.jsonl"
        log.write_text(log.read_text().replace('"loss": 2', '"loss": 3'))
        write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
        update(path)
        assert_same(lazy.load(), want.drop_vars("messages"))
        assert_same(ds.load(), want)
    assert_up_to_date(path, grid)


def test_a_ledger_of_another_form_is_refused_and_the_cube_still_opens(grid, path):
    import netCDF4

    want = archive(grid, path)
    with netCDF4.Dataset(path, "a") as file:
        facts = json.loads(file["logs"].getncattr("facts"))
        file["logs"].setncattr("facts", json.dumps(facts | {"form": 0}))
    before = path.read_bytes()
    with pytest.raises(rc.ArchiveError, match="another version of runcube wrote its records"):
        rc.update_archive(path)
    assert path.read_bytes() == before
    assert_same(opened(path), want)
