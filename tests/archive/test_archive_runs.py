"""What is archived is what would be loaded."""

from pathlib import Path

import pytest
from archives import (
    CHUNKS,
    archive,
    arguments,
    assert_archived,
    assert_same,
    each_sweep,
    load,
    quietly,
    set_chunks,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_logs import (
    SWEEPS,
)

import runcube as rc
from runcube.testing import logged_sweeps

DATA = Path(__file__).parents[1] / "data"


def test_the_example_is_archived_as_it_is_loaded(path):
    assert_archived("examples/logs", path)


@pytest.mark.parametrize(
    "options",
    [
        {"layout": "configs"},
        {"splits": "val", "metrics": ["loss", "acc1"]},
        {"relabel": {"weights": {None: "random"}}, "rename": {"weights": "init"}},
        {"exclude": "lr", "on_duplicate": "last"},
        {"dims": ["lr", "weights"], "layout": "grid"},
        {"x": "epoch", "align": "order", "expected": 12},
        {"path_keys": "{part}/{number}"},
        {"seed": None},
    ],
)
def test_the_example_is_archived_as_any_arguments_say(path, options):
    assert_archived("examples/logs", path, **options)


def test_the_digits_are_archived_as_they_are_loaded(digits, digits_cube, path):
    made = archive(digits[0], path)
    assert_same(made, load(digits[0]))
    assert_same(made.drop_vars("messages"), digits_cube, but=["policies"])


@pytest.mark.parametrize(
    "folder",
    ["overfit-init-transfer", "raytune-rllib", "muon-norm-cap", "csv-loggers", "wandb", "sacred"],
)
def test_logs_of_other_people_are_archived_as_they_are_loaded(path, folder):
    assert_archived(DATA / folder, path)


@settings(max_examples=settings().max_examples // 2)
@given(data=st.data(), sweep=logged_sweeps(), chunk=st.sampled_from(CHUNKS))
def test_a_written_sweep_is_archived_as_it_is_loaded(tmp_path_factory, data, sweep, chunk):
    folder = tmp_path_factory.mktemp("sweep")
    sweep.write(folder / "logs")
    (folder / "logs").mkdir(exist_ok=True)
    options = data.draw(arguments(sweep))
    with pytest.MonkeyPatch.context() as patch:
        set_chunks(patch, chunk)
        assert_archived(folder / "logs", folder / "sweep.nc", **options)


@each_sweep
def test_odd_logs_are_archived_as_they_are_loaded(root, path, read, name, options):
    SWEEPS[name][0](root)
    assert_archived(root, path, **options)
    before = path.stat()
    read.clear()
    quietly(rc.update_archive, path)
    assert read == []
    assert path.stat() == before, "nothing has changed"
