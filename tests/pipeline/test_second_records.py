"""Several records of one run in its folder: the fuller or the more exact one is read."""

import json
import shutil

import fsspec
import numpy as np
import pytest
from tensorboard_logs import kinds, load, scalar, session_start, write_events
from wandb_files import history, run, write

import runcube as rc

NAME = "events.out.tfevents.1700000000.host.1.0"
STEPS = range(20)
pytestmark = pytest.mark.filterwarnings("ignore::runcube.SweepWarning")


def loss(step, seed=0):
    return 1 / (step + 3) + seed


def lines(folder, steps=STEPS, name="metrics.jsonl", seed=0, **more):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"step": s, "loss": loss(s, seed)} | {k: f(s) for k, f in more.items()} for s in steps]
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def table(folder, steps=STEPS, name="metrics.csv", seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{s},{loss(s, seed)!r}\n" for s in steps]
    (folder / name).write_text("step,loss\n" + "".join(rows))


def events(folder, steps=STEPS, seed=0, hparams=None, **more):
    begin = [] if hparams is None else [session_start(hparams)]
    own = [scalar("loss", loss(s, seed), s) for s in steps]
    own += [scalar(tag, f(s), s) for tag, f in more.items() for s in steps]
    write_events(folder / NAME, begin + own)


def paths(ds):
    return sorted(path for path in ds.path.values.ravel().tolist() if path)


def messages(ds):
    return rc.problems(ds).message.tolist()


def test_of_records_that_hold_as_much_the_exact_one_is_read_and_the_other_named(tmp_path):
    table(tmp_path)
    events(tmp_path)
    ds = load(tmp_path)
    assert paths(ds) == ["metrics.csv"]
    assert ds.curve.values.ravel().tolist() == [loss(s) for s in STEPS]
    assert kinds(ds) == ["not_read"]
    (text,) = messages(ds)
    assert text == (
        "second records beside the log of a run are not read: 1 file; those of 'csv' are more "
        "exact; reader='tensorboard' reads them"
    )
    assert rc.problems(ds).path.item() == NAME


@pytest.mark.parametrize("exact", [lines, table])
def test_a_record_that_began_late_gives_way_to_the_fuller_one(tmp_path, exact):
    exact(tmp_path, range(15, 20))
    events(tmp_path)
    ds = load(tmp_path)
    assert paths(ds) == ["."]
    assert ds.sizes["step"] == len(STEPS)
    assert "'tensorboard' hold more values" in messages(ds)[0]


def test_a_record_whose_last_rows_are_cut_is_not_less_full(tmp_path):
    lines(tmp_path, range(18))
    events(tmp_path)
    assert paths(load(tmp_path)) == ["metrics.jsonl"]


def test_a_record_with_a_configuration_goes_before_one_without(tmp_path):
    for lr in (0.1, 0.2):
        table(tmp_path / f"run{lr}")
        events(tmp_path / f"run{lr}", hparams={"lr": lr})
    ds = load(tmp_path)
    assert ds.lr.values.tolist() == [0.1, 0.2]
    assert "2 files, this is the first; those of 'tensorboard' have" in messages(ds)[0]


def test_curves_and_keys_that_only_the_record_has_that_is_not_read_are_named(tmp_path):
    lines(tmp_path, acc=lambda s: s / 7)
    (tmp_path / "metrics.jsonl").write_text(
        '{"config": {"seed": 1}}\n' + (tmp_path / "metrics.jsonl").read_text()
    )
    events(tmp_path, hparams={"seed": 1, "warmup": 3}, **{"val/f1": lambda s: s / 11})
    ds = load(tmp_path)
    assert paths(ds) == ["metrics.jsonl"]
    assert kinds(ds) == ["left_out", "not_read"]
    (text,) = (m for m in messages(ds) if "only in" in m)
    assert text == (
        "'val f1', 'warmup': only in second records that are not read: 1 file; "
        "reader='tensorboard' reads them"
    )


def test_a_curve_under_another_name_is_known_by_its_values(tmp_path):
    lines(tmp_path, acc=lambda s: s / 7)
    events(tmp_path, **{"ray/tune/accuracy": lambda s: s / 7})
    assert kinds(load(tmp_path)) == ["not_read"]


@pytest.mark.parametrize("reader", ["jsonl", "csv", "tensorboard"])
def test_reader_chooses_the_record(tmp_path, reader):
    lines(tmp_path)
    table(tmp_path)
    events(tmp_path)
    ds = load(tmp_path, reader=reader)
    (path,) = paths(ds)
    assert path == {"jsonl": "metrics.jsonl", "csv": "metrics.csv", "tensorboard": "."}[reader]


def test_three_records_of_ray_are_one_run(tmp_path):
    config = {"lr": 0.1}
    rows = [
        {"training_iteration": i, "reward": loss(i), "len": i / 7, "config": config}
        for i in range(1, 9)
    ]
    (tmp_path / "result.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "params.json").write_text(json.dumps(config))
    cells = "".join(f"{i},{loss(i)}\n" for i in range(1, 9))
    (tmp_path / "progress.csv").write_text("training_iteration,reward\n" + cells)
    own = [scalar("ray/tune/reward", loss(i), i) for i in range(1, 9)]
    write_events(tmp_path / NAME, own)
    ds = load(tmp_path)
    assert paths(ds) == ["result.json"]
    assert kinds(ds) == ["not_read", "not_read"]
    assert all("second records" in text for text in messages(ds))


def wandb_inside(folder, seed=0):
    values = [history({"loss": loss(s, seed), "_step": s}) for s in STEPS]
    write(folder, [run({"seed": seed}), *values], run_id=f"id{seed}")


def test_a_record_in_a_folder_below_is_of_the_run_if_its_values_are(tmp_path):
    table(tmp_path)
    wandb_inside(tmp_path)
    ds = load(tmp_path)
    assert len(paths(ds)) == 1
    assert "wandb" in paths(ds)[0]  # it alone has a configuration
    assert kinds(ds) == ["not_read"]


def test_a_record_in_a_folder_below_with_other_values_is_a_run(tmp_path):
    table(tmp_path, seed=5)
    wandb_inside(tmp_path)
    ds = load(tmp_path)
    assert len(paths(ds)) == 2
    assert "not_read" not in kinds(ds)


def test_a_run_below_that_wrote_nothing_is_a_run(tmp_path):
    table(tmp_path)
    write(tmp_path, [run({"seed": 3})], run_id="id3")
    assert len(paths(load(tmp_path))) == 2


def test_runs_below_a_log_of_the_sweep_stay_runs(tmp_path):
    lines(tmp_path, name="sweep.jsonl")
    for seed in range(3):
        events(tmp_path / f"s{seed}", seed=seed)
    assert len(paths(load(tmp_path))) == 4


def test_other_quantities_in_the_folder_of_a_run_are_named_as_such(tmp_path):
    lines(tmp_path, range(5))
    rows = "".join(f"{s},{s / 13}\n" for s in range(400))
    (tmp_path / "gradients.csv").write_text("step,norm\n" + rows)
    ds = load(tmp_path)
    assert paths(ds) == ["metrics.jsonl"]
    assert messages(ds) == [
        "other quantities beside the log of a run are not read: 1 file; reader='csv' reads them"
    ]


def test_runs_of_two_loggers_in_one_folder_are_runs_if_they_share_no_values(tmp_path):
    for seed in range(3):
        lines(tmp_path, name=f"a{seed}.jsonl", seed=seed)
    table(tmp_path, name="b.csv", seed=7)
    assert len(paths(load(tmp_path))) == 4


def test_two_records_each_of_several_runs_in_one_folder_are_one_each(tmp_path):
    for seed in range(3):
        lines(tmp_path, name=f"a{seed}.jsonl", seed=seed)
        table(tmp_path, name=f"a{seed}.csv", seed=seed)
    ds = load(tmp_path)
    assert paths(ds) == [f"a{seed}.jsonl" for seed in range(3)]
    assert "3 files, this is the first" in messages(ds)[0]


def test_a_record_without_a_value_gives_way(tmp_path):
    table(tmp_path, range(0))
    events(tmp_path)
    assert paths(load(tmp_path)) == ["."]


def test_what_one_folder_holds_decides_for_it_alone(tmp_path):
    lines(tmp_path / "a")
    events(tmp_path / "a")
    lines(tmp_path / "b", range(15, 20))
    events(tmp_path / "b")
    both = load(tmp_path)
    assert paths(both) == ["a/metrics.jsonl", "b"]
    for name in "ab":
        alone = load(tmp_path / name)
        where = {"a": "a/metrics.jsonl", "b": "b"}[name]
        mine = both.curve.values[both.path.values == where]
        np.testing.assert_array_equal(mine.ravel(), alone.curve.values.ravel())


def test_of_long_records_no_more_than_the_beginning_is_compared(tmp_path, monkeypatch):
    lines(tmp_path, range(40_000))
    events(tmp_path, range(100))
    read = []
    from runcube.pipeline import second_records as module

    bounded = module._bounded

    def spy(reader):
        found = bounded(reader)
        read.append(found.limits.file_bytes)
        return found

    monkeypatch.setattr(module, "_bounded", spy)
    ds = load(tmp_path)
    assert paths(ds) == ["metrics.jsonl"]
    assert "hold more values" in messages(ds)[0]
    assert read == [1 << 18, 1 << 18]


class Plain:
    """A reader of somebody else, without bounds."""

    name = "plain"

    def find(self, tree):
        for file in list(tree.unclaimed()):
            if file.path.endswith(".plain"):
                yield rc.readers.Source(tree.root, file.path, (file,))

    def headers(self, source):
        return [rc.readers.RunHeader(source, config={"lr": 1})]

    def read(self, source, request):
        x = {"step": np.arange(3)}
        ones = np.ones((1, 3))
        curves = rc.readers.Curves("all", x, ("loss",), ones, ones > 0, np.arange(1, 4))
        return [
            rc.readers.RunLog(*self.headers(source), [curves], splits=("all",), metrics=("loss",))
        ]


def test_a_reader_without_bounds_goes_by_the_order_in_which_it_is_asked(tmp_path, monkeypatch):
    from runcube.readers import base

    monkeypatch.setattr(base, "_registered", dict(base._registered))
    rc.register_reader(Plain())
    events(tmp_path)
    (tmp_path / "a.plain").write_text("x\n")
    assert paths(load(tmp_path)) == ["a.plain"]


@pytest.fixture
def tree(tmp_path):
    """Six runs with two records each: in some the lines are fuller, in others the events."""
    for seed in range(6):
        folder = tmp_path / "logs" / f"seed={seed}"
        lines(folder, range(12, 20) if seed % 2 else STEPS, seed=seed, acc=lambda s: s / 7)
        events(folder, seed=seed, **{"only/here": lambda s: s / 17})
    return tmp_path / "logs"


def archived(tree):
    rc.archive_runs(tree, tree.parent / "sweep.nc")
    return rc.open_archive(tree.parent / "sweep.nc")


def updated(tree):
    kept = shutil.copytree(tree, tree.parent / "kept")
    for seed in range(6):  # now it is the events that are fuller, in each of them
        lines(tree / f"seed={seed}", range(15, 20), seed=seed)
    shutil.rmtree(tree / "seed=5")
    rc.archive_runs(tree, tree.parent / "sweep.nc")
    shutil.copytree(kept, tree, dirs_exist_ok=True)
    rc.update_archive(tree.parent / "sweep.nc")
    return rc.open_archive(tree.parent / "sweep.nc")


def lazily(tree):
    return rc.open_runs(tree, cache=tree.parent / "cache")


def in_processes(tree):
    return load(tree, parallel="processes")


def remote(tree):
    files = fsspec.filesystem("memory")
    for path in tree.rglob("*"):
        if path.is_file():
            files.pipe(f"/second/{path.relative_to(tree).as_posix()}", path.read_bytes())
    try:
        return load("memory://second")
    finally:
        files.rm("/second", recursive=True)


@pytest.mark.parametrize("road", [archived, updated, lazily, in_processes, remote])
def test_every_road_gives_the_same_cube(road, tree):
    ds = load(tree)
    assert paths(ds) == [f"seed={s}" if s % 2 else f"seed={s}/metrics.jsonl" for s in range(6)]
    found = road(tree).load()
    for name in ("curve", "logged", "status", "path", "run_id", "problems", "logger"):
        np.testing.assert_array_equal(ds[name].values, found[name].values, err_msg=name)
    assert json.loads(ds.attrs["skipped"]) == json.loads(found.attrs["skipped"])
    only = {text.partition(":")[0] for text in messages(ds) if "only in second records" in text}
    assert only == {"'acc'", "'only/here'"}


def test_scan_plans_what_is_loaded(tree):
    headers = rc.scan(tree).headers
    assert [h.source.path for h in headers] == paths(load(tree))
