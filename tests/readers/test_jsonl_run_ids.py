"""A damaged run id costs its own line; a run of one record stays a run."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonl_logs import curve, kinds, load, write

IDS = ["lr0.1-s0", "lr0.1-s1", "lr0.2-s0"]


def turns(n=6, ids=IDS, **said):
    return [
        {"run_id": key, **said, "step": i, "loss": i + k / 10}
        for i in range(n)
        for k, key in enumerate(ids)
    ]


@pytest.mark.parametrize("damaged", ["lr0.1-s7", "lr0.1-1", "lr0.1-ss1", "lx0.1-s1"])
@pytest.mark.parametrize("row", [1, 7, 16])
def test_a_damaged_id_costs_its_record(tmp_path, damaged, row):
    records = turns()
    records[row]["run_id"] = damaged
    write(tmp_path / "all.jsonl", records)
    runs = load(tmp_path)
    found = {run.header.key: len(curve(run, "loss")[0]) for run in runs}
    assert found == dict(zip(IDS, [6, 5, 6], strict=True))
    (problem,) = [p for run in runs for p in run.problems if p.kind == "bad_line"]
    assert problem.line == row + 1
    assert problem.message == f"'run_id' is {damaged!r}, not 'lr0.1-s1': its record is left out"


def test_splits_that_share_their_x_do_not_hide_it(tmp_path):
    records = [{**r, "split": split} for r in turns() for split in ("train", "val")]
    records[9]["run_id"] = "lr0.1-s#"
    write(tmp_path / "all.jsonl", records)
    assert [run.header.key for run in load(tmp_path)] == IDS


@pytest.mark.parametrize(
    "record",
    [
        {"run_id": "lr0.3-s0", "step": 0, "loss": 3.0},
        {"run_id": "lr0.1-s2", "step": 6, "seed": 2, "loss": 3.0},
        {"run_id": "another", "step": 6, "loss": 3.0},
    ],
    ids=["at the first step of all", "with another configuration", "with an id far from others"],
)
def test_a_run_of_one_record_stays_a_run(tmp_path, record):
    write(tmp_path / "all.jsonl", [*turns(seed=0), record])
    runs = load(tmp_path)
    assert [run.header.key for run in runs] == [*IDS, record["run_id"]]
    assert not any("bad_line" in kinds(run) for run in runs)


def test_records_that_are_runs_are_no_damage(tmp_path):
    rows = [{"run_id": f"run{i}", "step": 10 + i, "loss": 1 / (i + 1)} for i in range(10, 30)]
    write(tmp_path / "all.jsonl", [*turns(), *rows])
    assert len(load(tmp_path)) == 23


@settings(max_examples=200, deadline=None)
@given(row=st.integers(0, 17), at=st.integers(0, 7), char=st.sampled_from("0127-.lsx#é"))
def test_one_damaged_character_of_an_id_changes_no_other_run(tmp_path_factory, row, at, char):
    records = turns()
    key = records[row]["run_id"]
    records[row]["run_id"] = key[:at] + char + key[at + 1 :]
    root = tmp_path_factory.mktemp("logs")
    write(root / "all.jsonl", records)
    runs = {run.header.key: curve(run, "loss")[0].tolist() for run in load(root)}
    meant = records[row]["run_id"]  # another id that is there takes the record
    for k, other in enumerate(IDS):
        if other not in (key, meant):
            assert runs[other] == [i + k / 10 for i in range(6)]
    assert set(runs) == set(IDS)
