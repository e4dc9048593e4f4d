"""explain, table, problems and missing."""

import pytest
import sweeps
from shell import FULL, ok, rows, run

import runcube as rc


def test_explain_says_what_the_plan_says(logs):
    assert ok("explain", logs).strip() == rc.scan(logs).explain().strip()
    (plan,) = rows("explain", logs)
    assert plan["dims"]["lr"] == {"key": "optim.lr", "labels": [0.1, 1.0]}
    assert plan["seed"]["key"] == "seed"
    assert plan["runs"] == 11


def test_the_table_has_a_line_per_configuration(logs):
    lines = ok("table", logs).splitlines()
    assert lines[0].split() == [
        "lr",
        "weights",
        "seeds",
        "runs",
        "complete",
        "incomplete",
        "failed",
        "missing",
    ]
    assert lines[-1].split() == ["1", "DEFAULT", "3", "3", "2", "1", "0", "1"]
    assert rows("table", logs)[1] == {
        "lr": 0.1,
        "weights": "DEFAULT",
        "seeds": 2,
        "runs": 2,
        "complete": 2,
        "incomplete": 0,
        "failed": 0,
        "missing": 1,
    }


def test_problems_are_listed_with_file_and_line(logs):
    log = logs / "001" / "json_out.jsonl"
    log.write_bytes(log.read_bytes() + b"{broken\n")
    result = run("problems", logs)
    assert "001/json_out.jsonl" in result.stdout
    assert "bad_line" in result.stdout
    (problem,) = [row for row in rows("problems", logs) if row["kind"] == "bad_line"]
    assert problem["path"] == "001/json_out.jsonl"
    assert problem["line"] == len(log.read_bytes().splitlines())
    assert result.exit_code == 0
    assert run("problems", logs, "--exit-code").exit_code == 1


def test_no_problems_is_said_on_stderr_and_leaves_stdout_empty(tmp_path):
    sweeps.write_sweep(tmp_path, FULL, [0, 1])
    result = run("problems", tmp_path, "--exit-code")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no problems\n")
    assert ok("missing", tmp_path) == ""
    assert ok("missing", tmp_path, "--json", "--exit-code") == ""


def test_missing_runs_go_to_a_launcher(logs):
    assert rows("missing", logs) == [
        {"optim.lr": 0.1, "model.weights": "DEFAULT", "seed": 2, "_status": "absent"},
        {
            "optim.lr": 1.0,
            "model.weights": "DEFAULT",
            "seed": 0,
            "_status": "incomplete",
            "_path": "010/json_out.jsonl",
        },
    ]
    assert len(ok("missing", logs).splitlines()) == 3
    assert run("missing", logs, "--exit-code").exit_code == 1
    assert run("missing", logs, "--exit-code", "--json").exit_code == 1


def test_a_launcher_that_runs_what_is_missing_completes_the_sweep(logs):
    for config in rows("missing", logs):
        flat = {key.replace(".", "__"): v for key, v in config.items() if key[0] != "_"}
        sweeps.write_run(logs / f"again{flat['seed']}", sweeps.nested({**flat, "epochs": 3}))
    assert rows("missing", logs) == []


def test_missing_combinations_on_request(tmp_path):
    sweeps.write_sweep(tmp_path, FULL[:3], [0, 1])
    assert rows("missing", tmp_path) == []
    found = rows("missing", tmp_path, "--all-combinations", "--layout", "grid")
    assert [(row["optim.lr"], row["seed"]) for row in found] == [(1.0, 0), (1.0, 1)]


def test_relabelled_values_do_not_reach_a_launcher(logs):
    result = run("missing", logs, "--json", "--relabel", "weights:null=random")
    assert result.exit_code == 2
    assert "leave out --relabel" in result.stderr
    assert "random" in ok(
        "missing", logs, "--all-combinations", "--relabel", "weights:DEFAULT=random"
    )


def test_a_page_opens_with_a_metric_that_most_runs_logged(tmp_path):
    """In these trials of RLlib only some learners logged a loss; all logged the reward."""
    (page,) = rows("report", "tests/data/raytune-rllib", "-o", str(tmp_path / "page.html"))
    assert page["metric"] == "episode_reward_mean"
    assert page["mode"]["episode_reward_mean"] == "max"


def test_a_page_goes_by_the_direction_of_the_study(tmp_path):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for direction in ("minimize", "maximize"):
        root = tmp_path / direction
        root.mkdir()
        study = optuna.create_study(direction=direction, storage=f"sqlite:///{root / 'study.db'}")
        study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=3)
        (page,) = rows("report", root, "-o", str(tmp_path / "page.html"))
        assert page["mode"]["value"] == direction[:3]
    root = tmp_path / "both"
    root.mkdir()
    study = optuna.create_study(
        directions=["minimize", "maximize"], storage=f"sqlite:///{root / 'study.db'}"
    )
    study.optimize(lambda trial: (trial.suggest_float("x", 0.0, 1.0), 1.0), n_trials=3)
    (page,) = rows("report", root, "-o", str(tmp_path / "page.html"))
    assert (page["mode"]["values_0"], page["mode"]["values_1"]) == ("min", "max")


def test_a_direction_of_somebodys_own_is_no_direction(tmp_path):
    with rc.RunLogger(tmp_path / "log.jsonl", {"study": {"direction": "[up"}}) as log:
        log.log("val", {"value": 1.0})
    (page,) = rows("report", tmp_path, "-o", str(tmp_path / "page.html"))
    assert page["mode"]["value"] == "max"
