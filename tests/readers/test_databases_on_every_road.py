"""Runs out of a database, or of many small files, take every road that other logs take."""

import gzip
import json
import sqlite3
import warnings
from contextlib import closing

import fsspec
import numpy as np
import pytest
from mlflow_stores import BEGAN, run_of, write, write_sqlite
from trackio_projects import write_project

import runcube as rc

LRS, SEEDS, STEPS = (0.1, 0.2), (0, 1), 6


def value(lr, seed, step):
    return lr + seed + step / 8


def mlflow_runs(lrs=LRS):
    return {
        f"{lr}-{seed}": run_of(
            [("val_loss", step, value(lr, seed, step)) for step in range(STEPS)],
            params={"lr": lr, "seed": seed},
        )
        for lr in lrs
        for seed in SEEDS
    }


def mlflow_files(root):
    write("files", root, mlflow_runs())

    def more():
        write("files", root / "more", mlflow_runs((0.3,)))

    return more


def mlflow_sqlite(root):
    path = write_sqlite(root / "mlflow.db", mlflow_runs())

    def more():
        path.unlink()
        write_sqlite(path, mlflow_runs((*LRS, 0.3)))

    return more


def trackio(root):
    path = write_project(root / "project.db")

    def more():
        path.unlink()
        write_project(path, lrs=(*LRS, 0.3))

    return more


MAKERS = [mlflow_files, mlflow_sqlite, trackio]


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def check(ds, lrs=LRS):
    curve = ds.curve.sel(split="val", metric="loss").transpose("lr", "seed", "step")
    expected = [[[value(lr, seed, s) for s in range(STEPS)] for seed in SEEDS] for lr in lrs]
    np.testing.assert_array_equal(curve, expected)
    assert (ds.status == "complete").all()


@pytest.mark.parametrize("make", MAKERS)
def test_every_road_ends_in_the_same_cube(tmp_path, make):
    logs, archive = tmp_path / "logs", tmp_path / "sweep.nc"
    logs.mkdir()
    more = make(logs)
    check(quietly(rc.load_runs, logs, parallel=False))
    check(quietly(rc.load_runs, logs, parallel="threads"))
    check(quietly(rc.load_runs, logs, parallel="processes"))
    check(quietly(rc.open_runs, logs, cache=tmp_path / "cache"))
    quietly(rc.archive_runs, logs, archive)
    check(rc.open_archive(archive))
    assert "step: by its name" in quietly(rc.scan, logs).explain()
    tree = quietly(rc.load_tree, logs)
    check(tree["step"].to_dataset())
    files = fsspec.filesystem("memory")
    place = f"/of-{make.__name__}"
    try:
        for path in logs.rglob("*"):
            if path.is_file():
                name = f"{place}/{path.relative_to(logs).as_posix()}"
                files.pipe(name, path.read_bytes())
        check(quietly(rc.load_runs, f"memory:/{place}", parallel=False))
    finally:
        files.rm(place, recursive=True)
    more()
    quietly(rc.update_archive, archive)
    check(rc.open_archive(archive), (*LRS, 0.3))
    check(quietly(rc.open_runs, logs, cache=tmp_path / "cache"), (*LRS, 0.3))


def test_an_update_notices_what_stands_in_the_wal_alone(tmp_path):
    path = write_sqlite(tmp_path / "mlflow.db", mlflow_runs())
    archive = tmp_path.with_suffix(".nc")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        quietly(rc.archive_runs, tmp_path, archive)
        before = path.read_bytes()
        row = ("val_loss", 7.0, BEGAN, "0.1-0", STEPS, 0)
        writer.execute("INSERT INTO metrics VALUES (?,?,?,?,?,?)", row)
        assert path.read_bytes() == before
        quietly(rc.update_archive, archive)
    ds = rc.open_archive(archive)
    assert ds.curve.sel(lr=0.1, seed=0, step=STEPS).squeeze() == 7.0


def test_a_database_whose_wal_was_left_behind_is_named(tmp_path):
    (tmp_path / "logs").mkdir()
    with closing(sqlite3.connect(tmp_path / "project.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE metrics(run_id, run_name, step, timestamp, metrics)")
        copied = (tmp_path / "project.db").read_bytes()
        (tmp_path / "logs" / "project.db").write_bytes(copied)
    write("files", tmp_path / "logs", mlflow_runs())
    ds = quietly(rc.load_runs, tmp_path / "logs", parallel=False)
    (named,) = json.loads(ds.attrs["skipped"])
    assert (named["kind"], named["path"]) == ("not_read", "project.db")
    assert "-wal file, which was not copied along" in named["message"]


def test_a_database_of_thousands_of_runs_is_one_source(tmp_path):
    runs = {
        f"{number:04}": run_of(
            [("loss", step, number + step / 8) for step in range(3)],
            params={"lr": number // 10, "seed": number % 10},
        )
        for number in range(2_000)
    }
    write_sqlite(tmp_path / "mlflow.db", runs)
    (tmp_path / "mlflow.db.gz").write_bytes(gzip.compress((tmp_path / "mlflow.db").read_bytes()))
    (tmp_path / "mlflow.db").unlink()
    ds = quietly(rc.load_runs, tmp_path, parallel=False)
    assert (ds.sizes["lr"], ds.sizes["seed"]) == (200, 10)
    np.testing.assert_array_equal(ds.curve.sel(step=0).squeeze().values.ravel(), np.arange(2_000))
    assert json.loads(ds.attrs["skipped"]) == []
