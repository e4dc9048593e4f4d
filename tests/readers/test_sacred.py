"""Sacred's file store: what was logged is what comes out, whole, cut and damaged."""

import json
import math
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from archives import quietly

import runcube as rc
from runcube.core.model import Request, Status
from runcube.files.tree import Tree, list_files
from runcube.readers import SacredReader

DATA = Path(__file__).parents[1] / "data" / "sacred"
RUNS = DATA / "runs"
TRUTH = dict(enumerate(json.loads((DATA / "truth.json").read_text()), 1))
ENDS = {6: Status.FAILED, 7: Status.INCOMPLETE, 8: Status.INCOMPLETE}
CONFIGS = {
    **dict(enumerate([(0.1, 1), (0.1, 2), (0.2, 1), (0.2, 2), (9.0, 1)], 1)),
    **dict(enumerate([(0.1, 3), (0.1, 4), (0.1, 5)], 6)),
}
STARTED = {"artifacts": [], "command": "main", "experiment": {"name": "tiny"}, "host": {}}
STAMP = "2026-01-01T00:00:0"


def runs_of(root):
    """The runs that the reader finds under a root, by folder, read with messages."""
    reader = SacredReader()
    found = {}
    for source in reader.find(Tree(list_files(root))):
        (run,) = reader.read(source, Request(messages=True))
        assert [run.header] == list(reader.headers(source))
        found[source.path.rpartition("/")[0]] = run
    return found


def points(run):
    """Values of a run by split/metric: (step, value) in file order."""
    found = {}
    for curves in run.curves:
        # Without any step the rows are numbered.
        steps = next(iter(curves.x.values())).tolist()
        for name, row, there in zip(curves.metrics, curves.values, curves.logged, strict=True):
            key = name if curves.split == "all" else f"{curves.split}/{name}"
            found[key] = [(s, v) for s, v, t in zip(steps, row.tolist(), there, strict=True) if t]
    return found


def kinds(run):
    return [problem.kind for problem in run.problems]


def series(values, steps=None, times=None):
    steps = [*range(len(values))] if steps is None else steps
    times = [f"{STAMP}{number}" for number in range(len(values))] if times is None else times
    return {"steps": steps, "timestamps": times, "values": values}


def write(folder, *, run=None, config=None, cut=0, **files):
    """Write a run as Sacred does; ``cut`` takes bytes off the end of its metrics."""
    folder.mkdir(parents=True)
    files = {
        "run": STARTED | (run or {}),
        "config": {"lr": 0.1} if config is None else config,
    } | files
    for name, value in files.items():
        text = json.dumps(value, sort_keys=True, indent=2)
        (folder / f"{name}.json").write_text(text[: len(text) - cut] if name == "metrics" else text)
    return folder


def one(root):
    (run,) = runs_of(root).values()
    return run


@pytest.mark.parametrize("number", TRUTH)
def test_every_value_that_was_logged_comes_out_and_no_other(number):
    run = runs_of(RUNS)[str(number)]
    expected, counted = {}, 0
    for name, value, step in TRUTH[number]:
        counted += step is None
        at = counted - 1 if step is None else step
        split, _, metric = name.replace("_", ".", 1).rpartition(".")
        expected.setdefault(f"{split}/{metric}" if split else metric, []).append((at, value))
    got = points(run)
    for name, own in expected.items():
        np.testing.assert_array_equal(got.pop(name), own, err_msg=name)
    lr, epochs = CONFIGS[number][0], len(expected["plain"])
    assert got.pop("return_mean") == [(10 * e, lr * e) for e in range(epochs)]
    # The others are references to the first one.
    assert got.pop("return_std") == [(0, lr * 2)]
    if number not in ENDS:
        assert got.pop("sizes") == [(0, 0.0), (1, 1.0), (2, 2.0)]
        assert got.pop("best") == [(30, 90.0)]
        assert got.pop("result/acc") == [(30, 93.0 - lr)]
    assert got == {}


def test_every_hyperparameter_and_fact_is_that_of_the_run():
    for number, (lr, seed) in CONFIGS.items():
        config = dict(runs_of(RUNS)[str(number)].header.config)
        facts = config.pop("sacred")
        assert config == {"lr": lr, "optim": {"name": "sgd", "betas": [0.9, 0.99]}, "seed": seed}
        assert (facts["run_id"], facts["experiment"], facts["command"]) == (
            str(number),
            "tiny",
            "main",
        )


def test_how_the_runs_ended_and_how_long_they_took():
    for number, run in ((int(path), run) for path, run in runs_of(RUNS).items()):
        assert run.marker == ENDS.get(number, Status.COMPLETE)
        assert 0 < run.train_time < 60
        assert ("not_ended" in kinds(run)) == (number == 8)


def test_what_was_printed_and_the_exception_are_messages():
    found = runs_of(RUNS)
    assert found["1"].messages == ["fine", "begins", "ends"]
    # Sacred wrote nothing else of what it printed before the exception.
    assert found["6"].messages[0] == "Traceback (most recent call last):"
    assert found["6"].messages[-1] == "RuntimeError: out of luck"


def test_the_cube_of_the_real_runs():
    ds = quietly(rc.load_runs, RUNS)
    assert ds.curve.dims == ("lr", "seed", "split", "metric", "step")
    assert ds.lr.values.tolist() == [0.1, 0.2, 9.0]
    assert ds.step.dtype == np.int64
    loss = ds.curve.sel(lr=9.0, seed=1, split="training", metric="loss")
    assert np.isnan(loss.sel(step=slice(3, 11))).all()
    assert bool(rc.diverged(ds).sel(lr=9.0, seed=1, split="training", metric="loss"))
    assert json.loads(ds.attrs["skipped"]) == []


def test_references_are_named_and_nothing_is_unpickled():
    (problem,) = runs_of(RUNS)["1"].problems
    assert (problem.kind, problem.path) == ("left_out", "1/info.json")
    assert problem.message.startswith("'return_std': 3 objects that only unpickling would restore")


def test_an_object_is_read_as_its_number_or_not_at_all(tmp_path):
    evil = {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["touch hacked"]}]}
    numpy = {"py/object": "numpy.float32", "dtype": "float32", "value": 0.5}
    write(
        tmp_path / "1",
        metrics={"loss": series([numpy, evil, 0.25])},
        info={"arr": {"py/object": "numpy.ndarray", "values": "eJw="}},
        config={"betas": {"py/tuple": [0.9, 0.99]}, "net": evil},
    )
    run = one(tmp_path)
    assert points(run)["loss"] == [(0, 0.5), (2, 0.25)]
    assert run.header.config["betas"] == [0.9, 0.99]
    named = [p.message.partition(" that only")[0] for p in run.problems]
    assert sorted(named) == ["'arr': an object", "'loss': 1 object"]
    assert not Path("hacked").exists()


def test_whole_arrays_and_beginnings_of_others_are_saved_of_a_file_that_is_cut(tmp_path):
    metrics = {"acc": series([10.5, 20.5, 30.5]), "loss": series([1.25, 0.125, 0.0625])}
    write(tmp_path / "1", metrics=metrics, cut=len("25\n    ]\n  }\n}"))
    run = one(tmp_path)
    # 0.06 may be half of a number.
    assert points(run) == {
        "acc": [(0, 10.5), (1, 20.5), (2, 30.5)],
        "loss": [(0, 1.25), (1, 0.125)],
    }
    assert sorted(kinds(run)) == ["left_out", "truncated_tail"]
    assert any(p.message == "'loss': 3 steps and 2 values: 2 points are read" for p in run.problems)


def test_a_curve_of_which_only_the_steps_are_left_is_named(tmp_path):
    metrics = {"acc": series([10.5, 20.5]), "loss": series([1.25, 0.125])}
    text = json.dumps(metrics, sort_keys=True, indent=2)
    write(tmp_path / "1", metrics=metrics, cut=len(text) - text.rindex('"timestamps"'))
    run = one(tmp_path)
    assert points(run) == {"acc": [(0, 10.5), (1, 20.5)]}
    assert "'loss': without its steps and values, left out" in [p.message for p in run.problems]


def test_a_damaged_value_costs_that_point(tmp_path):
    folder = write(tmp_path / "1", metrics={"loss": series([1.25, 0.125, 0.0625])})
    path = folder / "metrics.json"
    path.write_text(path.read_text().replace("0.125", "0.1a5"))
    run = one(tmp_path)
    assert points(run)["loss"] == [(0, 1.25), (2, 0.0625)]
    assert kinds(run) == ["bad_line"]


def test_damage_within_a_list_costs_the_point_and_a_damaged_fact_is_none(tmp_path):
    pairs = [[1, 2], [3, 4], [0, 9]]
    metrics = {"pair": series(pairs)}
    info = {"pair": pairs, "pair_T": [0, 1, 2], "sizes": [[5, 6]]}
    run = {"meta": {"named_configs": ["one", "two"]}}
    folder = write(tmp_path / "1", metrics=metrics, info=info, run=run)
    for name, old in (("metrics", "3"), ("info", "3"), ("info", "5"), ("run", '"one"')):
        path = folder / f"{name}.json"
        path.write_text(path.read_text().replace(f" {old},", " x,"))
    found = one(tmp_path)
    assert points(found) == {"pair/0": [(0, 1.0), (2, 0.0)], "pair/1": [(0, 2.0), (2, 9.0)]}
    assert kinds(found).count("bad_line") == 3
    assert "named_configs" not in found.header.config["sacred"]


def test_a_curve_in_info_that_metrics_has_too_is_one_and_the_longer_one_counts(tmp_path):
    metrics = {"won": series([0.5, 0.75], [3, 6]), "loss": series([1.0, 2.0], [3, 6])}
    info = {"won": [0.5, 0.75, 1.0], "won_T": [3, 6, 9], "loss": [7.0], "loss_T": [3], "best": 4}
    write(tmp_path / "1", metrics=metrics, info=info)
    assert points(one(tmp_path)) == {
        "won": [(3, 0.5), (6, 0.75), (9, 1.0)],
        "loss": [(3, 1.0), (6, 2.0)],
        "info/loss": [(3, 7.0)],
        "best": [(9, 4.0)],
    }


def test_a_list_without_steps_is_numbered_and_one_number_is_not_lost(tmp_path):
    write(tmp_path / "1", info={"losses": [3.0, 2.0, 1.0], "best": 1.0, "loss": 5}, metrics={})
    got = points(one(tmp_path))
    assert got["losses"] == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert (got["best"], got["loss"]) == ([(2, 1.0)], [(2, 5.0)])


def test_a_list_of_objects_is_a_curve_for_each_of_their_keys(tmp_path):
    """So a project kept its evaluations, one object each."""
    evaluations = [
        {"rmse": 4.2, "ll": {"py/object": "numpy.float64", "dtype": "float64", "value": -15.9}},
        {"rmse": 3.9, "auc": [[0.1, 0.7], [0.2, 0.8]]},
        {"rmse": 3.7, "ll": -12.5},
    ]
    write(tmp_path / "1", info={"evaluations": evaluations}, metrics={})
    log = one(tmp_path)
    got = points(log)
    assert got["evaluations/rmse"] == [(0, 4.2), (1, 3.9), (2, 3.7)]
    assert got["evaluations/ll"] == [(0, -15.9), (2, -12.5)]
    assert any("'evaluations/auc'" in problem.message for problem in log.problems)
    taken = {"evaluations": evaluations, "evaluations/rmse": [7.0, 8.0]}
    write(tmp_path / "taken" / "1", info=taken, metrics={})
    log = one(tmp_path / "taken")
    assert points(log)["evaluations/rmse"] == [(0, 7.0), (1, 8.0)]
    assert any("'evaluations'" in problem.message for problem in log.problems)
    write(tmp_path / "other" / "1", info={"evaluations": evaluations[:1]}, metrics={})
    assert points(one(tmp_path / "other"))["evaluations/rmse"] == [(0, 4.2)]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("COMPLETED", Status.COMPLETE),
        ("FAILED", Status.FAILED),
        ("INTERRUPTED", Status.INCOMPLETE),
        ("TIMEOUT", Status.INCOMPLETE),
        ("RUNNING", Status.INCOMPLETE),
        ("QUEUED", Status.INCOMPLETE),
    ],
)
def test_the_status_is_what_sacred_says(said, status, tmp_path):
    write(
        tmp_path / "1",
        run={"status": said, "heartbeat": "2020-01-01T00:00:00"},
        metrics={"a": series([1])},
    )
    run = one(tmp_path)
    assert run.marker == status
    named = [p.message for p in run.problems if p.kind == "not_ended"]
    assert named == (
        ["RUNNING, last heartbeat 2020-01-01T00:00:00 (UTC): if that is long ago, it was killed"]
        if said == "RUNNING"
        else []
    )


def test_steps_that_go_back_are_another_attempt_of_all_curves(tmp_path):
    first = [f"{STAMP}{n}" for n in range(4)]
    metrics = {
        "loss": series([1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1], first),
        "acc": series([9.0], [1], [f"{STAMP}3.5"]),
    }
    write(tmp_path / "1", metrics=metrics)
    ds = quietly(rc.load_runs, tmp_path)
    got = ds.curve.squeeze().sel(metric="loss")
    assert got.values.tolist() == [3.0, 4.0]
    assert ds.curve.squeeze().sel(metric="acc", step=1) == 9.0


def test_times_are_a_coordinate_and_values_at_one_step_are_one_point(tmp_path):
    metrics = {"loss": series([1.0, 2.0]), "val.acc": series([5.0], [1], [f"{STAMP}9"])}
    write(tmp_path / "1", metrics=metrics)
    ds = quietly(rc.load_runs, tmp_path)
    assert ds.sizes["step"] == 2
    seconds = ds.wall_time.squeeze().values
    assert (seconds - seconds[0]).tolist() == [0, 1]
    assert seconds[0] == 1767225600  # 2026-01-01 UTC


def test_names_that_are_taken_and_values_that_are_no_numbers(tmp_path):
    metrics = {
        "step": series([5.0, 6.0]),
        "wall_time": series([1.0, 2.0]),
        "runtime": series([3.5]),
        "phase": series(["warm", "cold"]),
        "pair": series([[1, 2], [3, 4]]),
        "gone": series([None, 1.0]),
    }
    write(tmp_path / "1", metrics=metrics, info={"time_total_s": 4.5})
    got = points(one(tmp_path))
    assert got["step"] == [(0, 5.0), (1, 6.0)]
    assert got["wall_time"] == [(0, 1.0), (1, 2.0)]
    assert (got["runtime"], got["time_total_s"]) == ([(0, 3.5)], [(1, 4.5)])
    assert (got["pair/0"], got["pair/1"]) == ([(0, 1), (1, 3)], [(0, 2), (1, 4)])
    assert got["gone"] == [(1, 1.0)]
    assert {"warm", "cold"} <= {*one(tmp_path).messages}


def test_a_metric_that_is_called_like_a_time_is_none_of_the_run(tmp_path):
    metrics = {"loss": series([1.0, 2.0], times=[]), "runtime": series([3.5], times=[])}
    write(tmp_path / "1", metrics=metrics, info={"time_total_s": 4.5})
    run = one(tmp_path)
    assert points(run)["runtime"] == [(0, 3.5)]
    assert points(run)["time_total_s"] == [(1, 4.5)]
    assert math.isnan(run.train_time)


def test_a_run_with_a_result_alone_is_a_run(tmp_path):
    for seed in (1, 2):
        write(
            tmp_path / str(seed),
            config={"seed": seed},
            run={"result": 0.5 + seed, "status": "COMPLETED"},
        )
    ds = quietly(rc.load_runs, tmp_path)
    assert ds.curve.sel(metric="result").squeeze().values.tolist() == [1.5, 2.5]
    assert (ds.status == "complete").all()


def test_without_a_readable_run_json_the_metrics_are_read(tmp_path):
    folder = write(tmp_path / "1", metrics={"loss": series([1.0, 2.0])})
    (folder / "run.json").write_text('{\n  "artifa')
    run = one(tmp_path)
    assert points(run)["loss"] == [(0, 1.0), (1, 2.0)]
    assert run.marker is None
    assert "truncated_tail" in kinds(run)
    (folder / "config.json").unlink()
    assert "no_config" in kinds(one(tmp_path))


def test_a_users_own_section_sacred_stays_what_it_is(tmp_path):
    for number, own in enumerate([{"command": "mine", "x": 1}, "off"]):
        write(tmp_path / str(number), config={"sacred": own}, metrics={"a": series([1])})
    first, second = (run.header.config for run in runs_of(tmp_path).values())
    assert first["sacred"]["command"] == "mine"
    assert (second["sacred"], second["sacred.command"]) == ("off", "main")


def test_what_is_said_of_a_run_is_no_dim(tmp_path):
    for number, (lr, name) in enumerate([(a, b) for a in (0.1, 0.2) for b in ("x", "y")]):
        run = {"experiment": {"name": name}, "command": name * 2}
        write(
            tmp_path / str(number),
            run=run,
            config={"lr": lr, "seed": number % 2},
            metrics={"a": series([1])},
        )
    ds = quietly(rc.load_runs, tmp_path)
    assert not {"experiment", "command", "sacred_experiment"} & {*ds.coords}
    assert json.loads(ds.attrs["excluded_hparams"])["sacred.experiment"] == "by name"


def test_sources_and_other_json_are_no_runs(tmp_path):
    write(tmp_path / "1", metrics={"a": series([1])})
    (tmp_path / "_sources").mkdir()
    (tmp_path / "_sources" / "train_0123.py").write_text("loss = 1\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "metrics.json").write_text('{"loss": 1.0}')
    (tmp_path / "other" / "run.json").write_text('{"name": "x"}')
    assert [*runs_of(tmp_path)] == ["1"]
    ds = quietly(rc.load_runs, tmp_path)
    assert ds.path.values.ravel().tolist() == ["1/run.json"]


def test_damage_anywhere_changes_no_other_run_and_raises_nothing(tmp_path):
    rng = random.Random(19)
    for number in ("1", "2"):
        shutil.copytree(RUNS / number, tmp_path / number)
    expected = points(runs_of(tmp_path)["2"])
    files = {path: path.read_bytes() for path in sorted((tmp_path / "1").iterdir())}
    for _ in range(150):
        path = rng.choice([*files])
        data = bytearray(files[path])
        for _ in range(rng.choice((1, 3))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)
        found = runs_of(tmp_path)
        assert points(found["2"]) == expected
        path.write_bytes(files[path])


def test_nothing_of_a_curve_that_is_damaged_stands_at_another_step(tmp_path):
    rng = random.Random(20)
    folder = tmp_path / "1"
    shutil.copytree(RUNS / "1", folder)
    (folder / "info.json").unlink()
    whole = (folder / "metrics.json").read_bytes()
    before = {name: dict(own) for name, own in points(one(tmp_path)).items()}
    for _ in range(150):
        data = bytearray(whole)
        # No digit: a digit for a digit is another number, and nothing shows it.
        data[rng.randrange(len(data))] = rng.choice(b'x"]}{[ \0')
        (folder / "metrics.json").write_bytes(data)
        run = one(tmp_path)
        got = points(run)
        wrong = [
            (name, step, value)
            for name, own in got.items()
            for step, value in own
            if name in before and not math.isclose(before[name].get(step, math.nan), value)
        ]
        # A blank in place of a last digit is another number as well.
        assert len(wrong) <= 1, (wrong, kinds(run))
