"""Splits and metrics are called the same in every run, however each of them writes them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcube as rc

pytestmark = pytest.mark.filterwarnings("ignore::runcube.SweepWarning")
STEPS = range(3)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def config(run):
    return {"config": {"lr": run // 2, "seed": run % 2}}


def value(run, split, step):
    return 100.0 * run + 10.0 * (split == "val") + step


def named(ds):
    return [message for kind, message in rc.problems(ds)[["kind", "message"]].to_numpy().tolist()]


@given(
    words=st.lists(
        st.tuples(
            st.sampled_from(["train", "Train", "training", "TRAIN"]),
            st.sampled_from(["val", "valid", "validation", "Validation"]),
            st.sampled_from(["{}/loss", "{}_loss", "split"]),
        ),
        min_size=2,
        max_size=4,
    )
)
def test_synonyms_of_a_split_are_one(tmp_path_factory, words):
    logs = tmp_path_factory.mktemp("sweep")
    for run, (*splits, style) in enumerate(words):
        rows = []
        for step in STEPS:
            values = {
                word: value(run, split, step)
                for word, split in zip(splits, ("train", "val"), strict=True)
            }
            if style == "split":
                rows += [{"step": step, "split": word, "loss": v} for word, v in values.items()]
            else:
                rows.append({"step": step} | {style.format(w): v for w, v in values.items()})
        write(logs / f"r{run}.jsonl", [config(run), *rows])
    ds = rc.load_runs(logs, layout="configs")
    assert ds.sizes["split"] == 2
    assert ds.metric.values.tolist() == ["loss"]
    train, val = (
        next(s for s in ds.split.values if s.lower().startswith(word)) for word in ("train", "val")
    )
    assert {train, val} <= {word for *splits, _ in words for word in splits}
    for run in range(len(words)):
        cell = ds.sel(seed=run % 2).isel(config=run // 2)
        for split, word in (("train", train), ("val", val)):
            expected = [value(run, split, step) for step in STEPS]
            assert cell.curve.sel(split=word, metric="loss").values.tolist() == expected
    others = {word for *splits, _ in words for word in splits} - {train, val}
    assert {message.split("'")[1] for message in named(ds)} == others


def test_synonyms_that_meet_in_one_run_are_two_splits_in_all(tmp_path):
    for run in range(3):
        more = {"validation/loss": 5.0} if run == 0 else {}
        rows = [{"step": step, "val/loss": value(run, "val", step)} | more for step in STEPS]
        write(tmp_path / f"r{run}.jsonl", [config(run), *rows])
    ds = rc.load_runs(tmp_path)
    assert ds.split.values.tolist() == ["val", "validation"]
    assert int(ds.logged.sel(split="validation").sum()) == 3
    assert not named(ds)


def test_a_column_that_needs_its_full_name_in_one_run_has_it_in_all(tmp_path):
    for run in range(3):
        more = {"loss": 9.0 + run} if run == 0 else {}
        rows = [{"step": s, "metrics": {"loss": value(run, "", s)}} | more for s in STEPS]
        write(tmp_path / f"r{run}.jsonl", [config(run), *rows])
    ds = rc.load_runs(tmp_path)
    assert set(ds.metric.values.tolist()) == {"metrics/loss", "loss"}
    assert int(ds.logged.sel(metric="metrics/loss").sum()) == 9
    assert int(ds.logged.sel(metric="loss").sum()) == 3


@pytest.mark.parametrize("name", ["{}.jsonl", "{}/log.jsonl"])
def test_a_run_whose_val_file_is_not_there_yet_has_the_splits_of_the_others(tmp_path, name):
    for run in range(3):
        for split in ("train", "val")[: 2 - (run == 2)]:
            rows = [{"step": s, "lr": run, "loss": value(run, split, s)} for s in STEPS]
            write(tmp_path / f"r{run}" / name.format(split), rows)
    ds = rc.load_runs(tmp_path)
    assert ds.split.values.tolist() == ["train", "val"]
    assert int(ds.logged.sel(split="train").sum()) == 9


def test_logs_that_are_all_called_alike_have_no_split(tmp_path):
    for run in range(3):
        rows = [{"step": s, "lr": run, "loss": value(run, "", s)} for s in STEPS]
        write(tmp_path / f"r{run}" / "train.jsonl", rows)
    assert rc.load_runs(tmp_path).split.values.tolist() == ["all"]
