"""A curve whose beginning is gone is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcube as rc


def written(root, starts, *, n=12, every=1, config=None):
    for number, first in enumerate(starts):
        own = {"lr": 0.1, "seed": number} | (config(number) if config else {})
        with rc.RunLogger(root / f"r{number:02}", own) as log:
            for epoch in range(0, n, every):
                if epoch >= first:
                    log.start_epoch(epoch)
                    log.log("train", {"loss": epoch + number / 8})
                    log.log("val", {"loss": epoch + number / 4})
    return rc.load_runs(root, parallel=False)


def late(ds):
    table = rc.problems(ds)
    return table[table["kind"] == "late_start"]


def test_a_run_whose_beginning_was_overwritten_is_named_and_counts_less_there(tmp_path):
    with pytest.warns(rc.SweepWarning, match="1 late_start"):
        ds = written(tmp_path, [0, 0, 7, 0])
    (message,) = late(ds).message
    assert late(ds).path.tolist() == ["r02/json_out.jsonl"]
    assert "'train', 'val'" in message
    assert "epoch 7, in other runs at 0" in message
    counts = ds.curve.sel(split="val", metric="loss").count("seed").values.ravel()
    assert counts.tolist() == [3] * 7 + [4] * 5
    assert set(ds.status.values.ravel()) == {"complete"}


@pytest.mark.filterwarnings("ignore::runcube.SweepWarning")
@given(
    starts=st.lists(st.sampled_from([0, 0, 0, 2, 5, 8]), min_size=2, max_size=6),
    every=st.sampled_from([1, 2]),
)
def test_those_are_late_that_lack_more_than_one_point(tmp_path_factory, starts, every):
    ds = written(tmp_path_factory.mktemp("sweep"), starts, every=every)
    firsts = [min(e for e in range(0, 12, every) if e >= first) for first in starts]
    usual = firsts.count(0) >= 2 and 2 * firsts.count(0) > len(firsts)
    wanted = {f"r{i:02}/json_out.jsonl" for i, f in enumerate(firsts) if usual and f > every}
    if usual:
        assert set(late(ds).path) == wanted


def test_what_a_whole_configuration_does_is_no_late_start(tmp_path):
    starts = [0, 0, 0, 0, 6, 6]
    ds = written(tmp_path, starts, config=lambda n: {"warmup": starts[n], "seed": n})
    assert late(ds).empty


def test_where_runs_share_no_beginning_none_is_late(tmp_path):
    assert late(written(tmp_path, [0, 2, 4, 6])).empty


def test_a_tree_names_it_as_well(tmp_path):
    with pytest.warns(rc.SweepWarning, match="1 late_start"):
        written(tmp_path, [0, 0, 7, 0])
    with pytest.warns(rc.SweepWarning, match="1 late_start"):
        tree = rc.load_tree(tmp_path, parallel=False)
    assert late(tree).path.tolist() == ["r02/json_out.jsonl"]
