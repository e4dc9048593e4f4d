"""What a column is, the whole sweep decides, at every update anew."""

import numpy as np
import pytest
from archives import archive, assert_up_to_date, opened, quietly, update
from odd_logs import jsonl

import runcube as rc


def still(root, *names):
    """Runs in which ``width`` never moves: it is a label of each."""
    for i, name in enumerate(names):
        row = {"lr": 0.125 * (i + 1), "width": 8 + 8 * (i % 2)}
        jsonl(root / f"{name}.jsonl", [row | {"epoch": e, "loss": e + i / 8} for e in range(3)])


def moving(root, *names):
    """Runs in which ``width`` moves: it is a metric."""
    for i, name in enumerate(names):
        rows = [{"lr": 8.0 + i, "epoch": e, "width": [8, 3, 5][e], "loss": 9 + e} for e in range(3)]
        jsonl(root / f"{name}.jsonl", rows)


def rising(root, *names):
    """Runs whose only axis is ``task``, which no name makes one."""
    for i, name in enumerate(names):
        rows = [{"task": 5 * (t + 1), "loss": 7 / (t + i + 1)} for t in range(4)]
        jsonl(root / f"{name}.jsonl", [{"config": {"lr": 0.5 + i}}, *rows])


def falling(root, *names):
    """Runs in which ``task`` goes up and down: it is a metric."""
    for i, name in enumerate(names):
        rows = [{"epoch": e, "task": [5, 1, 7, 2][e], "loss": e / (i + 1)} for e in range(4)]
        jsonl(root / f"{name}.jsonl", [{"config": {"lr": 64.0 + i}}, *rows])


def validation(root, *names):
    """Runs with another word for the split, and an object that only wraps their metrics."""
    for i, name in enumerate(names):
        rows = [{"epoch": e, "validation_loss": e + i, "metrics": {"acc": i}} for e in range(3)]
        jsonl(root / f"{name}.jsonl", [{"config": {"lr": 0.25 + i}}, *rows])


def val(root, *names):
    """Runs in which the object has to be told from a metric of the same name."""
    for i, name in enumerate(names):
        row = {"metrics": {"acc": i}, "acc": -i}
        rows = [row | {"epoch": e, "val_loss": e - i} for e in range(3)]
        jsonl(root / f"{name}.jsonl", [{"config": {"lr": 32.0 + i}}, *rows])


FEW, MANY = "abcd", "efghijk"
CHANGES = {
    "a label that moves in most": (still, moving),
    "a metric that is still in most": (moving, still),
    "an axis that falls in most": (rising, falling),
    "a metric that rises in most": (falling, rising),
    "a split with another name in most": (validation, val),
    "a split with that name in few": (val, validation),
}


@pytest.mark.parametrize(("first", "then"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("many", [1, 3, 7])
def test_an_update_after_which_columns_are_something_else_is_a_fresh_archive(
    root, path, first, then, many
):
    first(root, *FEW)
    archive(root, path).close()
    then(root, *MANY[:many])
    assert_up_to_date(path, root)
    first(root, *MANY[:many])  # and back again
    assert_up_to_date(path, root)


@pytest.mark.parametrize(("first", "then"), CHANGES.values(), ids=CHANGES)
def test_nothing_is_lost_where_columns_become_something_else(root, path, first, then):
    first(root, *FEW)
    before = curves_of(archive(root, path))
    then(root, *MANY)
    after = curves_of(update(path))
    for name in FEW:
        log = f"{name}.jsonl"
        assert sorted(before[log, "loss"]) == sorted(after[log, "loss"])


def curves_of(ds):
    """Values by log and metric, in order of x."""
    found = {}
    for index in np.ndindex(ds.path.shape):
        cell = ds.isel(dict(zip(ds.path.dims, index, strict=True)))
        if cell.path.item():
            for metric in ds.metric.values.tolist():
                one = cell.sel(metric=metric).squeeze()
                found[cell.path.item(), metric] = one.curve.values[one.logged.values].tolist()
    return found


@pytest.mark.parametrize(("first", "then"), CHANGES.values(), ids=CHANGES)
def test_a_run_whose_log_is_gone_keeps_what_it_has_and_is_named(root, path, first, then):
    first(root, *FEW)
    before = curves_of(archive(root, path))
    (root / "a.jsonl").unlink()
    then(root, *MANY)
    ds = update(path)
    after = curves_of(ds)
    held = {m: v for (name, m), v in before.items() if name == "a.jsonl" and v}
    assert {m: after["a.jsonl", m] for m in held} == held
    table = rc.problems(ds)
    gone = table[table["path"] == "a.jsonl"]
    # What moves in some runs was a metric, and is one; what rises along a run is its x.
    flips = {"kept_roles"} if first not in (moving, rising) else set()
    assert set(gone["kind"]) >= {"deleted_log"} | flips
    assert ("kept_roles" in set(gone["kind"])) == bool(flips)
    if first is still:
        assert ds.width.sel(lr=0.125).values.tolist() in ("8", ["8"])
    again = path.stat()
    quietly(rc.update_archive, path)
    assert path.stat() == again


def test_a_column_that_is_a_metric_after_a_merge_is_named_where_it_was_configuration(
    tmp_path, path
):
    still(tmp_path / "one", *FEW)
    moving(tmp_path / "two", *MANY)
    parts = [path.with_name(f"{name}.nc") for name in ("one", "two")]
    for part in parts:
        archive(tmp_path / part.stem, part).close()
    quietly(rc.merge_archives, parts, path)
    table = rc.problems(opened(path))
    named = table[table["kind"] == "kept_roles"]
    assert sorted(named["path"]) == [f"{name}.jsonl" for name in FEW]
    assert named["message"].str.contains("'width'").all()
