"""The generic JSONL reader: claims, guesses, and that bad input costs only itself."""

import gzip
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runcube.core.errors import PlanError
from runcube.core.model import LogFile, Request, Source
from runcube.files.tree import Tree, list_files
from runcube.readers.jsonl.reader import JsonlReader
from runcube.readers.table.decode import read_table

DATA = Path(__file__).parent / "data" / "overfit-init-transfer"


def write(path, records, *, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
    path.write_text(end.join(lines) + end, encoding="utf-8", newline="")
    return path


def load(root, reader=None, request=None):
    """All runs under a root; headers must be what ``read`` gives."""
    reader = reader or JsonlReader()
    runs = []
    for source in reader.find(Tree(list_files(Path(root)))):
        headers = list(reader.headers(source))
        full = reader.read(source, Request(messages=True))
        assert headers == [run.header for run in full]
        runs += full if request is None else reader.read(source, request)
    return runs


def curve(run, metric, split="all"):
    found = next(c for c in run.curves if c.split == split)
    row = found.metrics.index(metric)
    return found.values[row], found.logged[row], found


def kinds(run):
    return [problem.kind for problem in run.problems]


def epochs(n, **extra):
    return [{"epoch": i, "loss": 1.0 / (i + 1), **extra} for i in range(n)]


# --- a real log with all runs in one file ---------------------------------------------------


@pytest.fixture(scope="module")
def overfit():
    return {run.header.key: run for run in load(DATA)}


def test_only_the_training_log_of_a_results_folder_is_claimed():
    sources = list(JsonlReader().find(Tree(list_files(DATA))))
    assert [source.path for source in sources] == ["results/runs.jsonl"]


def test_interleaved_runs_are_told_apart_in_order_of_appearance(overfit):
    assert list(overfit) == [
        "a_100k_seed42",
        "a_100k_seed1337",
        "b_2M_seed42_pretrain",
        "b_2M_seed42_from_quran_frac0.5",
    ]


def test_values_and_axis_of_one_run_are_those_of_the_log(overfit):
    run = overfit["a_100k_seed42"]
    loss, logged, found = curve(run, "loss", "val")
    assert loss[-1] == 1.9433703422546387
    assert curve(run, "loss", "train")[0][-1] == 1.8055737018585205
    assert logged.all()
    assert len(loss) == 29
    assert found.x["step"].dtype == np.int64
    assert found.x["step"][[0, -1]].tolist() == [0, 1296]
    assert set(found.x) == {"step", "tokens_seen", "wall_clock_sec"}


def test_mean_of_a_group_is_that_of_its_members(overfit):
    runs = [overfit["a_100k_seed42"], overfit["a_100k_seed1337"]]
    last = [[curve(run, "loss", split)[0][-1] for run in runs] for split in ("val", "train")]
    assert np.mean(last, axis=1) == pytest.approx([1.9405190349, 1.8064445257], abs=5e-11)


def test_columns_that_hold_one_value_are_constants_with_their_own_type(overfit):
    constants = overfit["a_100k_seed42"].header.constants
    assert constants["seed"] == 42
    assert type(constants["seed"]) is int
    assert constants["param_size"] == "100k"
    assert constants["lr"] == 0.001
    assert overfit["a_100k_seed42"].header.varying >= {"train_loss", "val_loss", "step"}


def test_a_key_renamed_in_mid_run_is_two_constants(overfit):
    constants = overfit["b_2M_seed42_pretrain"].header.constants
    assert constants["quran_init_checkpoint"] == "null"
    assert constants["path_b_init_checkpoint"] == "null"


def test_infinity_is_a_logged_value(overfit):
    values, logged, found = curve(overfit["b_2M_seed42_pretrain"], "perplexity", "val")
    assert found.lines[np.isinf(values)][0] == 64  # line 2535 of the whole log
    assert logged[np.isinf(values)].all()


def test_event_rows_are_messages_and_neither_points_nor_configuration(overfit):
    run = overfit["b_2M_seed42_pretrain"]
    assert run.messages == ["RESUMED_FROM_CHECKPOINT"] * 4
    assert "event" not in run.header.constants
    assert 22151 not in curve(run, "loss", "val")[2].x["step"]


def test_the_planner_can_drop_what_it_settled_as_configuration():
    drop = frozenset({"seed", "lr", "n_layer", "n_head", "n_embd", "param_count"})
    run = load(DATA, request=Request(drop=drop))[0]
    assert run.metrics == ("loss", "perplexity", "grad_norm", "weight_update_norm")
    assert run.splits == ("train", "val", "all")


def test_what_is_not_asked_for_is_not_built_but_named():
    request = Request(splits=frozenset({"val"}), metrics=frozenset({"loss"}))
    run = load(DATA, request=request)[0]
    assert [(c.split, c.metrics) for c in run.curves if c.metrics] == [("val", ("loss",))]
    assert "perplexity" in run.metrics
    assert "train" in run.splits


def test_train_time_is_the_last_elapsed_time(overfit):
    assert overfit["a_100k_seed42"].train_time == pytest.approx(320.572, abs=1e-3)


# --- configuration --------------------------------------------------------------------------


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
    records = epochs(10, config={"lr": 0.1, "seed": 1}) + epochs(2, config={"lr": 0.2, "seed": 1})
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    (problem,) = run.problems
    assert (problem.kind, problem.line) == ("config_conflict", 11)
    assert " lr;" in problem.message
    assert run.header.config["lr"] == 0.1


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
    assert kinds(run) == ["no_config"]


def test_a_seed_beside_a_config_is_no_metric(tmp_path):
    write(tmp_path / "a.jsonl", epochs(12, config={"lr": 1}, seed=3, dataset="cifar"))
    (run,) = load(tmp_path)
    assert run.header.constants == {"seed": 3, "dataset": "cifar"}


def test_a_null_column_is_a_constant_none(tmp_path):
    write(tmp_path / "a.jsonl", epochs(3, init=None))
    assert load(tmp_path)[0].header.constants == {"init": None}


# --- axes and splits ------------------------------------------------------------------------


def test_splits_by_a_column(tmp_path):
    records = [
        {"epoch": e, "split": s, "loss": e + i}
        for e in range(3)
        for i, s in enumerate(("train", "valid"))
    ]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert run.splits == ("train", "valid")
    assert curve(run, "loss", "valid")[0].tolist() == [1, 2, 3]
    assert curve(run, "loss", "valid")[2].lines.tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    "names",
    [
        ("train_loss", "val_loss"),
        ("train/loss", "val/loss"),
        ("loss_train", "loss_val"),
        ("loss/train", "loss/val"),
    ],
)
def test_splits_by_prefix_or_suffix(tmp_path, names):
    write(tmp_path / "a.jsonl", [{"step": i, names[0]: i, names[1]: -i} for i in range(3)])
    (run,) = load(tmp_path)
    assert run.splits == ("train", "val")
    assert run.metrics == ("loss",)


def test_splits_by_a_pattern_and_none(tmp_path):
    write(tmp_path / "a.jsonl", [{"step": i, "src.acc": i, "tgt.acc": i} for i in range(3)])
    (run,) = load(tmp_path, JsonlReader(split=r"(?P<split>src|tgt)\.(?P<metric>.+)"))
    assert run.splits == ("src", "tgt")
    assert run.metrics == ("acc",)
    (run,) = load(tmp_path, JsonlReader(split=False))
    assert run.splits == ("all",)
    assert run.metrics == ("src.acc", "tgt.acc")


def test_nested_metrics_are_flattened_and_a_wrapper_is_no_part_of_the_name(tmp_path):
    records = [{"step": i, "metrics": {"val/acc": i, "opt": {"lr": 1 / (i + 1)}}} for i in range(3)]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert run.splits == ("val", "all")
    assert run.metrics == ("acc", "opt/lr")


def test_metrics_on_different_rows_share_a_curve_with_a_mask(tmp_path):
    write(tmp_path / "a.jsonl", [{"step": 0, "a": 1}, {"step": 1, "b": 2}, {"step": 2, "a": None}])
    (run,) = load(tmp_path)
    (found,) = run.curves
    assert found.logged.tolist() == [[True, False], [False, True]]
    assert found.x["step"].tolist() == [0, 1]


def test_a_duration_is_a_metric_and_a_clock_an_axis(tmp_path):
    times = [0.3, 0.1, 0.4, 0.1, 0.5]
    records = [{"step": i, "loss": i, "time": t, "elapsed": i * 60.0} for i, t in enumerate(times)]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert "time" in run.metrics
    assert set(run.curves[0].x) == {"step", "elapsed"}
    assert run.train_time == 240


def test_an_iteration_that_restarts_each_epoch_counts_through(tmp_path):
    records = [{"env_info": "linux", "seed": 3, "exp_name": "x"}]
    for epoch in (1, 2):
        records += [{"mode": "train", "epoch": epoch, "iter": i, "loss": i} for i in (50, 100)]
        records += [{"mode": "val", "epoch": epoch, "iter": 20, "acc": epoch}]
    write(tmp_path / "a.log.json", records)
    (run,) = load(tmp_path)
    assert run.header.config["seed"] == 3
    assert curve(run, "loss", "train")[2].x["iter"].tolist() == [50, 100, 150, 200]
    assert curve(run, "acc", "val")[2].x["iter"].tolist() == [100, 200]


def test_without_any_x_the_records_of_a_split_are_counted(tmp_path):
    records = [{"split": s, "loss": 1.0 * i} for i in range(3) for s in ("train", "val")]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert curve(run, "loss", "val")[2].x["epoch"].tolist() == [0, 1, 2]


def test_a_row_without_x_stays_a_row(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(2), {"loss": 5.0}])
    (run,) = load(tmp_path)
    assert np.isnan(run.curves[0].x["epoch"][2])
    assert curve(run, "loss")[0][2] == 5


# --- values ---------------------------------------------------------------------------------


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
    (problem,) = run.problems
    assert (problem.kind, problem.line) == ("non_numeric", 2)
    assert "2 " in problem.message


def test_a_metric_that_comes_late_and_keys_in_any_order(tmp_path):
    records = [*epochs(50), {"late": 7, "loss": 0, "epoch": 50}]
    write(tmp_path / "a.jsonl", records)
    values, logged, _ = curve(load(tmp_path)[0], "late")
    assert logged.sum() == 1
    assert values[-1] == 7


# --- bad input ------------------------------------------------------------------------------


def test_half_a_last_line_is_a_truncated_tail(tmp_path):
    path = write(tmp_path / "a.jsonl", epochs(3))
    path.write_bytes(path.read_bytes() + b'{"epoch": 3, "lo')
    (run,) = load(tmp_path)
    assert [(p.kind, p.line) for p in run.problems] == [("truncated_tail", 4)]
    assert len(curve(run, "loss")[0]) == 3


def test_a_whole_last_line_without_newline_is_a_record(tmp_path):
    path = write(tmp_path / "a.jsonl", epochs(3))
    path.write_bytes(path.read_bytes()[:-1])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 3
    assert not run.problems


def test_a_record_behind_half_a_record_is_kept(tmp_path):
    write(
        tmp_path / "a.jsonl",
        [*epochs(2), '{"epoch": 2, "lo{"epoch": 3, "loss": 0.5}', {"epoch": 4, "loss": 0.25}],
    )
    (run,) = load(tmp_path)
    assert curve(run, "loss")[2].x["epoch"].tolist() == [0, 1, 3, 4]
    assert [(p.kind, p.line) for p in run.problems] == [("bad_line", 3)]


def test_an_inner_object_of_a_broken_record_is_no_record(tmp_path):
    records = [{"step": i, "metrics": {"loss": i}} for i in range(3)]
    write(tmp_path / "a.jsonl", [*records, '{"step": 3, "metrics": {"loss": 3}'])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 3
    assert kinds(run) == ["bad_line"]


@pytest.mark.parametrize(
    "bad",
    [
        b"garbage \xff\xfe\x00",
        b"[1, 2]",
        b"3",
        b'{"epoch": 1 "loss": 2}',
        b'{"epoch": 9, "loss": "\xff"}',
        b"nan",
    ],
)
def test_a_bad_line_costs_that_line(tmp_path, bad):
    path = write(tmp_path / "a.jsonl", epochs(3))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], bad, *lines[2:]]))
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 3
    assert [(p.kind, p.line, p.path) for p in run.problems] == [("bad_line", 3, "a.jsonl")]


def test_bom_crlf_blank_lines_nul_padding_and_gzip_change_nothing(tmp_path):
    plain = write(tmp_path / "a" / "log.jsonl", epochs(3)).read_bytes()
    odd = b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n\n\n") + b"\0" * 4096
    (tmp_path / "a" / "odd.jsonl").write_bytes(odd)
    (tmp_path / "a" / "packed.jsonl.gz").write_bytes(gzip.compress(plain))
    runs = load(tmp_path)
    assert len(runs) == 3
    for run in runs:
        assert curve(run, "loss")[0].tolist() == [1, 0.5, 1 / 3]
        assert not run.problems
    assert curve(runs[1], "loss")[2].lines.tolist() == [1, 4, 7]


def test_a_cut_gzip_file_gives_what_precedes_the_cut(tmp_path):
    rng = np.random.default_rng(0)
    plain = write(tmp_path / "x", [{"step": i, "v": rng.random()} for i in range(500)]).read_bytes()
    (tmp_path / "x").unlink()
    packed = gzip.compress(plain)
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (run,) = load(tmp_path)
    assert len(curve(run, "v")[0]) > 100
    assert "unreadable" in kinds(run)


def test_records_separated_by_a_literal_backslash_n_are_all_read(tmp_path):
    text = "\\n".join(json.dumps(r) for r in epochs(4))
    write(tmp_path / "a.jsonl", [{"epoch": -1, "loss": 0}, text])
    (run,) = load(tmp_path)
    assert curve(run, "loss")[2].x["epoch"].tolist() == [-1, 0, 1, 2, 3]
    assert kinds(run) == ["joined_lines"]


def test_the_summary_with_literal_newlines_has_28_objects_on_10_lines():
    data = (DATA / "results" / "run_summaries.jsonl").read_bytes()
    table = read_table(data, path="x", raw=frozenset())
    assert len(table) == 28
    assert len(set(table.lines.tolist())) == 10


def test_two_records_on_one_line_are_both_read(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(2), '{"epoch":2,"loss":1}{"epoch":3,"loss":2}'])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 4
    assert kinds(run) == ["joined_lines"]


def test_duplicate_keys_take_the_last_value(tmp_path):
    write(tmp_path / "a.jsonl", ['{"epoch":0,"loss":1,"loss":2}', '{"epoch":1,"loss":3}'])
    assert curve(load(tmp_path)[0], "loss")[0].tolist() == [2, 3]


def test_a_line_of_ten_megabytes_is_read(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(2), {"epoch": 2, "loss": 3, "blob": [1.5] * 2_000_000}])
    (run,) = load(tmp_path)
    assert curve(run, "loss")[0][-1] == 3
    assert kinds(run) == ["non_numeric"]


def test_a_deeply_nested_line_is_a_bad_line(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(2), '{"epoch":' + "[" * 100_000, {"epoch": 2, "loss": 1}])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 3
    assert kinds(run) == ["bad_line"]


def test_an_empty_log_beside_sound_ones_is_a_run_with_a_problem(tmp_path):
    for name in "abc":
        write(tmp_path / name / "log.jsonl", epochs(3, lr=0.1))
    (tmp_path / "b" / "log.jsonl").write_bytes(b"")
    runs = load(tmp_path)
    assert len(runs) == 3
    assert kinds(runs[1]) == ["empty"]
    assert runs[1].header.has_metrics is False


# --- claims ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        [{"run_id": "a", "step": 9, "acc": 1.0}, {"run_id": "b", "step": 9, "acc": 2.0}],
        [{"name": "x", "count": 1}, {"name": "y", "count": 2}],
        ["{", '"step": 1', "}"],
        ["hello"],
        ["version https://git-lfs.github.com/spec/v1"],
        ['[{"step": 1, "loss": 2}]'],
    ],
)
def test_what_is_no_training_log_is_not_claimed(tmp_path, lines):
    write(tmp_path / "a.jsonl", lines)
    write(tmp_path / "a.json", lines)
    assert list(JsonlReader().find(Tree(list_files(tmp_path)))) == []


def test_a_log_that_lacks_the_named_x_is_not_claimed(tmp_path):
    write(tmp_path / "a.jsonl", epochs(3))
    assert list(JsonlReader(x="step").find(Tree(list_files(tmp_path)))) == []


def test_the_reader_can_be_pickled_and_has_a_name():
    reader = JsonlReader(config=["a"], metrics=["loss"], name="ours")
    assert pickle.loads(pickle.dumps(reader)) == reader
    assert reader.name == "ours"


# --- both roads give one table --------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["a", "0.5", "", "ü", "\ud800", "null"]),
    st.lists(st.integers(), max_size=2),
)
RECORDS = st.dictionaries(
    st.sampled_from(["step", "loss", "acc", "é", 'q"', "a/b", ""]),
    st.one_of(SCALARS, st.dictionaries(st.sampled_from(["b", "c", "d"]), SCALARS, max_size=3)),
    max_size=5,
)
PLAIN = st.fixed_dictionaries(
    {"step": st.integers(-(2**70), 2**70), "loss": st.floats()},
    optional={"config": st.dictionaries(st.sampled_from("xy"), SCALARS), "name": st.text()},
)


def same_tables(one, other):
    assert one.lines.tolist() == other.lines.tolist()
    assert list(one.columns) == list(other.columns)
    for name, column in one.columns.items():
        twin = other.columns[name]
        np.testing.assert_array_equal(column.values, twin.values)
        np.testing.assert_array_equal(column.logged, twin.logged)
        np.testing.assert_array_equal(column.codes, twin.codes)
        np.testing.assert_array_equal(column.others, twin.others)
        assert column.words == twin.words
    assert [str(p) for p in one.problems] == [str(p) for p in other.problems]
    assert list(one.objects) == list(other.objects)
    for name, objects in one.objects.items():
        for row, code in enumerate(objects.codes.tolist()):
            twin_code = int(other.objects[name].codes[row])
            mine = None if code < 0 else objects.values[code]
            theirs = None if twin_code < 0 else other.objects[name].values[twin_code]
            assert json.dumps(mine, sort_keys=True) == json.dumps(theirs, sort_keys=True)


@given(
    st.lists(st.one_of(RECORDS, PLAIN), max_size=14),
    st.lists(st.sampled_from(["\n", "\r\n", "\n\n", " \n", "\\n", ""]), min_size=14, max_size=14),
    st.integers(1, 200),
)
def test_fast_and_exact_road_give_the_same_table(records, ends, chunk):
    parts = [json.dumps(r) + end for r, end in zip(records, ends, strict=False)]
    data = "".join(parts).encode()
    fast = read_table(data, path="x", raw=frozenset({"config"}), chunk=chunk)
    slow = read_table(data, path="x", raw=frozenset({"config"}), fast=False)
    same_tables(fast, slow)


@given(
    st.lists(PLAIN, min_size=2, max_size=12),
    st.data(),
)
def test_damage_to_one_line_changes_no_other_line(records, data):
    lines = [json.dumps(record).encode() for record in records]
    at = data.draw(st.integers(0, len(lines) - 1))
    garbage = data.draw(st.binary(max_size=20).filter(lambda b: b"\n" not in b))
    cut = data.draw(st.integers(0, len(lines[at])))
    damaged = [*lines[:at], lines[at][:cut] + garbage, *lines[at + 1 :]]
    tables = [
        read_table(b"\n".join(part) + b"\n", path="x", raw=frozenset({"config"}))
        for part in (lines, damaged)
    ]
    clean, dirty = tables
    keep = clean.lines != at + 1
    kept = dirty.lines != at + 1
    assert clean.lines[keep].tolist() == dirty.lines[kept].tolist()
    for name, column in clean.columns.items():
        if not column.present[keep].any():
            continue
        np.testing.assert_array_equal(column.values[keep], dirty.columns[name].values[kept])
        np.testing.assert_array_equal(column.logged[keep], dirty.columns[name].logged[kept])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=12), st.booleans())
def test_headers_are_those_that_read_gives(tmp_path, records, with_run):
    if with_run:
        records = [{"run_id": f"r{i % 3}", **record} for i, record in enumerate(records)]
    write(tmp_path / "log.jsonl", records)
    load(tmp_path)


def test_a_second_header_is_neither_a_point_nor_a_metric(tmp_path):
    header = {"lr": 0.1, "name": "x"}
    write(tmp_path / "a.jsonl", [header, *epochs(3), header, *epochs(3)])
    (run,) = load(tmp_path)
    assert run.header.config == header
    assert run.metrics == ("loss",)
    assert curve(run, "loss")[2].x["epoch"].tolist() == [0, 1, 2, 0, 1, 2]


def test_a_header_in_a_log_without_x(tmp_path):
    records = [{"split": s, "loss": 1.0 * i} for i in range(6) for s in ("train", "val")]
    write(tmp_path / "a.jsonl", [{"lr": 0.1, "arch": "vgg"}, *records])
    (run,) = load(tmp_path)
    assert run.header.config == {"lr": 0.1, "arch": "vgg"}
    assert run.metrics == ("loss",)
    assert run.splits == ("train", "val")


def test_each_run_of_an_interleaved_file_may_have_its_own_header(tmp_path):
    records = [{"run": r, "lr": lr, "arch": "vgg"} for r, lr in (("a", 1), ("b", 2))]
    records += [{"run": r, "step": i, "loss": i} for i in range(5) for r in "ab"]
    write(tmp_path / "a.jsonl", records)
    runs = load(tmp_path)
    assert [r.header.config for r in runs] == [{"lr": 1, "arch": "vgg"}, {"lr": 2, "arch": "vgg"}]
    assert runs[1].metrics == ("loss",)
    assert curve(runs[1], "loss")[2].lines[0] == 4


def test_an_evaluation_before_the_first_step_is_no_header(tmp_path):
    records = [{"val_loss": 2.3, "val_acc": 0.1}]
    records += [{"epoch": i, "val_loss": 1.0 * i, "val_acc": 0.2 * i} for i in range(3)]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert not run.header.config
    assert len(curve(run, "loss", "val")[0]) == 4


def test_a_metric_logged_once_at_the_end_is_no_configuration(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(5, lr=0.1), {"epoch": 5, "test_acc": 0.9}])
    (run,) = load(tmp_path)
    assert run.header.constants == {"lr": 0.1}
    assert "test_acc" in run.header.varying
    assert curve(run, "acc", "test")[0].tolist() == [0.9]


def test_a_long_broken_line_does_not_take_long(tmp_path):
    inner = ", ".join('{"a": 1}' for _ in range(300_000))
    write(
        tmp_path / "a.jsonl",
        [*epochs(3), '{"epoch": 3, "list": [' + inner, {"epoch": 4, "loss": 1}],
    )
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 4
    assert kinds(run) == ["bad_line"]


def test_a_run_name_that_comes_late_does_not_split_a_run_with_a_header(tmp_path):
    late = [{"epoch": i, "loss": i, "run_id": "ab"[i % 2]} for i in range(20, 24)]
    write(tmp_path / "a.jsonl", [{"lr": 0.1, "arch": "vgg"}, *epochs(20), *late])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 24


def test_one_line_of_json_is_a_log_only_beside_longer_ones(tmp_path):
    write(tmp_path / "a" / "metrics.json", epochs(1))
    assert load(tmp_path) == []
    write(tmp_path / "b" / "metrics.json", epochs(5))
    assert len(load(tmp_path)) == 2


def test_one_line_of_jsonl_is_a_run_that_was_killed_early(tmp_path):
    write(tmp_path / "a" / "metrics.jsonl", epochs(1, lr=0.1))
    (run,) = load(tmp_path)
    assert run.header.constants == {"lr": 0.1, "loss": 1.0}


def test_a_run_column_that_is_more_than_a_name_is_a_constant(tmp_path):
    records = [{"seed": s, "epoch": e, "loss": e + s} for e in range(4) for s in (3, 4)]
    write(tmp_path / "a.jsonl", records)
    runs = load(tmp_path, JsonlReader(run="seed"))
    assert [(r.header.key, r.header.constants) for r in runs] == [
        ("3", {"seed": 3}),
        ("4", {"seed": 4}),
    ]
    assert curve(runs[1], "loss")[0].tolist() == [4, 5, 6, 7]


def test_the_named_x_goes_first(tmp_path):
    write(tmp_path / "a.jsonl", [{"epoch": i, "step": i, "loss": i} for i in range(3)])
    assert list(load(tmp_path, JsonlReader(x="step"))[0].curves[0].x) == ["step", "epoch"]


@pytest.mark.parametrize("split", [r"(?P<split>a", r"(?P<split>train)_.*"])
def test_a_pattern_without_its_groups_is_refused(split):
    with pytest.raises(PlanError, match="split="):
        JsonlReader(split=split)


def test_integers_that_no_float_holds_still_tell_runs_apart(tmp_path):
    big = 2**60
    records = [{"run": big + r, "epoch": e, "loss": e} for e in range(3) for r in (1, 2)]
    write(tmp_path / "a.jsonl", records)
    assert [r.header.key for r in load(tmp_path, JsonlReader(run="run"))] == [
        str(big + 1),
        str(big + 2),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.one_of(RECORDS, PLAIN), max_size=12), st.data())
def test_no_content_makes_the_reader_raise(tmp_path, records, data):
    text = b"\n".join(json.dumps(record).encode() for record in records)
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.binary(max_size=30)) + text[at:]
    (tmp_path / "a.jsonl").write_bytes(text)
    for reader in (JsonlReader(), JsonlReader(x="step", run="name", config="config")):
        list(reader.find(Tree(list_files(tmp_path))))
        size = LogFile("a.jsonl", len(text), 0)
        source = Source(str(tmp_path), "a.jsonl", (size,))
        headers = list(reader.headers(source))
        assert [run.header for run in reader.read(source, Request(messages=True))] == headers


def test_runs_that_take_turns_are_no_summary_however_many_they_are(tmp_path):
    records = [
        {"run_id": f"worker-{r}", "step": s, "loss": s} for s in range(2) for r in range(999)
    ]
    write(tmp_path / "a.jsonl", records)
    assert len(load(tmp_path)) == 999


def test_a_run_column_of_any_name_is_no_hyperparameter_but_the_seed_is(tmp_path):
    rows = [
        {"job": f"j{seed}", "seed": seed, "lr": 0.1, "step": step, "loss": step + seed}
        for seed in range(3)
        for step in range(4)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for run in ("job", "seed"):
        reader = JsonlReader(run=run, x="step")
        (source,) = reader.find(Tree(list_files(tmp_path)))
        headers = reader.headers(source)
        assert len(headers) == 3
        assert ("job" in headers[0].constants) == (run == "seed")
        assert headers[1].constants["seed"] == 1
