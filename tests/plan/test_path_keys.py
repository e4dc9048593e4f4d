"""Keys that only the path holds."""

import pytest

from runcube.core.errors import PlanError
from runcube.plan.path_keys import keys_from_paths


def test_a_template_reads_the_first_parts_of_a_path():
    paths = [
        "study_a/mnist/trial_3/log.jsonl",
        "study_b/cifar/trial_10/deep/log.jsonl",
        "other.jsonl",
    ]
    assert keys_from_paths(paths, "{study}/{workload}/trial_{trial}") == [
        {"study": "study_a", "workload": "mnist", "trial": 3},
        {"study": "study_b", "workload": "cifar", "trial": 10},
        {},
    ]


def test_a_field_may_be_the_file_itself():
    assert keys_from_paths(["a/lr0.1.jsonl"], "{model}/lr{lr}.jsonl") == [{"model": "a", "lr": 0.1}]


@pytest.mark.parametrize("template", ["plain", "{a b}", "{}/{x}", "{a}/{a}", "nothing_{like}_this"])
def test_a_template_that_cannot_work_is_refused(template):
    with pytest.raises(PlanError, match="path_keys"):
        keys_from_paths(["a/b.jsonl"], template)


def test_whole_key_value_parts_are_found_without_a_template():
    assert keys_from_paths(["lr=1e-3/seed=0/x=y.jsonl"], None) == [{"lr": 0.001, "seed": 0}]
    assert keys_from_paths(["APEX_Pong-v4_0_env=Pong-v4_2018/result.json"], None) == [{}]
