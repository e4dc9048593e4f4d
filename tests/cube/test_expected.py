"""One definition of a missing run: commands, tables, figures and pages count the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from value_cubes import configs_cube, grid_cube

import runcube as rc
from runcube.cube import expected_runs

STATUSES = ["complete", "incomplete", "failed", "absent"]


def grid(statuses):
    """Return a cube of lr, wd and seed whose runs ended like this."""
    ds = grid_cube(np.ones(np.shape(statuses)), lr=[0.1, 0.2][: len(statuses)], wd=[0.0, 0.1])
    return ds.assign_coords(status=(ds.status.dims, np.array(statuses, dtype="<U10")))


@given(
    st.lists(st.sampled_from(STATUSES), min_size=12, max_size=12).filter(
        lambda own: set(own) != {"absent"}
    )
)
def test_all_that_speak_of_missing_runs_speak_of_the_same(own):
    ds = grid(np.reshape(own, (2, 2, 3)))
    statuses = np.reshape(own, (4, 3))
    begun = statuses[(statuses != "absent").any(axis=1)]
    wanted = int((begun != "complete").sum())
    for cube in (ds, rc.to_configs(ds)):
        assert len(cube.sweep.missing()) == len(cube.sweep.missing_configs()) == wanted
        assert cube.sweep.table()["missing"].sum() == wanted
        assert (cube.sweep.completeness() != "complete").to_numpy().sum() == wanted
        assert int((rc.plot.data.coverage(cube) != "complete").sum()) == wanted


def test_what_was_never_tried_is_missing_only_where_it_is_asked_for():
    ds = grid([[["complete", "absent"], ["absent", "absent"]]])
    assert expected_runs(ds).missing[1].tolist() == [1]
    assert expected_runs(ds, all_combinations=True).is_missing.sum() == 3
    with pytest.raises(rc.PlanError, match="to_grid"):
        expected_runs(rc.to_configs(ds), all_combinations=True)


def test_a_crashed_run_and_its_rerun_are_one_everywhere():
    ds = configs_cube(np.ones((3, 2)), lr=[0.1, 0.2, 0.2])
    own = [["complete", "failed"], ["incomplete", "complete"], ["complete", "absent"]]
    ds = ds.assign_coords(status=(ds.status.dims, np.array(own, dtype="<U10")))
    expected = expected_runs(ds)
    assert expected.status.tolist() == [["complete", "failed"], ["complete", "complete"]]
    assert expected.at_row.tolist() == [[0, 0], [2, 1]]
    assert ds.sweep.table()["missing"].tolist() == [1, 0, 0]
    assert ds.sweep.completeness().to_numpy().tolist() == expected.status.tolist()
    assert rc.plot.data.coverage(ds).values.tolist() == expected.status.tolist()
