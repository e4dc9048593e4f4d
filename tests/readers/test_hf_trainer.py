"""Checkpoints of the Trainer of transformers: what it logged is what comes out."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from archives import quietly

import runcube as rc
from runcube.core.model import Request, Status
from runcube.files.tree import Tree, list_files
from runcube.readers.hf_trainer import TrainerReader

DATA = Path(__file__).parents[1] / "data" / "hf-trainer"
TRUTH = json.loads((DATA / "truth.json").read_text())
# What the last state of a run that was not whole lacks.
REACHED = {"others/crashed": 8, "others/stopped": 8, "others/bare": 24}


def runs_of(root):
    """The runs that the reader finds under a root, by folder, read with messages."""
    reader = TrainerReader()
    found = {}
    for source in reader.find(Tree(list_files(root))):
        (run,) = reader.read(source, Request(messages=True))
        assert [run.header] == list(reader.headers(source))
        found[source.path.rpartition("/")[0]] = run
    return found


def points(run):
    """Values of a run by (split, metric): step to value."""
    found = {}
    for curves in run.curves:
        steps = curves.x["step"].tolist()
        for name, row, there in zip(curves.metrics, curves.values, curves.logged, strict=True):
            own = {s: v for s, v, t in zip(steps, row.tolist(), there, strict=True) if t}
            found[curves.split, name] = own
    return found


def kinds(run):
    return [problem.kind for problem in run.problems]


def state(entries, *, reached=None, most=100, **facts):
    steps = [entry["step"] for entry in entries if "step" in entry]
    reached = max(steps, default=0) if reached is None else reached
    return {"global_step": reached, "max_steps": most, "log_history": entries} | facts


def losses(*steps, **more):
    return [{"epoch": s / 10, "loss": 1 / s, "step": s} | more for s in steps]


def write(folder, found, *, cut=0, **files):
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, sort_keys=True, indent=2)
    (folder / "trainer_state.json").write_text(text[: len(text) - cut])
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def one(root):
    (run,) = runs_of(root).values()
    return run


@pytest.fixture(scope="module")
def real():
    return runs_of(DATA)


@pytest.mark.parametrize("name", TRUTH)
def test_every_value_that_the_trainer_logged_comes_out_and_no_other(real, name):
    expected = {}
    for entry in TRUTH[name]:
        step = entry["step"]
        if "train_runtime" in entry or step > REACHED.get(name, step):
            continue
        for key, value in entry.items():
            splits = ("eval_near", "eval_far_off", "eval")
            split = next((s for s in splits if key.startswith(s + "_")), "train")
            if key not in ("step", "epoch"):
                metric = key.removeprefix(split + "_")
                expected.setdefault((split, metric), {})[step] = float(value)
    got = points(real[name])
    assert got.keys() == expected.keys()
    for key, own in expected.items():
        assert [*got[key]] == [*own]
        np.testing.assert_array_equal([*got[key].values()], [*own.values()], err_msg=str(key))


@pytest.mark.parametrize("name", TRUTH)
def test_every_hyperparameter_is_in_the_configuration(real, name):
    config = dict(real[name].header.config)
    path = DATA / name / "training_args.json"
    if path.exists():
        written = json.loads(path.read_text())
        assert {key: config[key] for key in written} == written
    assert (config["num_train_epochs"], config["train_batch_size"]) == (3, 8)
    if name != "others/bare":
        assert config["learning_rate"] in (0.1, 0.01, 0.05, 2.5)


def test_how_the_runs_ended_and_how_long_training_took(real):
    ends = {name: run.marker for name, run in real.items()}
    assert ends.pop("others/crashed") == Status.INCOMPLETE
    assert {*ends.values()} == {Status.COMPLETE}
    summary = TRUTH["sweep/lr0.1_s1"][-1]
    assert real["sweep/lr0.1_s1"].train_time == summary["train_runtime"]
    assert json.loads(real["sweep/lr0.1_s1"].messages[0])["train_loss"] == summary["train_loss"]
    assert np.isnan(real["others/stopped"].train_time)


def test_a_run_that_was_resumed_is_one_and_its_checkpoints_are_beginnings(real):
    assert kinds(real["others/resumed"]) == []
    steps = [*points(real["others/resumed"])["train", "loss"]]
    assert steps == [*range(2, 25, 2)]


def test_a_nan_that_the_trainer_hides_is_named(real):
    loss = points(real["others/poisoned"])["train", "loss"]
    assert np.isfinite([*loss.values()]).all()
    (problem,) = real["others/poisoned"].problems
    assert (problem.kind, problem.line) == ("filtered_nan", 4)
    assert "grad_norm is nan on 10 entries from step 6 on" in problem.message
    # Where it hides nothing there is nothing to name.
    assert np.isnan(points(real["others/unfiltered"])["train", "loss"][6])
    assert kinds(real["others/unfiltered"]) == []


def test_that_losses_may_be_filtered_is_said_of_the_values(real):
    said = {name: dict(run.header.reading).get("values") for name, run in real.items()}
    assert said.pop("others/unfiltered") is None
    assert all("logging_nan_inf_filter" in text for text in said.values())
    ds = quietly(rc.load_runs, DATA / "sweep")
    assert "NaN" in ds.attrs["values"]


def test_the_cube_of_a_real_sweep():
    ds = quietly(rc.load_runs, DATA / "sweep")
    assert dict(ds.sizes) == {
        "learning_rate": 2,
        "seed": 2,
        "split": 2,
        "metric": 7,
        "step": 12,
    }
    assert ds.split.values.tolist() == ["train", "eval"]
    assert ds.epoch.sel(step=24) == 3
    assert json.loads(ds.attrs["skipped"]) == []
    assert rc.problems(ds).empty


def test_event_files_of_a_run_are_a_second_record_and_named():
    crashed = DATA / "others" / "crashed"
    ds = quietly(rc.load_runs, crashed)
    assert ds.path.values.ravel().tolist() == ["trainer_state.json"]
    assert int(ds.step.max()) == 8
    text = rc.problems(ds).set_index("kind").message["not_read"]
    assert "what was logged after step 8 is there alone" in text
    events = quietly(rc.load_runs, crashed, reader="tensorboard")
    assert int(events.step.max()) == 12


def test_pickled_arguments_are_named_once_and_never_loaded(monkeypatch):
    import pickle

    def fail(*_, **__):
        raise AssertionError("unpickled")

    monkeypatch.setattr(pickle, "load", fail)
    monkeypatch.setattr(pickle, "Unpickler", fail)
    ds = quietly(rc.load_runs, DATA / "others" / "bare")
    (named,) = json.loads(ds.attrs["skipped"])
    assert named["kind"] == "not_read"
    assert "trainer.args.to_json_string()" in named["message"]


def test_a_state_that_is_no_beginning_of_the_longest_is_named(tmp_path):
    write(tmp_path / "checkpoint-3", state(losses(1, 2, 3)))
    write(tmp_path / "checkpoint-2", state([*losses(1), *losses(2, lr=5.0)]))
    write(tmp_path / "checkpoint-1", state(losses(1)))
    run = one(tmp_path)
    assert [*points(run)["train", "loss"]] == [1, 2, 3]
    (problem,) = run.problems
    assert (problem.kind, problem.path) == ("left_out", "checkpoint-2/trainer_state.json")
    assert problem.message == (
        "no beginning of checkpoint-3/trainer_state.json: from entry 2 on (step 2) they differ; "
        "1 entry left out"
    )


def test_checkpoints_are_ordered_by_number_and_nan_is_equal_to_itself(tmp_path):
    entries = losses(1, 2, grad_norm=float("nan")) + losses(10)
    for count in (1, 2, 3):
        write(tmp_path / f"checkpoint-{(1, 2, 10)[count - 1]}", state(entries[:count]))
    (source,) = TrainerReader().find(Tree(list_files(tmp_path)))
    assert source.files[0].path == "checkpoint-10/trainer_state.json"
    assert kinds(one(tmp_path)) == ["filtered_nan"]


def test_a_state_that_is_cut_is_read_as_far_as_it_goes_unless_another_goes_further(tmp_path):
    entries = losses(1, 2, 3, 4)
    whole = json.dumps(state(entries), sort_keys=True, indent=2)
    write(tmp_path / "checkpoint-4", state(entries), cut=len(whole) - whole.index('"step": 4'))
    run = one(tmp_path)
    assert [*points(run)["train", "loss"]] == [1, 2, 3]
    assert sorted(kinds(run)) == ["left_out", "truncated_tail"]
    write(tmp_path / "checkpoint-5", state(losses(1, 2, 3, 4, 5)))
    assert [*points(one(tmp_path))["train", "loss"]] == [1, 2, 3, 4, 5]
    later = json.dumps(state(losses(1, 2, 6)), sort_keys=True, indent=2)
    cut = len(later) - later.index('"step": 6')
    write(tmp_path / "checkpoint-6", state(losses(1, 2, 6)), cut=cut)
    assert [*points(one(tmp_path))["train", "loss"]] == [1, 2, 3, 4, 5]


def test_numbers_beyond_float64_are_none(tmp_path):
    huge = int("9" * 400)
    end = {"step": 3, "train_runtime": huge}
    entries = [*losses(1, 2), {"loss": huge, "grad_norm": huge, "step": 2}, {"step": huge}, end]
    write(tmp_path, state(entries))
    run = one(tmp_path)
    assert [*points(run)["train", "loss"]][:2] == [1, 2]
    assert np.isnan(run.train_time)
    assert "left_out" in kinds(run)


def test_a_damaged_entry_and_a_damaged_fact_are_left_out(tmp_path):
    entries = losses(1, 2, 3, own=[7, 8])
    folder = write(tmp_path, state(entries, trial_params={"widths": [64, 65]}))
    path = folder / "trainer_state.json"
    text = path.read_text().replace("65", "x").replace("7,", "y,", 1)
    path.write_text(text)
    run = one(tmp_path)
    assert [*points(run)["train", "loss"]] == [2, 3]
    assert kinds(run)[:2] == ["bad_line", "left_out"]
    assert "widths" not in run.header.config


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"reached": 100}, Status.COMPLETE),
        ({"reached": 50}, Status.INCOMPLETE),
        ({"most": 0}, Status.INCOMPLETE),
        (
            {"stateful_callbacks": {"TrainerControl": {"args": {"should_training_stop": True}}}},
            Status.COMPLETE,
        ),
        ({"stateful_callbacks": ["x"]}, Status.INCOMPLETE),
    ],
)
def test_the_end_is_that_of_the_state(facts, status, tmp_path):
    write(tmp_path / "checkpoint-3", state(losses(1, 2, 3), **facts))
    assert one(tmp_path).marker == status


def test_the_summary_is_no_point_and_says_that_training_ended(tmp_path):
    end = {"epoch": 0.2, "step": 2, "train_loss": 9.0, "train_runtime": 12.5, "total_flos": 1.0}
    write(tmp_path, state([*losses(1, 2), end]))
    run = one(tmp_path)
    assert (run.marker, run.train_time) == (Status.COMPLETE, 12.5)
    assert [*points(run)] == [("train", "loss")]


def test_what_a_search_tried_is_the_configuration(tmp_path):
    for number, lr in enumerate((0.1, 0.2)):
        facts = {"trial_name": f"run-{number}", "trial_params": {"learning_rate": lr}}
        found = state(losses(1, 2), **facts)
        write(tmp_path / f"run-{number}" / "checkpoint-2", found, training_args={"seed": 1})
    ds = quietly(rc.load_runs, tmp_path)
    assert ds.learning_rate.values.tolist() == [0.1, 0.2]
    assert ds.curve.dims[0] == "learning_rate"


def test_metrics_of_users_and_evaluations_of_any_name_are_splits(tmp_path):
    entries = [
        {"loss": 1.0, "rewards/chosen": 2.0, "epoch": 0.1, "step": 1},
        {"eval_loss": 3.0, "eval_mean_runtime_ms": 1.0, "epoch": 0.1, "step": 1},
        {"validation_loss": 4.0, "validation_runtime": 2.0, "epoch": 0.1, "step": 1},
        {"eval_loss": 5.0, "eval_loss_x": 6.0, "eval_loss_runtime": 1.0, "step": 1},
        {"train/own": 7.0, "eval/own": 8.0, "epoch": 0.15, "step": 1},
        {"num_input_tokens_seen": 64, "loss": 0.5, "epoch": 0.2, "step": 2},
    ]
    write(tmp_path, state(entries))
    run = one(tmp_path)
    got = points(run)
    assert got["train", "rewards/chosen"] == {1: 2.0}
    assert got["eval", "mean_runtime_ms"] == {1: 1.0}
    assert got["validation", "loss"] == {1: 4.0}
    assert got["eval_loss", "x"] == {1: 6.0}
    assert (got["train", "own"], got["eval", "own"]) == ({1: 7.0}, {1: 8.0})
    assert {"epoch", "num_input_tokens_seen"} <= {name for c in run.curves for name in c.x}


def test_folders_are_runs_and_model_files_are_no_logs(tmp_path):
    for seed in (1, 2):
        folder = tmp_path / f"seed={seed}"
        write(folder / "checkpoint-2", state(losses(1, 2)), tokenizer={"version": "1.0"})
        write(folder / "checkpoint-1", state(losses(1)), generation_config={"a": 1})
        write(folder, state(losses(1, 2, 3)), config={"width": 4}, all_results={"loss": 1.0})
    ds = quietly(rc.load_runs, tmp_path)
    assert ds.path.values.ravel().tolist() == [f"seed={seed}/trainer_state.json" for seed in (1, 2)]
    named = json.loads(ds.attrs["skipped"])
    assert [n["kind"] for n in named] == ["not_read"]
    assert "6 files" in named[0]["message"]


def test_damage_anywhere_changes_no_other_run_and_raises_nothing(tmp_path):
    rng = random.Random(19)
    for name in ("lr0.1_s1", "lr0.1_s2"):
        shutil.copytree(DATA / "sweep" / name, tmp_path / name)
    expected = points(runs_of(tmp_path)["lr0.1_s2"])
    paths = sorted(p for p in (tmp_path / "lr0.1_s1").rglob("*.json"))
    for _ in range(100):
        path = rng.choice(paths)
        whole = path.read_bytes()
        data = bytearray(whole)
        for _ in range(rng.choice((1, 3))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)
        assert points(runs_of(tmp_path)["lr0.1_s2"]) == expected
        path.write_bytes(whole)
