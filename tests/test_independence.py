"""A log's values depend on that log alone: what others hold removes and alters nothing."""

import json
import warnings

import pytest
from cubes_by_run import keys_by_run, values_by_run
from hypothesis import given
from hypothesis import strategies as st

import runcube as rc

# What is not pinned may change with the other logs: labels, and where along x values stand.
PINNED = {"x": "epoch", "align": "union", "layout": "configs"}


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def write_jsonl(root, logs):
    for path, records in logs.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("".join(json.dumps(record) + "\n" for record in records))


def one_log_a_run(root):
    """Two whole logs, and a short one without a configuration."""
    rows = [{"epoch": e, "train_loss": 1 / (e + 1), "val_acc": e / 3} for e in range(3)]
    write_jsonl(root, {f"{lr}/log.jsonl": [{"config": {"lr": lr}}, *rows] for lr in (0.1, 0.2)})

    def damage():
        write_jsonl(root, {"best.jsonl": [{"epoch": 2, "train_loss": 0.5, "val_acc": 0.9}]})

    return damage, "best"


def several_runs_a_log(root):
    """Two runs in one log, in which one byte of a run's id changes."""
    records = [{"run_id": f"r{run}", "config": {"lr": 0.1 + run}} for run in range(2)]
    records += [
        {"run_id": f"r{run}", "epoch": e, "train_loss": run + e / 7}
        for e in range(3)
        for run in range(2)
    ]
    write_jsonl(root, {"all.jsonl": records})

    def damage():
        text = (root / "all.jsonl").read_text()
        at = text.index('"r0", "epoch": 1')
        (root / "all.jsonl").write_text(text[: at + 2] + "9" + text[at + 3 :])

    return damage, "r0"


def configurations_elsewhere(root):
    """Configurations in a folder above, and a run whose configuration is missing."""
    write_jsonl(root, {f"jobs/{i}.json": [{"config": {"lr": i / 10}}] for i in (1, 2)})
    rows = [{"epoch": e, "train/loss": e / 10} for e in range(3)]
    write_jsonl(root, {f"a_{i}/metrics.jsonl": rows for i in (1, 2)})

    def damage():
        write_jsonl(root, {"a_3/metrics.jsonl": [{"epoch": 0, "train/loss": 1.0}]})

    return damage, "a_3"


each_way = pytest.mark.parametrize(
    "write", [one_log_a_run, several_runs_a_log, configurations_elsewhere]
)


@each_way
def test_damage_to_one_run_takes_no_values_of_others(tmp_path, write):
    damage, victim = write(tmp_path)
    before = values_by_run(quietly(rc.load_runs, tmp_path, **PINNED))
    assert all(before.values())
    damage()
    after = values_by_run(quietly(rc.load_runs, tmp_path, **PINNED))
    assert {run: after.get(run) for run in before if victim not in run} == {
        run: values for run, values in before.items() if victim not in run
    }


@each_way
def test_an_archive_keeps_the_values_of_others_through_updates(tmp_path, write):
    path = tmp_path / "sweep.nc"
    damage, victim = write(tmp_path / "logs")
    quietly(rc.archive_runs, tmp_path / "logs", path, **PINNED)
    with rc.open_archive(path) as ds:
        before = values_by_run(ds)
    damage()
    quietly(rc.update_archive, path)
    with rc.open_archive(path) as ds:
        after = values_by_run(ds)
    assert {run: after.get(run) for run in before if victim not in run} == {
        run: values for run, values in before.items() if victim not in run
    }


def test_damage_to_one_run_takes_no_key_of_others(tmp_path):
    settings = [(lr, name) for lr in (0.1, 0.2) for name in ("adam", "sgd")]
    logs = {
        f"r{run}/log.jsonl": [
            {"epoch": e, "lr": lr, "opt": name, "loss": run + e / 9} for e in range(3)
        ]
        for run, (lr, name) in enumerate(settings)
    }
    write_jsonl(tmp_path, logs)
    before = keys_by_run(quietly(rc.load_runs, tmp_path, layout="configs"))
    assert all({"lr", "opt"} <= keys for keys in before.values())
    logs["r3/log.jsonl"][1]["opt"] = "sgf"
    write_jsonl(tmp_path, logs)
    ds = quietly(rc.load_runs, tmp_path, layout="configs", messages=True)
    after = keys_by_run(ds)
    assert {path: after[path] for path in before if "r3" not in path} == {
        path: keys for path, keys in before.items() if "r3" not in path
    }
    (damaged,) = ds.messages.values[ds.path == "r3/log.jsonl"].tolist()
    assert damaged == "sgd\nsgf\nsgd"
    (named,) = rc.problems(ds).itertuples()
    assert (named.path, named.kind) == ("r3/log.jsonl", "config_conflict")
    assert "'opt' changes within the run" in named.message


def test_text_that_never_moves_in_a_run_and_is_no_key_of_the_sweep_is_a_message(tmp_path):
    logs = {
        f"{run}.jsonl": [
            {"epoch": e, "loss": e / 3, "note": f"at {e}" if run else "nothing"} for e in range(3)
        ]
        for run in range(3)
    }
    write_jsonl(tmp_path, logs)
    ds = quietly(rc.load_runs, tmp_path, layout="configs", messages=True)
    assert ds.messages.values[ds.path == "0.jsonl"].tolist() == ["nothing\n" * 2 + "nothing"]


def rows_of(epochs, run, config=None):
    for epoch in range(epochs):
        yield {"epoch": epoch, **(config or {}), "train_loss": run + epoch / 7, "val_acc": -epoch}


def header_object(config, epochs, run):
    return [{"config": config}, *rows_of(epochs, run)]


def object_on_every_line(config, epochs, run):
    return rows_of(epochs, run, {"args": config})


def columns(config, epochs, run):
    return rows_of(epochs, run, config)


def flat_header(config, epochs, run):
    return [config, *rows_of(epochs, run)]


@pytest.mark.parametrize("way", [header_object, object_on_every_line, columns, flat_header])
@given(
    # Where nothing moves in any log, what is a number is decided by all of them.
    lengths=st.lists(st.integers(3, 5), min_size=2, max_size=4),
    place=st.floats(0, 1, exclude_max=True),
    byte=st.integers(1, 255),
)
def test_a_damaged_byte_of_one_log_changes_no_value_of_another(
    tmp_path_factory, way, lengths, place, byte
):
    root = tmp_path_factory.mktemp("sweep")
    for run, epochs in enumerate(lengths):
        config = {"lr": 0.1 + run, "opt": ["adam", "sgd"][run % 2], "seed": 0}
        write_jsonl(root, {f"r{run}/log.jsonl": way(config, epochs, run)})
    before = values_by_run(quietly(rc.load_runs, root, **PINNED))
    damaged = bytearray((root / "r0" / "log.jsonl").read_bytes())
    damaged[int(place * len(damaged))] ^= byte
    (root / "r0" / "log.jsonl").write_bytes(damaged)
    ds = quietly(rc.load_runs, root, **PINNED)
    after = {path: values for (path, _), values in values_by_run(ds).items()}
    skipped = json.loads(ds.attrs["skipped"])
    superseded = {p["path"] for p in skipped if p["kind"] == "duplicate_run"}
    for (path, _), values in before.items():
        # A column of numbers that was configuration may be a metric now, and runs that it told
        # apart compete: none is lost without a name.
        if not path.startswith("r0") and path not in superseded:
            assert values.items() <= after[path].items()
