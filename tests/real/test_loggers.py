"""Directories that logging libraries wrote are read right without an argument."""

import json
import re
import warnings
from pathlib import Path

import pytest

import runcube as rc

LOGS = Path(__file__).parents[1] / "data" / "loggers"


def load(name, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rc.load_runs(LOGS / name, **arguments)


def records(path):
    for line in path.read_text().splitlines():
        found = re.search(r"\{.*\}$", line)
        try:
            yield json.loads(found[0])
        except (TypeError, ValueError):
            continue


def reported(ds, run, split, metric):
    """Values of one curve by x, as they are in the cube of a run."""
    one = ds.curve.sel(split=split, metric=metric, **run)
    (x,) = one.dims
    return {k: v for k, v in zip(one[x].values.tolist(), one.values, strict=True) if v == v}


def name_of(path):
    return path.relative_to(LOGS).as_posix()


@pytest.mark.parametrize("path", sorted(LOGS.glob("structlog/*")), ids=name_of)
def test_an_event_is_the_split_of_its_record(path):
    ds = load("structlog")
    first, *rest = records(path)
    run = {key: first[key] for key in ("lr", "seed")}
    for split in ("train", "val"):
        for metric in ("loss", "acc"):
            wanted = {r["epoch"]: r[metric] for r in rest if r["event"] == split}
            assert reported(ds, run, split, metric) == wanted


def test_an_event_without_a_metric_is_a_message():
    ds = load("structlog", messages=True)
    text = str(ds.messages.sel(lr=0.01, seed=0).item()).split("\n")
    assert text.count("loss is high, lowering nothing") == 1
    assert text.count("config") == 1


@pytest.mark.parametrize("path", sorted(LOGS.glob("loguru_kw/*")), ids=name_of)
def test_metrics_in_a_wrapper_of_a_wrapper_have_their_own_names(path):
    ds = load("loguru_kw", layout="grid")
    first, *rest = [r["record"]["extra"] for r in records(path)]
    run = {key: first[key] for key in ("lr", "seed")}
    for split in ("train", "val"):
        wanted = {r["epoch"]: r[f"{split}_loss"] for r in rest if "epoch" in r}
        assert reported(ds, run, split, "loss") == wanted


@pytest.mark.parametrize("path", sorted(LOGS.glob("loguru_bind/*")), ids=name_of)
def test_a_column_named_split_goes_before_the_message_that_repeats_it(path):
    ds = load("loguru_bind", messages=True, layout="grid")
    first, *rest = [r["record"]["extra"] for r in records(path)]
    for split in ("train", "val"):
        wanted = {r["step"]: r["loss"] for r in rest if r.get("split") == split}
        assert reported(ds, first, split, "loss") == wanted
    assert "starting" in str(ds.messages.sel(first).item()).split("\n")
    assert "bad_line" not in set(rc.problems(ds).kind)


def test_what_never_moves_is_no_axis_where_splits_take_turns():
    text = rc.scan(LOGS / "loguru_bind").explain()
    assert "whole numbers that rise" not in text


@pytest.mark.parametrize("path", sorted(LOGS.glob("fairseq/*/train.log")), ids=name_of)
def test_an_axis_that_is_written_as_text_is_an_axis(path):
    ds = load("fairseq")
    run = {"config": 0, "seed": int(re.search(r"_s(\d)", path.parent.name)[1])}
    assert ds.path.sel(run).item() == path.relative_to(LOGS / "fairseq").as_posix()
    one = ds.sel(run).curve.sel(split="all", metric="loss")
    found = {
        k: v for k, v in zip(one.num_updates.values.tolist(), one.values, strict=True) if v == v
    }
    assert found == {int(r["num_updates"]): float(r["loss"]) for r in records(path) if "loss" in r}


def test_the_argument_for_x_is_not_said_where_the_sweep_decides():
    text = rc.scan(LOGS / "fairseq").explain()
    assert "JsonlReader(x='epoch')" not in text


def test_a_file_is_a_log_where_its_splits_are_in_wrapped_names(tmp_path):
    records = [{"kind": "LOG", "data": {"train_loss": float(i)}} for i in range(3)]
    (tmp_path / "log.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in records))
    assert load(tmp_path).metric.values.tolist() == ["loss"]
