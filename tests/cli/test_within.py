"""Commands for each dataset by itself, None at a shell, and runs that diverged or did not end."""

import json

import numpy as np
import pytest
import sweeps
from shell import fails, ok, quietly_loaded, rows, run

import runcube as rc

ASKED = ("--metric", "loss", "--split", "val")
BEST = ("--metric", "loss", "--mode", "min", "--report", "train")
DATA = {"cora": 3, "dblp": 7}


def value(index, seed, split, metric, epoch):
    """The low lr is the better one for cora, the high one for dblp, whose losses are larger."""
    is_low, is_dblp = index % 2 == 0, index >= 2
    noise = np.random.default_rng([index, seed, epoch, len(split)]).normal(0, 0.01)
    return 10.0 * is_dblp + (0.0 if is_low != is_dblp else 1.0) + noise


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    root = tmp_path_factory.mktemp("within") / "logs"
    configs = [
        {"data": {"name": name, "classes": classes}, "lr": lr}
        for name, classes in DATA.items()
        for lr in (0.1, 1.0)
    ]
    sweeps.write_sweep(root, configs, range(4), value=value)
    return root


@pytest.fixture(params=["logs", "configs"])
def place(logs, request):
    return (logs,) if request.param == "logs" else (logs, "--layout", "configs")


NAME = "data.name"


def test_best_is_chosen_for_each_dataset_and_said_to_differ(place):
    told = rows("best", *place, *BEST, "--within", NAME)
    assert [(row[NAME], row["winner"]["lr"]) for row in told] == [("cora", 0.1), ("dblp", 1.0)]
    for row in told:
        part = quietly_loaded(place[0]).sel({own_name(place): row[NAME]})
        alone = rc.select(part, metric="loss", mode="min", report="train", rng=0)
        assert row["value"] == pytest.approx(alone["value"].item(), rel=1e-12)
    said = ok("best", *place, *BEST, "--within", NAME)
    assert said.count("cross-fitted") == 2
    tail = said.splitlines()[-3:]
    assert tail[0].startswith(f"all 2 values of {NAME}")
    # The number of classes goes with the dataset and is no choice.
    assert tail[1:] == [
        "  lr=0.1: winner in 1, may be the best in 1",
        "  lr=1: winner in 1, may be the best in 1",
    ]


def own_name(place):
    (name,) = {"data_name", "name"} & {*quietly_loaded(place[0]).dims}
    return name


def test_compare_has_a_table_for_each_dataset_and_counts_verdicts(place):
    alone = rows("compare", *place, "--over", "lr", *ASKED)
    told = ok("compare", *place, "--over", "lr", *ASKED, "--within", NAME)
    lines = told.splitlines()
    assert [line for line in lines if line.startswith(f"{NAME}=")] == [
        f"{NAME}=cora",
        f"{NAME}=dblp",
    ]
    assert {row["verdict"] for row in alone} == {"a is higher", "b is higher"}
    assert {row["p_adjusted_for"] for row in alone} == {2}
    assert lines[-2].startswith(f"all 2 values of {NAME}")
    assert lines[-1].startswith("  a=0.1 b=1: ")
    assert {*lines[-1].partition(": ")[2].split(", ")} == {
        "b is higher in 1",
        "a is higher in 1 of 2",
    }
    assert "what is compared differs in it" in fails(
        "compare", *place, "--over", "lr", *ASKED, "--within", "lr"
    )


def test_results_have_a_table_for_each_dataset(place):
    asked = ("results", *place, *ASKED, "--mode", "min", "--within", NAME)
    latex = ok(*asked, "--latex")
    assert latex.count(r"\begin{table}") == latex.count(r"\mathbf") == 2
    assert [f"\\label{{tab:results-{n}}}" in latex for n in (1, 2)] == [True, True]
    assert "data.name = dblp. The last logged value" in latex
    told = rows(*asked)
    best = {row[NAME]: row["lr"] for row in told if row["loss val may_be_best"]}
    assert best == {"cora": "0.1", "dblp": "1"}
    assert len(ok(*asked, "--csv").splitlines()) == 5
    assert "lr & classes & loss val" in ok(*asked, "--latex", "--keys", "lr,classes")
    assert "nearest: 'lr'" in fails(*asked, "--keys", "lrr")


def test_ranking_datasets_together_is_said(place):
    for asked in (("best", *place, *BEST), ("results", *place, *ASKED, "--mode", "min")):
        assert "are ranked together; --within" in run(*asked).stderr
        assert "ranked together" not in run(*asked, "--within", NAME).stderr
        assert "ranked together" not in run(*asked, "--where", f"{NAME}=cora").stderr
    both = run("best", *place, *BEST, "--within", NAME, "--format", "yaml")
    assert both.exit_code == 2
    assert "not with --within" in both.stderr
    assert "nope" in fails("best", *place, *BEST, "--within", "nope")


@pytest.mark.parametrize("spelt", ["null", "none", "None", "NULL"])
def test_none_is_asked_for_as_it_is_written_or_shown(tmp_path, spelt):
    configs = sweeps.product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    root = sweeps.write_sweep(tmp_path, configs, [0, 1, 2], killed=[(0, 1), (1, 1)])
    asked = ("--where", f"weights={spelt}")
    assert {row["weights"] for row in rows("table", root, *asked)} == {"None"}
    missing = rows("missing", root, *asked)
    assert [(row["model.weights"], row["seed"]) for row in missing] == [(None, 1)]
    assert {row["weights"] for row in rows("show", root, "--metric", "loss", *asked)} == {"None"}
    row, *_ = rows("compare", root, "--over", "weights", "--baseline", spelt, *ASKED)
    assert (row["a"], row["b"]) == ("DEFAULT", "None")


def test_a_text_null_is_the_text(tmp_path):
    configs = sweeps.product_configs(init=["null", "zero"], weights=[None, "DEFAULT"])
    root = sweeps.write_sweep(tmp_path, configs, [0, 1])
    assert {row["init"] for row in rows("table", root, "--where", "init=null")} == {"null"}
    assert "no such value" in fails("table", root, "--where", "init=none")


def test_runs_that_diverged_or_did_not_end_are_counted_where_they_are_shown(tmp_path):
    def own(index, seed, split, metric, epoch):
        if index == 1 and seed == 2 and epoch > 0:
            return float("nan")
        return value(index, seed, split, metric, epoch)

    configs = sweeps.product_configs(lr=[0.1, 1.0])
    root = sweeps.write_sweep(tmp_path, configs, range(5), value=own, killed=[(0, 1)])
    text = ok("results", root, *ASKED, "--mode", "min")
    first, second = text.splitlines()[2:4]
    assert first.endswith(" (1i)** |")
    assert second.endswith(" (1d) |")
    (row,) = rows("compare", root, "--over", "lr", *ASKED)
    assert (row["n_incomplete_a"], row["n_diverged_b"]) == (1, 1)
    shown = ok("compare", root, "--over", "lr", *ASKED)
    assert "a 1i, b 1d" in shown
    said = ok("best", root, *BEST)
    assert "(mean over 5 runs; 1 incomplete)" in said
    (told,) = rows("best", root, *BEST)
    assert told["winner_runs"] == {"n": 5, "diverged": 0, "incomplete": 1, "failed": 0}
    found = rc.select(quietly_loaded(root), metric="loss", mode="min", report="train", rng=0)
    assert found.n_nonfinite.values.tolist() == [0, 1]
    assert told["plain_n"] == found.n_plain.item() == 5


def test_problems_of_a_kind_are_one_row(tmp_path):
    root = sweeps.write_sweep(tmp_path, sweeps.product_configs(lr=[0.1, 1.0]), range(3))
    for number, path in enumerate(sorted(root.rglob("*.jsonl"))):
        path.write_text(path.read_text() + "no json\n" * (1 + number % 2))
    every = rows("problems", root)
    lines = ok("problems", root).splitlines()
    assert len(every) > len(lines) - 1
    assert sum(int(line.split()[0]) for line in lines[1:]) == len(every)
    assert len(ok("problems", root, "--all").splitlines()) == 1 + len(every)
    frame = rc.problems(quietly_loaded(root), full=False)
    assert frame.columns.tolist() == ["count", "kind", "path", "line", "message"]
    assert frame["count"].sum() == len(every)
    assert json.dumps(frame["count"].tolist()) == json.dumps(sorted(frame["count"], reverse=True))
