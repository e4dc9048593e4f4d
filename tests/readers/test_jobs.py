"""The newer native layout: the configuration and the status stand in the job's file."""

import json
from pathlib import Path

import pytest

from runcube.core.model import Request, Status
from runcube.files.tree import Tree, list_files
from runcube.readers.jobs import JobsReader


def make(root, ident, *, folder=None, status="completed", config=None, n=12, between="runs"):
    log = root / between / (folder or f"resnet_{ident}") / "metrics.jsonl"
    log.parent.mkdir(parents=True)
    lines = []
    for i in range(n):
        metrics = {"train_loss": 1 / (i + 1), "epoch": i // 4, "timestamp": 1.7e9 + 60.0 * i}
        if i % 4 == 3:
            metrics["val/acc"] = float(i)
        lines.append(json.dumps({"step": i * 10, "metrics": metrics}))
    log.write_text("".join(line + "\n" for line in lines))
    job = root / "jobs" / f"{ident}.json"
    job.parent.mkdir(exist_ok=True)
    job.write_text(json.dumps({"config": config or {"lr": 0.1}, "status": status, "tags": ["x"]}))
    return log


def load(root, request=None):
    reader, runs = JobsReader(), []
    for source in reader.find(Tree(list_files(Path(root)))):
        headers = list(reader.headers(source))
        full = reader.read(source, request or Request())
        assert headers == [run.header for run in full]
        runs += full
    return runs


def test_the_config_comes_from_the_job_that_the_directory_is_named_after(tmp_path):
    make(tmp_path, "a1", config={"lr": 0.1, "optim": {"name": "sgd"}})
    make(tmp_path, "b2", config={"lr": 0.2})
    first, second = load(tmp_path)
    assert first.header.config == {"lr": 0.1, "optim": {"name": "sgd"}, "tags": ["x"]}
    assert second.header.config["lr"] == 0.2
    assert not second.problems
    assert first.header.constants == {}


def test_splits_are_prefixes_and_the_wrapper_is_no_part_of_a_name(tmp_path):
    make(tmp_path, "a1")
    (run,) = load(tmp_path)
    assert run.splits == ("train", "val")
    assert run.metrics == ("loss", "acc")
    train, val = run.curves
    assert train.x["step"].tolist() == list(range(0, 120, 10))
    assert val.x["step"].tolist() == [30, 70, 110]
    assert val.x["epoch"].tolist() == [0, 1, 2]
    assert set(train.x) == {"step", "epoch", "timestamp"}


def test_an_id_may_hold_underscores_and_the_root_may_be_above(tmp_path):
    make(tmp_path / "sweep", "x_2024_7", folder="net_v2_x_2024_7", between="deep/er")
    make(tmp_path / "sweep", "7", folder="net_7", config={"lr": 7})
    runs = load(tmp_path)
    assert [run.header.config["lr"] for run in runs] == [0.1, 7]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("completed", Status.COMPLETE),
        ("finished", Status.COMPLETE),
        ("FAILED", Status.FAILED),
        ("crashed", Status.FAILED),
        ("killed", Status.INCOMPLETE),
        ("running", Status.INCOMPLETE),
        ("who knows", None),
    ],
)
def test_the_jobs_status_is_the_marker(tmp_path, word, status):
    make(tmp_path, "a1", status=word)
    assert load(tmp_path)[0].marker is status


def test_a_broken_job_costs_the_config_and_not_the_curves(tmp_path):
    make(tmp_path, "a1")
    (tmp_path / "jobs" / "a1.json").write_text('{"config": {"lr"')
    (run,) = load(tmp_path)
    assert not run.header.has_config
    assert len(run.curves) == 2
    assert {p.kind for p in run.problems} == {"no_config"}


def test_a_log_without_a_job_is_not_claimed(tmp_path):
    make(tmp_path, "a1")
    (tmp_path / "jobs" / "a1.json").rename(tmp_path / "jobs" / "other.json")
    assert load(tmp_path) == []


def test_half_a_last_line_costs_that_line(tmp_path):
    log = make(tmp_path, "a1")
    log.write_bytes(log.read_bytes()[:-20])
    (run,) = load(tmp_path)
    assert len(run.curves[0].lines) == 11
    assert [p.kind for p in run.problems] == ["truncated_tail"]
    assert run.problems[0].line == 12


def test_an_empty_log_is_a_run_without_metrics(tmp_path):
    make(tmp_path, "a1", n=0)
    (run,) = load(tmp_path)
    assert run.header.has_metrics is False
    assert [p.kind for p in run.problems] == ["empty"]
    assert run.header.config["lr"] == 0.1


def test_only_the_split_asked_for_is_built(tmp_path):
    make(tmp_path, "a1")
    (run,) = load(tmp_path, Request(splits=frozenset({"val"})))
    assert [c.split for c in run.curves if c.metrics] == ["val"]
    assert run.splits == ("train", "val")


def test_what_else_a_job_has_is_named(tmp_path):
    make(tmp_path, "a1")
    job = {"config": {"lr": 0.1, "tags": ["y"]}, "status": "odd", "tags": ["x"], "node": {"n": 1}}
    (tmp_path / "jobs" / "a1.json").write_text(json.dumps(job))
    (run,) = load(tmp_path)
    assert run.header.config == job["config"]
    (problem,) = run.problems
    assert (problem.kind, problem.path) == ("left_out", "jobs/a1.json")
    for key in ("'status'", "'tags'", "'node'"):
        assert key in problem.message


def test_files_beside_and_above_the_log_are_configuration_too(tmp_path):
    log = make(tmp_path, "a1", config={"lr": 0.1})
    (log.parent / "hparams.yaml").write_text("lr: 5\nwd: 0.5\n")
    (tmp_path / "config.json").write_text('{"data": "cifar", "wd": 9}')
    (run,) = load(tmp_path)
    assert run.header.config == {"data": "cifar", "wd": 0.5, "lr": 0.1, "tags": ["x"]}
    assert [(p.kind, p.path) for p in run.problems] == [
        ("config_conflict", "runs/resnet_a1/hparams.yaml"),
        ("config_conflict", "config.json"),
    ]
    assert "'lr': jobs/a1.json and runs/resnet_a1/hparams.yaml differ" in run.problems[0].message
