"""Where JSONL logs have their configuration."""

import pytest
from jsonl_logs import curve, epochs, kinds, load, write

from runcube.core.model import LogFile, Request, Roles, Source
from runcube.files.tree import Tree, list_files
from runcube.readers.jsonl.configuration import known_configuration
from runcube.readers.jsonl.reader import JsonlReader


def test_config_in_the_first_record(tmp_path):
    write(tmp_path / "a.jsonl", [{"lr": 0.1, "model": {"depth": 3}}, *epochs(12)])
    (run,) = load(tmp_path)
    assert run.header.config == {"lr": 0.1, "model": {"depth": 3}}
    assert run.metrics == ("loss",)
    assert curve(run, "loss")[2].lines[0] == 2


def test_config_under_a_key_of_the_first_record(tmp_path):
    write(tmp_path / "a.jsonl", [{"args": {"lr": 0.1}, "step": 0}, *epochs(12)])
    (run,) = load(tmp_path, JsonlReader(config="args", x="epoch"))
    assert run.header.config == {"lr": 0.1}
    assert run.header.has_config


def test_config_on_every_line_is_one_configuration(tmp_path):
    write(tmp_path / "a.jsonl", epochs(20, config={"lr": 0.1, "betas": [0.9, 0.99]}))
    (run,) = load(tmp_path)
    assert run.header.config == {"lr": 0.1, "betas": [0.9, 0.99]}
    assert run.metrics == ("loss",)
    assert not run.problems


def test_a_config_that_changes_within_a_run_is_a_problem_that_names_the_key(tmp_path):
    records = epochs(12, config={"lr": 0.1, "seed": 1})
    for record in records[10:]:
        record["config"] = {"lr": 0.2, "seed": 1}
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    (problem,) = run.problems
    assert (problem.kind, problem.line) == ("config_conflict", 11)
    assert "on 2 lines: 'lr';" in problem.message
    assert run.header.config["lr"] == 0.1


def test_a_config_that_changes_where_x_begins_anew_is_another_run(tmp_path):
    records = epochs(10, config={"lr": 0.1, "seed": 1}) + epochs(2, config={"lr": 0.2, "seed": 1})
    write(tmp_path / "a.jsonl", records)
    first, second = load(tmp_path)
    assert [len(curve(run, "loss")[0]) for run in (first, second)] == [10, 2]
    assert (first.header.key, first.header.config["lr"]) == ("", 0.1)
    assert (second.header.key, second.header.config["lr"]) == ("@2", 0.2)


def test_a_config_spelled_differently_is_the_same_config(tmp_path):
    one, other = '{"epoch":0,"loss":1,"config":{"a":1,"b":2}}', epochs(1, config={"b": 2, "a": 1})
    write(tmp_path / "a.jsonl", [one, *other])
    assert not load(tmp_path)[0].problems


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '{"lr": 1e-4, "opt": {"name": "sgd"}}'),
        ("params.json", '{"lr": 1e-4, "opt": {"name": "sgd"}}'),
        ("config.yaml", "lr: 1e-4\nopt:\n  name: sgd\n"),
        ("hparams.yaml", "lr: 0.0001\nopt: !!python/object:x.Y\n  name: sgd\n"),
        (".hydra/config.yaml", "lr: 1.0e-4\nopt: {name: sgd}\n"),
    ],
)
def test_config_in_a_sidecar(tmp_path, name, text):
    path = write(tmp_path / "run" / "log.jsonl", epochs(12)).parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    (run,) = load(tmp_path)
    assert run.header.config == {"lr": 1e-4, "opt": {"name": "sgd"}}
    assert len(run.header.source.files) == 2


def test_a_sidecar_that_is_broken_costs_the_config_only(tmp_path):
    write(tmp_path / "log.jsonl", epochs(12))
    (tmp_path / "config.json").write_text('{"lr": ')
    (run,) = load(tmp_path)
    assert "no_config" in kinds(run)
    assert len(curve(run, "loss")[0]) == 12


def test_columns_named_as_config(tmp_path):
    write(tmp_path / "a.jsonl", epochs(3, lr=0.1, seed=2, temperature=1.0))
    (run,) = load(tmp_path, JsonlReader(config=["lr", "seed"]))
    assert run.header.config == {"lr": 0.1, "seed": 2}
    assert not run.header.constants
    assert run.metrics == ("loss", "temperature")


def test_a_config_that_is_owed_and_missing_is_a_problem(tmp_path):
    write(tmp_path / "a.jsonl", epochs(3))
    (run,) = load(tmp_path, JsonlReader(config="args", x="epoch"))
    assert not run.header.has_config
    assert kinds(run) == ["no_config", "unknown_name"]


def test_a_seed_beside_a_config_is_no_metric(tmp_path):
    write(tmp_path / "a.jsonl", epochs(12, config={"lr": 1}, seed=3, dataset="cifar"))
    (run,) = load(tmp_path)
    assert run.header.constants == {"seed": 3, "dataset": "cifar"}


def test_a_null_column_is_a_constant_none(tmp_path):
    write(tmp_path / "a.jsonl", epochs(3, init=None))
    assert load(tmp_path)[0].header.constants == {"init": None}


@pytest.mark.parametrize("config", [{"optim": {"name": "adam"}}, {"optim/name": "adam"}])
def test_a_column_that_contradicts_the_configuration_is_named(tmp_path, config):
    write(tmp_path / "a.jsonl", [{"config": config}, *epochs(3, optim={"name": "sgd"})])
    (run,) = load(tmp_path)
    (problem,) = run.problems
    assert (problem.kind, problem.line) == ("config_conflict", 2)
    assert problem.message.startswith("'optim/name': 3 values in the rows, 'sgd' where")


def test_header_and_trailer_that_are_named(tmp_path):
    rows = [{"epoch": e, "loss": 1.0 / (e + 1)} for e in range(3)]
    ends = [{"end": {"lr": 0.5, "acc": 0.75}, "host": "a"}]
    write(tmp_path / "a.jsonl", [{"begin": {"lr": 0.5}, "version": 3}, *rows, *ends])
    (run,) = load(tmp_path, JsonlReader(header="begin", trailer="end"))
    assert run.header.config["begin"] == {"lr": 0.5}
    assert run.metrics == ("loss", "acc")
    (guessed,) = load(tmp_path)
    assert guessed.metrics == ("loss", "end/lr", "end/acc")


TRAILERS = {
    "a configuration": ({"lr": 0.5, "opt": "adam", "dims": [[1, 2], [3]]}, True),
    "texts": ({"gpu": "a100", "amp": True}, True),
    "numbers": ({"top": 0.5, "best": 3}, False),
    "numbers as text": ({"top": "0.5"}, False),
    "short lists": ({"top": [0.5, 0.75]}, False),
    "a boolean": ({"top": 0.5, "grokked": True}, False),
    "a measure and a text": ({"val_acc": 0.5, "note": "early"}, False),
    "a metric of the rows and a text": ({"widget": 0.5, "note": "early"}, False),
    "a clock and a text": ({"elapsed_sec": 9.5, "note": "early"}, False),
}


@pytest.mark.parametrize("case", TRAILERS)
def test_an_object_behind_the_rows_is_configuration_by_what_it_holds(tmp_path, case):
    held, is_configuration = TRAILERS[case]
    rows = [{"step": i, "loss": 1 / (i + 1), "widget": i / 8} for i in range(4)]
    write(tmp_path / "a.jsonl", [*rows, {"unheard": held}])
    (run,) = load(tmp_path)
    assert dict(run.header.config) == ({"unheard": held} if is_configuration else {})
    assert (run.metrics == ("loss", "widget") and not run.messages) == is_configuration
    assert not run.problems or not is_configuration


def test_a_familiar_object_behind_the_rows_is_the_configuration(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(4), {"config": {"lr": 0.5, "seed": 3}}])
    (run,) = load(tmp_path)
    assert dict(run.header.config) == {"lr": 0.5, "seed": 3}
    assert (run.metrics, run.problems) == (("loss",), [])


def test_where_a_configuration_is_known_a_trailer_adds_none(tmp_path):
    # A run that crashed has no trailer, and would be of another configuration than the others.
    ends = {"environment": {"gpu": "a100", "cards": 4}}
    for seed in range(3):
        rows = epochs(4 - seed // 2)
        records = [{"config": {"seed": seed}}, *rows, *([ends] if seed < 2 else [])]
        write(tmp_path / f"{seed}.jsonl", records)
    runs = load(tmp_path)
    assert [dict(run.header.config) for run in runs] == [{"seed": seed} for seed in range(3)]
    assert (runs[0].metrics, runs[0].messages) == (("loss", "cards"), ["a100"])


def test_the_configuration_of_each_run_of_a_log_is_looked_for_once(tmp_path, monkeypatch):
    records = [{"run_id": f"r{r}", "epoch": e, "loss": e / 7} for e in range(2) for r in range(20)]
    write(tmp_path / "a.jsonl", records)
    asked = []

    def known(log, run):
        asked.append(run)
        return known_configuration(log, run)

    monkeypatch.setattr("runcube.readers.jsonl.source.known_configuration", known)
    monkeypatch.setattr("runcube.readers.jsonl.configuration.known_configuration", known)
    (source,) = JsonlReader().find(Tree(list_files(tmp_path)))
    asked.clear()
    JsonlReader().read(source, Request())
    assert asked == list(range(20))


def test_a_header_record_that_changes_begins_the_next_run(tmp_path):
    records = [r for lr in (0.1, 0.2, 0.3) for r in ({"lr": lr, "seed": 0}, *epochs(3))]
    write(tmp_path / "all.jsonl", records)
    runs = load(tmp_path)
    assert [run.header.config for run in runs] == [{"lr": lr, "seed": 0} for lr in (0.1, 0.2, 0.3)]
    assert [run.header.key for run in runs] == ["", "@2", "@3"]
    assert all(curve(run, "loss")[0].tolist() == [1, 0.5, 1 / 3] for run in runs)


def test_evaluations_without_x_are_no_header_records(tmp_path):
    records = [{"val_a": 1.0, "val_b": 2.0}]
    for e in range(4):
        records += [{"epoch": e, "loss": 1.0 / (e + 1)}, {"val_a": e / 7, "val_b": e / 9}]
    write(tmp_path / "all.jsonl", records)
    (run,) = load(tmp_path)
    assert len(curve(run, "a", "val")[0]) == 5


def test_one_record_and_an_event_are_no_header_and_its_rows(tmp_path):
    write(tmp_path / "a.jsonl", [{"loss": 0.5, "acc": 0.25}, {"event": "stopped", "code": [{}]}])
    source = Source(str(tmp_path), "a.jsonl", (LogFile("a.jsonl", 0, 0),))
    (run,) = JsonlReader().read(source, Request(roles=Roles()))
    assert not run.header.config
    assert run.metrics == ("loss", "acc")


def test_a_metric_that_is_called_like_a_configuration_is_a_metric(tmp_path):
    rows = [{"epoch": e, "loss": 1.0 / (e + 1), "config": e / 7} for e in range(3)]
    write(tmp_path / "a.jsonl", [*rows, {"config": {"lr": 0.5}}])
    (run,) = load(tmp_path)
    assert curve(run, "config")[0][:3].tolist() == [0, 1 / 7, 2 / 7]
    assert "config/lr" in run.metrics


@pytest.mark.parametrize("event", [{}, {"event": "config"}])
def test_settings_of_a_split_in_a_header_are_configuration(tmp_path, event):
    head = event | {"lr": 0.1, "seed": 0, "train_batch_size": 4, "eval_every": 50}
    rows = [{"step": i, "train_loss": 1.0 / (i + 1), "eval_top1": 0.1 * i} for i in range(4)]
    write(tmp_path / "a.jsonl", [head, *rows])
    (run,) = load(tmp_path)
    said = run.header.config | run.header.constants
    assert (said["train_batch_size"], said["eval_every"]) == (4, 50)
    assert run.metrics == ("loss", "top1")


def test_results_before_the_first_step_are_no_configuration(tmp_path):
    head = {"lr": 0.1, "seed": 0, "val_loss": 2.5, "test_top1": 0.1}
    rows = [{"step": i, "train_loss": 1.0 / (i + 1), "eval_top1": 0.1 * i} for i in range(4)]
    write(tmp_path / "a.jsonl", [head, *rows])
    (run,) = load(tmp_path)
    assert {*run.splits} == {"val", "test", "train", "eval"}
    assert curve(run, "loss", "val")[0].tolist() == [2.5]


def test_a_text_beside_numbers_that_never_move_makes_them_a_description(tmp_path):
    rows = [
        {"record": {"process": {"id": 7, "name": "main"}, "extra": {"epoch": i, "loss": 1.0 / i}}}
        for i in range(1, 5)
    ]
    first = {"record": {"process": {"id": 7, "name": "main"}, "extra": {"lr": 0.1}}}
    write(tmp_path / "a.jsonl", [first, *rows])
    (run,) = load(tmp_path)
    assert run.metrics == ("loss",)
