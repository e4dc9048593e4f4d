"""Hydra: a multirun that Hydra launched is a cube of what it swept, whatever logged the runs."""

import json
import random
import shutil
import warnings
from pathlib import Path

import hydra_jobs as made
import numpy as np
import pytest
import yaml

import runcube as rc
from runcube.core import DEFAULT_LIMITS, Source
from runcube.files.tree import Tree, list_files
from runcube.readers.config_files import find_sidecars, load_sidecars

DATA = Path(__file__).parents[1] / "data" / "hydra" / "multirun"
MUTATIONS = 300
SWEPT = ("optim.lr=0.1,0.2", "seed=0,1")


def load(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **({"parallel": False} | options))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    root = tmp_path_factory.mktemp("hydra")
    made.write_program(root)
    return root


@pytest.fixture(scope="module", params=["native", "csv", "tensorboard"])
def sweep(program, request):
    """A sweep of two values and two seeds, of which one job crashed, with one kind of log."""
    return made.multirun(program, request.param, *SWEPT, f"logger={request.param}", "+extra=1")


@pytest.fixture(scope="module")
def csv_sweep(program):
    return made.multirun(program, "sweep", *SWEPT, "logger=csv", "optim=sgd,adam")


def of_kind(ds, kind):
    return [p for p in rc.problems(ds).itertuples() if p.kind == kind]


# --- what a real multirun is


def test_the_cube_has_what_was_swept_and_every_value_that_was_logged(sweep):
    ds = load(sweep)
    loss = ds.curve.sel(metric="loss", split="train").squeeze()
    assert dict(ds.sizes) | {"step": 5, "epoch": 5} == {
        "lr": 2, "seed": 2, "split": 1, "metric": 1, "step": 5, "epoch": 5,
    }  # fmt: skip
    for lr in (0.1, 0.2):
        for seed in (0, 1):
            n = 2 if (lr, seed) == (0.2, 1) else 5
            expected = [lr * (5 - e) + seed for e in range(n)] + [np.nan] * (5 - n)
            found = loss.sel(lr=lr, seed=seed).values
            assert np.allclose(found, expected, rtol=1e-7, atol=0, equal_nan=True)


def test_the_job_that_crashed_is_incomplete(sweep):
    status = load(sweep).status.squeeze()
    # RunLogger says itself that its run failed.
    assert status.sel(lr=0.2, seed=1).item() in ("incomplete", "failed")
    assert (status == "complete").sum() == 3


def test_jobs_folders_and_machines_are_no_axes(sweep):
    ds = load(sweep)
    constant = json.loads(ds.attrs["constant_hparams"])
    assert constant["optim.name"] == "sgd"
    assert constant["extra"] == 1
    assert set(json.loads(ds.attrs["excluded_hparams"])) == {
        "hydra.job.num", "hydra.job.id", "hydra.runtime.output_dir",
    }  # fmt: skip
    config = json.loads(ds.run_config.sel(lr=0.1, seed=1).item())
    assert config["hydra.job.num"] == 1


def test_what_only_the_program_resolves_is_text_and_named(csv_sweep):
    ds = load(csv_sweep)
    constant = json.loads(ds.attrs["constant_hparams"])
    assert constant["place"] == "${oc.env:HOME}/data"
    assert constant["double"] == "${width}"
    named = of_kind(ds, "config_value")
    assert len(named) == 8
    assert all("'place': '${…}' that only the program resolves" in p.message for p in named)
    assert not any("double" in p.message for p in named)


@pytest.mark.parametrize("sweep", ["native"], indirect=True)
def test_values_that_the_log_itself_resolved_count_and_are_no_conflict(sweep):
    ds = load(sweep)
    constant = json.loads(ds.attrs["constant_hparams"])
    assert constant["double"] == 3
    assert "$" not in constant["place"]
    assert not of_kind(ds, "config_conflict")
    assert not of_kind(ds, "config_value")


def test_a_native_log_without_a_configuration_has_that_of_the_job(program):
    root = made.multirun(program, "bare", *SWEPT, "logger=native", "own=false")
    for log in root.glob("*/log.jsonl"):
        first, rest = log.read_text().split("\n", 1)
        assert json.loads(first)["type"] == "dict_config"
        log.write_text(rest)
    ds = load(root)
    assert ds.lr.values.tolist() == [0.1, 0.2]
    assert not of_kind(ds, "no_config")


def test_the_option_that_was_chosen_of_a_group_is_a_key(csv_sweep):
    ds = load(csv_sweep)
    assert dict(ds.sizes) == {
        "optim_name": 2, "lr": 2, "seed": 2, "split": 1, "metric": 1, "epoch": 5,
    }  # fmt: skip
    assert ds["optim"].attrs["hparam"] == "overrides.optim"
    assert ds["optim"].to_series().to_dict() == {"adam": "adam", "sgd": "sgd"}


def test_which_logger_was_chosen_is_no_axis(tmp_path):
    write_job(tmp_path / "0", ["lr=1", "logger=csv", "seed=0"], {"lr": 1, "seed": 0, "logger": {}})
    write_job(tmp_path / "1", ["lr=1", "logger=tb", "seed=1"], {"lr": 1, "seed": 1, "logger": {}})
    ds = load(tmp_path)
    assert "hydra.overrides.logger" in json.loads(ds.attrs["excluded_hparams"])


def test_folders_named_by_overrides_add_no_key(program):
    root = made.multirun(
        program, "named", *SWEPT, "logger=csv", "+extra=1",
        "hydra.sweep.subdir=${hydra.job.override_dirname}",
    )  # fmt: skip
    assert any("optim.lr=0.1" in path.name for path in root.iterdir())
    ds = load(root)
    assert [*ds.sizes][:2] == ["lr", "seed"]
    assert "+extra" not in json.loads(ds.attrs["constant_hparams"])


# --- in all roads


@pytest.mark.parametrize("road", ["archive", "update", "open", "processes", "memory"])
def test_every_road_has_the_same_cube(csv_sweep, tmp_path, road):
    import fsspec

    expected = load(csv_sweep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        if road == "archive":
            rc.archive_runs(csv_sweep, tmp_path / "a.nc")
            found = rc.open_archive(tmp_path / "a.nc")
        elif road == "update":
            logs = tmp_path / "logs"
            shutil.copytree(csv_sweep, logs)
            late = logs / "7" / ".hydra" / "config.yaml"
            text = late.read_text()
            late.write_text(text.replace("lr: 0.2", "lr: 0.3"))
            rc.archive_runs(logs, tmp_path / "a.nc")
            late.write_text(text)
            rc.update_archive(tmp_path / "a.nc", logs)
            found = rc.open_archive(tmp_path / "a.nc")
        elif road == "open":
            found = rc.open_runs(csv_sweep, cache=tmp_path / "cache")
        elif road == "processes":
            found = rc.load_runs(csv_sweep, parallel="processes")
        else:
            store = fsspec.filesystem("memory")
            store.put(str(csv_sweep), "/hydra-sweep", recursive=True)
            found = rc.load_runs("memory://hydra-sweep")
            store.rm("/hydra-sweep", recursive=True)
    assert found.curve.load().equals(expected.curve)
    for name in ("status", "optim", "n_problems"):
        assert found[name].load().values.tolist() == expected[name].values.tolist()


# --- files of a job, damaged and mixed


def write_job(folder, overrides, config, rows=3, job=None):
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    if job is not None:
        (folder / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump({"hydra": job}))
    lines = [json.dumps({"epoch": e, "loss": 1.0 / (e + 1)}) for e in range(rows)]
    (folder / "log.jsonl").write_text("\n".join([*lines, ""]))


def config_of(root, folder=""):
    tree = Tree(list_files(root))
    source = Source(tree.root, "log", ())
    return load_sidecars(source, find_sidecars(tree, folder), DEFAULT_LIMITS)


def test_without_its_configuration_the_overrides_of_a_job_count(tmp_path):
    write_job(
        tmp_path,
        ["optim.lr=1e-3", "model=small", "++name='a=b'", "+flag=True", "~gone", "none=null"],
        {},
        job={"runtime": {"choices": {"model": "small"}}},
    )
    (tmp_path / ".hydra" / "config.yaml").unlink()
    config, problems = config_of(tmp_path)
    assert config == {
        "optim": {"lr": 0.001}, "name": "a=b", "flag": True, "none": None,
        "overrides": {"model": "small"},
    }  # fmt: skip
    assert not problems


def test_a_configuration_that_is_damaged_costs_what_only_it_holds(tmp_path):
    write_job(tmp_path, ["lr=0.5"], {"lr": 0.5, "wd": 1})
    (tmp_path / ".hydra" / "config.yaml").write_text("lr: [0.5\nwd")
    config, problems = config_of(tmp_path)
    assert config == {"lr": 0.5}
    assert [p.kind for p in problems] == ["no_config"]


@pytest.mark.parametrize("name", ["overrides.yaml", "hydra.yaml"])
@pytest.mark.parametrize("text", ["", "{", "- [", "5", "\x00", "hydra: 3", "- 1\n- {a: b}"])
def test_other_files_of_a_job_that_are_damaged_cost_no_value(tmp_path, name, text):
    write_job(tmp_path, ["lr=0.5"], {"lr": 0.5})
    (tmp_path / ".hydra" / name).write_text(text)
    (tmp_path / "multirun.yaml").write_text(text)
    config, _ = config_of(tmp_path)
    assert config == {"lr": 0.5}


def test_a_mutated_file_of_a_job_raises_nothing_and_costs_no_other_file(tmp_path):
    rng = random.Random(0)
    shutil.copytree(DATA / "7", tmp_path / "7")
    shutil.copy(DATA / "multirun.yaml", tmp_path)
    (tmp_path / "7" / "config.json").write_text('{"near": 1}')
    names = ["7/.hydra/config.yaml", "7/.hydra/overrides.yaml", "7/.hydra/hydra.yaml"]
    whole, _ = config_of(tmp_path, "7")
    for _ in range(MUTATIONS):
        path = tmp_path / rng.choice([*names, "multirun.yaml"])
        data = path.read_bytes()
        at, n = rng.randrange(len(data)), rng.choice((0, 1, 40))
        odd = rng.choice((b"", b"\xff", b"[", b"${", b": ", b"\n", b"- ", b"'", b"&a *a", b"\0"))
        path.write_bytes(data[:at] + odd + data[at + n :])
        found, _ = config_of(tmp_path, "7")
        path.write_bytes(data)
        assert found["near"] == 1
        if path.name != "config.yaml":
            kept = {k: v for k, v in found.items() if k not in ("hydra", "overrides")}
            assert kept == {k: v for k, v in whole.items() if k not in ("hydra", "overrides")}


@pytest.mark.parametrize(
    ("override", "config"),
    [
        ("lr=1e-3", {"lr": 0.001}),
        ("lr=1", {"lr": 1.0}),
        ("name=5", {"name": "5"}),
        ("flag=1", {"flag": True}),
        ("color=red", {"color": "RED"}),
        ("name='it''s'", {"name": ["a"]}),
        ("x=[1,2]", {"x": [1, 2]}),
        ("x=${y}", {"x": "${y}", "y": 1}),
        ("model=small", {"model": {"depth": 2}}),
    ],
)
def test_what_hydra_made_of_an_override_is_no_contradiction(tmp_path, override, config):
    write_job(tmp_path, [override], config)
    found, problems = config_of(tmp_path)
    assert not problems
    assert config.items() <= found.items()


def test_a_folder_that_two_sweeps_shared_is_named(program):
    """Launched in one second they share a folder by its time; here it has the same name."""
    made.multirun(program, "shared", "optim.lr=0.1,0.2,0.4", "seed=0", "logger=csv")
    root = made.multirun(program, "shared", "optim.lr=0.3", "seed=0", "logger=csv")
    ds = load(root)
    named = of_kind(ds, "config_conflict")
    assert [p.path for p in named] == ["1/.hydra/config.yaml", "2/.hydra/config.yaml"]
    assert all(
        "'optim.lr': no value of the sweep that multirun.yaml tells of" in p.message for p in named
    )
    assert ds.lr.values.tolist() == [0.2, 0.3, 0.4]


def test_a_job_whose_files_are_of_two_sweeps_is_named(tmp_path):
    write_job(tmp_path, ["lr=0.5", "name=a"], {"lr": 0.6, "name": "a"})
    config, problems = config_of(tmp_path)
    assert config == {"lr": 0.6, "name": "a"}
    (problem,) = problems
    assert problem.kind == "config_conflict"
    assert problem.message.startswith("'lr': another value than in overrides.yaml")


@pytest.mark.parametrize(
    "swept",
    ["lr=0.5,0.6", "lr=5e-1", "lr=choice(1,2)", "lr=range(1,3)", "lr='a','b'", "wd=1,2"],
)
def test_a_job_of_its_sweep_is_not_named(tmp_path, swept):
    write_job(tmp_path / "0", ["lr=0.5"], {"lr": 0.5})
    text = yaml.safe_dump({"hydra": {"overrides": {"task": [swept]}}})
    (tmp_path / "multirun.yaml").write_text(text)
    assert not config_of(tmp_path, "0")[1]
