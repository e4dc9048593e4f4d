"""Optuna: what is in a journal or a database is what Optuna itself reads of it, also damaged."""

import json
import math
import random
import shutil
import sqlite3
import warnings
from contextlib import closing

import fsspec
import numpy as np
import optuna_studies as made
import pytest

import runcube as rc
from runcube.core import DEFAULT_LIMITS, Limits, Request
from runcube.files.tree import Tree, list_files
from runcube.readers import OptunaReader
from runcube.readers.optuna.journal import read_journal

STATUS = {"COMPLETE": "complete", "PRUNED": "incomplete", "RUNNING": "incomplete", "FAIL": "failed"}


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def load(root, **options):
    return quietly(rc.load_runs, root, **({"parallel": False} | options))


def runs_of(root):
    """The runs that the reader finds under a root, by key."""
    reader = OptunaReader()
    found = {}
    for source in reader.find(Tree(list_files(root))):
        own = reader.read(source, Request(messages=True))
        assert [run.header for run in own] == list(reader.headers(source))
        found |= {run.header.key: run for run in own}
    return found


def points(run):
    """Values of a run by metric, with its split before it: a list of (step, value)."""
    found = {}
    for curves in run.curves:
        steps = curves.x["step"].tolist()
        for name, row, there in zip(curves.metrics, curves.values, curves.logged, strict=True):
            key = name if curves.split == "all" else f"{curves.split}_{name}"
            found[key] = [(s, v) for s, v, t in zip(steps, row.tolist(), there, strict=True) if t]
    return found


def problems_of(runs):
    return [problem for run in runs.values() for problem in run.problems]


@pytest.fixture(scope="module", params=["journal.log", "study.db"])
def stored(tmp_path_factory, request):
    return made.write(tmp_path_factory.mktemp("optuna") / request.param)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    return made.write(tmp_path_factory.mktemp("optuna") / "journal.log")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return made.write(tmp_path_factory.mktemp("optuna") / "study.db")


# --- what Optuna wrote is what comes out


def expected(study, trial):
    """The values of a trial as curves, as Optuna itself has it."""
    named = {"two": ["err", "acc"]}.get(study, ["value"])
    last = max(trial.intermediate_values, default=0)
    reported = sorted(trial.intermediate_values.items())
    found = {"intermediate_value": reported} if reported else {}
    for name, value in zip(named, trial.values or (), strict=False):
        found[name] = [(last, value)]
    for name, value in trial.user_attrs.items():
        if name == "val_acc":
            found[name] = [(last, value)]
        elif name == "a/b":
            found |= {f"a/b/{place}": [(last, item)] for place, item in enumerate(value)}
    return found


def shown(curves):
    """Curves as text, in which NaN is NaN, and every digit counts."""
    return repr({name: [(s, float(v)) for s, v in curves[name]] for name in sorted(curves)})


def test_every_trial_has_its_parameters_values_and_end(stored):
    runs, truth = runs_of(stored.parent), made.trials(stored)
    assert {"one", "two", "three", "four"} == set(truth)
    begun = {
        f"{study}/{trial.number}": (study, trial)
        for study, trials in truth.items()
        for trial in trials
        if trial.state.name != "WAITING"
    }
    assert runs.keys() == begun.keys()
    assert len(runs) == 8 + 3 + 1 + 2
    for key, (study, trial) in begun.items():
        config = runs[key].header.config
        assert {name: config.get(name, "absent") for name in trial.params} == trial.params
        assert [*map(type, trial.params.values())] == [type(config[n]) for n in trial.params]
        assert config["study.name"] == study
        assert config["optuna.state"] == trial.state.name
        assert shown(points(runs[key])) == shown(expected(study, trial))
        assert str(runs[key].marker) == STATUS[trial.state.name]
        if trial.datetime_complete is not None:
            taken = (trial.datetime_complete - trial.datetime_start).total_seconds()
            assert runs[key].train_time == pytest.approx(taken, abs=1e-4)
        else:
            assert math.isnan(runs[key].train_time)


def test_attributes_are_values_where_they_are_numbers_and_configuration_where_not(stored):
    run = runs_of(stored.parent)["one/1"]
    config = run.header.config
    assert (config["user_attrs.data"], config["user_attrs.seed"]) == ("mnist", 1)
    assert config["study.user_attrs.team"] == "a"
    assert points(run)["val_acc"] == [(40, 0.6)]


def test_a_trial_that_waits_is_no_run_and_is_named(stored):
    found = problems_of(runs_of(stored.parent))
    assert [(p.kind, p.message) for p in found] == [
        ("left_out", "'one': 1 of its trials wait to begin, left out")
    ]


def test_the_cube_of_studies(stored):
    ds = load(stored.parent)
    assert ds.sizes["config"] == 14
    runs = ds.stack(run=("config", "seed")).dropna("run", how="all")
    assert "name" not in ds.dims
    assert set(np.unique(runs.study_name)) == {"one", "two", "three", "four"}
    assert {*json.loads(ds.attrs["excluded_hparams"])} >= {"optuna.number", "optuna.state"}
    reported = ds.curve.sel(metric="intermediate_value", split="all")
    assert np.isposinf(reported).sum() == 1
    assert (ds.logged.sel(metric="intermediate_value", split="all") & np.isnan(reported)).sum() == 2


def test_both_storages_are_one_cube(journal, database):
    one, other = load(journal.parent), load(database.parent)
    assert dict(one.sizes) == dict(other.sizes)
    for name in ("curve", "lr", "x", "optim_name", "study_name", "run_id", "status"):
        assert repr(one[name].values.tolist()) == repr(other[name].values.tolist())


# --- in all roads


@pytest.mark.parametrize("road", ["archive", "update", "open", "processes", "memory", "packed"])
def test_every_road_has_the_same_cube(stored, tmp_path, road):
    truth = load(stored.parent)
    logs = tmp_path / "logs"
    logs.mkdir()
    if road == "archive":
        quietly(rc.archive_runs, stored.parent, tmp_path / "a.nc")
        found = rc.open_archive(tmp_path / "a.nc")
    elif road == "update":
        grown = logs / stored.name
        made.write_more(grown)
        quietly(rc.archive_runs, logs, tmp_path / "a.nc")
        made.write_more(grown)
        truth = load(logs)
        quietly(rc.update_archive, tmp_path / "a.nc", logs)
        found = rc.open_archive(tmp_path / "a.nc")
        assert (found.run_id != "").sum() == 4
    elif road == "open":
        found = quietly(rc.open_runs, stored.parent, cache=tmp_path / "cache")
    elif road == "processes":
        found = load(stored.parent, parallel="processes")
    elif road == "memory":
        store = fsspec.filesystem("memory")
        store.put(str(stored), f"/optuna/{stored.name}")
        found = load("memory://optuna")
        store.rm("/optuna", recursive=True)
    else:
        import gzip

        (logs / f"{stored.name}.gz").write_bytes(gzip.compress(stored.read_bytes()))
        found = load(logs)
    assert np.array_equal(found.curve.values, truth.curve.values, equal_nan=True)
    for name in ("status", "run_id", "n_problems"):
        assert found[name].values.tolist() == truth[name].values.tolist()


def test_explain_says_what_was_read(stored):
    text = rc.scan(stored.parent).explain()
    assert "parameters and attributes of the trial" in text


def test_studies_are_not_named_as_unread(stored):
    ds = load(stored.parent)
    assert json.loads(ds.attrs["skipped"]) == []


# --- journals that are damaged


def read(lines, limits=DEFAULT_LIMITS):
    return read_journal(b"".join(lines), "j.log", limits)


def by_key(studies):
    return {(s.name, t.number): t for s in studies for t in s.trials}


@pytest.fixture(scope="module")
def lines(journal):
    return journal.read_bytes().splitlines(keepends=True)


def test_a_journal_that_is_cut_has_all_up_to_there(lines):
    whole, _ = read(lines[:40])
    cut, problems = read([*lines[:40], lines[40][: len(lines[40]) // 2]])
    assert repr(by_key(cut)) == repr(by_key(whole))
    assert [p.kind for p in problems] == ["truncated_tail"]


def test_half_a_line_costs_what_it_says_and_not_the_one_behind_it(lines):
    at = next(i for i, line in enumerate(lines) if b'"op_code":7' in line and b'"step":10' in line)
    torn = [*lines[:at], lines[at][:60] + lines[at + 1], *lines[at + 2 :]]
    found, problems = read(torn)
    truth, _ = read(lines[:at] + lines[at + 1 :])
    assert repr(by_key(found)) == repr(by_key(truth))
    assert [(p.kind, p.line) for p in problems] == [("bad_line", at + 1)]


@pytest.mark.parametrize("damage", [b"\xff", b"}", b""])
def test_a_line_that_created_a_trial_costs_no_other_one(lines, damage):
    at = [i for i, line in enumerate(lines) if b'"op_code":4' in line][2]
    broken = lines[at].replace(b'"datetime_start":"', b'"datetime_start":' + damage + b"x")
    found, problems = read([*lines[:at], broken, *lines[at + 1 :]])
    truth, _ = read(lines)
    found, truth = by_key(found), by_key(truth)
    assert found.keys() == truth.keys()
    differing = [key for key in truth if repr(found[key]) != repr(truth[key])]
    assert differing == [("one", 2)]
    assert found["one", 2].params == truth["one", 2].params
    assert [p.kind for p in problems] == ["bad_line"]


def test_a_line_of_which_nothing_is_left_is_counted_where_its_trial_shows(lines):
    single = [line for line in lines if b'"study_id":1' not in line]
    at = [i for i, line in enumerate(single) if b'"op_code":4' in line][2]
    end = next(i for i, line in enumerate(single) if b'"study_name":"two"' in line)
    single = single[:end]
    found, problems = read([*single[:at], b"\x00\x01garbage\n", *single[at + 1 :]])
    truth, _ = read(single)
    assert [t.params for t in by_key(found).values()] == [t.params for t in by_key(truth).values()]
    assert "it may have created a trial" in problems[0].message


def test_a_distribution_that_cannot_be_read_leaves_the_number(lines):
    at = next(i for i, line in enumerate(lines) if b"optim.name" in line and b'nal":1,' in line)
    broken = lines[at].replace(b"CategoricalDistribution", b"NoSuchThing").replace(b"choices", b"c")
    found, problems = read([*lines[:at], broken.replace(b'"name\\"', b'"nom\\"'), *lines[at + 1 :]])
    assert by_key(found)["one", 1].params["optim.name"] == 1
    assert not problems or problems[0].kind == "bad_line"


def test_a_journal_whose_first_line_is_damaged_is_one(lines, tmp_path):
    (tmp_path / "j.log").write_bytes(b"\xff" + b"".join(lines)[1:])
    assert {"one/0", "two/2"} <= runs_of(tmp_path).keys()


def test_bounds_hold(lines):
    limits = Limits(line_bytes=200)
    found, problems = read(lines, limits)
    assert {p.kind for p in problems} == {"limit"}
    assert ("one", 0) in by_key(found)


def mutated(data, rng):
    """Bytes with a few changes of every kind."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        at, n = rng.randrange(len(data)), rng.choice((1, 1, 3, 50, 400))
        kind = rng.randrange(5)
        if kind == 0:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + n :]
        elif kind == 2:
            data = data[: at + n] + data[at:]
        elif kind == 3:
            data = data[:at]
        else:
            data = data[:at] + rng.choice((b"NaN", b"-1", b"[]", b"{}", b'"', b"1e999")) + data[at:]
        data = data or b"{"
    return data


def test_one_changed_byte_costs_the_trials_that_its_line_names(journal):
    """At most two: a digit of an id takes a value from one trial, and gives it to another."""
    rng = random.Random(2)
    data = journal.read_bytes()
    truth = {key: repr(t) for key, t in by_key(read([data])[0]).items()}
    for _ in range(300):
        at = rng.randrange(len(data))
        line = data[data.rfind(b"\n", 0, at) + 1 : data.find(b"\n", at)]
        changed = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        found, _ = read([changed])
        trials = {key: repr(t) for key, t in by_key(found).items()}
        differing = [key for key, trial in truth.items() if trials.get(key) != trial]
        if len(differing) > 2:
            assert b'"study' in line, (line, changed[at - 20 : at + 20], differing)
            assert len({study for study, _ in differing}) <= 2


def test_a_mutated_journal_never_raises(journal, tmp_path):
    rng = random.Random(0)
    data = journal.read_bytes()
    path = tmp_path / "journal.log"
    for _ in range(60):
        path.write_bytes(mutated(data, rng))
        assert all(runs_of(tmp_path))


# --- databases


def changed(database, tmp_path, *statements):
    path = tmp_path / database.name
    shutil.copy(database, path)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return runs_of(tmp_path)


def test_values_of_the_first_schemas_are_read(database, tmp_path):
    """Before version 2.4: one objective in ``trials``, reports in ``trial_values`` (no types)."""
    found = changed(
        database, tmp_path,
        "ALTER TABLE trials ADD COLUMN value FLOAT",
        "UPDATE trials SET value = (SELECT v.value FROM trial_values v"
        " WHERE v.trial_id = trials.trial_id AND v.objective = 0)",
        "DROP TABLE trial_values",
        "CREATE TABLE trial_values (trial_id INTEGER, step INTEGER, value FLOAT)",
        "INSERT INTO trial_values SELECT trial_id, step, intermediate_value"
        " FROM trial_intermediate_values",
        "DROP TABLE trial_intermediate_values",
        "DROP TABLE study_directions",
        "ALTER TABLE studies ADD COLUMN direction VARCHAR(8)",
        "UPDATE studies SET direction = 'MINIMIZE'",
    )  # fmt: skip
    truth = runs_of(database.parent)
    for key in ("one/0", "one/2", "one/5"):
        assert repr(points(found[key])) == repr(points(truth[key]))
    assert found["one/0"].header.config["study.direction"] == "minimize"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE trial_params SET distribution_json = 'x' WHERE param_id = 2", "trial_params"),
        ("UPDATE trial_params SET param_value = 9 WHERE param_id = 2", "no choice 9"),
        ("UPDATE trials SET state = 'ODD' WHERE trial_id = 1", "no trial of a study"),
        ("UPDATE trial_user_attributes SET value_json = '{' WHERE rowid = 1", "no JSON"),
        ("UPDATE trial_intermediate_values SET step = 'x' WHERE rowid = 1", "at a step"),
        ("UPDATE trial_values SET objective = 'x' WHERE rowid = 1", "no value of a trial"),
    ],
)
def test_a_row_that_cannot_be_is_named_and_costs_itself(database, tmp_path, statement, message):
    found, truth = changed(database, tmp_path, statement), runs_of(database.parent)
    named = [p for p in problems_of(found) if p.kind == "bad_line"]
    assert len(named) >= 1
    assert message in named[0].message
    assert all(repr(points(found[k])) == repr(points(truth[k])) for k in truth if k[-1] != "0")


def test_trials_whose_numbers_became_the_same_stay_two_runs(database, tmp_path):
    found = changed(database, tmp_path, "UPDATE trials SET number = 0 WHERE trial_id = 2")
    assert {"one/0", "one/0@2"} <= found.keys()
    assert len(found) == len(runs_of(database.parent))


def test_a_mutated_database_never_raises(database, tmp_path):
    rng = random.Random(1)
    data = database.read_bytes()
    for _ in range(60):
        (tmp_path / "study.db").write_bytes(mutated(data, rng))
        for run in runs_of(tmp_path).values():
            assert run.header.key


def test_another_database_is_none_of_optuna(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE trials (x)")
    assert not runs_of(tmp_path)
