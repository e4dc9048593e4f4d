import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcube.core.errors import NoRunsError, PlanError, UnknownNameError
from runcube.core.model import LogFile, Problem, RunHeader, Source
from runcube.plan import PlanPolicy, drop_copies, plan
from runcube.plan.exclude import is_excluded_name
from runcube.plan.labels import value_text
from runcube.plan.values import ABSENT, flatten, token


def header(config, path="run/log.jsonl", *, key="", **kwargs):
    return RunHeader(Source("/", path, (LogFile(path, 1, 1),)), key, config, **kwargs)


def headers(configs):
    return [header(config, f"run_{i}/log.jsonl") for i, config in enumerate(configs)]


def grid(**values):
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def sweep(configs, **policy):
    return plan(headers(configs), PlanPolicy(**policy))


def dims(s):
    return {name: labels.tolist() for name, labels in s.dims.items()}


# --- the designs


def test_a_full_grid():
    s = sweep(grid(lr=[0.1, 0.01], depth=[1, 2, 3], seed=[0, 1]))
    assert dims(s) == {"lr": [0.01, 0.1], "depth": [1, 2, 3], "seed": [0, 1]}
    assert (s.layout, s.fill, s.notes, s.coords) == ("grid", 1.0, (), ())
    assert s.rows.tolist() == [3, 3, 4, 4, 5, 5, 0, 0, 1, 1, 2, 2]


def test_a_random_search_is_laid_out_as_configs():
    rng = random.Random(0)
    points = [{"lr": rng.random(), "wd": rng.random()} for _ in range(30)]
    s = sweep([p | {"seed": k} for p in points for k in range(3)])
    assert s.layout == "configs"
    assert not s.separate
    assert s.n_configs == 30
    assert any('layout="grid"' in note for note in s.notes)


def test_a_random_search_without_seeds_is_laid_out_as_configs():
    rng = random.Random(0)
    s = sweep([{"lr": rng.random(), "wd": rng.random()} for _ in range(30)])
    assert (s.layout, s.n_configs) == ("configs", 30)


def test_models_with_several_sizes_of_their_own_are_a_grid():
    sizes = [{"arch": f"net{i}", "params": i * i, "flops": 7 * i} for i in range(24)]
    s = sweep([c | {"seed": k} for c in sizes for k in range(5)])
    assert (list(s.dims), s.layout) == (["arch", "seed"], "grid")
    assert s.coupled == {"params": ("arch",), "flops": ("arch",)}


@pytest.mark.parametrize("length", ["steps", "trainer.max_epochs", "num_train_epochs"])
@pytest.mark.parametrize("first", [True, False])
def test_a_length_is_the_coordinate_of_what_it_follows(length, first):
    """Text goes before numbers, and long keys before short ones, but a length says least."""
    scales = {"init": {"small": 12_000, "large": 20_000}, "a_much_longer_scale": {1: 5, 3: 6}}
    for key, follows in scales.items():
        pairs = [((key, k), (length, n)) for k, n in follows.items()]
        configs = [dict(pair if first else pair[::-1]) for pair in pairs]
        s = sweep([c | {"seed": k} for c in configs for k in (0, 1)])
        assert list(s.dims) == [key, "seed"]
        assert s.coupled == {length.rpartition(".")[2]: (key,)}


def test_a_length_that_was_swept_is_a_dim():
    assert dims(sweep(grid(lr=[1, 2], epochs=[10, 20])))["epochs"] == [10, 20]


def test_optimizer_survives_momentum():
    sgd = [{"optimizer": "sgd", "momentum": m} for m in (0.5, 0.9)]
    s = sweep([c | {"lr": lr} for c in [*sgd, {"optimizer": "adam"}] for lr in (1, 2)])
    assert list(s.dims) == ["optimizer", "momentum", "lr", "seed"]


def test_a_conditional_key_that_takes_one_value_is_a_coordinate():
    configs = [{"optimizer": "sgd", "momentum": 0.9}, {"optimizer": "adam"}]
    s = sweep([c | {"lr": lr} for c in configs for lr in (1, 2)])
    assert list(s.dims) == ["optimizer", "lr", "seed"]
    assert s.coupled == {"momentum": ("optimizer",)}


def test_an_l_shape_keeps_both_dims():
    configs = [{"lr": lr, "wd": 0} for lr in (1, 2, 3)] + [{"lr": 1, "wd": wd} for wd in (1, 2)]
    s = sweep([c | {"seed": k} for c in configs for k in (0, 1)])
    assert list(s.dims) == ["lr", "wd", "seed"]
    assert s.fill == 10 / 18


def test_seed_blocks_are_replicates():
    configs = grid(lr=[1, 2, 3, 4, 5, 6], wd=[0, 1])
    s = sweep([c | {"seed": 100 + 3 * i + k} for i, c in enumerate(configs) for k in range(3)])
    assert s.seed_axis.kind == "drawn"
    assert dims(s)["seed"] == [0, 1, 2]
    assert s.seed_axis.value.tolist() == list(range(100, 136))
    assert s.layout == "grid"


def test_replicates_of_one_drawn_seed_share_the_cell():
    configs = [{"lr": i, "seed": 50 + i} for i in range(12)]
    s = sweep([configs[0], *configs])
    assert s.seed_axis.kind == "drawn"
    assert (s.cells[0] == s.cells[1]).all()


def test_one_factor_at_a_time():
    base = {"lr": 1, "wd": 0, "depth": 2}
    variants = [{}, {"lr": 2}, {"lr": 3}, {"wd": 1}, {"depth": 4}]
    s = sweep([base | v | {"seed": k} for v in variants for k in range(3)])
    assert set(s.dims) == {"lr", "wd", "depth", "seed"}


def test_overlapping_grids():
    configs = grid(lr=[1, 2], wd=[0, 1], seed=[0, 1]) + grid(lr=[2, 4], wd=[1, 3], seed=[0, 1])
    s = sweep([dict(t) for t in dict.fromkeys(tuple(c.items()) for c in configs)])
    assert dims(s) == {"lr": [1, 2, 4], "wd": [0, 1, 3], "seed": [0, 1]}


def test_a_fold_that_the_seed_decides_stays_a_dim():
    s = sweep([{"lr": lr, "fold": k // 2, "seed": k} for lr in (1, 2) for k in range(4)])
    assert list(s.dims) == ["lr", "fold", "seed"]


def test_a_twin_of_the_seed_is_a_coordinate():
    s = sweep([{"lr": lr, "split_id": 10 + k, "seed": k} for lr in (1, 2) for k in range(4)])
    assert s.coupled == {"split_id": ("seed",)}


def test_a_key_that_varies_with_the_seed_is_named():
    data = {(c, k): 10 * c + k * k % 3 for c in range(3) for k in range(3)}
    s = sweep([{"c": c, "noise": data[c, k], "seed": k} for c, k in data], seed="seed")
    assert s.with_seed == ("noise",)
    assert any('noise varies with the seed: mean("seed")' in note for note in s.notes)


def test_what_runs_without_a_seed_lack_is_counted_and_not_proposed_as_dims():
    """Runs that failed before they had a configuration lack all of it, the seed included."""
    whole = [
        {"lr": lr, "seed": seed, **{f"option_{i}": i for i in range(20)}}
        for lr in (0.1, 0.2)
        for seed in (1, 2)
    ]
    (note,) = [n for n in sweep([*whole, {"lr": 0.1}, {"lr": 0.2}]).notes if "option_0" in n]
    assert note.startswith("2 runs log no seed, nor option_0, option_1,")
    assert "dims=" not in note

    data = {(c, k): 10 * c + k * k % 3 for c in range(3) for k in range(3)}
    runs = [{"c": c, "noise": data[c, k], "seed": k, "late": 1} for c, k in data]
    notes = sweep([*runs, {"c": 0}, {"c": 1}], seed="seed").notes
    assert any('noise varies with the seed: mean("seed")' in note for note in notes)
    assert "2 runs log no seed, nor late" in notes


def test_fewest_labels_not_fewest_cells():
    # A continuous lr tells all apart alone: one dim of 12 labels, against 3 + 4.
    configs = [{"lr": 0.1 + i / 7, "model": i % 3, "depth": i // 3} for i in range(12)]
    s = sweep([c | {"seed": k} for c in configs for k in range(2)])
    assert list(s.dims) == ["model", "depth", "seed"]
    assert s.coupled == {"lr": ("model", "depth")}


def test_the_local_search_brings_back_a_dropped_key():
    # c (3 labels) goes first, as a and b (2 each) determine it; c alone determines both.
    rows = [(0, 2, 3), (0, 1, 0), (0, 1, 0), (1, 1, 2)]
    s = sweep([dict(zip("abc", row, strict=True)) for row in rows], seed="replicate")
    assert list(s.dims) == ["c", "seed"]


# --- rule 1 to 4


def test_a_null_section_is_null_below():
    configs = [{"sched": None}, {"sched": {"gamma": 0.5}}, {"sched": {"gamma": 0.9}}]
    s = sweep([c | {"lr": lr} for c in configs for lr in (1, 2)])
    assert dims(s)["gamma"] == ["None", "0.5", "0.9"]


def test_a_copy_is_one_run():
    runs = headers([{"lr": 1}, {"lr": 1}, {"lr": 1}, {"lr": 2}])
    kept, problems = drop_copies(runs, ["x", "x", None, "x"], [{}] * 4)
    assert kept == [0, 2, 3]
    assert [(p.kind, p.path) for p in problems] == [("duplicate_run", "run_1/log.jsonl")]


def test_equal_bytes_under_other_path_keys_are_no_copy():
    runs = headers([{}, {}])
    assert drop_copies(runs, ["x", "x"], [{"seed": 0}, {"seed": 1}])[0] == [0, 1]
    assert drop_copies(runs, ["x", "x"], [{"seed": 0}, {}])[0] == [0]


@pytest.mark.parametrize(
    "key",
    [
        "id", "a.uuid", "run_id", "job-name", "git_sha", "commit_hash", "data.root_dir", "x_path",
        "paths.x", "hydra.job.num", "a.py/object", "write_checkpoint", "Timestamp", "devices",
    ],
)  # fmt: skip
def test_excluded_by_name(key):
    assert is_excluded_name(key)


@pytest.mark.parametrize(
    "key", ["path", "checkpoint", "name", "num_workers", "a.paths.x", "device_type", "run", "idea"]
)
def test_not_excluded_by_name(key):
    assert not is_excluded_name(key)


def test_what_is_excluded_by_name_is_kept_in_the_rest():
    s = sweep([{"lr": i % 2, "seed": i // 2, "run_id": i} for i in range(4)])
    assert s.excluded == {"run_id": "by name"}
    assert [rest["run_id"] for rest in s.rest] == [0, 1, 2, 3]


def test_a_constant_of_an_excluded_name_is_a_constant():
    s = sweep([{"lr": i, "user": "me"} for i in range(3)])
    assert s.constant == {"user": "me"}
    assert s.excluded == {}


def test_a_text_of_every_run_is_excluded():
    configs = grid(lr=[1, 2], wd=[0, 1], seed=[0, 1, 2, 3])
    s = sweep([c | {"label": f"run {i}"} for i, c in enumerate(configs)])
    assert list(s.excluded) == ["label"]
    assert "text" in s.excluded["label"]


def test_a_text_that_alone_tells_runs_apart_stays():
    s = sweep([{"prompt": f"prompt {i}", "lr": 1} for i in range(16)])
    assert list(s.dims) == ["prompt", "seed"]


# --- rule 5


def test_the_exact_name_seed_is_preferred():
    s = sweep(grid(data_seed=[0, 1], seed=[0, 1]))
    assert s.seed_axis.key == "seed"
    assert list(s.dims) == ["data_seed", "seed"]


def test_labels_are_preferred_to_drawn_seeds():
    s = sweep(
        [{"lr": lr, "b": {"seed": k}, "seed": 100 * lr + k} for lr in range(8) for k in range(3)]
    )
    assert s.seed_axis.key == "b.seed"
    assert list(s.excluded) == ["seed"]


def test_a_seed_with_which_hyperparameters_were_drawn_is_not_the_replicate():
    drawn = (3e-4, 7.1e-4, 1.3e-3)
    s = sweep(
        [{"hparams_seed": h, "trial_seed": t, "lr": drawn[h]} for h in range(3) for t in range(3)]
    )
    assert s.seed_axis.key == "trial_seed"


def test_a_seed_that_most_runs_lack_takes_none_from_the_others():
    configs = [{"config": {"lr": lr, "seed": 10 + lr}} for lr in range(3)]
    planned = sweep([{"con_ig": {"lr": 3, "seed": 17}}, *configs])
    assert planned.seed_axis.key == "config.seed"
    assert planned.seed_axis.kind == "drawn"


def test_a_constant_seed_is_the_only_label():
    s = sweep([{"lr": i, "seed": 42} for i in range(3)])
    assert (s.seed_axis.kind, s.seed_axis.labels.tolist()) == ("labels", [42])
    assert s.constant == {}


def test_without_a_seed_key_the_seed_is_zero():
    s = sweep([{"lr": i} for i in range(3)])
    assert (s.seed_axis.kind, s.seed_axis.labels.tolist()) == ("none", [0])
    assert s.seed_axis.labels.dtype == np.int64


def test_seed_none_makes_the_seed_a_hyperparameter():
    s = sweep(grid(lr=[1, 2], seed=[0, 1]), seed=None)
    assert list(s.dims) == ["lr", "seed_", "seed"]


def test_seed_labels_sort_numerically():
    s = sweep(grid(lr=[1, 2], seed=[10, 9, 100]))
    assert dims(s)["seed"] == [9, 10, 100]


def test_the_seed_key_can_be_named():
    s = sweep(grid(lr=[1, 2], fold=[0, 1, 2]), seed="fold")
    assert (s.seed_axis.key, dims(s)["seed"]) == ("fold", [0, 1, 2])


def test_replicates_are_numbered_on_request():
    s = sweep([{"lr": i % 2} for i in range(6)], seed="replicate")
    assert dims(s) == {"lr": [0, 1], "seed": [0, 1, 2]}
    assert s.layout == "grid"
    assert not s.shared_cells


# --- rules 8 and 9


def test_no_varying_key_is_one_configuration():
    s = sweep([{"lr": 1, "seed": k} for k in range(3)])
    assert (s.layout, s.n_configs, s.separate) == ("configs", 1, False)


def test_replicates_are_never_invented():
    s = plan(
        [
            header({"lr": lr}, f"{study}/{load}/trial_{k}/log.jsonl")
            for study in "ab" for load in ("x", "y") for k in (1, 2) for lr in (1, 2)
        ]
    )  # fmt: skip
    assert (s.seed_axis.kind, s.layout, s.separate) == ("none", "configs", True)
    assert sorted(s.rows.tolist()) == list(range(16))
    note = next(note for note in s.notes if "no seed key" in note)
    assert 'path_keys="{level1}/{level2}/trial_{trial}"' in note
    assert 'seed="replicate"' in note


def test_many_runs_in_one_cell_become_rows():
    s = sweep([{"lr": i % 4, "seed": i // 4 % 2} for i in range(16)])
    assert (s.layout, s.separate) == ("configs", True)
    pairs = set(zip(s.rows.tolist(), s.cells[:, -1].tolist(), strict=True))
    assert len(pairs) == 16


def test_a_rerun_leaves_the_grid_and_shares_the_cell():
    configs = grid(lr=[1, 2, 3], wd=[0, 1], seed=[0, 1, 2, 3])
    s = sweep([*configs, configs[0] | {"run_id": 7}])
    assert (s.layout, s.separate, s.notes) == ("grid", False, ())
    assert [(c.runs, c.differ) for c in s.shared_cells] == [((0, 24), ("run_id",))]


def test_a_sparse_grid_is_laid_out_as_configs():
    s = sweep([{"a": i, "b": (3 * i) % 8 // 2, "seed": 0} for i in range(8)], dims=["a", "b"])
    assert s.layout == "grid"
    s = sweep([{"a": i, "b": i, "seed": 0} for i in range(8)], dims=["a", "b"])
    assert s.layout == "configs"
    assert s.fill == 1 / 8


def test_runs_without_metrics_do_not_fill_the_grid():
    runs = [
        header(c, f"r{i}/l", has_metrics=i == 0) for i, c in enumerate(grid(a=[1, 2], b=[1, 2]))
    ]
    assert plan(runs).fill == 1 / 4


@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_the_layout_can_be_asked_for(layout):
    s = sweep(grid(lr=[1, 2], seed=[0, 1]), layout=layout)
    assert s.layout == layout
    assert not s.separate


def test_rows_are_in_c_order_of_the_grid():
    configs = grid(lr=[3, 1], model=["b", "a"], seed=[0, 1])
    random.Random(1).shuffle(configs)
    s = sweep(configs, layout="configs")
    order = [tuple(s.cells[s.rows == row][0, :-1]) for row in range(s.n_configs)]
    assert order == sorted(order)


# --- arguments


def test_a_renamed_key_is_one_key():
    configs = [{"old_init": "null"}, {"init_ckpt": "frac"}, {"old_init": "frac"}]
    s = sweep(configs, rename={"old_init": "init", "init_ckpt": "init"}, seed="replicate")
    assert dims(s) == {"init": ["null", "frac"], "seed": [0, 1]}


def test_a_merge_that_conflicts_names_run_and_values():
    with pytest.raises(PlanError, match=r"run_1/log.jsonl they are 1 and 2"):
        sweep([{"a": 1}, {"a": 1, "b": 2}], rename={"a": "c", "b": "c"})


@pytest.mark.parametrize("new", ["sel", "lambda", "a b", "metric", "lr", "seed_value"])
def test_a_new_name_must_be_free_and_valid(new):
    with pytest.raises(PlanError, match="rename"):
        sweep([{"lr": 1, "x": 1}, {"lr": 2, "x": 3}], rename={"x": new})


def test_names_can_be_swapped():
    s = sweep(grid(a=[1, 2], b=[1, 2, 3]), rename={"a": "b", "b": "a"})
    assert {axis.name: axis.key for axis in s.axes} == {"b": "a", "a": "b"}


def test_relabel_goes_by_type_and_value():
    s = sweep(
        [{"w": w} for w in (None, "DEFAULT", True, 1)],
        relabel={"w": {None: "random", "DEFAULT": "pretrained", 1: "one"}},
    )
    assert dims(s)["w"] == ["random", "pretrained", "True", "one"]


def test_relabel_can_join_values_and_name_absence():
    s = sweep([{"w": 0.0}, {"w": None}, {}, {"w": 1.0}], relabel={"w": {None: 0.0, "absent": 0.0}})
    assert dims(s)["w"] == [0.0, 1.0]


def test_relabel_of_a_value_that_is_not_there_raises():
    with pytest.raises(UnknownNameError, match="pretrained"):
        sweep([{"w": "pretrained"}, {"w": 1}], relabel={"w": {"pretraind": "x"}})


@pytest.mark.parametrize(
    "policy",
    [
        {"dims": ["learning"]}, {"exclude": ["lrr"]}, {"rename": {"lrr": "x"}},
        {"relabel": {"lrr": {}}}, {"seed": "sed"},
    ],
)  # fmt: skip
def test_unknown_names_raise(policy):
    with pytest.raises(UnknownNameError, match="no hyperparameter"):
        sweep(grid(lr=[1, 2], seed=[0, 1]), **policy)


def test_dims_are_taken_in_the_given_order():
    s = sweep(grid(a=[1, 2], b=[1, 2], c=[0], seed=[0, 1]), dims=["b", "c", "a"])
    assert dims(s) == {"b": [1, 2], "c": [0], "a": [1, 2], "seed": [0, 1]}
    assert s.constant == {}


def test_what_the_given_dims_do_not_decide_is_in_the_rest():
    s = sweep(grid(a=[1, 2], b=[1, 2], seed=[0, 1]), dims=["a"], layout="grid")
    assert [rest["b"] for rest in s.rest] == [1, 1, 2, 2, 1, 1, 2, 2]
    assert s.shared_cells[0].differ == ("b",)


def test_an_excluded_key_is_no_coordinate():
    s = sweep([{"a": i, "b": 2 * i} for i in range(4)], exclude=["b"])
    assert s.coords == ()
    assert s.excluded == {"b": "by exclude="}


# --- headers and paths


def test_a_column_that_never_varies_is_configuration():
    runs = [
        header({}, "a", constants={"lr": 0.1, "loss": 1.0}, varying=frozenset({"acc"})),
        header({}, "b", constants={"lr": 0.2}, varying=frozenset({"acc", "loss"})),
    ]
    s = plan(runs)
    assert s.roles.labels == {"lr"}
    assert dims(s) == {"lr": [0.1, 0.2], "seed": [0]}


def test_a_run_without_config_is_skipped_unless_none_has_one():
    bad = header({}, "b", has_config=False)
    s = plan([header({"lr": 1}, "a"), bad], skipped=[Problem("empty", "", "c")])
    assert [(p.kind, p.path) for p in s.skipped] == [("empty", "c"), ("no_config", "b")]
    assert len(plan([bad])) == 1


def test_no_headers_raise():
    with pytest.raises(NoRunsError):
        plan([])


def test_runs_are_in_natural_path_order():
    s = plan([header({"i": i}, f"run_{i}/log") for i in (10, 9, 1)])
    assert [h.source.path for h in s.headers] == ["run_1/log", "run_9/log", "run_10/log"]


def test_a_key_of_the_path_that_the_config_has_is_no_new_key():
    runs = [header({"optim": {"lr": lr}}, f"lr={lr}/log") for lr in (0.1, 0.2)]
    s = plan(runs, path_keys=[{"lr": 0.1}, {"lr": 0.2}])
    assert [axis.key for axis in s.axes] == ["optim.lr"]
    assert s.coords == ()


def test_the_template_wins_over_the_config():
    runs = [header({"model": "x"}, f"{m}/log") for m in "yx"]
    s = plan(runs, path_keys=[{"model": "y"}, {"model": "x"}])
    assert dims(s)["model"] == ["x", "y"]
    assert [(s.headers[i].source.path, p.kind) for i, p in s.problems] == [
        ("y/log", "config_conflict")
    ]


def test_a_quoted_string_is_a_problem_of_its_run():
    s = sweep([{"w": None}, {"w": "None"}])
    assert [(i, p.kind) for i, p in s.problems] == [(1, "label_collision")]


def test_absurd_configurations_are_planned():
    deep = 1
    for _ in range(50):
        deep = {"a": deep}
    configs = [
        {"": i, "a b/c.d": [list(range(1000)), i], "é" * 200: "x" * 5000 + str(i), "deep": deep}
        for i in range(3)
    ]
    s = sweep(configs)
    assert len(s.dims) == 2
    assert s.explain()
    assert s._repr_html_()


# --- properties

CONFIGS = st.lists(
    st.fixed_dictionaries(
        {"model": st.sampled_from(["a", "b", None, "None"]), "seed": st.integers(0, 2)},
        optional={
            "optim": st.fixed_dictionaries(
                {"lr": st.sampled_from([0.1, 1, 1.0])},
                optional={"momentum": st.sampled_from([0.9, None, True])},
            )
            | st.none(),
            "layers": st.lists(st.integers(1, 2), max_size=2),
            "run_id": st.integers(0, 100),
        },
    ),
    min_size=1,
    max_size=12,
)


def decoded(s, run):
    """Label text of every key of a run, as far as the cube tells."""
    texts = {axis.key: axis.labels[s.cells[run, i]] for i, axis in enumerate(s.axes)}
    texts |= {coord.key: coord.values[run] for coord in s.coords}
    if s.seed_axis.kind == "labels":
        texts[s.seed_axis.key] = s.seed[s.cells[run, -1]]
    elif s.seed_axis.value is not None:
        texts[s.seed_axis.key] = s.seed_axis.value[run]
    shown = {key: value.item() for key, value in texts.items()}
    assert not shown.keys() & s.constant.keys()
    return shown | s.constant | s.rest[run]


@given(CONFIGS)
@settings(max_examples=200)
def test_the_cube_and_the_rest_hold_every_configuration(configs):
    s = sweep(configs)
    for run, h in enumerate(s.headers):
        found = decoded(s, run)
        flat = flatten(h.config)
        for key in found.keys() | flat.keys():
            value = flat.get(key, ABSENT)
            if key not in found:
                assert value is None, key  # a null section that others have keys in
                continue
            if token(found[key]) == token(value) or (
                value is ABSENT and found[key] in (None, "None")
            ):
                continue
            texts = {value_text(value), value_text(value, as_float=True), f'"{value}"'}
            assert value_text(found[key]) in texts


@given(CONFIGS, st.randoms())
def test_the_order_of_the_runs_given_does_not_matter(configs, rng):
    runs = headers(configs)
    shuffled = rng.sample(runs, len(runs))
    a, b = plan(runs), plan(shuffled)
    assert dims(a) == dims(b)
    assert a.headers == b.headers
    assert (a.rows == b.rows).all()
    assert a.explain() == b.explain()


@given(CONFIGS)
def test_no_two_configurations_share_a_cell(configs):
    s = sweep(configs, exclude=["run_id"] if any("run_id" in c for c in configs) else [])
    for cell in s.shared_cells:
        assert not cell.differ or set(cell.differ) <= s.excluded.keys()


@given(CONFIGS)
def test_separate_rows_and_seeds_tell_all_runs_apart(configs):
    s = sweep(configs)
    pairs = list(zip(s.rows.tolist(), s.cells[:, -1].tolist(), strict=True))
    if s.separate:
        assert len(set(pairs)) == len(pairs)
    assert sorted(set(s.rows.tolist())) == list(range(s.n_configs))


def test_ten_thousand_runs_with_coupled_keys_are_planned():
    configs = [
        {"lr": i // 10 % 20, "wd": i // 200 % 50, "seed": i % 10, "id": i}
        | {f"k{j}": (i // 10 % 20) * j for j in range(26)}
        for i in range(10_000)
    ]
    s = sweep(configs)
    assert list(s.dims) == ["lr", "wd", "seed"]


def test_reruns_of_crashed_runs_do_not_leave_the_grid():
    """Rule 10 settles them; only whole runs that share a cell make rule 8b fire."""
    whole = [
        replace(header({"lr": lr, "seed": seed}, f"{lr}_{seed}"), finished=True)
        for lr in (1, 2)
        for seed in range(3)
    ]
    crashed = replace(header({"lr": 1, "seed": 0}, "crashed"), finished=False)
    assert plan([crashed, *whole]).layout == "grid"
    assert plan([replace(crashed, finished=True), *whole]).layout == "configs"
    assert plan([replace(h, finished=None) for h in (crashed, *whole)]).layout == "configs"


def test_seeds_are_judged_on_the_dims_that_were_asked_for():
    runs = [
        header({"lr": lr, "seed": seed, "noise": 7.5 * lr + seed}, f"{lr}_{seed}")
        for lr in (1, 2)
        for seed in range(4)
    ]
    assert plan(runs, PlanPolicy(dims=["lr"])).seed_axis.kind == "labels"
