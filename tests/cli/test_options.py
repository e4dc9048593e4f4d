"""Options that several commands share."""

import pytest
from shell import fails, rows, run

import runcube as rc
from runcube.cli import logs as cli_logs


def test_names_and_values_can_be_changed(logs):
    args = ("--rename", "model.weights=init", "--relabel", "model.weights:null=random")
    table = rows("table", logs, *args)
    assert [row["init"] for row in table] == ["random", "DEFAULT", "random", "DEFAULT"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("None", None),
        ("true", True),
        ("False", False),
        ("3", 3),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ('"3"', "3"),
        ("DEFAULT", "DEFAULT"),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
def test_values_of_relabel_are_spelled_as_in_json_or_python(text, value, monkeypatch, tmp_path):
    seen = {}

    def fake(path, **keywords):
        seen.update(keywords)
        raise rc.PlanError("stop")

    monkeypatch.setattr(cli_logs, "load_runs", fake)
    fails("table", tmp_path, "--relabel", f"a.b:{text}=x", "--relabel", f"a.b:y={text}")
    assert seen["relabel"] == {"a.b": {value: "x", "y": value}}
    assert type(seen["relabel"]["a.b"]["y"]) is type(value)


def test_every_option_reaches_load_runs(monkeypatch, tmp_path):
    seen = {}

    def fake(path, **keywords):
        seen.update(keywords, path=path)
        raise rc.PlanError("stop")

    monkeypatch.setattr(cli_logs, "load_runs", fake)
    args = (
        "--reader native --files **/a,b.jsonl --files c --ignore x "
        "--path-keys {a}/{b} --dims lr,weights --dims bn --exclude a,b "
        "--rename a=b --defaults d=0.5 --exact-labels --seed none --layout configs --x step "
        "--align union --missing-x drop "
        "--splits val --metrics loss,acc1 --expected 20 --on-duplicate last --errors raise "
        "--parallel off"
    )
    fails("table", tmp_path, *args.split())
    assert seen == {
        "path": str(tmp_path),
        "reader": "native",
        "files": ["**/a,b.jsonl", "c"],
        "ignore": ["x"],
        "path_keys": "{a}/{b}",
        "dims": ["lr", "weights", "bn"],
        "exclude": ["a", "b"],
        "rename": {"a": "b"},
        "relabel": {},
        "defaults": {"d": 0.5},
        "exact_labels": True,
        "seed": None,
        "layout": "configs",
        "x": "step",
        "align": "union",
        "missing_x": "drop",
        "splits": ["val"],
        "metrics": ["loss", "acc1"],
        "expected": 20.0,
        "on_duplicate": "last",
        "errors": "raise",
        "parallel": False,
        "progress": False,
    }
    seen.clear()
    fails("table", tmp_path)
    assert (seen["dims"], seen["exclude"], seen["seed"]) == (None, (), "auto")
    assert (seen["path_keys"], seen["defaults"], seen["exact_labels"]) == ("auto", {}, False)
    fails("table", tmp_path, "--path-keys", "none")
    assert seen["path_keys"] is None


@pytest.mark.parametrize(
    "args",
    [
        ("--rename", "a"),
        ("--rename", "a=b", "--rename", "a=c"),
        ("--relabel", "a=b"),
        ("--where", "lr"),
        ("--layout", "cube"),
        ("--expected", "many"),
        ("--no-such-option",),
    ],
)
def test_an_option_that_is_wrongly_spelled_is_a_usage_error(logs, args):
    result = run("show", logs, *args)
    assert result.exit_code == 2
    assert "Usage: runcube show" in result.stderr or "Usage: main show" in result.stderr
