"""Random histories of logs: whatever becomes of them, an update sees it."""

import pytest
from archives import (
    CHUNKS,
    HISTORIES,
    LAYOUTS,
    NativeLogs,
    TableLogs,
    archive,
    arguments,
    assert_archived,
    assert_up_to_date,
    begun,
    happens,
    set_chunks,
)
from hypothesis import given, reject
from hypothesis import strategies as st

from runcube.core.errors import RuncubeError
from runcube.testing import logged_sweeps


@st.composite
def policies(draw):
    """Arguments of an archive that any history may go on with."""
    options = {"layout": draw(st.sampled_from(LAYOUTS))}
    further = {
        "align": st.sampled_from(["union", "order"]),
        "on_duplicate": st.sampled_from(["first", "last"]),
        "expected": st.integers(1, 4),
        "splits": st.just("val"),
        "dtype": st.just("float32"),
        "significant_digits": st.integers(1, 9),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(further)), max_size=2))
    return options | {name: draw(further[name]) for name in sorted(chosen)}


@HISTORIES
@given(data=st.data(), options=policies(), chunk=st.sampled_from(CHUNKS))
@pytest.mark.parametrize("kind", [NativeLogs, TableLogs])
def test_an_archive_that_is_updated_again_and_again_is_as_a_new_one(
    tmp_path_factory, kind, data, options, chunk
):
    folder = tmp_path_factory.mktemp("history")
    logs = begun(folder, data, kind)
    with pytest.MonkeyPatch.context() as patch:
        set_chunks(patch, chunk)
        try:
            archive(logs.root, folder / "sweep.nc", **options)
        except RuncubeError:
            # An error of hypothesis where this is so of (nearly) every history.
            reject()
        for _ in range(data.draw(st.integers(1, 4))):
            happens(logs, data)
            assert_up_to_date(folder / "sweep.nc", logs.root, **options)


@HISTORIES
@given(data=st.data(), sweep=logged_sweeps(), chunk=st.sampled_from(CHUNKS))
def test_a_sweep_may_come_in_parts(tmp_path_factory, data, sweep, chunk):
    folder = tmp_path_factory.mktemp("sweep")
    options = data.draw(arguments(sweep))
    left = data.draw(st.permutations(sweep.runs))
    with pytest.MonkeyPatch.context() as patch:
        set_chunks(patch, chunk)
        while left:
            count = data.draw(st.integers(1, len(left)))
            part, left = left[:count], left[count:]
            type(sweep)(sweep.splits, sweep.metrics, tuple(part)).write(folder / "logs")
            if (folder / "sweep.nc").exists():
                assert_up_to_date(folder / "sweep.nc", folder / "logs", **options)
            else:
                assert_archived(folder / "logs", folder / "sweep.nc", **options)
