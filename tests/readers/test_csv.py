"""The CSV reader: what loggers wrote is what comes out; dialects, damage, what is no log."""

import csv
import json
import warnings
from pathlib import Path

import fsspec
import numpy as np
import pytest
from conservation import values_of

import runcube as rc
from runcube.core import DEFAULT_LIMITS, LogFile, Request, Source
from runcube.readers.csv.records import as_records

DATA = Path(__file__).parents[1] / "data"
LOGGERS = DATA / "csv-loggers"
NEURONS = DATA / "neurons-csvlogger"
TRUTH = json.loads((LOGGERS / "truth.json").read_text())
SPLITS = ("train", "val")


def load(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **options)


def kinds(ds):
    return [*rc.problems(ds).kind]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def one(tmp_path, text, name="run/log.csv", **options):
    """The cube of one table; its curves as {(split, metric): {x: value}}, and its problems."""
    write(tmp_path / name, text)
    ds = load(tmp_path, **options)
    curves = {}
    for (_, split, metric, x), value in values_of(ds).items():
        curves.setdefault((split, metric), {})[x] = value
    return ds, curves, [*rc.problems(ds)[["kind", "line"]].itertuples(index=False, name=None)]


def records(text):
    """The records of a table, by line."""
    lines = as_records(text.encode(), "a.csv", DEFAULT_LIMITS).data.decode().split("\n")
    return {n: json.loads(line) for n, line in enumerate(lines, 1) if line}


def named(column):
    """Split and metric that a column of a logger is."""
    split = next((s for s in SPLITS if column.startswith((s + "_", s + "/"))), "all")
    return split, column if split == "all" else column[len(split) + 1 :]


# What real loggers wrote.


@pytest.mark.parametrize(
    ("folder", "x"), [("keras", "epoch"), ("lightning", "step"), ("sb3-progress", "iterations")]
)
def test_every_value_that_a_logger_was_given_is_in_the_cube_and_none_besides(folder, x):
    axes = {"time/time_elapsed", "time/total_timesteps", "time/iterations", "train/n_updates"}
    wanted = {
        (path, *named(column), float(at)): value
        for key, values in TRUTH.items()
        for path, at in [key.removeprefix(folder + "/").split("|")]
        if key.startswith(folder + "/")
        for column, value in values.items()
        if column not in axes
    }
    ds = load(LOGGERS / folder)
    assert ds.curve.dims[-1] == x
    found = {(p, s, m, float(at)): v for (p, s, m, at), v in values_of(ds).items()}
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-6, equal_nan=True)
    assert not kinds(ds)


def test_the_hyperparameters_of_lightning_are_those_of_its_file():
    ds = load(LOGGERS / "lightning")
    assert ds.lr.values.tolist() == [0.01, 0.1]
    assert ds.seed.values.tolist() == [0, 1]
    assert json.loads(ds.attrs["constant_hparams"]) == {"model.act": "relu", "model.width": 64}
    assert ds.status.sel(lr=0.01).values.tolist() == ["complete", "incomplete"]


def test_what_keras_never_validated_was_never_logged():
    ds = load(LOGGERS / "keras").sel(lr=0.01, seed=1, split="val")
    assert not ds.logged.any()


def test_episodes_of_a_monitor_stand_at_the_steps_of_the_environment():
    ds = load(LOGGERS / "sb3", align="order")
    for key, values in TRUTH.items():
        if key.startswith("sb3/"):
            path, episode = key.removeprefix("sb3/").split("|")
            lr, seed = (float(part.partition("=")[2]) for part in path.split("/")[:2])
            point = ds.sel(lr=lr, seed=seed, split="all").isel(point=int(episode))
            assert point.timesteps == values["timesteps"]
            assert point.curve.sel(metric="r") == values["r"]
            assert point.curve.sel(metric="l") == values["l"]
    assert json.loads(ds.attrs["constant_hparams"]) == {"env_id": "None"}
    assert "t_start" in json.loads(ds.attrs["excluded_hparams"])


def values_in(path):
    """What a table of Lightning holds, read by csv alone: {(split, metric, step): value}."""
    with path.open(newline="") as file:
        return {
            (*named(column), int(row["step"])): float(cell)
            for row in csv.DictReader(file)
            for column, cell in row.items()
            if cell and column not in ("step", "epoch")
        }


def test_a_real_sweep_of_lightning_is_group_by_neuron():
    ds = load([NEURONS / "neurons", NEURONS / "training_logs"])
    assert dict(ds.sizes) == {
        "neuron": 2, "root": 2, "seed": 1, "split": 3, "metric": 3, "step": 62
    }  # fmt: skip
    found = {(p, s, m, at): v for (p, s, m, at), v in values_of(ds).items()}
    wanted = {
        (f"{root}/neuron_{n}/metrics.csv", *key): value
        for root in ("neurons", "training_logs")
        for n in range(2)
        for key, value in values_in(NEURONS / root / f"neuron_{n}" / "metrics.csv").items()
    }
    assert found == wanted
    val = ds.curve.sel(split="val", metric="loss", root="neurons", neuron=0).squeeze()
    assert val.sel(step=539).item() == 0.012176084332168102
    assert int(val.count()) == 10


def test_a_second_quantity_beside_the_training_is_named_and_not_mixed_in():
    ds = load(NEURONS / "gain_sweep01")
    assert dict(ds.sizes) == {"gain": 3, "seed": 1, "split": 1, "metric": 3, "epoch": 100}
    (skipped,) = json.loads(ds.attrs["skipped"])
    assert skipped["kind"] == "not_read"
    assert skipped["path"].endswith("result.csv")
    assert "3 files" in skipped["message"]
    other = load(NEURONS / "gain_sweep01", files="**/result.csv", reader="csv")
    assert dict(other.sizes) == {"gain": 3, "seed": 1, "split": 1, "metric": 4, "step": 50}
    assert other.curve.sel(metric="ess", step=1).isel(gain=0).item() == 511.3312


# All roads.


@pytest.mark.parametrize("folder", ["csv-loggers/lightning", "csv-loggers/keras"])
def test_all_roads_lead_to_the_same_cube(tmp_path, folder):
    root = DATA / folder
    wanted = load(root, messages=True)
    memory = fsspec.filesystem("memory")
    memory.put(str(root), f"/{tmp_path.name}/{root.name}", recursive=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        rc.archive_runs(root, tmp_path / "a.nc")
        rc.update_archive(tmp_path / "a.nc", root)
        cubes = [
            rc.open_archive(tmp_path / "a.nc", messages=True).load(),
            rc.open_runs(root, cache=tmp_path / "cache", messages=True).load(),
            rc.load_runs(root, messages=True, parallel="processes"),
            rc.load_runs(f"memory://{tmp_path.name}/{root.name}", messages=True),
            rc.load_runs(root, messages=True, reader=rc.CsvReader()),
        ]
        text = rc.scan(root).explain()
    for cube in cubes:
        np.testing.assert_array_equal(cube.curve.values, wanted.curve.values)
        np.testing.assert_array_equal(cube.logged.values, wanted.logged.values)
        for name in ("path", "status", "problems", "run_config", "lr", "seed"):
            np.testing.assert_array_equal(cube[name].values, wanted[name].values)
    assert "CsvReader(" in text
    assert "a table" in text


def test_an_archive_keeps_the_arguments_of_the_reader(tmp_path):
    write(tmp_path / "logs/a/log.csv", "it,q\n1,0.5\n2,0.25\n")
    reader = rc.CsvReader(x="it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        rc.archive_runs(tmp_path / "logs", tmp_path / "a.nc", reader=reader)
        write(tmp_path / "logs/a/log.csv", "it,q\n1,0.5\n2,0.25\n3,0.125\n")
        rc.update_archive(tmp_path / "a.nc", tmp_path / "logs")
        ds = rc.open_archive(tmp_path / "a.nc").load()
    assert ds.it.values.tolist() == [1, 2, 3]


def test_what_explain_says_the_same_with_does(tmp_path):
    write(tmp_path / "a/log.csv", "step;loss\n1;0,5\n2;0,25\n")
    text = rc.scan(tmp_path).explain()
    assert "separated by ';', decimal commas" in text
    assert "CsvReader(x='step')" in text


# Cells and dialects.


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("epoch,loss\n0,0.5\n", {"epoch": 0, "loss": 0.5}),
        ("epoch;loss\n0;0,5\n", {"epoch": 0, "loss": 0.5}),
        ("epoch\tloss\n0\t0,5\n", {"epoch": 0, "loss": 0.5}),
        ("epoch;loss\n0;-1,5e-3\n", {"epoch": 0, "loss": -0.0015}),
        ("\ufeffepoch,loss\r\n0,0.5\r\n", {"epoch": 0, "loss": 0.5}),
        ("epoch,loss\r0,0.5\r", {"epoch": 0, "loss": 0.5}),
        (" epoch , loss \n 0 , 0.5 \n", {"epoch": 0, "loss": 0.5}),
        ('"epoch","loss"\n"0","0.5"\n', {"epoch": 0, "loss": 0.5}),
        ('epoch, "loss, x"\n0, 0.5\n', {"epoch": 0, "loss, x": 0.5}),
        ("epoch,loss,\n0,0.5,\n", {"epoch": 0, "loss": 0.5}),
        ("epoch,loss\n0,.5\n", {"epoch": 0, "loss": 0.5}),
        ("epoch,loss\n0,+5.\n", {"epoch": 0, "loss": 5.0}),
        ("epoch,loss\n0,1e-3\n", {"epoch": 0, "loss": 0.001}),
        ("epoch,loss\n007,0.5\n", {"epoch": 7, "loss": 0.5}),
        ("epoch,name\n0,007\n", {"epoch": 0, "name": "007"}),
        ("epoch,done\n0,True\n", {"epoch": 0, "done": True}),
        ("epoch,loss,loss\n0,1,2\n", {"epoch": 0, "loss": 1, "loss (2)": 2}),
        ("epoch,,loss\n0,1,2\n", {"epoch": 0, "column_2": 1, "loss": 2}),
        ('epoch,v\n0,"""[1, 2]"""\n', {"epoch": 0, "v": [1, 2]}),
        ('epoch,v\n0,"[1, 2]"\n', {"epoch": 0, "v": [1, 2]}),
        ("epoch,seed\n0,12345678901234567890123\n", {"epoch": 0, "seed": 12345678901234567890123}),
        ("epoch,opt\n0,None\n", {"epoch": 0, "opt": None}),
    ],
)
def test_a_cell_is_what_it_says(text, wanted):
    (found,) = records(text).values()
    assert found == wanted
    assert {type(v) for v in found.values()} == {type(v) for v in wanted.values()}


@pytest.mark.parametrize("word", ["", "NA", "N/A", "None", "null", "-", "na", "  "])
def test_missing_is_missing_and_never_zero(word):
    assert records(f"epoch,loss\n0,{word}\n1,0.5\n") == {
        2: {"epoch": 0},
        3: {"epoch": 1, "loss": 0.5},
    }


@pytest.mark.parametrize("word", ["nan", "NaN", "NAN"])
def test_a_nan_is_a_value(tmp_path, word):
    _, curves, problems = one(tmp_path, f"epoch,loss\n0,0.5\n1,{word}\n2,inf\n3,-Infinity\n")
    loss = curves["all", "loss"]
    assert np.isnan(loss[1])
    assert (loss[2], loss[3]) == (np.inf, -np.inf)
    assert not problems


def test_words_of_a_column_of_words_stay_words():
    found = records("epoch,opt,loss\n0,None,0.5\n1,adam,0.4\n2,,0.3\n")
    assert [r.get("opt") for r in found.values()] == ["None", "adam", None]


def test_points_and_commas_in_one_table_are_no_decimal_commas(tmp_path):
    _, curves, problems = one(tmp_path, "epoch;loss;acc\n0;1,234;0.5\n1;2;0.6\n")
    assert curves["all", "acc"] == {0: 0.5, 1: 0.6}
    assert curves["all", "loss"] == {1: 2}
    assert ("non_numeric", 2) in problems


def test_a_comma_in_a_number_between_commas_may_be_of_thousands_and_is_named(tmp_path):
    text = 'epoch,loss,count\n0,0.5,"1,234"\n1,0.4,"2,345"\n'
    _, curves, problems = one(tmp_path, text)
    assert curves == {("all", "loss"): {0: 0.5, 1: 0.4}}
    assert not problems
    ds = load(tmp_path, messages=True)
    assert "1,234" in ds.messages.item()


def test_rows_that_share_an_x_and_hold_different_columns_are_one(tmp_path):
    _, curves, problems = one(tmp_path, "step,loss,acc\n1,0.5,\n1,,90\n2,0.4,\n2,,91\n")
    assert curves == {("all", "loss"): {1: 0.5, 2: 0.4}, ("all", "acc"): {1: 90, 2: 91}}
    assert not problems


def test_a_line_of_names_between_the_rows_begins_other_columns(tmp_path):
    text = "epoch,loss\n0,0.5\n1,0.4\nepoch,acc,loss\n2,90,0.3\n"
    _, curves, problems = one(tmp_path, text)
    assert curves == {("all", "loss"): {0: 0.5, 1: 0.4, 2: 0.3}, ("all", "acc"): {2: 90}}
    assert not problems


def test_the_same_names_and_x_from_its_beginning_are_another_attempt(tmp_path):
    text = "epoch,loss\n0,0.5\n1,0.4\nepoch,loss\n0,0.6\n1,0.3\n2,0.2\n"
    _, curves, _ = one(tmp_path, text)
    assert curves["all", "loss"] == {0: 0.6, 1: 0.3, 2: 0.2}


def test_a_newline_in_quotes_is_part_of_its_cell(tmp_path):
    text = 'epoch,note,loss\n0,"one\ntwo, ""three""",0.5\n1,x,0.4\n'
    assert records(text)[2] == {"epoch": 0, "note": 'one\ntwo, "three"', "loss": 0.5}
    _, curves, _ = one(tmp_path, text)
    assert curves["all", "loss"] == {0: 0.5, 1: 0.4}


def test_comments_and_text_before_the_names_are_messages(tmp_path):
    text = '# started\nHello there\n#{"lr": 0.5}\nepoch,loss\n0,0.5\n1,0.4\n'
    ds, curves, _ = one(tmp_path, text, messages=True)
    assert curves["all", "loss"] == {0: 0.5, 1: 0.4}
    assert {"started", "Hello there"} <= {*str(ds.messages.item()).split("\n")}
    assert json.loads(ds.attrs["constant_hparams"]) == {"lr": 0.5}


def test_numbers_of_rows_that_pandas_wrote_are_left_out_and_named(tmp_path):
    _, curves, problems = one(tmp_path, ",epoch,loss\n0,5,0.5\n1,6,0.4\n")
    assert curves == {("all", "loss"): {5: 0.5, 6: 0.4}}
    assert problems == [("left_out", 1)]


def test_a_val_column_of_nans_beside_sound_ones_was_never_logged(tmp_path):
    _, curves, problems = one(tmp_path, "epoch,loss,val_loss\n0,0.5,nan\n1,0.4,nan\n")
    assert curves == {("all", "loss"): {0: 0.5, 1: 0.4}}
    assert problems == [("left_out", 1)]


def test_a_val_column_of_nans_beside_nans_is_a_run_that_diverged(tmp_path):
    _, curves, problems = one(tmp_path, "epoch,loss,val_loss\n0,nan,nan\n1,nan,nan\n")
    assert np.isnan([curves[s, "loss"][e] for s in ("all", "val") for e in (0, 1)]).all()
    assert not problems


# Damage.


def test_a_last_line_without_a_newline_is_cut_though_it_is_a_number(tmp_path):
    _, curves, problems = one(tmp_path, "epoch,loss\n0,0.5\n1,0.4\n2,0.12")
    assert curves["all", "loss"] == {0: 0.5, 1: 0.4}
    assert problems == [("truncated_tail", 4)]


@pytest.mark.parametrize(
    "line", ["1", "1,2,3", "1,0.4,2,0.3,0.1", 'x,"0.4', '1,"0.4"5', '"', "1,0.513,0.2"]
)
def test_a_bad_line_costs_that_line(tmp_path, line):
    _, curves, problems = one(tmp_path, f"epoch,loss\n0,0.5\n{line}\n2,0.3\n3,0.2\n")
    assert curves["all", "loss"] == {0: 0.5, 2: 0.3, 3: 0.2}
    assert problems == [("bad_line", 3)]


def test_nuls_that_a_cut_of_the_power_left_are_named(tmp_path):
    _, curves, problems = one(tmp_path, b"epoch,loss\n0,0.5\n\0\0\0\0\n1,0.4\n")
    assert curves["all", "loss"] == {0: 0.5, 1: 0.4}
    assert problems == [("nul_bytes", 3)]


def test_half_a_number_that_became_text_is_named(tmp_path):
    _, curves, problems = one(tmp_path, "epoch,loss\n0,0.5\n1,0.4e\n2,0.3\n")
    assert curves["all", "loss"] == {0: 0.5, 2: 0.3}
    assert problems == [("non_numeric", 3), ("no_metric", 3)]


def test_a_run_that_wrote_only_names_has_failed(tmp_path):
    write(tmp_path / "lr=1/log.csv", "epoch,loss\n0,0.5\n1,0.4\n")
    write(tmp_path / "lr=2/log.csv", "epoch,loss\n")
    write(tmp_path / "lr=3/log.csv", "")
    ds = load(tmp_path, layout="grid")
    assert ds.status.squeeze().values.tolist() == ["complete", "failed", "failed"]


def test_a_pointer_to_a_table_that_is_elsewhere_is_named(tmp_path):
    write(tmp_path / "a/log.csv", "epoch,loss\n0,0.5\n1,0.4\n")
    write(tmp_path / "b/log.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:a\n")
    ds = load(tmp_path)
    assert ds.path.values.ravel().tolist() == ["a/log.csv"]
    (skipped,) = json.loads(ds.attrs["skipped"])
    assert (skipped["kind"], skipped["path"]) == ("lfs_pointer", "b/log.csv")


def test_text_around_a_table_leaves_its_rows(tmp_path):
    text = "Run started, with lr 0.1\nepoch,loss\n0,0.5\n1,0.4\nDone, all good\n"
    ds, curves, problems = one(tmp_path, text, messages=True)
    assert curves["all", "loss"] == {0: 0.5, 1: 0.4}
    assert "Run started" in ds.messages.item()
    assert {kind for kind, _ in problems} == {"non_numeric"}


def test_a_curve_that_begins_late_since_its_beginning_was_deleted_is_named(tmp_path):
    for version, first in enumerate((0, 0, 0, 5)):
        rows = "".join(f"{e},{e * 10},{1 / (e + 1)}\n" for e in range(first, 10))
        write(tmp_path / f"lr={version}/metrics.csv", "epoch,step,train_loss\n" + rows)
    problems = rc.problems(load(tmp_path))
    assert [*zip(problems.kind, problems.path, strict=True)] == [("late_start", "lr=3/metrics.csv")]


def test_a_resume_replaces_rows_and_a_crash_cuts_the_last(tmp_path):
    text = "epoch,loss\n0,0.5\n1,0.4\n2,nan\n3,0.3\n2,0.35\n3,0.2\n4,0.1"
    _, curves, problems = one(tmp_path, text)
    assert curves["all", "loss"] == {0: 0.5, 1: 0.4, 2: 0.35, 3: 0.2}
    assert problems == [("truncated_tail", 8), ("superseded_rows", 4)]


# What is no log, and which of several is.


RESULTS = [
    "lr,seed,acc\n0.1,0,93\n0.1,1,94\n0.2,0,95\n",
    "lr,seed,epochs,test_acc\n0.1,0,10,93\n0.1,1,10,94\n0.2,0,10,95\n",
    "lr,seed,best_epoch,acc\n0.1,0,7,93\n0.1,1,3,94\n",
    "lr,seed,epoch,acc\n0.1,0,7,93\n0.1,1,3,94\n0.2,0,9,93\n0.2,1,2,91\n",
    "width,acc\n16,0.93\n32,0.94\n64,0.95\n",
    "layers,val_loss\n1,0.93\n2,0.94\n3,0.95\n",
    "run,acc\n0,0.93\n1,0.94\n2,0.95\n",
    "model,loss\nresnet,0.93\nvit,0.94\n",
    "id,label,feature\n1,0,0.25\n2,1,0.5\n3,0,0.75\n",
    "date,open,close\n2020-01-01,1.5,1.6\n2020-01-02,1.6,1.7\n",
]


@pytest.mark.parametrize("text", RESULTS)
def test_a_table_of_results_is_no_log_and_is_named(tmp_path, text):
    write(tmp_path / "results.csv", text)
    with pytest.raises(rc.NoRunsError, match="not_read"):
        load(tmp_path)
    write(tmp_path / "run/log.csv", "epoch,loss\n0,0.5\n1,0.4\n")
    ds = load(tmp_path)
    assert [p for p in ds.path.values.ravel() if p] == ["run/log.csv"]
    (skipped,) = json.loads(ds.attrs["skipped"])
    assert (skipped["kind"], skipped["path"]) == ("not_read", "results.csv")
    assert "CsvReader" in skipped["message"]


def test_said_outright_a_table_is_a_log(tmp_path):
    write(tmp_path / "a.csv", "width,acc\n16,0.93\n32,0.94\n64,0.95\n")
    ds = load(tmp_path, reader=rc.CsvReader(x="width"))
    assert ds.curve.sel(metric="acc").squeeze().values.tolist() == [0.93, 0.94, 0.95]
    with pytest.raises(rc.UnknownNameError, match="width"):
        load(tmp_path, reader=rc.CsvReader(x="widht"))


def test_runs_of_one_table_are_told_apart_by_a_column(tmp_path):
    rows = [(lr, s, e, lr + s + e) for lr in (0.5, 1.5) for s in (0, 1) for e in range(3)]
    text = "lr,seed,epoch,val_loss\n" + "".join("{},{},{},{}\n".format(*row) for row in rows)
    write(tmp_path / "all.csv", text)
    ds = load(tmp_path)
    assert ds.sizes["lr"] == ds.sizes["seed"] == 2
    for lr, seed, epoch, loss in rows:
        assert ds.curve.sel(lr=lr, seed=seed, epoch=epoch, metric="loss", split="val") == loss


def test_the_table_of_splits_is_one_run(tmp_path):
    for split, loss in (("train", 0.5), ("val", 0.7)):
        write(tmp_path / f"lr=1/{split}.csv", f"epoch,loss\n0,{loss}\n1,{loss / 2}\n")
    ds = load(tmp_path)
    assert ds.split.values.tolist() == ["train", "val"]
    assert ds.curve.sel(split="val").squeeze().values.tolist() == [0.7, 0.35]


@pytest.mark.parametrize("name", ["{}.csv", "{}_log.csv", "metrics-{}.csv"])
def test_tables_of_splits_with_metrics_of_their_own_are_one_run(name, tmp_path):
    for split, metric in (("train", "loss"), ("val", "acc")):
        text = f"epoch,{metric}\n0,0.5\n1,0.25\n"
        write(tmp_path / "lr=1" / name.format(split), text)
    ds = load(tmp_path)
    assert ds.path.size == 1
    assert ds.curve.sel(split="train", metric="loss").squeeze().values.tolist() == [0.5, 0.25]
    assert ds.curve.sel(split="val", metric="acc").squeeze().values.tolist() == [0.5, 0.25]
    assert not len(rc.problems(ds))


def test_tables_that_are_called_like_the_one_metric_in_them_are_one_run(tmp_path):
    lengths = {"loss": 5, "acc": 3, "f1": 9}
    for lr in (1, 2):
        for metric, count in lengths.items():
            rows = "".join(f"{i},{i / 7 + lr}\n" for i in range(count))
            write(tmp_path / f"lr={lr}/{metric}.csv", f"step,{metric}\n{rows}")
    ds = load(tmp_path)
    assert ds.lr.values.tolist() == [1, 2]
    for metric, count in lengths.items():
        own = ds.curve.sel(lr=2, metric=metric).squeeze().dropna("step").values
        assert own.tolist() == [i / 7 + 2 for i in range(count)]
    assert not len(rc.problems(ds))


def test_tables_of_a_value_that_has_no_name_stay_runs(tmp_path):
    for name, last in (("a", 0.25), ("b", 0.75)):
        write(tmp_path / f"{name}.csv", f"step,value\n0,0.5\n1,{last}\n")
    assert sorted(p for p in load(tmp_path).path.values.ravel() if p) == ["a.csv", "b.csv"]


def test_a_table_beside_the_log_of_another_reader_is_its_second_record(tmp_path):
    text = "epoch,loss\n0,0.5\n1,0.4\n"
    lines = '{"epoch": 0, "loss": 0.5, "acc": 1.0}\n{"epoch": 1, "loss": 0.4, "acc": 2.0}\n'
    write(tmp_path / "a/metrics.csv", text)
    write(tmp_path / "a/metrics.jsonl", lines)
    ds = load(tmp_path)
    assert ds.path.values.ravel().tolist() == ["a/metrics.jsonl"]
    (skipped,) = json.loads(ds.attrs["skipped"])
    assert "beside the log of a run" in skipped["message"]
    ds = load(tmp_path, reader="csv")
    assert ds.path.values.ravel().tolist() == ["a/metrics.csv"]


def test_the_progress_table_of_ray_is_a_second_record(tmp_path):
    result = {"training_iteration": 1, "loss": 0.5, "config": {"lr": 0.1}}
    write(tmp_path / "t1/result.json", json.dumps(result) + "\n")
    write(tmp_path / "t1/params.json", '{"lr": 0.1}')
    write(tmp_path / "t1/progress.csv", "training_iteration,loss\n1,0.5\n")
    ds = load(tmp_path)
    assert ds.path.values.ravel().tolist() == ["t1/result.json"]
    (skipped,) = json.loads(ds.attrs["skipped"])
    assert (skipped["kind"], skipped["path"]) == ("not_read", "t1/progress.csv")


def test_only_files_that_are_asked_for_count_as_the_other_record(tmp_path):
    write(tmp_path / "a/metrics.csv", "epoch,loss\n0,0.5\n1,0.4\n")
    write(tmp_path / "a/metrics.jsonl", '{"epoch": 0, "loss": 0.5}\n')
    ds = load(tmp_path, files="**/*.csv")
    assert ds.path.values.ravel().tolist() == ["a/metrics.csv"]


def test_tables_of_one_folder_with_a_metric_in_common_are_runs(tmp_path):
    for seed in range(3):
        write(tmp_path / f"s{seed}.csv", f"epoch,loss\n0,0.{seed + 1}\n1,0.0{seed + 1}\n")
    ds = load(tmp_path)
    assert sorted(p for p in ds.path.values.ravel() if p) == ["s0.csv", "s1.csv", "s2.csv"]


def test_the_line_of_names_may_be_longer_than_what_is_read_first(tmp_path):
    names = [f"layer_{i}/gradient_norm" for i in range(2000)]
    text = ",".join(["step", *names]) + "\n" + "".join(f"{s}{',0.5' * 2000}\n" for s in range(3))
    write(tmp_path / "a/progress.csv", text)
    ds = load(tmp_path)
    assert ds.sizes["metric"] == 2000
    assert ds.sizes["step"] == 3


def mutated(data, rng):
    """Some bytes changed, put in, taken out, or repeated."""
    data, odd = bytearray(data), [*b'",;\t\n\r\0#{}[]\xff\xc3-+.eNa0']
    for _ in range(rng.integers(1, 9)):
        at = int(rng.integers(len(data)))
        match rng.integers(4):
            case 0:
                data[at] = int(rng.choice(odd))
            case 1:
                data.insert(at, int(rng.choice(odd)))
            case 2:
                del data[at : at + int(rng.integers(1, 40))]
            case _:
                data[at:at] = data[: int(rng.integers(60))]
    return bytes(data)


# With the x of each.
MUTATED = {
    "lightning/lightning_logs/version_0/metrics.csv": "step",
    "sb3/lr=0.1/seed=0/0.monitor.csv": "timesteps",
}


@pytest.mark.parametrize("path", MUTATED)
def test_no_damage_raises_or_changes_another_run(tmp_path, path):
    rng, reader = np.random.default_rng(0), rc.CsvReader()
    sound = (LOGGERS / path).read_bytes()
    write(tmp_path / "b/log.csv", sound)
    wanted = {k[1:]: v for k, v in values_of(load(tmp_path, x=MUTATED[path])).items()}
    for number in range(300):
        data = mutated(sound, rng)
        for line in as_records(data, "a.csv", DEFAULT_LIMITS).data.split(b"\n"):
            assert not line or isinstance(json.loads(line), dict)
        write(tmp_path / "a/log.csv", data)
        file = LogFile("a/log.csv", len(data), 0)
        assert reader.read(Source(str(tmp_path), file.path, (file,)), Request(messages=True))
        if number % 30 == 0:
            found = values_of(load(tmp_path, x=MUTATED[path], align="union"))
            assert {k[1:]: v for k, v in found.items() if k[0] == "b/log.csv"} == wanted
