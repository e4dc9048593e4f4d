"""A real JSONL log with all runs in one file."""

import numpy as np
import pytest
from jsonl_logs import DATA, curve, load

from runcube.core.model import Request, Roles
from runcube.files.tree import Tree, list_files
from runcube.plan.headers import constant_columns
from runcube.readers.jsonl.reader import JsonlReader


@pytest.fixture(scope="module")
def overfit():
    return {run.header.key: run for run in load(DATA)}


def test_only_the_training_log_of_a_results_folder_is_claimed():
    sources = list(JsonlReader().find(Tree(list_files(DATA))))
    assert [source.path for source in sources] == ["results/runs.jsonl"]


def test_interleaved_runs_are_told_apart_in_order_of_appearance(overfit):
    assert list(overfit) == [
        "a_100k_seed42",
        "a_100k_seed1337",
        "b_2M_seed42_pretrain",
        "b_2M_seed42_from_quran_frac0.5",
    ]


def test_values_and_axis_of_one_run_are_those_of_the_log(overfit):
    run = overfit["a_100k_seed42"]
    loss, logged, found = curve(run, "loss", "val")
    assert loss[-1] == 1.9433703422546387
    assert curve(run, "loss", "train")[0][-1] == 1.8055737018585205
    assert logged.all()
    assert len(loss) == 29
    assert found.x["step"].dtype == np.int64
    assert found.x["step"][[0, -1]].tolist() == [0, 1296]
    assert set(found.x) == {"step", "tokens_seen", "wall_clock_sec"}


def test_mean_of_a_group_is_that_of_its_members(overfit):
    runs = [overfit["a_100k_seed42"], overfit["a_100k_seed1337"]]
    last = [[curve(run, "loss", split)[0][-1] for run in runs] for split in ("val", "train")]
    assert np.mean(last, axis=1) == pytest.approx([1.9405190349, 1.8064445257], abs=5e-11)


def test_columns_that_hold_one_value_are_constants_with_their_own_type(overfit):
    constants = overfit["a_100k_seed42"].header.constants
    assert constants["seed"] == 42
    assert type(constants["seed"]) is int
    assert constants["param_size"] == "100k"
    assert constants["lr"] == 0.001
    assert overfit["a_100k_seed42"].header.varying >= {"train_loss", "val_loss"}


def test_a_key_renamed_in_mid_run_is_two_constants(overfit):
    constants = overfit["b_2M_seed42_pretrain"].header.constants
    assert constants["quran_init_checkpoint"] == "null"
    assert constants["path_b_init_checkpoint"] == "null"


def test_infinity_is_a_logged_value(overfit):
    values, logged, found = curve(overfit["b_2M_seed42_pretrain"], "perplexity", "val")
    assert found.lines[np.isinf(values)][0] == 64  # line 2535 of the whole log
    assert logged[np.isinf(values)].all()


def test_event_rows_are_messages_and_neither_points_nor_configuration(overfit):
    headers = [run.header for run in overfit.values()]
    request = Request(messages=True, roles=Roles(constant_columns(headers)))
    (run,) = (r for r in load(DATA, request=request) if r.header.key == "b_2M_seed42_pretrain")
    assert run.messages == ["RESUMED_FROM_CHECKPOINT"] * 4
    assert "event" not in run.header.constants
    assert 22151 not in curve(run, "loss", "val")[2].x["step"]


def test_the_planner_can_drop_what_it_settled_as_configuration():
    drop = frozenset({"seed", "lr", "n_layer", "n_head", "n_embd", "param_count"})
    run = load(DATA, request=Request(roles=Roles(drop)))[0]
    assert run.metrics == ("loss", "perplexity", "grad_norm", "weight_update_norm")
    assert run.splits == ("train", "val", "all")


def test_what_is_not_asked_for_is_not_built_but_named():
    request = Request(splits=frozenset({"val"}), metrics=frozenset({"loss"}))
    run = load(DATA, request=request)[0]
    assert [(c.split, c.metrics) for c in run.curves if c.metrics] == [("val", ("loss",))]
    assert "perplexity" in run.metrics
    assert "train" in run.splits


def test_train_time_is_the_last_elapsed_time(overfit):
    assert overfit["a_100k_seed42"].train_time == pytest.approx(320.572, abs=1e-3)
