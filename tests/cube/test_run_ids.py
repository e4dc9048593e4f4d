"""The names of runs: short, and each of one run."""

import pytest

from runcube.core import RunHeader, Source
from runcube.cube.coords import run_ids


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["adamw_sc1.0_s0.jsonl", "adamw_sc3.0_s0.jsonl"], ["adamw_sc1.0_s0", "adamw_sc3.0_s0"]),
        (["a/log.jsonl", "b/log.jsonl.gz"], ["a", "b"]),
        (["a/x.log.json", "a/y.log.json"], ["a/x", "a/y"]),
        (["log.jsonl.2", "other.jsonl"], ["log", "other"]),
        (["a.json", "a.jsonl", "b.json"], ["a.json", "a.jsonl", "b"]),
    ],
)
def test_a_name_is_the_part_of_the_path_that_tells_the_run(paths, names):
    assert run_ids([RunHeader(Source("", path, ())) for path in paths]) == names
