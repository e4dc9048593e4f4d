"""Archives merged into one, and archives checked against themselves and the logs."""

import json
import os
import random
import shutil
import warnings
from collections import Counter

import numpy as np
import pytest
import sweeps
import xarray as xr

import runcube as rc

ENTRY = ("created", "command", "policies", "git_commit")


def quiet(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*args, **options)


def archived(logs, path, **options):
    quiet(rc.archive_runs, logs, path, **options)
    return contents(path)


def contents(path):
    with rc.open_archive(path, messages=True) as ds:
        return ds.load()


def assert_same(one, other):
    pair = [ds.copy() for ds in (one, other)]
    for ds in pair:
        ds.attrs = {name: value for name, value in ds.attrs.items() if name not in ENTRY}
    xr.testing.assert_identical(*pair)
    for name in one.variables:
        assert one[name].dtype == other[name].dtype, name


@pytest.fixture
def logs(tmp_path):
    configs = sweeps.product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    return sweeps.write_sweep(tmp_path / "logs", configs, [0, 1, 2])


@pytest.fixture(scope="module")
def many_logs(tmp_path_factory):
    configs = sweeps.product_configs(optim__lr=[0.1, 1.0, 2.0], model__weights=[None, "DEFAULT"])
    root = tmp_path_factory.mktemp("many")
    return sweeps.write_sweep(root / "logs", configs, range(40), epochs=30)


# --- many archives ----------------------------------------------------------------------------


def two_days(tmp_path):
    for day, name in (("monday", "sgd"), ("tuesday", "adam")):
        configs = sweeps.product_configs(optim__lr=[0.1, 1.0], optim__name=[name])
        sweeps.write_sweep(tmp_path / "logs" / day, configs, [0, 1], killed=[(0, 1)])
        archived(tmp_path / "logs" / day, tmp_path / f"{day}.nc")
    return [tmp_path / "monday.nc", tmp_path / "tuesday.nc"]


def test_merged_archives_are_an_archive_of_all_logs(tmp_path):
    parts = two_days(tmp_path)
    quiet(rc.merge_archives, parts, tmp_path / "all.nc")
    merged, fresh = contents(tmp_path / "all.nc"), archived(tmp_path / "logs", tmp_path / "f.nc")
    assert merged.optim_name.values.tolist() == ["sgd", "adam"]
    merged.attrs["source"] = fresh.attrs["source"]
    assert_same(merged, fresh)
    assert rc.verify_archive(tmp_path / "all.nc").empty


def test_what_was_constant_in_each_can_be_refused_by_name(tmp_path):
    parts = two_days(tmp_path)
    with pytest.raises(rc.PlanError, match=r"optim\.name is 'sgd' in .*monday"):
        rc.merge_archives(parts, tmp_path / "all.nc", differing="raise")
    assert not (tmp_path / "all.nc").exists()
    with pytest.raises(rc.ArchiveError, match="one of the archives"):
        rc.merge_archives(parts, parts[0])
    archived(tmp_path / "logs" / "monday", parts[0], exclude="lr")
    with pytest.raises(rc.PlanError, match="exclude="):
        rc.merge_archives(parts, tmp_path / "all.nc")
    with pytest.raises(rc.PlanError, match="no archives"):
        rc.merge_archives([], tmp_path / "all.nc")


def test_an_archive_merged_with_itself_holds_each_run_once(tmp_path):
    part, _ = two_days(tmp_path)
    quiet(rc.merge_archives, [part, part], tmp_path / "all.nc")
    merged = contents(tmp_path / "all.nc")
    np.testing.assert_array_equal(merged.curve.values, contents(part).curve.values)
    assert (rc.problems(merged)["kind"] == "duplicate_run").sum() == 4
    with pytest.raises(rc.ArchiveError, match="was merged; update"):
        rc.update_archive(tmp_path / "all.nc")


def test_a_run_whose_values_were_not_kept_does_not_win_in_a_merge(tmp_path):
    reader = rc.JsonlReader(run="run", x="step", config=["lr"])

    def runs(name, *ends):
        rows = [
            {"run": lr, "lr": lr, "step": s, "loss": s + lr} for lr, n in ends for s in range(n)
        ]
        path = tmp_path / "logs" / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    runs("one", (0.1, 6), (0.2, 3))
    runs("two", (0.2, 6), (0.3, 6))
    part = archived(tmp_path / "logs", tmp_path / "part.nc", reader=reader, layout="grid")
    quiet(rc.merge_archives, [tmp_path / "part.nc"], tmp_path / "all.nc", on_duplicate="first")
    merged = contents(tmp_path / "all.nc")
    np.testing.assert_array_equal(merged.curve.values, part.curve.values)
    assert "duplicate_run" in set(rc.problems(merged)["kind"])
    assert "lost_values" not in set(rc.problems(merged)["kind"])


# --- verification -----------------------------------------------------------------------------


def test_verification_names_what_differs_from_the_logs(logs, tmp_path):
    path = tmp_path / "sweep.nc"
    archived(logs, path)
    assert rc.verify_archive(path, logs).empty
    os.utime(logs / "001" / "json_out.jsonl")  # the same bytes
    changed = logs / "005" / "json_out.jsonl"
    changed.write_text(changed.read_text().replace("0.01", "0.02"))
    shutil.rmtree(logs / "002")
    sweeps.write_run(logs / "new", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 9})
    found = rc.verify_archive(path, logs)
    assert sorted(found[["path", "kind"]].values.tolist()) == [
        ["002/json_out.jsonl", "missing_log"],
        ["005/json_out.jsonl", "changed_log"],
        ["new/json_out.jsonl", "new_log"],
    ]


def test_verification_finds_a_value_that_was_changed(logs, tmp_path):
    import netCDF4

    path = tmp_path / "sweep.nc"
    ds = archived(logs, path)
    with netCDF4.Dataset(path, "a") as file:
        file["curve"][1, 0, 2, 0, 0, 0] += 1e-9
    found = rc.verify_archive(path)
    assert found["kind"].tolist() == ["changed_values"]
    assert found["path"].tolist() == [ds.path.values[1, 0, 2]]


def test_no_damage_to_the_values_goes_unnoticed(many_logs, tmp_path):
    path = tmp_path / "sweep.nc"
    archived(many_logs, path)
    whole = contents(path)
    data = path.read_bytes()
    rng = random.Random(0)
    seen = Counter()
    for _ in range(60):
        at = rng.randrange(len(data) // 10, len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            found = rc.verify_archive(path)
        except rc.ArchiveError:
            seen["refused"] += 1
            continue
        if not found.empty:
            seen["named"] += 1
            continue
        # What is damaged then is no value: room that nothing uses, say.
        seen["same"] += 1
        damaged = contents(path)
        for name in ("curve", "logged", "messages"):
            np.testing.assert_array_equal(damaged[name].values, whole[name].values)
    assert seen["refused"] + seen["named"] > 10, seen
    assert seen["same"], seen
