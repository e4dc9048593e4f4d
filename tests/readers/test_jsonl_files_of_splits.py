"""A run whose splits are files of their own is read as if it had written one."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcube as rc

pytestmark = pytest.mark.filterwarnings("ignore::runcube.SweepWarning")


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def values(ds):
    """Logged points of each split: ``{(split, x): value}``."""
    x = ds.curve.dims[-1]
    table = ds.curve.where(ds.logged).sel(metric="loss").stack(point=("split", x))
    points = zip(table.indexes["point"], table.values.reshape(-1).tolist(), strict=True)
    return {point: value for point, value in points if not np.isnan(value)}


@given(
    steps=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    header=st.booleans(),
    names=st.sampled_from([("train", "val"), ("train", "eval"), ("Train", "test")]),
)
def test_files_of_splits_are_the_one_log_that_they_would_be(tmp_path_factory, steps, header, names):
    first = [{"config": {"lr": 0.1, "seed": 3}}] if header else []
    train, val, joined = list(first), list(first), list(first)
    step = 0
    for epoch, count in enumerate(steps):
        for _ in range(count):
            row = {"epoch": epoch, "step": step, "loss": 1 / (1 + step)}
            train.append(row)
            joined.append({"split": names[0]} | row)
            step += 1
        row = {"epoch": epoch, "loss": 10.0 + epoch}
        val.append(row)
        joined.append({"split": names[1]} | row)
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    write(one / "a" / "log.jsonl", joined)
    for name, rows in zip(names, (train, val), strict=True):
        write(two / "a" / f"{name}.jsonl", rows)
    expected, found = (rc.load_runs(root, x="step") for root in (one, two))
    assert values(found) == values(expected)
    assert len(values(found)) == sum(steps) + len(steps)


def test_a_record_beside_those_of_another_file_is_named_with_its_own_line(tmp_path):
    write(
        tmp_path / "a" / "train.jsonl", [{"epoch": s // 2, "step": s, "loss": s} for s in range(6)]
    )
    write(tmp_path / "a" / "val.jsonl", [{"epoch": e, "loss": e} for e in range(3)])
    ds = rc.load_runs(tmp_path)
    table = rc.problems(ds)
    assert table[["path", "line", "kind"]].to_numpy().tolist() == [["a/val.jsonl", 1, "missing_x"]]


def test_without_a_common_count_records_of_one_file_stand_beside_none_of_another(tmp_path):
    write(tmp_path / "a" / "train.jsonl", [{"step": s, "loss": s} for s in range(6)])
    write(tmp_path / "a" / "val.jsonl", [{"epoch": e, "loss": e} for e in range(3)])
    ds = rc.load_runs(tmp_path)
    assert {split for split, _ in values(ds)} == {"train"}
    (message,) = rc.problems(ds)["message"]
    assert "lines 1 to 3 of a/val.jsonl" in message
    tree = rc.load_tree(tmp_path)
    assert values(tree["epoch"].to_dataset()) == {("val", e): e for e in range(3)}


def test_a_bad_line_is_named_in_the_stretch_that_it_is_in(tmp_path):
    rows = [{"epoch": s // 2, "step": s, "loss": s} for s in range(6)]
    write(tmp_path / "a" / "train.jsonl", rows)
    write(tmp_path / "a" / "val.jsonl", [{"epoch": e, "loss": e} for e in range(3)])
    path = tmp_path / "a" / "train.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], lines[4][:-9], lines[5]]) + "\n")
    ds = rc.load_runs(tmp_path)
    bad = rc.problems(ds).query("kind == 'bad_line'")
    assert bad[["path", "line"]].to_numpy().tolist() == [["a/train.jsonl", 5]]
    assert values(ds)["val", 5] == 2
    assert ("train", 4) not in values(ds)


def test_a_problem_in_a_rotated_part_names_that_file(tmp_path):
    rows = [{"step": s, "lr": 0.1, "loss": s} for s in range(6)]
    write(tmp_path / "log.jsonl.1", rows[:3])
    write(tmp_path / "log.jsonl", [*rows[3:], rows[4] | {"loss": 7}])
    table = rc.problems(rc.load_runs(tmp_path))
    assert ["log.jsonl", 2] in table[["path", "line"]].to_numpy().tolist()
