"""Ray Tune trials: results, params, and what is neither configuration nor metric."""

import json
from pathlib import Path

import numpy as np
import pytest

from runcube.core.model import Request, Status
from runcube.files.tree import Tree, list_files
from runcube.readers.jsonl.reader import JsonlReader
from runcube.readers.ray import RayReader

DATA = Path(__file__).parents[1] / "data" / "raytune-rllib"
FACTS = ("date", "hostname", "pid", "experiment_id", "node_ip", "timestamp")


def load(root):
    reader, runs = RayReader(), []
    for source in reader.find(Tree(list_files(Path(root)))):
        headers = list(reader.headers(source))
        full = reader.read(source, Request())
        assert headers == [run.header for run in full]
        runs += full
    return runs


def trial(folder, rows, params=None, **files):
    folder.mkdir(parents=True, exist_ok=True)
    if rows is not None:
        text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows)
        (folder / "result.json").write_text(text)
    if params is not None:
        (folder / "params.json").write_text(json.dumps(params))
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def rows(n, **extra):
    return [{"training_iteration": i + 1, "loss": 1 / (i + 1), **extra} for i in range(n)]


@pytest.fixture(scope="module")
def runs():
    return {run.header.source.path.rpartition("/")[0].rpartition("/")[2]: run for run in load(DATA)}


def named(runs, part):
    (run,) = (run for name, run in runs.items() if part in name)
    return run


def metric(run, name):
    (found,) = run.curves
    row = found.metrics.index(name)
    return found.values[row], found.logged[row]


def test_each_trial_directory_is_one_run(runs):
    assert len(runs) == 6
    assert sum(run.header.has_metrics is False for run in runs.values()) == 2


def test_values_are_those_of_the_results(runs):
    run = named(runs, "APEX_Breakout")
    (found,) = run.curves
    assert found.split == "all"
    assert found.x["training_iteration"].tolist() == [1, 100, 262]
    assert metric(run, "episode_reward_mean")[0][1:].tolist() == [59.916666666666664, 120.0]
    assert found.x["timesteps_total"][1:].tolist() == [3937760, 10358240]


def test_a_bare_nan_is_logged_and_a_null_is_not(runs):
    values, logged = metric(named(runs, "APEX_BeamRider"), "episode_reward_mean")
    assert np.isnan(values).tolist() == [True, False, True, True, True, False]
    assert logged.all()
    values, logged = metric(named(runs, "IMPALA_Qbert"), "episode_reward_mean")
    assert logged.tolist() == [False, True, True]
    assert values[-1] == 10900.25


def test_the_results_config_wins_over_params_and_the_conflict_is_named(runs):
    run = named(runs, "APEX_Breakout")
    assert run.header.config["sample_batch_size"] == 160
    (problem,) = (p for p in run.problems if p.kind == "config_conflict")
    assert "sample_batch_size" in problem.message
    assert "num_workers" not in problem.message


def test_defaults_that_only_the_results_tell_are_no_conflict(runs):
    run = named(runs, "IMPALA_Pong")
    assert {p.kind for p in run.problems} <= {"left_out", "non_numeric"}  # a list of quantiles
    assert run.header.config["model"]["dim"] == 42
    assert "lstm_cell_size" in run.header.config["model"]


def test_where_and_when_a_run_ran_is_neither_metric_nor_constant_nor_lost(runs):
    run = named(runs, "APEX_Breakout")
    assert not set(FACTS) & {*run.metrics, *run.header.constants}
    config = run.header.config
    assert config["hostname"]
    assert config["pid"]
    assert config["experiment_id"]
    assert config["date"]
    assert config["node"] == {"host": "172.30.1.193"}


def test_nested_metrics_are_flattened_and_done_is_none(runs):
    run = named(runs, "IMPALA_Qbert")
    assert "info/learner/vf_loss" in run.metrics
    assert "done" not in run.metrics
    assert metric(run, "info/learner/vf_loss")[0][0] == 16.400272369384766
    assert run.splits == ("all",)


def test_params_alone_are_a_run_without_metrics(runs):
    run = named(runs, "use_pytorch=True")
    assert run.header.config["use_pytorch"] is True
    assert run.header.config["lambda"] == 0.95
    assert not run.curves
    assert run.header.has_metrics is False
    assert not run.problems


def test_the_generic_reader_is_left_nothing():
    tree = Tree(list_files(DATA))
    for source in RayReader().find(tree):
        tree.claim(source.files)
    assert list(JsonlReader().find(tree)) == []


def test_params_beside_another_log_are_not_a_trial(tmp_path):
    trial(tmp_path / "run_2024-01-01_10-00-00", None, {"lr": 1})
    (tmp_path / "run_2024-01-01_10-00-00" / "log.jsonl").write_text('{"step": 0, "loss": 1}\n')
    trial(tmp_path / "plain", None, {"lr": 1})
    assert load(tmp_path) == []


def test_done_on_the_last_row_is_complete_and_an_error_file_is_failed(tmp_path):
    last = {"training_iteration": 4, "loss": 0, "done": True}
    trial(tmp_path / "a", [*rows(3, done=False), last], {})
    trial(tmp_path / "b", rows(3, done=False), {})
    trial(tmp_path / "c", [*rows(3), last], {}, error_txt="Traceback")
    trial(tmp_path / "d", None, {"lr": 1}, error_txt="Traceback")
    markers = [run.marker for run in load(tmp_path)]
    assert markers == [Status.COMPLETE, None, Status.FAILED, Status.FAILED]


def test_the_text_null_is_a_logged_nan(tmp_path):
    trial(tmp_path, [*rows(2), {"training_iteration": 3, "loss": "null"}], {"lr": 1})
    (run,) = load(tmp_path)
    values, logged = metric(run, "loss")
    assert logged.all()
    assert np.isnan(values[2])
    assert [p.kind for p in run.problems] == ["text_number"]


def test_config_repeated_on_each_line_with_nan_is_one_configuration(tmp_path):
    config = {"lr": 0.1, "grid": [1, 2], "inner": {"x": None}}
    lines = [json.dumps(r) for r in rows(20, config=config)]
    lines[7] = lines[7].replace("0.125", "NaN")
    trial(tmp_path, lines, {"lr": 0.1})
    (run,) = load(tmp_path)
    assert run.header.config == config
    assert not run.problems
    assert np.isnan(metric(run, "loss")[0][7])


def test_an_empty_result_is_a_run_without_metrics(tmp_path):
    trial(tmp_path / "a", [], {"lr": 0.1})
    (run,) = load(tmp_path)
    assert run.header.has_metrics is False
    assert run.header.config == {"lr": 0.1}
    assert [p.kind for p in run.problems] == ["empty"]


def test_a_restored_trial_keeps_file_order_and_the_first_host(tmp_path):
    again = [{"training_iteration": i, "loss": i, "hostname": "b", "pid": 2} for i in (2, 3, 4)]
    trial(tmp_path, [*rows(3, hostname="a", pid=1), *again], {"lr": 0.1})
    (run,) = load(tmp_path)
    assert run.curves[0].x["training_iteration"].tolist() == [1, 2, 3, 2, 3, 4]
    assert run.header.config == {"lr": 0.1, "hostname": "a", "pid": 1}
    assert [(p.kind, p.line, p.message.partition(":")[0]) for p in run.problems] == [
        ("left_out", 4, "'hostname' on 3 lines"),
        ("left_out", 4, "'pid' on 3 lines"),
    ]


def test_a_date_on_every_row_is_named_once_with_its_count(tmp_path):
    lines = [r | {"date": f"2024-01-01_10-00-{i:02}"} for i, r in enumerate(rows(9))]
    trial(tmp_path, lines, {"lr": 0.1})
    (run,) = load(tmp_path)
    assert run.header.config["date"] == "2024-01-01_10-00-00"
    (problem,) = run.problems
    assert (problem.path, problem.line) == ("result.json", 2)
    assert "'date' on 8 lines" in problem.message


def test_a_fact_that_only_later_rows_have_is_named_where_it_is_not_kept(tmp_path):
    trial(
        tmp_path,
        [*rows(2), {"training_iteration": 3, "loss": 0.0, "node_ip": "1.2.3.4"}],
        {"lr": 1},
    )
    (run,) = load(tmp_path)
    kept = run.header.config.get("node") == {"host": "1.2.3.4"}
    assert kept or "'node_ip' on 1 lines" in run.problems[0].message


def test_flags_are_no_metrics_and_named_unless_they_are_the_status(tmp_path):
    flags = {"should_checkpoint": True, "done": False}
    trial(tmp_path / "a", [*rows(3, **flags), rows(4, done=True)[3]], {"lr": 1})
    trial(tmp_path / "b", [r | {"done": i == 0} for i, r in enumerate(rows(3))], {"lr": 1})
    first, second = load(tmp_path)
    assert first.metrics == ("loss",)
    assert [p.message for p in first.problems] == [
        "'should_checkpoint' on 3 lines: no metric, left out"
    ]
    assert [p.line for p in second.problems] == [1]
    assert "'done' on 1 lines" in second.problems[0].message


def test_the_text_of_an_error_is_among_the_messages(tmp_path):
    error = "Traceback (most recent call last):\n  boom\nRuntimeError: caf\u00e9\n"
    trial(tmp_path / "a", rows(2), {"lr": 1}, error_txt=error)
    trial(tmp_path / "b", None, {"lr": 2}, error_txt=error)
    for source in RayReader().find(Tree(list_files(tmp_path))):
        (run,) = RayReader().read(source, Request(messages=True))
        assert run.messages == error.splitlines()
        (run,) = RayReader().read(source, Request())
        assert run.messages == []


def test_files_above_the_trials_are_configuration_too(tmp_path):
    (tmp_path / "config.yaml").write_text("data: cifar\nlr: 9\n")
    trial(tmp_path / "a", rows(2), {"lr": 1})
    trial(tmp_path / "b", rows(2, config={"lr": 2}), {})
    first, second = load(tmp_path)
    assert first.header.config == {"data": "cifar", "lr": 1}
    assert second.header.config == {"data": "cifar", "lr": 2}


def test_a_result_json_that_is_not_rays_is_not_claimed(tmp_path):
    (tmp_path / "result.json").write_text('{"accuracy": 0.9}\n')
    assert load(tmp_path) == []


def test_train_time_is_time_total(runs):
    assert named(runs, "APEX_Breakout").train_time == pytest.approx(8161.1527, abs=1e-3)
