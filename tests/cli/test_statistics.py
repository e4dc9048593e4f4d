"""best, compare and results: statistics over seeds, at a shell."""

import csv
import io
import json
import re

import numpy as np
import pytest
import sweeps
import yaml
from shell import fails, ok, quietly_loaded, rows, run

import runcube as rc

BEST = ("--metric", "acc1", "--mode", "max", "--report", "train")
COMPARE = ("--over", "lr", "--metric", "loss", "--split", "val")
RESULTS = ("--metric", "loss", "--split", "val", "--mode", "min")


def value(index, seed, split, metric, epoch):
    """Configurations that differ by more than their seeds do."""
    noise = np.random.default_rng([index, seed, epoch, len(split)]).normal(0, 0.3)
    return float(4 * index + epoch + seed / 4 + noise)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Four configurations × five seeds in logs and in an archive; two runs are not complete."""
    root = tmp_path_factory.mktemp("statistics") / "logs"
    configs = sweeps.product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "µ_{x}"])
    sweeps.write_sweep(root, configs, range(5), value=value, leave_out=[(1, 2)], killed=[(3, 0)])
    rc.save_archive(quietly_loaded(root), root.parent / "sweep.nc")
    return root


@pytest.fixture(params=["logs", "archive", "configs"])
def place(sweep, request):
    """The same sweep as logs, as an archive, and in the other layout."""
    if request.param == "configs":
        return (sweep, "--layout", "configs")
    return (sweep if request.param == "logs" else sweep.parent / "sweep.nc",)


def complete(ds, metric, split):
    end = rc.final(ds.sel(metric=[metric], split=[split]))
    return end.where(end.status == "complete")


def test_best_is_what_select_finds(sweep, place):
    (told,) = rows("best", *place, *BEST)
    asked = {"metric": "acc1", "mode": "max", "report": "train", "rng": 0}
    found = rc.select(quietly_loaded(sweep), **asked)
    for name in ("value", "plain", "chosen_by", "optimism", "correlation", "n_folds"):
        assert told[name] == pytest.approx(found[name].item(), rel=1e-12), name
    assert told["ci"] == pytest.approx(found.ci.values.tolist(), rel=1e-12)
    assert told["winner"] == json.loads(found.attrs["winner"])
    assert told["config"] == json.loads(found.attrs["winner_config"])
    assert told["config"]["model.weights"] == "µ_{x}"
    # The last one that all of its runs reached: one was killed in the second.
    assert told["chosen_x"] == {"epoch": 0}
    here = {**told["winner"], "epoch": 0, "metric": "acc1", "split": "train"}
    of_winner = quietly_loaded(sweep).curve.sel(here)
    assert told["plain"] == pytest.approx(of_winner.mean().item(), rel=1e-12)
    assert told["plain_n"] == of_winner.count().item() == 5
    others = int((found.may_be_best & ~found.is_winner).sum())
    assert len(told["may_be_best"]) == others


def test_best_names_interval_and_number_and_what_is_flattered(sweep):
    # Without the run that was killed, the others choose a later epoch, of which it has no value.
    text = ok("best", sweep, *BEST, "--ci", "0.9")
    (told,) = rows("best", sweep, *BEST, "--ci", "0.9")
    assert re.match(
        r"acc1 of train: [\d.]+, 90 % interval [\d.]+ to [\d.]+ \(t over 4 seeds\)", text
    )
    shown = [float(x) for x in re.findall(r"[\d.]+", text.splitlines()[0])[1:]]
    assert shown[0] == pytest.approx(told["value"], abs=0.051)
    assert [shown[2], shown[3]] == pytest.approx(told["ci"], abs=0.051)
    assert "over 5 runs, flattered" in text
    assert "model.weights: µ_{x}" in text
    assert re.search(r"may be the best as well \(Hsu, 90 %\): \d of 3 others", text)


def test_best_writes_the_configuration_alone(sweep):
    (told,) = rows("best", sweep, *BEST)
    assert yaml.safe_load(ok("best", sweep, *BEST, "--format", "yaml")) == told["config"]
    assert json.loads(ok("best", sweep, *BEST, "--format", "json")) == told["config"]
    line = ok("best", sweep, *BEST, "--format", "train --lr {lr} --w {weights}")
    assert line == "train --lr 1.0 --w 'µ_{x}'\n"


def test_best_reports_the_test_split_by_either_name():
    told = rows("best", "examples/logs", "--metric", "acc1", "--mode", "max")
    assert told[0]["reported_split"] == "eval"


def test_results_are_called_as_asked(sweep):
    told = run("results", sweep, *RESULTS, "--names", "lr=learning rate", "--names", "loss=CE")
    head = told.stdout.splitlines()[0]
    assert "learning rate" in head
    assert "CE" in head


def test_best_of_one_seed_has_no_value_to_report(sweep):
    text = ok("best", sweep, *BEST, "--where", "seed=1")
    assert text.startswith("acc1 of train: no cross-fitted value, which needs two seeds or more\n")
    assert "nan" not in text


def test_a_part_of_the_sweep_can_be_asked_for(sweep, place):
    (told,) = rows("best", *place, *BEST, "--where", "optim.lr=0.1")
    assert (told["winner"]["lr"], told["plain_n"]) == (0.1, 4)  # its fifth run is absent
    assert {row["lr"] for row in rows("results", *place, *RESULTS, "--where", "lr=1")} == {"1"}
    (row,) = rows("compare", *place, *COMPARE, "--where", "weights=None")
    assert row["weights"] == "None"


def test_compare_is_what_compare_all_finds(sweep, place):
    told = rows("compare", *place, *COMPARE, "--baseline", "0.1")
    ends = complete(quietly_loaded(sweep), "loss", "val").squeeze(["metric", "split"])
    found = rc.compare_all(ends, over="lr", baseline=0.1)
    assert [(row["a"], row["b"], row["weights"]) for row in told] == [
        (1.0, 0.1, "None"),
        (1.0, 0.1, "µ_{x}"),
    ]
    for name in ("difference", "p", "p_holm", "p_min"):
        assert [row[name] for row in told] == pytest.approx(found[name].values.ravel(), rel=1e-9)
    assert [row["verdict"] for row in told] == found.verdict.values.ravel().tolist()
    assert [[row["lower"], row["upper"]] for row in told] == found.ci.values.reshape(2, 2).tolist()
    # One run is absent on one side of the second pair, another was killed on the other.
    assert [row["n_pairs"] for row in told] == [5, 3]
    ways = [(row["ci_level"], row["test"], row["p_adjusted_for"]) for row in told]
    assert ways == [(0.95, "paired t", 2)] * 2


@pytest.mark.parametrize(
    ("adjust", "more"),
    [("dunnett", ["--baseline", "0.1"]), ("games-howell", []), ("bh", [])],
)
def test_compare_goes_by_the_correction_that_was_asked_for(sweep, adjust, more):
    told = rows("compare", sweep, *COMPARE, *more, "--adjust", adjust)
    ends = complete(quietly_loaded(sweep), "loss", "val").squeeze(["metric", "split"])
    base = float(more[1]) if more else None
    found = rc.compare_all(ends, over="lr", baseline=base, adjust=adjust)
    name = f"p_{adjust.replace('-', '_')}"
    assert [row[name] for row in told] == pytest.approx(found[name].values.ravel(), rel=1e-9)
    assert [row["verdict"] for row in told] == found.verdict.values.ravel().tolist()
    shown = run("compare", sweep, *COMPARE, *more, "--adjust", adjust)
    assert name in shown.stdout
    assert f"{name} and verdict: {found.attrs['adjust_source']}" in shown.stderr


def test_compare_shows_interval_number_and_verdict(sweep):
    result = run("compare", sweep, *COMPARE, "--unpaired", "--test", "permutation", "--ci", "0.9")
    head, first, _ = result.stdout.splitlines()
    columns = [
        "a",
        "b",
        "weights",
        "n a",
        "n b",
        "odd runs",
        "a - b",
        "90 % interval",
        "p",
        "p_holm",
        "verdict",
    ]
    assert re.split(r"  +", head.strip()) == columns
    assert first.endswith("b is higher")
    assert "loss of val, the last logged value of each run; a and b: lr" in result.stderr
    assert "Welch's t" in result.stderr
    assert "permutation of the labels" in result.stderr
    assert "left out, as not complete: 1 run" in result.stderr


def test_compare_says_what_so_few_seeds_cannot_decide(sweep):
    few = [word for seed in "134" for word in ("--where", f"seed={seed}")]
    found = rows("compare", sweep, *COMPARE, *few, "--test", "permutation")
    assert {row["verdict"] for row in found} == {"cannot be significant with 3 seeds"}


def test_compare_reads_runs_at_an_x_or_at_their_best(sweep, place):
    ds = quietly_loaded(sweep)
    ds = ds.where(ds.status == "complete")
    at_one = rows("compare", *place, *COMPARE, "--at", "epoch=1")
    curve = ds.curve.sel(metric="loss", split="val", epoch=1, weights="None")
    expected = (curve.sel(lr=0.1) - curve.sel(lr=1.0)).mean("seed").item()
    assert at_one[0]["difference"] == pytest.approx(expected, rel=1e-12)
    best = rows("compare", *place, *COMPARE, "--at-best", "acc1=train", "--mode", "max")
    chosen = rc.at_best(quietly_loaded(sweep), metric="acc1", split="train", mode="max")
    chosen = chosen.sel(metric="loss", split="val", weights="None")
    expected = (chosen.sel(lr=0.1) - chosen.sel(lr=1.0)).mean("seed").item()
    assert best[0]["difference"] == pytest.approx(expected, rel=1e-12)
    assert best[0]["values"] == "each run where its acc1 of train is highest"


def test_compare_without_two_settings_says_so(sweep):
    alone = ("--where", "lr=0.1", "--where", "weights=None")
    assert "there is one label" in fails("compare", sweep.parent / "sweep.nc", *COMPARE, *alone)


def test_results_are_those_of_the_table(sweep, place):
    ends = complete(quietly_loaded(sweep), "loss", "val")
    table = rc.tables.results(ends, mode="min")
    told = rows("results", *place, *RESULTS)
    assert sorted(row["loss val mean"] for row in told) == pytest.approx(
        sorted(table.frame["loss val", "mean"]), rel=1e-12
    )
    assert {row["ci_method"] for row in told} == {"t"}
    if "--layout" not in place:
        text = ok("results", *place, *RESULTS)
        assert text.splitlines()[:6] == table.to_markdown().splitlines()[:6]
        assert text.splitlines()[-1] == f"The last logged value of each run. {table.caption}"


def test_each_form_of_a_table(sweep):
    assert "\\bottomrule" in ok("results", sweep, *RESULTS, "--latex")
    assert "µ\\_\\{x\\} & $" in ok("results", sweep, *RESULTS, "--latex")
    assert ok("results", sweep, *RESULTS, "--html").startswith("<table")
    result = run("results", sweep, *RESULTS, "--csv")
    table = [*csv.DictReader(io.StringIO(result.stdout))]
    assert [row["weights"] for row in table] == ["None", "µ_{x}"] * 2
    assert "95 % interval" in result.stderr


def test_a_table_is_written_to_a_file_and_never_over_an_archive(sweep, tmp_path):
    target = tmp_path / "table.tex"
    for _ in range(2):
        result = run("results", sweep, *RESULTS, "--latex", "-o", target)
        assert (result.exit_code, result.stdout) == (0, "")
        assert f"wrote {target}: 4 rows" in result.stderr
    assert target.read_text(encoding="utf-8") == ok("results", sweep, *RESULTS, "--latex")
    archive = sweep.parent / "sweep.nc"
    before = archive.read_bytes()
    assert "is an archive" in run("results", archive, *RESULTS, "-o", archive).stderr
    assert "is a directory" in run("results", archive, *RESULTS, "-o", tmp_path).stderr
    assert archive.read_bytes() == before


def test_several_metrics_each_have_their_end_and_their_order(sweep):
    modes = ("--mode", "acc1=max", "--mode", "loss=min")
    text = ok("results", sweep, "--metric", "loss", "--metric", "acc1", "--split", "val", *modes)
    assert text.splitlines()[0] == "| lr | weights | loss val | acc1 val |"
    first, last = text.splitlines()[2], text.splitlines()[5]
    assert first.split("|")[3].strip().startswith("**")
    assert not first.split("|")[4].strip().startswith("**")
    assert last.split("|")[4].strip().startswith("**")


def test_runs_that_diverged_are_counted_aloud(tmp_path):
    def wild(index, seed, split, metric, epoch):
        return (
            float("nan")
            if (index, seed, epoch) == (1, 0, 2)
            else value(index, seed, split, metric, epoch)
        )

    sweeps.write_sweep(tmp_path, sweeps.product_configs(lr=[0.1, 9.0]), range(3), value=wild)
    for args in (("results", tmp_path, *RESULTS), ("compare", tmp_path, *COMPARE)):
        assert "logged NaN or an infinity: 1 run;" in run(*args).stderr
    found = rows("results", tmp_path, *RESULTS)
    assert [row["loss val n"] for row in found] == [3, 2]


def test_what_is_drawn_is_the_same_each_time_and_follows_rng(sweep):
    first, again = (ok("best", sweep, *BEST, "--json") for _ in range(2))
    assert first == again
    assert json.loads(ok("best", sweep, *BEST, "--json", "--rng", "7"))["rng"] == 7


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("best", "--metric", "acc", "--mode", "max", "--report", "train"), "'acc1'"),
        (("best", "--metric", "acc1", "--mode", "max"), "split='test': not in the cube"),
        (("best", *BEST, "--format", "{lrr}"), "no key 'lrr'"),
        (("compare", *COMPARE, "--baseline", "0.2"), "lr=0.2: no such value; known: 0.1"),
        (("compare", "--over", "lrr", *COMPARE[2:]), "lrr: no such name; known: lr"),
        (("compare", "--over", "seed", *COMPARE[2:]), "--over seed: is no dim"),
        (("compare", *COMPARE, "--at", "step=1"), "expected one value of the x-axis, epoch=VALUE"),
        (("compare", *COMPARE, "--at-best", "acc1=val"), "--mode says which end"),
        (("compare", *COMPARE, "--at-best", "acc1=val", "--at", "epoch=1"), "one of them"),
        (("compare", *COMPARE[:-1], "vla"), "split=vla: no such value; known: val"),
        (("results", *RESULTS, "--mode", "lss=max"), "--mode lss: no such metric"),
        (("results", "--metric", "los", "--mode", "min"), "metric=los: no such value"),
    ],
)
def test_what_is_wrong_is_one_line(sweep, args, told):
    name, *more = args
    assert told in fails(name, sweep.parent / "sweep.nc", *more)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("compare", "--over", "lr", "--split", "val"), "--metric is needed, one of loss, acc1"),
        (("results", "--mode", "max"), "there are 2 metrics"),
        (("results", "--metric", "loss", "--mode", "best"), "expected max, min"),
        (("results",), "Missing option '--mode'"),
        (("best", "--metric", "acc1"), "Missing option '--mode'"),
        (("best", *BEST, "--ci", "1"), "not in the range 0<x<1"),
        (("best", *BEST, "--format", "yaml", "--relabel", "weights:null=x"), "leave out --relabel"),
    ],
)
def test_what_is_left_open_is_a_usage_error(sweep, args, told):
    name, *more = args
    result = run(name, sweep, *more)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in " ".join(result.stderr.split())
