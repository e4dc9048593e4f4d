"""Arguments that are not of their kind: an error of ours that names them, at every entrance."""

import inspect
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sweeps import product_configs, write_sweep

import runcube as rc
from runcube.pipeline.arguments import _KINDS

pytestmark = pytest.mark.filterwarnings("ignore::runcube.SweepWarning")


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    root = tmp_path_factory.mktemp("arguments") / "logs"
    return write_sweep(root, product_configs(optim__lr=[0.1, 1.0]), (0, 1))


ENTRANCES = {
    "scan": rc.scan,
    "load_runs": rc.load_runs,
    "load_tree": rc.load_tree,
    "open_runs": lambda path, **options: rc.open_runs(path, cache=False, **options),
    "archive_runs": lambda path, **options: rc.archive_runs(path, path / "a.nc", **options),
}
SHAPING = [name for name in _KINDS if name != "messages"]


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_every_entrance_has_the_arguments_that_shape_data(entrance):
    known = inspect.signature(getattr(rc, entrance)).parameters
    left_out = {
        "scan": "x align missing_x splits metrics expected on_duplicate errors".split(),
        "load_tree": "x align missing_x".split(),
    }
    assert set(SHAPING) - known.keys() == set(left_out.get(entrance, ()))


WRONG = {
    "rename": (["lr"], "a mapping of keys to new names"),
    "relabel": ({"lr": "x"}, "a mapping of keys to mappings"),
    "dims": (3, "a name or a list of names"),
    "exclude": ({"lr": 1}, "a name or a list of names"),
    "metrics": ([1], "a name or a list of names"),
    "splits": (b"val", "a name or a list of names"),
    "files": (3, "a name or a list of names"),
    "x": (3, "text or None"),
    "seed": (0, "text or None"),
    "path_keys": (["{a}"], "text or None"),
    "layout": ("gird", "one of 'auto', 'grid', 'configs'"),
    "align": (None, "text"),
    "expected": ("10", "a number in units of x"),
    "messages": ("yes", "True or False"),
    "progress": ("yes", "True, False or a function"),
    "parallel": ("yes", "'auto', False"),
    "reader": (rc.JsonlReader, r"reader=JsonlReader\(\)"),
}


@pytest.mark.parametrize("argument", WRONG)
def test_an_argument_of_another_kind_is_named_with_what_it_may_be(logs, argument):
    value, expected = WRONG[argument]
    with pytest.raises(rc.PlanError, match=rf"^{argument}=.*{expected}"):
        rc.load_runs(logs, **{argument: value})


@pytest.mark.parametrize("path", [None, 3, b"logs", [], {"a": 1}, "", ["a", None], "a\0b"])
def test_what_is_no_path_is_named(path):
    for load in (rc.scan, rc.load_runs, rc.load_tree, rc.open_runs, rc.open_archive):
        with pytest.raises(rc.PlanError, match="is no path: expected"):
            load(path)


def test_a_class_is_no_reader(logs, tmp_path):
    with pytest.raises(TypeError, match="the class JsonlReader"):
        rc.register_reader(rc.JsonlReader)
    rc.archive_runs(logs, tmp_path / "a.nc")
    with pytest.raises(rc.PlanError, match=r"reader=JsonlReader\(\)"):
        rc.update_archive(tmp_path / "a.nc", reader=rc.JsonlReader)


def test_names_may_come_in_any_collection(logs):
    want = rc.load_runs(logs, metrics=["loss"], splits=("val",))
    for names in ({"loss"}, np.array(["loss"]), iter(["loss"]), {"loss": 1}.keys()):
        assert rc.load_runs(logs, metrics=names, splits="val").equals(want)


ODD = st.sampled_from(
    [
        *(3, 0.5, True, None, b"x", (), [], ["x"], [None], [["x"]], {}, {"x": 1}, {"x": {}}),
        *({1: "x"}, {"x": "lr"}, {"lr": {0.1: [1]}}, {"lr": None}, {"lr": ["x"]}, {("a",): "b"}),
        *(object(), rc.JsonlReader, Path("x"), np.arange(2), len, "", "lr", "loss"),
        *(float("nan"), np.float64(1)),
    ]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(ENTRANCES)), st.sampled_from(SHAPING), ODD)
def test_no_argument_raises_an_error_of_python(logs, entrance, argument, value):
    known = inspect.signature(getattr(rc, entrance)).parameters
    if argument not in known:
        return
    with suppress(rc.RuncubeError):
        ENTRANCES[entrance](logs, **{argument: value})


@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_names_of_dims_are_checked_in_either_layout(logs, layout):
    ds = rc.load_runs(logs, layout=layout)
    with pytest.raises(rc.UnknownNameError, match=r"dims='lrr': no such hyperparameter.*'lr'"):
        rc.to_grid(ds, dims=["lrr"])
    for wrong in (3, [3], [None]):
        with pytest.raises(rc.PlanError, match=r"^dims=.*a name or a list of names"):
            ds.sweep.to_grid(dims=wrong)
    assert rc.to_grid(ds, dims="lr").equals(rc.load_runs(logs, layout="grid"))
