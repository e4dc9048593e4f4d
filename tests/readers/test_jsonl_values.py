"""Values of JSONL logs."""

import numpy as np
from jsonl_logs import curve, epochs, load, write

PAIR = {"val_loss": 0.0, "val/loss": 100.0}


def test_a_logged_nan_is_not_a_missing_value(tmp_path):
    write(
        tmp_path / "a.jsonl",
        [
            '{"step":0,"loss":NaN,"acc":1}',
            '{"step":1,"loss":null,"acc":2}',
            '{"step":2,"acc":3}',
            '{"step":3,"loss":-Infinity,"acc":4}',
        ],
    )
    values, logged, _ = curve(load(tmp_path)[0], "loss")
    assert logged.tolist() == [True, False, False, True]
    assert np.isnan(values[:3]).all()
    assert values[3] == -np.inf


def test_bools_are_numbers_and_numbers_as_text_are_read(tmp_path):
    records = [{"step": i, "ok": i > 0, "loss": t} for i, t in enumerate(["0.5", "nan", 1])]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert curve(run, "ok")[0].tolist() == [0, 1, 1]
    values, logged, _ = curve(run, "loss")
    assert values[0] == 0.5
    assert np.isnan(values[1])
    assert values[2] == 1
    assert logged.all()
    (problem,) = run.problems
    assert (problem.kind, problem.line) == ("text_number", 1)
    assert "2 " in problem.message


def test_text_in_a_metric_column_is_a_problem_and_missing(tmp_path):
    write(tmp_path / "a.jsonl", [{"step": i, "loss": v} for i, v in enumerate([1, "oops", 2, [3]])])
    (run,) = load(tmp_path)
    values, _, found = curve(run, "loss")
    assert values.tolist() == [1, 2]
    assert found.x["step"].tolist() == [0, 2]
    problem, of_x = run.problems
    assert (problem.kind, problem.line) == ("non_numeric", 2)
    assert "2 " in problem.message
    assert (of_x.kind, of_x.line) == ("no_metric", 2)


def test_a_metric_that_comes_late_and_keys_in_any_order(tmp_path):
    records = [*epochs(50), {"late": 7, "loss": 0, "epoch": 50}]
    write(tmp_path / "a.jsonl", records)
    values, logged, _ = curve(load(tmp_path)[0], "late")
    assert logged.sum() == 1
    assert values[-1] == 7


def test_two_columns_of_one_metric_at_one_x_are_both_kept(tmp_path):
    rows = [{"epoch": e, name: e + more} for e in range(3) for name, more in PAIR.items()]
    write(tmp_path / "a.jsonl", rows)
    (run,) = load(tmp_path)
    assert run.metrics == tuple(PAIR)
    for name, more in PAIR.items():
        assert curve(run, name)[0][curve(run, name)[1]].tolist() == [e + more for e in range(3)]


def test_a_metric_that_is_spelled_otherwise_from_some_row_on_is_one_metric(tmp_path):
    rows = [{"epoch": e, "val_loss" if e < 2 else "val/loss": 1.0 * e} for e in range(4)]
    write(tmp_path / "a.jsonl", rows)
    (run,) = load(tmp_path)
    assert curve(run, "loss", "val")[0].tolist() == [0, 1, 2, 3]


def test_a_number_that_happens_to_be_that_of_the_configuration_is_a_value(tmp_path):
    write(tmp_path / "a.jsonl", [{"setup": {"acc": 0.5}}, {"val_acc": 0.5, "acc": 0.5}])
    (run,) = load(tmp_path)
    assert run.metrics == ("acc",)
    assert run.splits == ("val", "all")
