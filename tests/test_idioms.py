"""What README and docs show is right: their Python runs on three sweeps, beside json and numpy.

The real sweep of ``examples/logs``; one with early stopping, where every run has its own length;
and one of runs that crashed, were killed in mid-line, diverged or never began. The generated ones
have the labels of the real one, so that the pages run on them word for word.
"""

import ast
import doctest
import importlib.util
import json
import math
import re
import shutil
import statistics
import sys
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import xarray as xr

import runcube as rc

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "docs/first-steps.md",
    "docs/data-model.md",
    "docs/lazy.md",
    "docs/archive.md",
    "docs/cluster.md",
]
WEIGHTS = {None: "random", "DEFAULT": "pretrained"}
RATES, DECAYS, SEEDS = (0.004, 0.028, 0.2, 1.4), (0.0, 0.01, 0.1), range(5)
CELLS = [*product(WEIGHTS, RATES, DECAYS, SEEDS)]


# --- the sweeps ---------------------------------------------------------------------------------


def early_stopping(root):
    """Runs of 3 to 12 of 20 epochs, each whole, that peak at most two epochs before their end."""
    rng = np.random.default_rng(1)
    for number, cell in enumerate(CELLS):
        count = int(rng.integers(3, 13))
        peak = count - 1 - int(rng.integers(0, 3))
        log = logger(root, number, cell)
        for epoch in range(count):
            log.start_epoch(epoch)
            good = 80 + 10 * rng.random() - 3 * abs(epoch - peak)
            log_all(log, rng, good, 1 / good)
        log.close()


def crashed(root):
    """A third of the runs end before their time, in every way that a cluster knows."""
    rng = np.random.default_rng(6)  # see `test_the_crashed_sweep_is_a_trap`
    for number, cell in enumerate(CELLS):
        fate = rng.choice("done done done done raised killed cut nothing absent bad".split())
        if fate == "absent":
            continue
        count = 8 if fate in ("done", "bad") else int(rng.integers(1, 8)) * (fate != "nothing")
        try:
            with logger(root, number, cell) as log:
                for epoch in range(count):
                    log.start_epoch(epoch)
                    wrong = rng.choice([math.nan, math.inf, -math.inf, 1.0])
                    loss = wrong if fate == "bad" and epoch > 3 else rng.random()
                    acc = math.nan if fate == "bad" and rng.random() < 0.1 else 100 * rng.random()
                    log_all(log, rng, acc, loss)
                if fate not in ("done", "bad"):
                    raise RuntimeError("CUDA out of memory")
        except RuntimeError:
            lines = log.path.read_bytes().splitlines(keepends=True)
            if fate in ("killed", "cut"):  # no word of the logger on its end
                kept = b"".join(lines[: 1 + 4 * count - int(rng.integers(0, 3))])
                log.path.write_bytes(kept[:-9] if fate == "cut" else kept)


def logger(root, number, cell):
    weights, lr, decay, seed = cell
    config = {
        "model": {"weights": weights},
        "optim": {"lr": lr, "weight_decay": decay},
        "seed": seed,
        "epochs": 20 if "early" in str(root) else 8,
        "patience": 2 if "early" in str(root) else 0,
    }
    return rc.RunLogger(root / f"{number:03d}", config)


def log_all(log, rng, acc, loss):
    for split in ("train", "val", "eval"):
        log.log(split, {"loss": loss, "acc1": acc + rng.random()})


@pytest.fixture(scope="module", params=["real", "early", "crashed"])
def sweep(request, tmp_path_factory):
    """A directory that has ``examples/logs``, as the pages call it."""
    folder = tmp_path_factory.mktemp(request.param)
    logs = folder / "examples" / "logs"
    if request.param == "real":
        shutil.copytree(ROOT / "examples" / "logs", logs)
    else:
        {"early": early_stopping, "crashed": crashed}[request.param](logs)
    return folder


# --- the truth, of json alone -------------------------------------------------------------------


class Truth:
    """What the logs say: for each cell (init, lr, weight decay, seed) its curves and its end."""

    def __init__(self, folder):
        self.curves, self.whole = {}, {}
        for file in sorted((folder / "examples" / "logs").rglob("json_out.jsonl")):
            cell, curves, whole = read(file)
            if whole or cell not in self.curves:
                self.curves[cell], self.whole[cell] = curves, whole

    def complete(self, init, lr, decay):
        """Curves of the complete runs of a configuration, by seed."""
        cells = [(init, lr, decay, seed) for seed in SEEDS]
        return {c[3]: self.curves[c] for c in cells if self.whole.get(c)}

    def ends(self, init, lr, decay, split):
        """Last accuracies of the complete runs that are numbers."""
        values = [last(run[split, "acc1"]) for run in self.complete(init, lr, decay).values()]
        return [value for value in values if not math.isnan(value)]

    def at_best(self, init, lr, decay, split):
        """Seed to epoch and accuracy where the validation accuracy is best."""
        found = {}
        for seed, run in self.complete(init, lr, decay).items():
            epoch = best_epoch(run["val", "acc1"])
            found[seed] = epoch, run[split, "acc1"][epoch]
        return found

    def diverged(self, init, lr, decay):
        """Number of runs with a train loss that is no finite number."""
        losses = [
            self.curves.get((init, lr, decay, s), {}).get(("train", "loss"), {}) for s in SEEDS
        ]
        return sum(any(not math.isfinite(v) for v in loss.values()) for loss in losses)


def read(file):
    config, curves, epoch, whole = {}, {}, None, False
    for line in file.read_text(errors="replace").split("\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        text = record["value"] if record.get("type") == "str" else ""
        if record.get("type") == "dict_config":
            config = record["value"]
        elif text.startswith(">> Start Epoch: "):
            epoch = int(text.rpartition(" ")[2])
        elif text.startswith("Training time"):
            whole = True
        for metric, value in record.get("agg_stats", {}).items():
            curves.setdefault((record["data_name"], metric), {})[epoch] = value
    optim = config["optim"]
    cell = WEIGHTS[config["model"]["weights"]], optim["lr"], optim["weight_decay"], config["seed"]
    return cell, curves, whole


def last(curve):
    return curve[max(curve)]


def best_epoch(curve):
    finite = {epoch: value for epoch, value in curve.items() if math.isfinite(value)}
    return max(finite, key=lambda epoch: (finite[epoch], -epoch))


def mean(values):
    return statistics.fmean(values) if values else math.nan


@pytest.fixture(scope="module")
def truth(sweep):
    return Truth(sweep)


CONFIGURATIONS = [*product(WEIGHTS.values(), RATES, DECAYS)]


def best_configuration(numbers):
    """The configuration with the best mean, of those with four numbers or more."""
    enough = {c: mean(values) for c, values in numbers.items() if len(values) >= 4}
    return max(enough, key=enough.get)


def rounded(value):
    return pytest.approx(value, abs=0.0051, nan_ok=True)


def assert_table(frame, init, wanted):
    """A table of lr and weight decay."""
    assert frame.shape == (4, 3)
    for lr, decay in product(RATES, DECAYS):
        assert frame.loc[lr, decay] == rounded(wanted(init, lr, decay)), (lr, decay)


# --- running a page -----------------------------------------------------------------------------


class Shown(dict):
    """What a page shows: the text of a statement to its value. Found by a part of the text."""

    def __call__(self, part):
        (found,) = [value for text, value in self.items() if part in text]
        return found


def run(sources, folder, monkeypatch):
    """Run statements in a directory as at a prompt; return what they show."""
    monkeypatch.chdir(folder)
    shown, names = Shown(), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for source in sources:
            for node in ast.parse(source).body:
                values = []
                monkeypatch.setattr(sys, "displayhook", values.append)
                exec(compile(ast.Interactive([node]), "<page>", "single"), names)
                shown |= {ast.unparse(node): v for v in values if v is not None}
    return shown


def examples(page):
    return [e.source for e in doctest.DocTestParser().get_examples((ROOT / page).read_text())]


def test_the_crashed_sweep_is_a_trap(tmp_path):
    crashed(tmp_path / "examples" / "logs")
    truth = Truth(tmp_path)
    ends = {c: truth.ends(*c, "val") for c in CONFIGURATIONS}
    best = best_configuration(ends)
    # Without a mask, a crashed run counts; without the count, a few survivors win.
    cells = [(*best, seed) for seed in SEEDS]
    assert [
        c for c in cells if not truth.whole.get(c, True) and ("eval", "acc1") in truth.curves[c]
    ]
    assert max(ends, key=lambda c: np.nan_to_num(mean(ends[c]))) != best


@pytest.mark.parametrize("page", ["README.md", "docs/first-steps.md"])
def test_ends_and_what_is_missing(sweep, truth, monkeypatch, page):
    shown = run(examples(page), sweep, monkeypatch)
    assert_table(
        shown("end.mean('seed').sel(init='pretrained')"),
        "pretrained",
        lambda *at: mean(truth.ends(*at, "val")),
    )
    counts = shown("end.count('seed').sel(init='pretrained')")
    assert_table(counts, "pretrained", lambda *at: len(truth.ends(*at, "val")))
    rows = shown("ds.sweep.missing()")[["init", "lr", "weight_decay", "seed"]]
    begun = {cell[:3] for cell in truth.curves}
    cells = [(*c, seed) for c in CONFIGURATIONS if c in begun for seed in SEEDS]
    wanted = {cell for cell in cells if not truth.whole.get(cell)}
    assert {tuple(row) for row in rows.to_numpy().tolist()} == wanted


def test_first_steps(sweep, truth, monkeypatch):
    shown = run(examples("docs/first-steps.md"), sweep, monkeypatch)
    ends = {c: truth.ends(*c, "val") for c in CONFIGURATIONS}
    best = best_configuration(ends)
    assert shown("test.init.item()") == best
    test = truth.ends(*best, "eval")
    wanted = (rounded(mean(test)), rounded(statistics.stdev(test)), len(test))
    assert shown("round(test.mean('seed').item(), 2), round(test.std") == wanted
    stopped = {c: [v for _, v in truth.at_best(*c, "val").values()] for c in CONFIGURATIONS}
    at_best = truth.at_best(*best_configuration(stopped), "eval")
    accuracy, epochs = shown("round(test.isel(best).mean")
    assert accuracy == rounded(mean([value for _, value in at_best.values()]))
    for seed, (epoch, _) in at_best.items():
        assert epochs[seed] == epoch
    assert_table(shown("diverged.sum('seed')"), "random", truth.diverged)


def test_data_model(sweep, truth, monkeypatch):
    shown = run(examples("docs/data-model.md"), sweep, monkeypatch)
    ends = [truth.curves.get(("random", 0.004, 0.1, s), {}).get(("val", "acc1")) for s in SEEDS]
    wanted = [max(curve) if curve else math.nan for curve in ends]
    np.testing.assert_array_equal(shown("last_epoch"), wanted)
    complete = [len(truth.ends("random", 0.004, decay, "val")) for decay in DECAYS]
    assert shown("complete.count('seed')") == complete


def test_lazy_and_archived(sweep, truth, monkeypatch):
    shown = run(examples("docs/lazy.md"), sweep, monkeypatch)
    one = truth.curves.get(("pretrained", 0.2, 0.0, 0), {}).get(("val", "acc1"), {})
    assert shown("rc.final(one)") == rounded(last(one) if one else math.nan)
    frame = shown("end.mean('seed').compute()")
    for lr, decay in product(RATES, DECAYS):
        wanted = mean(truth.ends("random", lr, decay, "val"))
        assert frame.loc[lr, decay] == pytest.approx(wanted, abs=0.051, nan_ok=True)
    shown = run(examples("docs/archive.md"), sweep, monkeypatch)
    means = shown("end.mean('seed').to_series()")
    for decay in DECAYS:
        assert means[decay] == rounded(mean(truth.ends("pretrained", 0.2, decay, "val")))


def test_on_a_cluster(sweep, truth, monkeypatch):
    shown = run(examples("docs/cluster.md"), sweep, monkeypatch)
    highest = max(np.nan_to_num(mean(truth.ends(*c, "val"))) for c in CONFIGURATIONS)
    assert shown("mean('seed').max()") == pytest.approx(highest, abs=0.051)


def test_the_notebook(sweep, truth, monkeypatch):
    cells = json.loads((ROOT / "examples" / "tour.ipynb").read_text())["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    sources = [s.replace("%matplotlib inline\n", "") for s in sources if "plt.show" not in s]
    sources = [s for s in sources if "overfit" not in s and "other" not in s]
    shown = run(sources, sweep / "examples", monkeypatch)
    assert_table(
        shown("end.mean('seed').sel(init='pretrained')"),
        "pretrained",
        lambda *at: mean(truth.ends(*at, "val")),
    )
    test = truth.ends(
        *best_configuration({c: truth.ends(*c, "val") for c in CONFIGURATIONS}), "eval"
    )
    assert shown("test.std('seed', ddof=1)") == pytest.approx(
        (mean(test), statistics.stdev(test), len(test))
    )
    assert_table(shown("rc.diverged("), "random", truth.diverged)
    rows = shown("rows.reset_coords")
    for row in rows.itertuples():
        curve = truth.curves.get((row.init, row.lr, row.weight_decay, row.seed), {})
        wanted = curve.get(("val", "acc1"), {})
        assert row.final == pytest.approx(last(wanted) if wanted else math.nan, nan_ok=True)
        np.testing.assert_equal(row.last_epoch, max(wanted, default=math.nan))


def test_the_demo(sweep, truth, monkeypatch):
    found = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    demo = importlib.util.module_from_spec(found)
    found.loader.exec_module(demo)
    ds = load(sweep, **demo.NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # standard errors of no values
        table = demo.results(ds)
    for at, row in table.iterrows():
        for name, split in (("val", "val"), ("test", "eval")):
            ends = truth.ends(*at, split)
            assert row[name] == pytest.approx(mean(ends), nan_ok=True)
            half = math.nan
            if len(ends) > 1:
                half = scipy.stats.t.ppf(0.975, len(ends) - 1) * scipy.stats.sem(ends)
            assert row[f"{name} ±"] == pytest.approx(half, nan_ok=True, abs=1e-12)
        runs = truth.complete(*at)
        bad = [
            any(not math.isfinite(v) for (_, m), c in r.items() if m == "loss" for v in c.values())
            for r in runs.values()
        ]
        assert (row["complete"], row["diverged"]) == (len(runs), sum(bad))
    assert tuple(table.dropna().index[0]) == max(
        (c for c in CONFIGURATIONS if len(truth.ends(*c, "val")) > 1),
        key=lambda c: mean(truth.ends(*c, "val")),
    )


# --- the idioms that stand in no example --------------------------------------------------------


def load(folder, **names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(folder / "examples" / "logs", **names)


@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_one_number_of_each_run(sweep, truth, layout):
    ds = load(sweep, relabel={"model.weights": WEIGHTS}, layout=layout)
    val = ds.sel(metric="acc1", split="val")
    tail = rc.final(val, how="mean", last=5)
    best = rc.final(val, how="best", mode="max")
    at_best = rc.at_best(ds, metric="loss", split="train", mode="min").sel(metric="acc1")
    arrays = [tail, tail.n_values, best, best.best_epoch, at_best.sel(split="eval")]
    if layout == "configs":
        arrays = [a.set_xindex(["weights", "lr", "weight_decay"]) for a in map(by_row, arrays)]
    for cell in product(WEIGHTS.values(), RATES, DECAYS, SEEDS):
        run = truth.curves.get(cell, {})
        curve, loss = run.get(("val", "acc1"), {}), run.get(("train", "loss"), {})
        values = [curve[e] for e in sorted(curve)][-5:]
        finite = {e: v for e, v in curve.items() if math.isfinite(v)}
        low = {e: v for e, v in loss.items() if math.isfinite(v)}
        at = min(low, key=lambda e: (low[e], e)) if low else None
        wanted = [
            mean(values),
            len(values),
            max(finite.values(), default=math.nan),
            best_epoch(curve) if finite else math.nan,
            run.get(("eval", "acc1"), {}).get(at, math.nan),
        ]
        names = dict(zip(("weights", "lr", "weight_decay", "seed"), cell, strict=True))
        if layout == "configs" and cell[:3] not in {c[:3] for c in truth.curves}:
            continue
        got = [np.asarray(array.sel(names)).item() for array in arrays]
        assert got == pytest.approx(wanted, nan_ok=True), cell


def by_row(array):
    """The array with nothing but hyperparameters along ``config``."""
    kept = ["weights", "lr", "weight_decay", "seed"]
    return array.reset_coords(drop=True).assign_coords({n: array[n] for n in kept})


def test_a_mask_of_the_array_keeps_to_its_labels(sweep, truth):
    ds = load(sweep, relabel={"model.weights": WEIGHTS})
    acc = ds.curve.sel(metric="acc1", split="val", weights="pretrained", lr=0.2)
    acc = acc.where(acc.status == "complete")
    assert acc.dims == ("weight_decay", "seed", "epoch")
    for decay in DECAYS:
        runs = truth.complete("pretrained", 0.2, decay)
        numbers = [v for r in runs.values() for v in r["val", "acc1"].values() if v == v]
        assert int(acc.sel(weight_decay=decay).count()) == len(numbers)
        got = float(acc.sel(weight_decay=decay).mean())
        assert got == pytest.approx(mean(numbers), nan_ok=True)


def test_a_mean_over_other_hyperparameters(sweep, truth):
    ds = load(sweep, relabel={"model.weights": WEIGHTS})
    end = rc.final(ds.sel(metric="acc1", split="val", weights="random"))
    end = end.where(end.status == "complete")
    for lr in RATES:
        numbers = [v for decay in DECAYS for v in truth.ends("random", lr, decay, "val")]
        got = end.mean(["weight_decay", "seed"]).sel(lr=lr)
        assert float(got) == pytest.approx(mean(numbers), nan_ok=True)
    near = end.mean("seed").sel(lr=0.03, method="nearest")
    assert float(near.lr) == 0.028


# --- every page ---------------------------------------------------------------------------------

MASK = re.compile(r"([\w.]+)\.where\(\s*([\w.]+)\.status\b")


def texts():
    yield from (ROOT / page for page in ["README.md", "CHANGELOG.md"])
    for pattern in ("docs/*.md", "examples/*.*", "src/**/*.py", "benchmarks/*.*"):
        yield from ROOT.glob(pattern)


def test_a_mask_goes_with_its_array_on_every_page():
    seen = 0
    for path in texts():
        if path.suffix in (".md", ".py", ".ipynb"):
            for array, of in MASK.findall(path.read_text(encoding="utf-8")):
                assert array == of, f"{path.name}: {array}.where({of}.status …)"
                seen += 1
    assert seen > 10


def test_no_example_takes_the_last_x_of_the_longest_run_for_the_end():
    for page in PAGES:
        assert not [source for source in examples(page) if "epoch=-1" in source]
    for path in [*ROOT.glob("examples/*.*"), *ROOT.glob("src/**/*.py")]:
        if path.suffix in (".py", ".ipynb", ".md"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(>>>|\.\.\.|^\s*\").*isel\(epoch=-1", text), path.name


def test_dir_shows_what_is_public():
    assert set(rc.__all__) < set(dir(rc))
    assert {name for name in dir(rc) if name not in rc.__all__} == {"__version__", "readers"}
    assert all(hasattr(rc, name) for name in dir(rc))


@pytest.mark.parametrize("name", [n for n in vars(type(xr.Dataset().sweep)) if n[0] != "_"])
def test_every_method_of_the_accessor_is_documented_with_an_example(name):
    assert f"``{name}``" in type(xr.Dataset().sweep).__doc__
    text = vars(type(xr.Dataset().sweep))[name].__doc__
    for section in ("Returns\n", "Raises\n", "Examples\n"):
        assert section in text
    assert f".sweep.{name}" in text or f"rc.{name}(" in text  # a function of that name
    assert f"`{name}" in (ROOT / "docs" / "first-steps.md").read_text()
