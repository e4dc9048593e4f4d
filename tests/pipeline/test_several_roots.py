"""Several roots as one sweep, the files that are asked for, and those that are left out."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr
from archives import assert_same
from sweeps import product_configs, write_sweep

import runcube as rc
from runcube.engine import RuncubeBackend

LR = product_configs(optim__lr=[0.1, 1.0])
pytestmark = pytest.mark.filterwarnings("ignore::runcube.SweepWarning")


def by_path(ds):
    """What a cube has of each run: the hyperparameters that are not roots, and the values."""
    flat = rc.to_configs(ds)
    runs = {}
    for config in range(flat.sizes["config"]):
        for seed in range(flat.sizes["seed"]):
            run = flat.isel(config=config, seed=seed)
            if run.path.item():
                order = run.curve.transpose("split", "metric", ...).values
                runs[run.path.item()] = (float(run.lr), int(run.seed), order.tolist())
    return runs


@pytest.fixture
def days(tmp_path, monkeypatch):
    """The same sweep on two days, with other values."""
    monkeypatch.setenv("RUNCUBE_CACHE", str(tmp_path / "cache"))
    for number, day in enumerate(("day1", "day2")):
        write_sweep(tmp_path / day, LR, (0, 1), value=lambda *at, n=number: float(sum(at[:2]) + n))
    return [tmp_path / "day1", tmp_path / "day2"]


def alone(day):
    return {f"{day.name}/{path}": run for path, run in by_path(rc.load_runs(day)).items()}


def test_the_root_is_a_key_where_nothing_else_tells_runs_apart(days):
    ds = rc.load_runs(days)
    assert dict(ds.sizes) | {"root": 2, "lr": 2, "seed": 2} == dict(ds.sizes)
    assert ds.root.values.tolist() == ["day1", "day2"]
    assert by_path(ds) == alone(days[0]) | alone(days[1])
    assert ds.attrs["source"] == f"{days[0]}, {days[1]}"


def test_the_root_is_no_key_where_others_tell_runs_apart(days, tmp_path):
    write_sweep(tmp_path / "day3", product_configs(optim__lr=[10.0, 100.0]), (0, 1))
    ds = rc.load_runs([days[0], tmp_path / "day3"])
    assert "root" not in ds.coords
    assert ds.sizes["lr"] == 4
    assert by_path(ds) == alone(days[0]) | alone(tmp_path / "day3")


def test_a_rerun_of_crashed_runs_in_another_root_is_decided_as_elsewhere(tmp_path):
    write_sweep(tmp_path / "first", LR, (0, 1), killed=[(0, 0)])
    write_sweep(tmp_path / "again", LR, (0,), leave_out=[(1, 0)])
    ds = rc.load_runs([tmp_path / "first", tmp_path / "again"])
    assert "root" not in ds.coords
    assert (ds.status == "complete").all()
    assert [item["kind"] for item in json.loads(ds.attrs["skipped"])] == ["duplicate_run"]


def test_a_root_that_is_asked_for_is_a_key_in_any_case(days, tmp_path):
    write_sweep(tmp_path / "day3", product_configs(optim__lr=[10.0]), (0, 1))
    roots = [days[0], tmp_path / "day3"]
    assert "root" in rc.load_runs(roots, dims=["root", "lr"]).dims
    assert rc.load_runs(days, rename={"root": "day"}).day.values.tolist() == ["day1", "day2"]
    with pytest.raises(rc.UnknownNameError, match="root"):
        rc.load_runs(days[0], dims=["root"])


def test_a_configuration_may_have_a_key_of_that_name(tmp_path):
    configs = product_configs(optim__lr=[0.1, 1.0], data__root=["a", "b"])
    for number, day in enumerate(("day1", "day2")):
        write_sweep(tmp_path / day, configs, (0, 1), value=lambda *at, n=number: float(at[1] + n))
    ds = rc.load_runs([tmp_path / "day1", tmp_path / "day2"])
    assert ds.root_.values.tolist() == ["day1", "day2"]
    assert ds.root.values.tolist() == ["a", "b"]


def test_every_way_of_loading_takes_several_roots(days, tmp_path):
    want = rc.load_runs(days)
    for _ in range(2):  # as it is read, and from the cache
        with rc.open_runs(days) as ds:
            assert_same(ds.load(), want)
    with xr.open_dataset(days, engine=RuncubeBackend, cache_directory=False) as ds:
        assert_same(ds.load(), want)
    rc.archive_runs(days, tmp_path / "sweep.nc")
    with rc.open_archive(tmp_path / "sweep.nc", messages=True) as ds:
        assert_same(ds.load(), rc.load_runs(days, messages=True))
    assert rc.load_tree(days)["epoch"].sizes["root"] == 2
    assert rc.scan(days).dims.keys() == {"root", "lr", "seed"}
    assert_same(rc.load_runs(days, parallel="processes"), want)


def test_an_archive_of_several_roots_is_updated(days, tmp_path):
    path = tmp_path / "sweep.nc"
    rc.archive_runs(days, path)
    write_sweep(tmp_path / "day2" / "more", LR, (2,))
    shutil.rmtree(next((tmp_path / "day1").iterdir()))
    rc.update_archive(path)
    with rc.open_archive(path) as ds:
        assert ds.sizes["seed"] == 3
        assert rc.problems(ds).kind.tolist() == ["deleted_log"]
        assert int((ds.status != "absent").sum()) == 10
    assert set(rc.verify_archive(path, days).kind) == {"missing_log"}
    with pytest.raises(rc.ArchiveError, match="other logs"):
        rc.archive_runs(days[0], path)
    with pytest.raises(rc.ArchiveError, match="logs are gone"):
        rc.archive_runs(days, path)
    rc.archive_runs(days[0], path, overwrite=True)


def test_roots_that_overlap_load_no_run_twice(days, tmp_path):
    want = rc.load_runs(days[0])
    inner = next(days[0].iterdir())
    (tmp_path / "link").symlink_to(days[0])
    for roots in (
        [days[0], days[0]],
        [days[0], inner],
        [inner, days[0]],
        [str(days[0]) + "/", tmp_path / "link"],
        [inner / "json_out.jsonl", days[0]],
    ):
        assert_same(rc.load_runs(roots), want, but=["source"])


def test_roots_of_one_name_are_told_apart(days, tmp_path):
    for day in days:
        shutil.copytree(day, tmp_path / f"copy_{day.name}" / "logs")
    ds = rc.load_runs([tmp_path / "copy_day1" / "logs", tmp_path / "copy_day2" / "logs"])
    assert ds.root.values.tolist() == ["copy_day1_logs", "copy_day2_logs"]


def test_several_logs_of_one_directory_are_that_directory(days):
    logs = sorted(days[0].rglob("*.jsonl"))
    ds = rc.load_runs(logs[:3])
    assert int((ds.status != "absent").sum()) == 3


def test_a_root_that_is_not_there_is_named(days, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        rc.load_runs([*days, tmp_path / "nowhere"])


def test_urls_and_directories_go_together(days):
    fsspec = pytest.importorskip("fsspec")
    fs = fsspec.filesystem("memory")
    for log in days[1].rglob("*.jsonl"):
        fs.pipe(f"/several/day2/{log.relative_to(days[1]).as_posix()}", log.read_bytes())
    roots = [days[0], "memory://several/day2"]
    want = rc.load_runs(days)
    assert by_path(rc.load_runs(roots)) == by_path(want)
    with rc.open_runs(roots, cache=False) as ds:
        assert by_path(ds.load()) == by_path(want)


@pytest.fixture
def mixed(tmp_path):
    """Logs beside aggregates of them that look like logs, and a configuration for each."""
    for lr in (0.1, 1.0):
        run = tmp_path / f"lr{lr}"
        (run / "agg").mkdir(parents=True)
        (run / "config.json").write_text(json.dumps({"lr": lr}))
        rows = [{"epoch": e, "loss": e * lr} for e in range(3)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (run / "metrics.jsonl").write_text(text)
        (run / "agg" / "mean.jsonl").write_text(text)
        (run / "notes.json").write_text("[1]")
    return tmp_path


@pytest.mark.parametrize("how", [{"files": "**/metrics.jsonl"}, {"ignore": ["**/agg/**"]}])
def test_globs_choose_the_logs(mixed, how, tmp_path_factory):
    ds = rc.load_runs(mixed, **how)
    assert sorted(ds.path.values.ravel()) == ["lr0.1/metrics.jsonl", "lr1.0/metrics.jsonl"]
    assert ds.lr.values.tolist() == [0.1, 1.0]  # of the configuration beside it
    skipped = [item["path"] for item in json.loads(ds.attrs["skipped"])]
    assert skipped == ([] if "files" in how else ["lr0.1/notes.json", "lr1.0/notes.json"])
    told = json.loads(ds.attrs["policies"])
    assert [told[name] for name in how] == [[v] if isinstance(v, str) else v for v in how.values()]
    path = tmp_path_factory.mktemp("archives") / "sweep.nc"
    rc.archive_runs(mixed, path, **how)
    (mixed / "lr0.1" / "agg" / "more.jsonl").write_text('{"epoch": 0, "loss": 1}\n' * 3)
    rc.update_archive(path)
    with rc.open_archive(path, messages=True) as back:
        assert_same(back.load(), rc.load_runs(mixed, messages=True, **how))
    with rc.open_runs(mixed, cache=path.parent / "cache", **how) as lazy:
        assert_same(lazy.load(), ds)
    assert rc.scan(mixed, **how).fill == 1


def test_a_glob_that_matches_nothing_is_an_error_with_what_is_there(mixed):
    for how in ({"files": "**/metric.jsonl"}, {"ignore": ["**/agg/**", "metric.jsonl"]}):
        with pytest.raises(rc.PlanError, match=r"metric\.jsonl.*none of the 8 files.*metrics"):
            rc.load_runs(mixed, **how)
    with pytest.raises(rc.PlanError, match=r"files=.*no glob"):
        rc.load_runs(mixed, files="[b-a]")


def test_globs_are_relative_to_each_of_several_roots(mixed, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(mixed / "lr0.1", other / "lr0.1")
    (other / "lr0.1" / "config.json").write_text('{"lr": 7.0}')
    ds = rc.load_runs([mixed, other], files="*/metrics.jsonl")
    assert sorted(np.unique(ds.lr)) == [0.1, 1.0, 7.0]
