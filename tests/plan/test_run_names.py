"""Rules 3 and 4 by evidence: a run's name is no hyperparameter, and an excluded key may be one."""

import itertools
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runcube.core.model import LogFile, RunHeader, Source
from runcube.plan import PlanPolicy, plan
from runcube.plan.exclude import is_fact
from runcube.plan.values import make_column, token


def sweep(configs, **policy):
    runs = [
        RunHeader(Source("/", path, (LogFile(path, 1, 1),)), "", config)
        for path, config in ((f"run_{i}/log.jsonl", c) for i, c in enumerate(configs))
    ]
    return plan(runs, PlanPolicy(**policy))


def grid(**values):
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def labels(planned):
    return {name: values.tolist() for name, values in planned.dims.items()}


VALUES = {
    "lr": [0.1, 0.2, 0.4],
    "batch_size": [32, 64],
    "opt": ["adam", "sgd"],
    "layers": [2, 4, 8],
}


@st.composite
def designs(draw):
    """Return a grid of one to three keys with its seeds, in a drawn order of the runs."""
    keys = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3, unique=True))
    configs = grid(**{k: VALUES[k][: draw(st.integers(2, 3))] for k in keys})
    n_seeds = draw(st.integers(1, 4))
    kind = draw(st.sampled_from(["labels", "drawn", "none"]))
    rng = random.Random(draw(st.integers(0, 99)))
    if kind == "none":
        runs = configs
    elif kind == "labels":
        runs = [c | {"seed": s} for c in configs for s in range(n_seeds)]
    else:
        seeds = iter(rng.sample(range(1000, 9999), len(configs) * n_seeds))
        runs = [c | {"seed": next(seeds)} for c in configs for _ in range(n_seeds)]
    rng.shuffle(runs)
    return runs


SHORT = {"lr": "lr", "batch_size": "bs", "opt": "opt", "layers": "l", "seed": "s"}


def composed(config, spell):
    return "_".join(f"{SHORT[key]}{spell(value)}" for key, value in config.items())


@settings(deadline=None)
@given(
    designs(),
    st.sampled_from(["name", "run", "label", "experiment", "cfg.title"]),
    st.sampled_from([str, lambda v: f"{v:.0e}" if isinstance(v, float) else f"-{v}"]),
    st.booleans(),
)
def test_a_name_composed_of_the_other_keys_takes_no_place_of_theirs(runs, key, spell, first):
    names = [{key: composed(run, spell)} for run in runs]
    with_names = [n | r if first else r | n for n, r in zip(names, runs, strict=True)]
    assert labels(sweep(with_names)) == labels(sweep(runs))


@settings(deadline=None)
@given(designs(), st.sampled_from(["name", "label", "wandb_title"]), st.integers(0, 99))
def test_a_text_of_each_run_takes_no_place_of_a_grid(runs, key, number):
    plain = sweep(runs)
    swept = [k for k in runs[0] if k != "seed"]
    assume(plain.axes and (key == "name" or len(swept) > 1 or len(runs) > plain.n_configs))
    words = random.Random(number).sample([a + b for a in "bcdfgklmnp" for b in "aeioruwxyz"], 99)
    named = sweep([r | {key: f"{words[i]}-{words[-1 - i]}"} for i, r in enumerate(runs)])
    assert labels(named) == labels(plain)
    assert named.notes == plain.notes
    if key not in named.excluded:
        assert "seed" not in named.coupled[key if key != "name" else "name_"]


def test_a_name_that_only_the_seed_tells_apart_is_named():
    """It may be what was swept: a mean over the seeds averages over it."""
    planned = sweep([{"model": model, "seed": i} for i, model in enumerate("abc")])
    assert labels(planned) == {"seed": [0, 1, 2]}
    assert any('"model"' in note and "averages over it" in note for note in planned.notes)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ({"dataset": ["cifar10", "cifar100"]}, {"num_classes": [10, 100]}),
        ({"model": ["resnet18", "resnet34"]}, {"depth": [18, 34]}),
        ({"opt": ["adam", "sgd", "lion"]}, {"lr": [0.001, 0.1, 0.0001]}),
    ],
)
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_text_that_says_what_one_number_says_is_the_dim(text, numbers, seeds):
    ((key, values),), ((number, sizes),) = text.items(), numbers.items()
    pairs = zip(values, sizes, strict=True)
    planned = sweep([{number: n, key: v, "seed": s} for v, n in pairs for s in range(seeds)])
    assert list(planned.dims) == [key, "seed"]
    assert planned.coupled == {number: (key,)}


# --- keys excluded by name


MATTER = {
    "lora.rank": [4, 8, 16],
    "dataset_path": ["/d/cifar", "/d/svhn"],
    "data.data_dir": ["/a", "/b", "/c"],
    "tag": ["old", "new"],
    "exp_name": ["base", "wide"],
    "paths.data": ["/a", "/b"],
}


@settings(deadline=None)
@given(
    designs(),
    st.sampled_from(sorted(MATTER)),
    st.sampled_from(["crossed", "own seeds"]),
    st.integers(0, 9),
)
def test_an_excluded_key_that_matters_is_a_dim(runs, key, design, number):
    values = MATTER[key]
    runs = [
        run
        | {key: value}
        | ({"seed": 20_000 * k + run.get("seed", 0)} if design != "crossed" else {})
        for run in runs
        for k, value in enumerate(values)
    ]
    random.Random(number).shuffle(runs)
    assume(len({str(sorted(run.items())) for run in runs}) == len(runs))
    assume(len(runs) >= 2 * len(values))
    planned = sweep(runs)
    if len({run["seed"] for run in runs if "seed" in run}) == len(values) and design != "crossed":
        assert any(planned.names[key] in note for note in planned.notes)  # a twin of the seed
        return
    assert key in [axis.key for axis in planned.axes]
    assert any(f'exclude="{planned.names[key]}"' in note for note in planned.notes)


def test_what_another_key_decides_stays_excluded():
    pairs = [("cifar", "/d/cifar"), ("svhn", "/d/svhn")]
    planned = sweep([{"task": d, "data_path": p, "seed": s} for d, p in pairs for s in (0, 1)])
    assert (list(planned.dims), planned.notes) == (["task", "seed"], ())
    assert planned.excluded == {"data_path": "by name"}


def test_the_paths_of_machines_are_no_dim():
    runs = grid(lr=[1, 2], seed=[0, 1, 2, 3])
    runs = [r | {"host": f"h{r['seed'] // 2}", "data_dir": f"/m{r['seed'] // 2}"} for r in runs]
    planned = sweep(runs)
    assert list(planned.dims) == ["lr", "seed"]
    assert len(planned.notes) == 2
    assert 'dims=["lr", "data_dir"]' in planned.notes[0]
    assert planned.notes[1] == "host differs between the seeds of a configuration"


def test_reruns_are_no_dim():
    runs = grid(lr=[1, 2, 3, 4], wd=[0, 1], seed=[*range(8)])
    runs = [r | {"exp_name": "first"} for r in runs]
    again = [r | {"exp_name": "again"} for r in runs[:2]]
    planned = sweep([*runs, *again])
    assert (list(planned.dims), planned.notes) == (["lr", "wd", "seed"], ())


def test_a_few_other_runs_are_no_dim_but_named():
    runs = [r | {"exp_name": "first"} for r in grid(lr=[1, 2, 3], wd=[0, 1], seed=[0, 1, 2, 3])]
    for run in runs[:2]:
        run["exp_name"] = "again"
    planned = sweep(runs)
    assert list(planned.dims) == ["lr", "wd", "seed"]
    assert any('"exp_name"' in note for note in planned.notes)


def test_what_was_excluded_by_argument_is_not_named():
    planned = sweep(grid(lr=[1, 2], rank=[4, 8], seed=[0, 1]), exclude=["rank"], layout="grid")
    assert list(planned.dims) == ["lr", "seed"]
    assert not any("averages" in note for note in planned.notes)


KEYS = ["lr", "wd", "rank", "tag", "data_dir", "exp_name", "host", "job_id", "note", "opt"]


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_what_varies_within_a_cell_is_named(data):
    keys = data.draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True))
    n_runs = data.draw(st.integers(4, 16))
    kind = data.draw(st.sampled_from([0, 2, 3, 5, 99]))
    runs = []
    for i in range(n_runs):
        run = {key: data.draw(st.sampled_from(["a", "b", "c"][: 2 + len(key) % 2])) for key in keys}
        runs.append(run | {"seed": i % kind if kind else 0})
    planned = sweep(runs)
    rows = planned.rows.tolist()
    shared = [run for cell in planned.shared_cells for run in cell.runs]
    assume(not shared or planned.separate)
    said = " ".join(planned.notes)
    for key in keys:
        values = {}
        for row, run in zip(rows, runs, strict=True):
            values.setdefault(row, set()).add(token(run[key]))
        column = make_column(key, [run[key] for run in runs])
        if any(len(v) > 1 for v in values.values()) and column.n_labels < 0.9 * n_runs:
            assert planned.names[key] in said, (key, runs)
        assert not (is_fact(key) and key in [axis.key for axis in planned.axes])


def test_what_is_measured_in_each_run_is_not_named():
    runs = grid(lr=[1, 2, 3], seed=[0, 1, 2, 3])
    planned = sweep([r | {"peak_memory": 8000.5 + i} for i, r in enumerate(runs)])
    assert (labels(planned), planned.notes) == ({"lr": [1, 2, 3], "seed": [0, 1, 2, 3]}, ())
    assert planned.with_seed == ("peak_memory",)
