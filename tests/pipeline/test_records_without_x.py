"""``missing_x=``: the same in every call, in archives of before, and in trees."""

import json

import numpy as np
import pytest
from archives import archive, assert_same, load, quietly, update
from jsonl_logs import write
from netCDF4 import Dataset

import runcube as rc

MISSING = {"carry", "drop"}


def evaluated(root, seeds=(0, 1), epochs=3, more=()):
    """Training rows with a step, evaluations and a result without one."""
    for seed in seeds:
        rows = [{"config": {"seed": seed}}]
        for epoch in range(epochs):
            rows += [{"step": 20 * epoch + 10 * i, "loss": 1 / (epoch + i + seed)} for i in (1, 2)]
            rows.append({"acc": epoch + seed / 10})
        write(root / f"s{seed}" / "log.jsonl", [*rows, {"acc": 99.0, "final": 7.0 + seed}, *more])
    return root


@pytest.fixture
def logs(tmp_path):
    return evaluated(tmp_path / "logs")


def test_evaluations_without_a_step_stand_at_the_step_before(logs):
    ds = quietly(rc.load_runs, logs)
    acc = ds.curve.isel(config=0).sel(split="all", seed=0)
    assert acc.sel(metric="acc").dropna("step").to_series().to_dict() == {20: 0, 40: 1, 60: 99}
    assert float(acc.sel(metric="final", step=60)) == 7
    found = rc.problems(ds)
    assert found["kind"].tolist() == ["missing_x"] * 4
    assert found["message"].tolist()[:2] == [
        "3 records without step stand at the step of the record before",
        "'acc' (all): 1 row without step left out for others at the same step, line 10",
    ]


def test_dropped_they_are_named(logs):
    ds = quietly(rc.load_runs, logs, missing_x="drop")
    assert not ds.logged.sel(metric="acc").any()
    message = rc.problems(ds)["message"][0]
    assert message == "4 records without step left out, lines 4 to 11: 'acc', 'final' (all)"


@pytest.mark.parametrize("missing_x", sorted(MISSING))
def test_every_call_has_it_and_every_cube_records_it(logs, tmp_path, missing_x):
    want = load(logs, missing_x=missing_x)
    assert json.loads(want.attrs["policies"])["missing_x"] == missing_x
    lazy = quietly(rc.open_runs, logs, messages=True, missing_x=missing_x, cache=False)
    assert lazy.load().curve.identical(want.curve)
    assert_same(archive(logs, tmp_path / "a.nc", missing_x=missing_x), want)
    evaluated(logs, seeds=(1, 2), more=[{"step": 70, "loss": 1.0}, {"acc": 5.0}])
    assert_same(update(tmp_path / "a.nc"), load(logs, missing_x=missing_x))


def test_another_word_is_refused(logs):
    with pytest.raises(rc.PlanError, match="'carry', 'drop'"):
        rc.load_runs(logs, missing_x="keep")


def test_an_archive_of_before_is_a_fresh_one_after_its_first_update(logs, tmp_path):
    path = tmp_path / "a.nc"
    archive(logs, path, missing_x="drop").close()
    with Dataset(path, "a") as file:
        facts = json.loads(file["logs"].getncattr("facts"))
        del facts["policy"]["contest"]["missing_x"]
        facts["version"] = "0.0"
        file["logs"].setncattr("facts", json.dumps(facts))
    assert_same(update(path), load(logs))


def test_a_tree_carries_nothing(logs):
    tree = quietly(rc.load_tree, logs)
    assert list(tree.children) == ["step"]
    assert not tree["step"].logged.sel(metric="acc").any()


def test_what_is_in_no_node_of_a_tree_is_in_its_problems(tmp_path):
    for seed in (0, 1):
        rows = [{"step": i, "loss": 1 / (i + 1)} for i in range(30)]
        rows[10:10] = [{"epoch": 0, "acc": 0.5}]
        rows += [{"epoch": 1, "acc": 0.75}, {"loss": 7.0}, {"final": 0.5}, {"late": 1.0, "step": 0}]
        rows += [{"late": 2.0, "step": 0}, {"late": 3.0, "step": 0}]
        write(tmp_path / f"s{seed}.jsonl", [config_of(seed), *rows])
    with pytest.warns(rc.SweepWarning, match="2 missing_x, 2 repeated_x; rc.problems") as caught:
        tree = rc.load_tree(tmp_path)
    assert len(caught) == 1
    assert list(tree.children) == ["step", "epoch"]
    found = rc.problems(tree)
    assert found["path"].tolist() == ["s0.jsonl", "s0.jsonl", "s1.jsonl", "s1.jsonl"]
    assert found["message"].tolist()[:2] == [
        "2 records without step or epoch left out, lines 34 to 35: 'loss', 'final' (all)",
        "'late' (all): 3 rows in no node, since no axis keeps their points apart, lines 36 to 38",
    ]
    assert found.equals(rc.problems(tree["step"].to_dataset()))
    with pytest.raises(rc.PlanError, match="not a runcube cube"):
        rc.problems(tree["epoch"].to_dataset().drop_vars("problems"))


def test_a_tree_of_two_axes_has_no_problem(tmp_path):
    rows = [{"step": i, "loss": 1 / (i + 1)} for i in range(30)]
    rows[10:10] = [{"epoch": 0, "acc": 0.5}, {"epoch": 1, "acc": 0.75}]
    write(tmp_path / "log.jsonl", [config_of(0), *rows])
    tree = rc.load_tree(tmp_path, errors="raise")
    assert not len(rc.problems(tree))
    assert int(tree["step"].logged.sum() + tree["epoch"].logged.sum()) == 32


def test_what_was_superseded_is_named_by_its_lines_and_metrics(tmp_path):
    rows = [{"step": s, "loss": float(s)} for s in (1, 2, 3, 1, 2, 3, 4)]
    rows[1:1] = [{"acc": 0.5}]
    write(tmp_path / "log.jsonl", rows)
    ds = quietly(rc.load_runs, tmp_path)
    found = rc.problems(ds)
    (message,) = found["message"][found["kind"] == "duplicate_run"]
    assert message.endswith(": lines 1 to 4, 'loss', 'acc' (all) with 'step'")
    assert ds.curve.sel(metric="loss").values.ravel().tolist() == [1, 2, 3, 4]


def test_rows_in_another_unit_have_a_node_of_their_own(tmp_path):
    for seed in (0, 1):
        rows = [{"config": {"seed": seed}}]
        for epoch in (1, 2, 3):
            rows += [{"step": 30 * epoch + i, "loss": 1 / i, "time": 0.5} for i in (10, 20, 30)]
            rows.append({"step": epoch, "acc": epoch / 10, "time": 9.5})
        write(tmp_path / f"s{seed}" / "log.jsonl", rows)
    with pytest.warns(rc.SweepWarning, match=r"'time', 'acc' \(all\) have rows that end at 3"):
        ds = rc.load_runs(tmp_path)
    assert int(ds.logged.sum()) == 2 * (9 * 2 + 3 * 2)
    with pytest.warns(rc.SweepWarning, match="'step_2'"):
        tree = rc.load_tree(tmp_path)
    first, second = tree["step"], tree["step_2"]
    assert first.step.values.tolist() == [*range(40, 121, 10)]
    assert second.step.values.tolist() == [1, 2, 3]
    times = second.curve.sel(metric="time").values
    np.testing.assert_array_equal(times[~np.isnan(times)], 9.5)
    assert int(first.logged.sum() + second.logged.sum()) == int(ds.logged.sum())


def test_two_counters_are_coordinates_of_the_points(tmp_path):
    for seed in (0, 1):
        rows = [{"config": {"seed": seed}}]
        for epoch in (1, 2):
            rows += [{"epoch": epoch, "iter": i, "loss": epoch + i / 100} for i in (10, 20, 30)]
        write(tmp_path / f"s{seed}" / "log.jsonl", rows)
    with pytest.warns(rc.SweepWarning, match="iter starts anew in each epoch"):
        ds = rc.load_runs(tmp_path)
    assert ds.curve.dims[-1] == "point"
    assert ds.epoch.values.tolist() == [1, 1, 1, 2, 2, 2]
    assert ds.iter.values.tolist() == [10, 20, 30] * 2
    assert int(ds.logged.sum()) == 12
    with pytest.warns(rc.SweepWarning, match=r"x='iter': it starts anew in each epoch in 2 runs"):
        ds = rc.load_runs(tmp_path, x="iter")
    assert ds.curve.dims[-1] == "iter"
    np.testing.assert_allclose(ds.curve.values.ravel(), [2.1, 2.2, 2.3] * 2)
    assert rc.problems(ds)["kind"].tolist() == ["repeated_x"] * 2
    tree = quietly(rc.load_tree, tmp_path)
    assert list(tree.children) == ["point"]


def config_of(seed, **more):
    return {"config": {"seed": seed} | more}


def test_a_promise_of_epochs_is_kept_or_not_where_points_are_pairs(tmp_path):
    for seed, last in ((0, 3), (1, 3), (2, 2)):
        rows = [
            {"epoch": epoch, "iter": i, "loss": epoch + i / 100}
            for epoch in range(1, last + 1)
            for i in (10, 20)
        ]
        write(tmp_path / f"s{seed}.jsonl", [config_of(seed, lr=seed / 8, epochs=3), *rows])
    ds = quietly(rc.load_runs, tmp_path, layout="configs", seed=None)
    assert ds.curve.dims[-1] == "point"
    assert ds.status.values.ravel().tolist() == ["complete", "complete", "incomplete"]


def test_each_run_has_the_coordinates_of_its_own_axis(tmp_path):
    for seed, axis in enumerate(("epoch", "step", "step")):
        rows = [{axis: 10 * n, "loss": n / 7} for n in range(3)]
        write(tmp_path / f"s{seed}.jsonl", [config_of(seed), *rows])
    write(tmp_path / "s3.jsonl", [config_of(3), *({"epoch": n, "loss": n / 7} for n in range(3))])
    with pytest.warns(rc.SweepWarning, match=r"x='point': 2 of 4 runs would lose values on"):
        ds = rc.load_runs(tmp_path)
    assert int(ds.logged.sum()) == 12
    assert set(ds.status.values.ravel()) == {"complete"}
    nan = [np.nan] * 3
    epochs, steps = ds.epoch.values.reshape(4, 3), ds.step.values.reshape(4, 3)
    np.testing.assert_array_equal(epochs, [[0, 10, 20], nan, nan, [0, 1, 2]])
    np.testing.assert_array_equal(steps, [nan, [0, 10, 20], [0, 10, 20], nan])
    pinned = quietly(rc.load_runs, tmp_path, x="epoch")
    assert pinned.curve.dims[-1] == "epoch"
    assert pinned.logged.sum("epoch").values.ravel().tolist() == [3, 0, 0, 3]
    left = rc.problems(pinned)
    assert (
        left["message"].tolist()
        == ["3 records without epoch left out, lines 2 to 4: 'loss' (all) with 'step'"] * 2
    )
    tree = quietly(rc.load_tree, tmp_path)
    assert sorted(tree.children) == ["epoch", "step"]
    assert sum(int(node.logged.sum()) for node in tree.children.values()) == 12


def test_a_lone_log_without_x_is_numbered_named_and_no_epoch(tmp_path):
    for seed in range(4):
        axis = "step" if seed == 3 else "epoch"
        rows = [{axis: 10 * n, "loss": n / 7} for n in range(3)]
        write(tmp_path / f"s{seed}.jsonl", [config_of(seed), *rows])
    with pytest.warns(rc.SweepWarning, match=r"would lose values of s3\.jsonl, numbered in"):
        ds = rc.load_runs(tmp_path)
    assert ds.epoch.values.tolist() == [0, 1, 2, 10, 20]
    assert int(ds.logged.sum()) == 12
    assert ds.status.values.ravel().tolist() == ["complete"] * 3 + ["incomplete"]
    assert ds.step.sel(seed=3).values.ravel()[:3].tolist() == [0, 10, 20]
    assert np.isnan(ds.step.sel(seed=[0, 1, 2])).all()
    points = quietly(rc.load_runs, tmp_path, align="order")
    assert points.curve.dims[-1] == "point"
    assert np.isnan(points.epoch.sel(seed=3)).all()
    assert points.epoch.sel(seed=0).values.ravel().tolist() == [0, 10, 20]
    assert set(quietly(rc.load_tree, tmp_path).children) == {"epoch", "step"}


def test_of_a_clock_at_one_x_the_last_value_stays_and_the_other_is_named(tmp_path):
    rows = [config_of(0)]
    for epoch in (1, 2):
        rows.append({"epoch": epoch, "split": "train", "loss": 1.0, "wall_time": 10.0 * epoch})
        rows.append({"epoch": epoch, "split": "val", "loss": 2.0, "wall_time": 10.0 * epoch + 5})
    write(tmp_path / "log.jsonl", rows)
    ds = quietly(rc.load_runs, tmp_path)
    assert ds.wall_time.values.ravel().tolist() == [15, 25]
    assert rc.problems(ds)["message"].tolist() == [
        "'wall_time': 2 values left out for a later one at the same epoch, lines 2 to 4"
    ]


def test_metrics_that_are_left_out_still_tell_where_the_others_stand(logs):
    whole = quietly(rc.load_runs, logs)
    some = quietly(rc.load_runs, logs, metrics="acc")
    assert some.curve.dims == whole.curve.dims
    wanted = whole.curve.sel(metric=["acc"]).dropna("step", how="all")
    found = some.curve.dropna("step", how="all")
    np.testing.assert_array_equal(found.step, wanted.step)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(some.status, whole.status)


def test_the_record_before_counts_whatever_of_it_is_left_out(tmp_path):
    rows = [config_of(0)]
    rows += [{"split": "train", "step": s, "loss": 1.0 / s} for s in (1, 5)]
    rows[1]["acc"] = 0.5
    rows += [{"split": "val", "acc": 7.0}, {"split": "train", "step": 9, "loss": 3.0, "acc": 1.0}]
    write(tmp_path / "log.jsonl", rows)
    for metrics in (None, "acc"):
        acc = quietly(rc.load_runs, tmp_path, metrics=metrics).curve.sel(metric="acc", split="val")
        assert acc.squeeze().dropna("step").to_series().to_dict() == {5: 7.0}
