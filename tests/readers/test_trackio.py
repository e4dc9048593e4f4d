"""trackio's databases and inbox: what was logged is what comes out, whole and damaged."""

import json
import random
import sqlite3
import time
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from trackio_projects import STEPS, write_project

import runcube as rc
from runcube.core.model import Request
from runcube.files.tree import Tree, list_files
from runcube.readers.trackio import TrackioReader

DATA = Path(__file__).parents[1] / "data" / "trackio"
TRUTH = {run["id"]: run for run in json.loads((DATA / "truth.json").read_text())}
each_run = pytest.mark.parametrize("run_id", TRUTH)


def load(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **({"parallel": False} | options))


def runs_of(root):
    """The runs that the reader finds under a root, by id."""
    reader = TrackioReader()
    found = {}
    for source in list(reader.find(Tree(list_files(root)))):
        own = reader.read(source, Request(messages=True))
        assert [run.header for run in own] == list(reader.headers(source))
        found |= {run.header.key: run for run in own}
    return found


def points(run):
    """Points (step, value) of a run by the name of the metric, in the order of the rows."""
    found = {}
    for curves in run.curves:
        steps = curves.x["step"].tolist()
        for name, row, there in zip(curves.metrics, curves.values, curves.logged, strict=True):
            key = name if curves.split == "all" else f"{curves.split}/{name}"
            found[key] = [(s, v) for s, v, t in zip(steps, row.tolist(), there, strict=True) if t]
    return found


def kinds(run):
    return [problem.kind for problem in run.problems]


@pytest.fixture(scope="module")
def real():
    return runs_of(DATA / "projects")


def test_the_runs_are_those_that_were_logged_and_a_name_is_used_again(real):
    assert real.keys() == TRUTH.keys()
    assert sum(run.header.config["trackio"]["run_name"] == "diverged" for run in real.values()) == 2


@each_run
def test_every_value_that_was_logged_comes_out(real, run_id):
    wanted = {}
    for number, (step, values) in enumerate(TRUTH[run_id]["rows"]):
        if "nested" in values:
            nested = values.pop("nested")
            values |= {"nested/a": nested["a"], "nested/b/c": nested["b"]["c"]}
        for key, value in values.items():
            if key != "note":
                at = number if step is None else step
                wanted.setdefault(key, []).append((at, float(value)))
    assert repr(sorted(points(real[run_id]).items())) == repr(sorted(wanted.items()))


@each_run
def test_the_configuration_is_what_was_given(real, run_id):
    config = dict(real[run_id].header.config)
    facts = config.pop("trackio")
    assert config == TRUTH[run_id]["config"]
    assert (facts["run_id"], facts["run_name"]) == (run_id, TRUTH[run_id]["name"])


def test_texts_are_kept_and_tables_are_named(real):
    by_name = {run.header.config["trackio"]["run_name"]: run for run in real.values()}
    assert by_name["diverged"].header.constants == {"note": "text"}
    (problem,) = by_name["unnumbered"].problems
    assert problem.message == "'table': 1 value of type 'trackio.table', left out"
    others = [run for name, run in by_name.items() if name != "unnumbered"]
    assert not any(run.problems for run in others)


def test_the_times_of_rows_are_seconds_of_utc(real):
    run = real["0123456789abcdef"]
    assert (run.curves[0].x["wall_time"] % 60).tolist() == [0.25, 1.25, 2.25]


def test_the_cube_is_the_sweep():
    ds = load(DATA / "projects")
    assert dict(ds.sizes) == {"lr": 3, "seed": 3, "split": 3, "metric": 3, "step": 6}
    assert ds.layers.dims == ("lr",)
    assert not {"created", "run_name"} & set(ds.coords)


@pytest.mark.parametrize("version", ["run_id", "run_name"])
def test_versions_that_know_runs_by_name_are_read(tmp_path, version):
    write_project(tmp_path / "p.db", with_ids=version == "run_id")
    found = runs_of(tmp_path)
    ids = {f"{version[4:]}-{lr}-{seed}" for lr in (0.1, 0.2) for seed in (0, 1)}
    assert found.keys() == ids
    assert all(points(run)["val/loss"][-1][0] == STEPS - 1 for run in found.values())


def record(step, value, **more):
    return {"v": 1, "kind": "metric", "project": "p", "run": "r", "run_id": "1", "step": step} | {
        "metrics": {"loss": value},
        "timestamp": f"2026-01-01T00:00:{step:02}+00:00",
        "log_id": f"log-{step}",
        **more,
    }


def put(root, records, name="0.jsonl"):
    folder = root / "inbox" / "writer"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(one) + "\n" for one in records))


def test_what_waits_in_the_inbox_joins_its_run_once_and_in_order(tmp_path):
    with closing(sqlite3.connect(tmp_path / "p.db")) as made:
        made.execute("CREATE TABLE metrics(run_id, timestamp, run_name, step, metrics, log_id)")
        made.execute("CREATE TABLE configs(run_id, run_name, config)")
        for step in (0, 3):
            row = ("1", f"2026-01-01T00:00:{step:02}+00:00", "r", step, '{"loss": 0.5}')
            made.execute("INSERT INTO metrics VALUES (?,?,?,?,?,?)", (*row, f"log-{step}"))
        made.commit()
    put(tmp_path, [record(step, 1.0) for step in (0, 1, 2)])
    put(tmp_path, [record(4, "Infinity", config={"lr": 0.1})], "1.jsonl")
    (run,) = runs_of(tmp_path).values()
    wanted = [(0, 0.5), (1, 1.0), (2, 1.0), (3, 0.5), (4, float("inf"))]
    assert points(run) == {"loss": wanted}
    assert run.header.config["lr"] == 0.1
    assert run.problems == []


def test_an_inbox_without_its_database_is_read(tmp_path):
    other = {"kind": "alert", "title": "low", "text": "disk", "level": "warn"}
    system = {"kind": "system_metric", "metrics": {"gpu": 0.5}}
    records = [record(0, 1.0), record(1, 2.0), record(1, 0, **other), record(1, 0, **system)]
    put(tmp_path, records)
    with (tmp_path / "inbox" / "writer" / "0.jsonl").open("a") as file:
        file.write('{"v": 1, "ki')
    (run,) = runs_of(tmp_path).values()
    assert points(run) == {"loss": [(0, 1.0), (1, 2.0)]}
    assert run.messages == ["warn: low: disk"]
    assert sorted(kinds(run)) == ["bad_line", "left_out"]


def test_a_folder_that_is_called_inbox_is_not_taken_from_other_loggers(tmp_path):
    folder = tmp_path / "inbox" / "a"
    folder.mkdir(parents=True)
    rows = [{"step": step, "loss": 0.5, "kind": "metric"} for step in range(3)]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert runs_of(tmp_path) == {}


def test_rows_and_configurations_that_are_damaged_are_named(tmp_path):
    path = write_project(tmp_path / "p.db")
    with closing(sqlite3.connect(path)) as made:
        made.execute("UPDATE metrics SET metrics = '{\"loss\": 0.' WHERE id = 2")
        made.execute("UPDATE metrics SET timestamp = 'noon', step = 'x' WHERE id = 3")
        made.execute("UPDATE configs SET config = '[1]' WHERE id = 1")
        made.commit()
    run = runs_of(tmp_path)["id-0.1-0"]
    lines = {problem.kind: problem.line for problem in run.problems}
    assert lines == {"bad_line": 2, "no_config": None, "non_numeric": 3}
    assert points(run)["val/loss"][0] == (0, 0.1)


def test_a_metric_that_is_called_step_is_a_metric(tmp_path):
    put(tmp_path, [record(0, 1.0, metrics={"step": 7.0, "loss": 1}), record(1, 2.0)])
    (run,) = runs_of(tmp_path).values()
    assert points(run) == {"loss": [(0, 1.0), (1, 2.0)], "step": [(0, 7.0)]}


def test_no_damage_crashes_the_reader_or_takes_long(tmp_path):
    from readers.test_mlflow import damaged

    rng = random.Random(2)
    path = write_project(tmp_path / "p.db")
    put(tmp_path, [record(step, 1.0) for step in range(5)])
    files = [path, tmp_path / "inbox" / "writer" / "0.jsonl"]
    assert len(runs_of(tmp_path)) == 5
    reader = TrackioReader()
    for _ in range(200):
        path = rng.choice(files)
        data = path.read_bytes()
        path.write_bytes(damaged(data, rng))
        began = time.monotonic()
        for source in list(reader.find(Tree(list_files(tmp_path)))):
            try:
                reader.read(source, Request(messages=True))
            except OSError:
                continue
        assert time.monotonic() - began < 10
        path.write_bytes(data)
    assert np.isfinite(points(runs_of(tmp_path)["id-0.1-0"])["val/loss"]).all()
