"""The steps of a load return what they find: what they were given stays as it was."""

from copy import deepcopy
from dataclasses import replace

import pytest
import xarray as xr
from jsonl_logs import write
from sweeps import product_configs, write_sweep

from runcube.cube import build_cube
from runcube.pipeline import finish_load, load_policy, parse_logs, selected_runs
from runcube.pipeline.discover import discover
from runcube.pipeline.parse import scan_sweep

pytestmark = pytest.mark.filterwarnings("ignore::runcube.SweepWarning")


@pytest.fixture
def unread(tmp_path):
    """Logs of which only reading them whole shows what runs they hold."""
    for lr in (0.1, 0.2):
        rows = [{"lr": lr, "step": step, "loss": step * lr} for step in range(3)]
        write(tmp_path / "logs" / f"{lr}.jsonl", rows)
    policy = load_policy(reader="jsonl")
    found = discover(tmp_path / "logs", **policy.finding)
    assert len(found.unread) == 2
    return found, policy


@pytest.mark.parametrize("step", [parse_logs, scan_sweep])
def test_what_was_discovered_stays(unread, step):
    found, policy = unread
    before = deepcopy(found)
    step(found, policy)
    assert found == before


def test_the_headers_that_reading_showed_are_returned(unread):
    found, policy = unread
    parsed = parse_logs(found, policy)
    grown, sweep = scan_sweep(found, policy)
    assert (
        parsed.discovery
        == grown
        == replace(found, headers=grown.headers, path_keys=grown.path_keys, digests=grown.digests)
    )
    assert [h.source.path for h in grown.headers] == ["0.1.jsonl", "0.2.jsonl"]
    assert not grown.unread
    assert str(sweep) == str(parsed.sweep)


def test_what_could_not_be_read_is_returned(unread, tmp_path):
    found, policy = unread
    (tmp_path / "logs" / "0.2.jsonl").unlink()
    grown, _ = scan_sweep(found, policy)
    assert not found.skipped
    assert [(p.path, p.kind) for p in grown.skipped] == [("0.2.jsonl", "unreadable")]


@pytest.mark.parametrize("align", ["union", "order"])
def test_a_selection_can_be_built_twice(tmp_path, align):
    logs = write_sweep(tmp_path / "logs", product_configs(optim__lr=[0.1, 1.0]), (0, 1))
    policy = load_policy(align=align)
    found = discover(logs, **policy.finding)
    parsed = parse_logs(found, policy)
    finished = finish_load(parsed, policy, selected_runs(parsed, policy))
    one, other = (build_cube(parsed.sweep, finished.selection, finished.labels) for _ in range(2))
    assert one["logged"].values.any()
    xr.testing.assert_identical(one, other)
