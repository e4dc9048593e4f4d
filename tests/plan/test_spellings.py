"""Numbers that runs spell in several ways: one label, unless that would mix two runs."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweeps import write_run

import runcube as rc
from runcube.core.model import LogFile, RunHeader, Source
from runcube.plan import PlanPolicy, plan
from runcube.plan.values import token


def header(config, path):
    return RunHeader(Source("/", path, (LogFile(path, 1, 1),)), config=config)


def sweep(values, **policy):
    """The plan of a run with each value of lr, each with a seed of its own."""
    headers = [header({"lr": v, "seed": i}, f"run_{i}/log") for i, v in enumerate(values)]
    return plan(headers, PlanPolicy(dims=["lr"], **policy))


def labels(values, **policy):
    return sweep(values, **policy).dims["lr"].tolist()


def kinds(s):
    return [p.kind for _, p in s.problems]


# --- text


def test_texts_that_spell_numbers_make_a_numeric_axis_and_are_named():
    s = sweep([1e-5, "1e-5", "0.00001", 0.001, "1e-3"])
    assert s.dims["lr"].dtype == np.float64
    assert s.dims["lr"].tolist() == [1e-5, 0.001]
    assert [(i, p.kind) for i, p in s.problems] == [(1, "text_numbers")]
    assert "lr" in s.problems[0][1].message
    assert "exact_labels=True" in s.problems[0][1].message


def test_the_spelling_of_a_run_is_kept():
    assert sweep([1e-5, "1e-5", 0.001]).rest == ({}, {"lr": "1e-5"}, {})


def test_whole_numbers_in_text_are_integers():
    assert sweep(["32", "64", 128]).dims["lr"].dtype == np.int64


@pytest.mark.parametrize(
    "values",
    [
        ["01", "2"],
        ["1.10", "1.1"],
        ["1.9", "1.10", "1.13"],
        ["1", "1.0"],
        ["+1", "2"],
        [".5", "1"],
        ["0x10", "1"],
        ["1e999", "1"],
        ["NaN", "1"],
        ["1 ", "2"],
        ["1_000", "2"],
        ["٣", "4"],
        ["1e-5", "auto"],
        ["1", True],
        ["9" * 5000, "1"],
    ],
)
def test_what_json_would_not_write_and_versions_stay_text(values):
    s = sweep(values)
    assert s.dims["lr"].dtype.kind == "U"
    assert "text_numbers" not in kinds(s)


def test_beside_other_text_the_json_form_remains():
    s = sweep(["1", 1, "auto"])
    assert s.dims["lr"].tolist() == ['"1"', "1", "auto"]
    assert kinds(s) == ["label_collision"]


def test_null_and_absence_are_no_other_text():
    headers = [header(c | {"seed": i}, f"r{i}") for i, c in enumerate(
        [{"lr": "1e-5"}, {"lr": None}, {}, {"lr": 1e-5}]
    )]  # fmt: skip
    s = plan(headers, PlanPolicy(dims=["lr"]))
    assert s.dims["lr"].tolist() == ["1e-05", "None", "absent"]


def test_fixed_decimals_and_floats_of_python_are_numbers():
    assert labels(["0.10", "0.25"]) == [0.1, 0.25]
    assert labels(["1.0", "0.25"]) == [0.25, 1.0]


def test_ids_in_text_are_no_numbers():
    runs = [header({"job": str(1000 + i), "lr": i % 2, "seed": i // 2}, f"r{i}") for i in range(24)]
    assert list(plan(runs).dims) == ["lr", "seed"]


def test_seeds_in_text_are_seeds():
    runs = [header({"lr": lr, "seed": s}, f"{lr}/{s}") for lr in (1, 2) for s in ("0", 1)]
    assert plan(runs).seed.tolist() == [0, 1]


def test_what_never_varies_is_left_as_it_is_written():
    runs = [header({"eps": "1e-5", "lr": lr}, f"{lr}") for lr in (1, 2)]
    s = plan(runs)
    assert s.constant == {"eps": "1e-5"}
    assert s.problems == ()
    s = plan([*runs, header({"eps": 1e-5, "lr": 3}, "3")])
    assert s.constant == {"eps": 1e-5}
    assert [rest.get("eps") for rest in s.rest] == ["1e-5", "1e-5", None]


# --- rounding


@pytest.mark.parametrize(
    "near", [0.1 + 0.2, float(np.float32(0.3)), 0.3 * (1 + 5e-7), "0.30000000000000004"]
)
def test_floats_that_no_one_would_sweep_apart_are_one_label_and_named(near):
    s = sweep([0.3, near, 0.5])
    assert s.dims["lr"].tolist() == [0.3, 0.5]
    assert "near_numbers" in kinds(s)
    assert s.rest[1] == {"lr": near}


@pytest.mark.parametrize(
    "values",
    [
        [0.3, 0.3 * (1 + 2e-6)],
        [1000000, 1000001],
        [1e6, 1e6 + 1],
        [0.999999, 0.9999999],
        [1 - 2**-20, 1 - 2**-21],
        [1e-8, 1.001e-8, 2e-8],
        [-0.3, 0.3],
        np.geomspace(1e-8, 1e8, 997).tolist(),
        np.linspace(0.1, 0.2, 997).tolist(),
    ],
)
def test_what_someone_would_sweep_apart_stays_apart(values):
    s = sweep(values)
    assert len(s.dims["lr"]) == len(values)
    assert kinds(s) == []


def test_a_chain_of_near_numbers_is_cut_by_its_least():
    values = [0.1 * (1 + i * 4e-7) for i in range(6)]
    s = sweep(values)
    shown = [s.dims["lr"][cell[0]] for cell in s.cells]
    assert [shown[0] == shown[i] for i in range(6)] == [True, True, True, False, False, False]
    assert shown[3] == shown[4] == shown[5]


@pytest.mark.parametrize(("name", "policy"), [("seed", {}), ("fold", {"seed": "fold"})])
def test_seeds_are_never_merged(name, policy):
    pairs = [(1, 0.3), (2, 0.1 + 0.2), (1, 0.5), (2, 0.5)]
    runs = [header({"lr": lr, name: seed}, f"{lr}/{seed}") for lr, seed in pairs]
    assert len(plan(runs, PlanPolicy(**policy)).seed) == 3


# --- arguments


def test_exact_labels_keep_spellings_apart():
    s = sweep([0.3, 0.1 + 0.2, "0.3"], exact_labels=True)
    assert s.dims["lr"].tolist() == ["0.3", "0.30000000000000004", '"0.3"']
    assert kinds(s) == ["label_collision"]
    assert labels([0.3, 0.1 + 0.2], exact_labels=True) == [0.3, 0.1 + 0.2]


def test_relabel_names_a_number_in_all_its_spellings():
    values = [1e-5, "1e-5", "0.00001", 0.001, "1e-3"]
    assert labels(values, relabel={"lr": {1e-5: "low"}}) == ["low", "0.001"]
    assert labels(values, relabel={"lr": {"1e-5": 0.5}}) == [0.001, 0.5]
    assert labels(["none", "0.1"], relabel={"lr": {"none": 0.0}}) == [0.0, 0.1]


@pytest.mark.parametrize(
    ("relabel", "message"),
    [
        ({"w": {"None": "x"}}, "but None in some: write it without quotes"),
        ({"n": {"1": "x"}}, "but 1 in some: write it without quotes"),
        ({"v": {None: "x"}}, "but 'None' in some: write it in quotes"),
        ({"w": {"DEFALT": "x"}}, r"\(nearest: 'DEFAULT'\)"),
        ({"w": {7: "x"}}, r"\(known: None, 'DEFAULT'\)"),
    ],
)
def test_an_error_of_relabel_says_how_to_write_the_value(relabel, message):
    runs = [header({"w": None, "v": "None", "n": 1}, "a"), header({"w": "DEFAULT", "n": 2}, "b")]
    with pytest.raises(rc.UnknownNameError, match=message):
        plan(runs, PlanPolicy(relabel=relabel))


def test_a_default_is_the_value_of_runs_that_lack_the_key():
    runs = [header({"lr": 1}, "a"), header({"lr": 1, "model": {"dropout": 0.5}}, "b")]
    assert plan(runs).dims["dropout"].tolist() == ["absent", "0.5"]
    for name in ("dropout", "model.dropout"):
        s = plan(runs, PlanPolicy(defaults={name: np.float64(0)}))
        assert s.dims["dropout"].tolist() == [0.0, 0.5]
    s = plan(runs, PlanPolicy(defaults={"dropout": 0.5}))
    assert s.constant == {"lr": 1, "model.dropout": 0.5}
    with pytest.raises(rc.UnknownNameError, match=r"defaults: .*'dropuot'.*'dropout'"):
        plan(runs, PlanPolicy(defaults={"dropuot": 0}))


# --- properties

NUMBERS = st.sampled_from([1e-5, 0.001, 0.1, 0.25, 0.3, 1.0, 3.0, 10.0, 64.0])


@st.composite
def spelled(draw):
    """A number as some configuration might have it."""
    number = draw(NUMBERS)
    return number, draw(
        st.sampled_from(
            [
                number,
                float(np.float32(number)),
                np.nextafter(number, 100),
                repr(number),
                f"{number:.1e}",
                f"{number!r}e0" if "e" not in repr(number) else repr(number),
                int(number) if number.is_integer() else number,
            ]
        ).map(lambda v: v.item() if isinstance(v, np.generic) else v)
    )


@given(st.lists(spelled(), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_no_runs_share_a_cell_by_merging_and_the_order_of_runs_does_not_count(pairs, rng):
    runs = [
        header({"lr": own, "wd": i % 2, "seed": i // 4}, f"run_{i:02}")
        for i, (_, own) in enumerate(pairs)
    ]
    s = plan(runs)
    if "lr" not in s.excluded:  # as text that differs in almost every run
        for cell in s.shared_cells:
            assert len({token(pairs[run][1]) for run in cell.runs}) == 1
    rng.shuffle(runs)
    again = plan(runs)
    assert np.array_equal(again.cells, s.cells)
    assert {n: v.tolist() for n, v in again.dims.items()} == {
        n: v.tolist() for n, v in s.dims.items()
    }
    assert again.problems == s.problems


@given(st.lists(spelled(), min_size=2, max_size=12))
def test_a_label_is_near_what_the_run_has_which_is_kept(pairs):
    s = sweep([own for _, own in pairs])
    axis = s.axes[0]
    for run, (_, own) in enumerate(pairs):
        label = axis.labels[s.cells[run, 0]]
        if axis.labels.dtype.kind == "U":
            continue  # texts that differ by zeros alone
        assert math.isclose(label, float(own), rel_tol=1e-6)
        kept = s.rest[run].get("lr", s.constant.get("lr", label))
        assert kept == own or s.constant.get("lr") == own


# --- on every road


def test_spellings_and_defaults_are_the_same_on_every_road(tmp_path):
    logs = tmp_path / "logs"
    configs = [
        {"lr": 0.3, "seed": 0},
        {"lr": "0.3", "seed": 1},
        {"lr": 0.1 + 0.2, "seed": 2},
        {"lr": 0.5, "seed": 0, "dropout": 0.1},
    ]
    for i, config in enumerate(configs[:-1]):
        write_run(logs / str(i), config)
    options = {"defaults": {"lr": 0.3}, "dims": ["lr"]}
    with pytest.warns(rc.SweepWarning):
        rc.archive_runs(logs, tmp_path / "a.nc", **options)
    write_run(logs / "3", configs[-1])
    with pytest.warns(rc.SweepWarning):
        rc.update_archive(tmp_path / "a.nc")
    with pytest.warns(rc.SweepWarning, match="text_numbers"):
        ds = rc.load_runs(logs, **options)
    assert ds.lr.values.tolist() == [0.3, 0.5]
    assert json.loads(ds.run_config.sel(lr=0.3, seed=1).item())["lr"] == "0.3"
    assert json.loads(ds.attrs["policies"])["defaults"] == {"lr": 0.3}
    with rc.open_archive(tmp_path / "a.nc") as archived:
        assert archived.drop_attrs().identical(ds.drop_attrs())
    with pytest.warns(rc.SweepWarning):
        lazy = rc.open_runs(logs, cache=False, **options)
    assert lazy.drop_attrs().compute().identical(ds.drop_attrs())
    exact = rc.scan(logs, exact_labels=True)
    assert exact.dims["lr"].tolist() == ["0.3", '"0.3"', "0.30000000000000004", "0.5"]
    with pytest.warns(rc.SweepWarning):
        rc.archive_runs(logs, tmp_path / "b.nc", exact_labels=True)
    (logs / "3" / "json_out.jsonl").touch()
    with pytest.warns(rc.SweepWarning):
        rc.update_archive(tmp_path / "b.nc")
    with rc.open_archive(tmp_path / "b.nc") as archived:
        assert archived.lr.values.tolist() == exact.dims["lr"].tolist()
        assert json.loads(archived.attrs["policies"])["exact_labels"] is True
