"""MLflow's two storages: what was logged is what comes out, whole, cut, resumed and damaged."""

import json
import math
import random
import shutil
import sqlite3
import time
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow_stores import BEGAN, run_of, write, write_sqlite

import runcube as rc
from runcube.core.model import Request, Status
from runcube.files.tree import Tree, list_files
from runcube.readers.mlflow import MlflowReader
from runcube.readers.mlflow.order import in_order
from runcube.readers.mlflow.params import typed

DATA = Path(__file__).parents[1] / "data" / "mlflow"
TRUTH = json.loads((DATA / "truth.json").read_text())
ROOTS = {"files": DATA / "mlruns", "sqlite": DATA / "mlflow.db.gz"}
STATUS = {
    "FINISHED": Status.COMPLETE,
    "FAILED": Status.FAILED,
    "KILLED": Status.INCOMPLETE,
    "RUNNING": Status.INCOMPLETE,
}
both = pytest.mark.parametrize("kind", ["files", "sqlite"])
CASES = [(kind, number) for kind, runs in TRUTH.items() for number in range(len(runs))]
each_run = pytest.mark.parametrize(
    ("kind", "number"), CASES, ids=[f"{kind}-{TRUTH[kind][i]['name']}" for kind, i in CASES]
)


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def load(root, **options):
    return quietly(rc.load_runs, root, **({"parallel": False} | options))


def runs_of(root):
    """The runs that the reader finds under a root, by name."""
    reader = MlflowReader()
    found = {}
    for source in list(reader.find(Tree(list_files(root)))):
        own = reader.read(source, Request())
        assert [run.header for run in own] == list(reader.headers(source))
        for run in own:
            name = run.header.config["mlflow"]["runName"]
            assert name not in found
            found[name] = run
    return found


def one(root):
    (found,) = runs_of(root).values()
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


@pytest.fixture(scope="module", params=ROOTS)
def real(request):
    return request.param, runs_of(ROOTS[request.param])


def same(one, other):
    return repr(one) == repr(other)


def test_the_runs_are_those_that_were_logged_and_not_deleted(real):
    kind, found = real
    assert found.keys() == {run["name"] for run in TRUTH[kind]}


@each_run
def test_every_point_comes_out_in_the_order_in_which_it_was_logged(kind, number):
    wanted = TRUTH[kind][number]
    run = runs_of(ROOTS[kind])[wanted["name"]]
    expected = {
        key.replace("train_", "train/").replace("test_", "test/"): [
            (step, float(text)) for step, text in logged
        ]
        for key, logged in wanted["metrics"].items()
    }
    assert same(points(run), {key: expected[key] for key in points(run)})
    assert points(run).keys() == expected.keys()


@each_run
def test_every_parameter_comes_out_and_none_of_its_text_is_lost(kind, number):
    wanted = TRUTH[kind][number]
    config = runs_of(ROOTS[kind])[wanted["name"]].header.config
    assert {key: str(config[key]) for key in wanted["params"]} == wanted["params"]


def test_parameters_have_the_types_that_they_had(real):
    _, found = real
    config = found["lr-0.1-1"].header.config
    expected = {"lr": 0.1, "seed": 1, "optim.name": "adam", "layers": [64, 32]}
    assert {key: config[key] for key in expected} == expected
    odd = found["parent"].header.config
    assert (odd["flag"], odd["none"], odd["lr"], odd["path/key"]) == (True, None, "1e-3", "007")
    assert odd["text"] == "a: b\nc"


def test_the_status_is_what_mlflow_says(real):
    kind, found = real
    said = {run["name"]: STATUS[run["status"]] for run in TRUTH[kind]}
    assert {name: run.marker for name, run in found.items()} == said
    assert found["lr-0.1-0"].train_time == pytest.approx(0.5, abs=0.49)
    assert math.isnan(found["killed"].train_time)


def test_the_experiment_is_configuration_and_facts_are_no_axes(real):
    kind, found = real
    assert found["child"].header.config["experiment"] == "names"
    parent, child = found["parent"], found["child"]
    assert child.header.config["mlflow"]["parentRunId"] == parent.header.key
    ds = load(ROOTS[kind])
    assert {"experiment", "stage"} <= set(ds.coords)
    assert not [name for name in ds.coords if "run_name" in name or "user" in name]
    assert {"mlflow.run_id", "mlflow.runName"} <= json.loads(ds.attrs["excluded_hparams"]).keys()


def test_both_storages_make_one_cube():
    loaded = {}
    for kind, root in ROOTS.items():
        ds = load(root)
        index = ["lr", "experiment"]
        loaded[kind] = ds[["curve", "logged"]].set_index(config=index).sortby("config")
    one, other = loaded.values()
    assert one.sizes == other.sizes
    other = other.reindex_like(one)
    np.testing.assert_array_equal(one.logged, other.logged)
    np.testing.assert_array_equal(one.curve, other.curve)


def test_times_of_less_than_a_second_are_kept(real):
    _, found = real
    (curves,) = (c for c in found["parent"].curves if "batched" in c.metrics)
    there = curves.logged[curves.metrics.index("batched")]
    wall = curves.x["wall_time"][there]
    assert wall.min() == 1_700_000_000.25


def test_what_was_deleted_is_named():
    skipped = json.loads(load(ROOTS["files"]).attrs["skipped"])
    assert "MLflow runs that were deleted are not read: 8 files" in skipped[0]["message"]
    first = next(iter(runs_of(ROOTS["sqlite"]).values()))
    assert "2 runs that were deleted: left out" in [p.message for p in first.problems]


def test_lines_have_two_three_or_five_fields_and_others_are_named(tmp_path):
    root = write("files", tmp_path / "logs", {"a": run_of([("loss", 0, 1.0)])})
    file = root / "mlruns" / "1" / "a" / "metrics" / "loss"
    file.write_text(
        "1700000000000 1.0\n1700000000001 2.0 1\n1700000000002 3.0 2 mnist 1a2b\n"
        "1700000000003 4.0 3 mnist\nno line\n\n1700000000004 5.0 4 my own data 1a2b\r\n"
        "1700000000005 nan 5\n1700000000006 -inf 6\n1700000000007 6.0 7.5\n1 2 " + "9" * 30 + "\n"
    )
    run = one(root)
    wanted = [(0, 1.0), (1, 2.0), (2, 3.0), (4, 5.0), (5, math.nan), (6, -math.inf)]
    assert same(points(run)["loss"], wanted)
    (problem,) = run.problems
    assert (problem.kind, problem.line) == ("bad_line", 4)
    assert problem.path.endswith("metrics/loss")
    assert "4 lines" in problem.message


def test_a_last_line_without_an_end_is_left_out(tmp_path):
    root = write("files", tmp_path / "logs", {"a": run_of([("loss", i, i / 8) for i in range(4)])})
    file = root / "mlruns" / "1" / "a" / "metrics" / "loss"
    file.write_text(file.read_text()[:-3])
    run = one(root)
    assert points(run)["loss"] == [(i, i / 8) for i in range(3)]
    assert [(p.kind, p.line) for p in run.problems] == [("truncated_tail", 4)]


@both
def test_a_metric_and_a_folder_of_metrics_may_have_one_name(tmp_path, kind):
    logged = [("foo", 0, 1.0), ("foo/bar", 0, 2.0)]
    if kind == "files":  # which MLflow cannot write
        logged = [("foo/bar", 0, 2.0), ("bar", 0, 1.0)]
    run = one(write(kind, tmp_path / "logs", {"a": run_of(logged)}))
    assert points(run) == {key: [(step, value)] for key, step, value in logged}


@both
def test_metrics_of_the_names_of_step_and_time_are_metrics(tmp_path, kind):
    logged = [(key, step, step / 8) for step in range(3) for key in ("step", "wall_time", "epoch")]
    run = one(write(kind, tmp_path / "logs", {"a": run_of(logged)}))
    wanted = [(step, step / 8) for step in range(3)]
    assert points(run) == {"step": wanted, "wall_time": wanted}
    assert run.curves[0].x["epoch"].tolist() == [0, 1 / 8, 2 / 8]


@both
def test_a_metric_that_never_moves_is_a_metric(tmp_path, kind):
    logged = [(key, step, 1.0) for step in range(3) for key in ("system/gpus", "acc")]
    runs = {name: run_of(logged, params={"seed": seed}) for seed, name in enumerate("ab")}
    ds = load(write(kind, tmp_path / "logs", runs))
    assert sorted(ds.metric.values) == ["acc", "system/gpus"]
    assert bool(ds.logged.all())


@both
def test_a_metric_without_a_step_at_the_end_is_no_new_attempt(tmp_path, kind):
    loss = [("loss", step, step / 8) for step in (*range(6), *range(4, 10))]
    runs = {"a": run_of([*loss, ("best_acc", 0, 0.5)], params={"seed": 0})}
    ds = load(write(kind, tmp_path / "logs", runs)).squeeze()
    np.testing.assert_array_equal(ds.curve.sel(metric="loss"), np.arange(10) / 8)
    assert ds.curve.sel(metric="best_acc", step=0) == 0.5
    assert ds.status == "complete"


@both
def test_a_run_that_only_holds_others_is_no_run(tmp_path, kind):
    children = {
        run: run_of([("loss", 0, 1.0)], tags={"mlflow.parentRunId": "above"}, params={"lr": lr})
        for run, lr in (("a", 0.1), ("b", 0.2))
    }
    root = write(kind, tmp_path / "logs", {"above": run_of([]), **children})
    ds = load(root)
    assert ds.sizes["lr"] == 2
    named = [*rc.problems(ds)["message"]]
    assert any("only hold others, without a metric" in message for message in named)
    alone = write(kind, tmp_path / "alone", {"above": run_of([], params={"lr": 1})})
    assert load(alone).status.squeeze() == "failed"


def test_artifacts_are_named_and_no_runs(tmp_path):
    root = write("files", tmp_path / "logs", {"a": run_of([("loss", 0, 1.0)], params={"lr": 1})})
    folder = root / "mlruns" / "1" / "a" / "artifacts" / "more"
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    (folder / "log.jsonl").write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25}\n')
    ds = load(root)
    assert ds.run_id.squeeze() == "a"
    (named,) = json.loads(ds.attrs["skipped"])
    assert (named["kind"], named["path"]) == ("not_read", "mlruns/1/a/artifacts/more/history.csv")
    assert "artifacts of MLflow runs are not read: 2 files" in named["message"]


@pytest.mark.parametrize("meta", [None, "", "run_i", "]: {"])
def test_a_run_without_a_sound_description_keeps_its_curves(tmp_path, meta):
    logged = [(key, step, 1.0) for step in range(3) for key in ("metrics/loss", "acc")]
    root = write(
        "files", tmp_path / "logs", {"a": run_of(logged, params={"lr": 0.1}), "b": RUNS["b"]}
    )
    path = root / "mlruns" / "1" / "a" / "meta.yaml"
    path.write_text(meta) if meta is not None else path.unlink()
    reader = MlflowReader()
    one, other = (reader.read(s, Request())[0] for s in reader.find(Tree(list_files(root))))
    assert (one.header.key, one.header.config["lr"]) == ("a", 0.1)
    assert sorted(points(one)) == ["acc", "loss"]
    assert one.problems[0].kind in ("unreadable", "no_config")
    assert (one.marker, kinds(other)) == (None, [])


@pytest.mark.parametrize("kind", ROOTS)
def test_one_experiment_may_be_asked_for(kind):
    ds = load(ROOTS[kind], reader=MlflowReader(experiment="digits"))
    assert dict(ds.sizes) == {"lr": 3, "seed": 4, "split": 3, "metric": 2, "step": 6}
    with pytest.raises(rc.UnknownNameError, match=r"experiment='digit'.*nearest: 'digits'"):
        load(ROOTS[kind], reader=MlflowReader(experiment="digit"))


@both
def test_artifacts_that_are_kept_elsewhere_are_no_runs(tmp_path, kind):
    runs = {"0" * 32: run_of([("loss", 0, 1.0)], params={"lr": 1})}
    root = write(kind, tmp_path / "logs", runs)
    for place in (f"mlartifacts/1/{'0' * 32}/artifacts", "others"):
        (root / place).mkdir(parents=True)
        (root / place / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    skipped = json.loads(load(root, reader="mlflow").attrs["skipped"])
    (named,) = [p for p in skipped if "artifacts" in p["message"]]
    assert (named["path"], "1 file" in named["message"]) == (
        f"mlartifacts/1/{'0' * 32}/artifacts/history.csv",
        True,
    )
    assert int((load(root).status != "absent").sum()) == 2


def test_a_model_that_was_logged_is_no_run(tmp_path):
    root = write("files", tmp_path / "logs", {"a": run_of([("loss", 0, 1.0)])})
    model = root / "mlruns" / "1" / "models" / "m-1"
    (model / "metrics").mkdir(parents=True)
    (model / "meta.yaml").write_text("experiment_id: '1'\nmodel_id: m-1\nsource_run_id: a\n")
    (model / "metrics" / "loss").write_text("1700000000000 1.0 0\n")
    assert one(root).header.key == "a"


def test_the_root_may_be_the_folder_of_a_run(tmp_path):
    root = write("files", tmp_path / "logs", {"a": run_of([("loss", 0, 1.0)], params={"lr": 1})})
    ds = load(root / "mlruns" / "1" / "a")
    assert ds.run_id.squeeze() == "a"
    assert float(ds.curve.squeeze()) == 1.0


def test_a_metric_that_cannot_be_read_costs_that_metric(tmp_path):
    logged = [(key, step, 1.0) for step in range(3) for key in ("loss", "acc")]
    root = write("files", tmp_path / "logs", {"a": run_of(logged)})
    reader = MlflowReader()
    (source,) = reader.find(Tree(list_files(root)))
    (root / "mlruns" / "1" / "a" / "metrics" / "loss").unlink()
    (run,) = reader.read(source, Request())
    assert points(run).keys() == {"acc"}
    assert kinds(run) == ["unreadable"]
    shutil.rmtree(root / "mlruns")
    with pytest.raises(OSError, match="No such file"):
        reader.read(source, Request())


def test_rows_of_no_point_and_of_no_run_are_named(tmp_path):
    path = write_sqlite(tmp_path / "mlflow.db", {"a": run_of([("loss", 0, 1.0)])})
    rows = [
        ("loss", "text", BEGAN, "a", 1, 0),
        ("loss", 1.0, BEGAN, "a", "x", 0),
        (b"loss", 1.0, BEGAN, "a", 1, 0),
        ("loss", 2.0, None, "a", None, None),
        ("loss", 1.0, BEGAN, "gone", 1, 0),
    ]
    with closing(sqlite3.connect(path)) as made:
        made.executemany("INSERT INTO metrics VALUES (?,?,?,?,?,?)", rows)
        made.commit()
    run = one(tmp_path)
    assert points(run) == {"loss": [(0, 1.0), (0, 2.0)]}
    assert kinds(run) == ["bad_line", "bad_line"]
    assert "3 rows of no point, row 2 is the first" in run.problems[0].message
    assert "1 points of 1 runs that are not in it" in run.problems[1].message


def test_a_database_of_an_old_version_is_read(tmp_path):
    path = write_sqlite(tmp_path / "mlflow.db", {"a": run_of([("loss", 0, 1.0)])})
    with closing(sqlite3.connect(path)) as made:
        made.execute("ALTER TABLE metrics DROP COLUMN is_nan")
        made.execute("ALTER TABLE metrics DROP COLUMN step")
        made.commit()
    assert points(one(tmp_path)) == {"loss": [(0, 1.0)]}


def test_a_database_whose_runs_were_all_deleted_is_named(tmp_path):
    write_sqlite(tmp_path / "mlflow.db", {"a": run_of([("loss", 0, 1.0)], stage="deleted")})
    with pytest.raises(rc.NoRunsError, match="1 run that were deleted"):
        load(tmp_path)


def test_a_database_under_another_name_is_known_by_its_tables(tmp_path):
    path = write_sqlite(tmp_path / "mlflow.db", {"a": run_of([("loss", 0, 1.0)])})
    path.rename(tmp_path / "tracking.sqlite3")
    assert load(tmp_path).run_id.squeeze() == "a"


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 6)), max_size=40).map(
        lambda pairs: np.array(pairs, dtype=np.int64).reshape(-1, 2)
    )
)
def test_the_order_of_each_metric_is_never_changed(pairs):
    codes, steps = pairs.T
    order, periods = in_order(codes, steps)
    assert sorted(order.tolist()) == list(range(len(codes)))
    for code in set(codes.tolist()):
        own = order[codes[order] == code]
        assert (np.diff(own) > 0).all()
    for period in set(periods.tolist()):
        assert (np.diff(steps[order][periods == period]) >= 0).all()


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text()))
def test_a_typed_parameter_is_written_as_its_text(value):
    assert str(typed(str(value))) == str(value)


@given(
    st.recursive(
        st.integers() | st.booleans() | st.none() | st.text() | st.floats(allow_nan=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_lists_and_objects_are_typed_or_stay_text(value):
    found = typed(str(value))
    assert str(found) == str(value)


def damaged(data, rng):
    """Return bytes with one thing wrong: bytes of noise, a cut, a part twice, or zeros."""
    data = bytearray(data)
    at = rng.randrange(len(data))
    size = rng.choice((1, 1, 2, 8, 100, 4096))
    match rng.randrange(5):
        case 0:
            del data[at:]
        case 1:
            data[at : at + size] = data[rng.randrange(len(data)) :][:size]
        case 2:
            data[at : at + size] = bytes(min(size, len(data) - at))
        case _:
            data[at : at + size] = rng.randbytes(min(size, len(data) - at))
    return bytes(data)


def survives(root, reader=None):
    """Read a tree as a load does; return the points of every run."""
    reader = reader or MlflowReader()
    found = {}
    for source in list(reader.find(Tree(list_files(root)))):
        try:
            runs = reader.read(source, Request(messages=True))
        except OSError:
            continue
        found |= {run.header.key: (points(run), kinds(run)) for run in runs}
    return found


RUNS = {
    name: run_of(
        [(key, step, step / 8) for step in range(20) for key in ("train_loss", "acc")],
        params={"lr": 0.1, "seed": seed},
        tags={"note": "x"},
    )
    for seed, name in enumerate(("a", "b", "c"))
}


@both
def test_no_damage_crashes_the_reader_or_takes_long(tmp_path, kind):
    rng = random.Random(1)
    root = write(kind, tmp_path / "logs", RUNS)
    files = [path for path in root.rglob("*") if path.is_file()]
    whole = survives(root)
    assert len(whole) == 3
    for _ in range(200):
        path = rng.choice(files)
        data = path.read_bytes()
        if not data:
            continue
        path.write_bytes(damaged(data, rng))
        began = time.monotonic()
        found = survives(root)
        assert time.monotonic() - began < 10
        mine = path.relative_to(root).parts[2] if kind == "files" else ""
        if mine in whole:
            others = whole.keys() - {mine}
            assert {run: found[run] for run in others} == {run: whole[run] for run in others}
        path.write_bytes(data)
