"""Keys that only the path holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcube.core.errors import PlanError
from runcube.core.model import LogFile, RunHeader, Source
from runcube.plan import plan
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
    assert keys_from_paths(["lr=1e-3/seed=0/x=y.jsonl"], "auto") == [{"lr": 0.001, "seed": 0}]
    assert keys_from_paths(["APEX_Pong-v4_0_env=Pong-v4_2018/result.json"], "auto") == [{}]
    assert keys_from_paths(["lr=1e-3/log.jsonl"], None) == [{}]


@pytest.mark.parametrize(
    ("directories", "keys"),
    [
        (["lr=0.1_weight_decay=0,bs=8"], [{"lr": 0.1, "weight_decay": 0, "bs": 8}]),
        (["exp0_lr=0.1", "exp1_lr=0.2"], [{"lr": 0.1}, {"lr": 0.2}]),
        (["l2_reg=0.1", "l2_reg=0.2"], [{"l2_reg": 0.1}, {"l2_reg": 0.2}]),
        (
            [f"PPO_Pole_12_0000{i}_{i}_lr=0.1000,seed={i}_2021-03-04_12-33-11" for i in (0, 1)],
            [{"lr": 0.1, "seed": 0}, {"lr": 0.1, "seed": 1}],
        ),
    ],
)
def test_numbers_of_runs_and_dates_are_no_part_of_a_pair(directories, keys):
    assert keys_from_paths([f"{name}/log.jsonl" for name in directories], "auto") == keys


def planned(configs):
    headers = [RunHeader(Source("/", p, (LogFile(p, 1, 1),)), config=c) for p, c in configs.items()]
    return plan(headers, path_keys=keys_from_paths(list(configs), "auto"))


def test_pairs_that_repeat_the_configuration_are_no_keys():
    s = planned(
        {f"exp{i}_lr={lr}/log": {"optim": {"lr": lr}, "seed": i // 2}
         for i, lr in enumerate((0.1, 0.2) * 3)}
    )  # fmt: skip
    assert {name: len(labels) for name, labels in s.dims.items()} == {"lr": 2, "seed": 3}
    assert (s.coords, s.excluded, s.problems) == ((), {}, ())


@pytest.mark.parametrize(
    ("config", "text"),
    [(0.00123456, "0.0012"), (1e-5, "0.0000"), ([64, 64], "64_64"), ("a/b", "a_b"), (None, "None")],
)
def test_a_rounded_number_and_a_text_without_slashes_repeat_the_configuration(config, text):
    """As Ray writes them into the names of trials."""
    s = planned({f"PPO_Pole_{i}_x={text},seed={i}_2021-03-04_12-33/log": {"x": config, "seed": i}
                 for i in (0, 1)})  # fmt: skip
    assert s.constant == {"x": config}
    assert (s.axes, s.coords, s.problems) == ((), (), ())


def test_a_pair_that_contradicts_the_configuration_is_named():
    s = planned({f"lr=0.{i}/log": {"lr": 0.5, "seed": i} for i in (1, 5)})
    assert s.constant == {"lr": 0.5}
    assert [p.kind for _, p in s.problems] == ["config_conflict"]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "lr": st.floats(1e-5, 10).map(lambda value: float(f"{value:.3g}")),
                "weight_decay": st.sampled_from([0, 0.1, 1e-4]),
                "opt": st.sampled_from(["adam", "sgd"]),
            }
        ).map(lambda config: dict(sorted(config.items()))),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["_", ","]),
    st.sampled_from(["", "exp{}_", "PPO_Pole_12_0000{}_"]),
    st.sampled_from(["", "_2024-01-02_03-04-05", "-2024-01-02"]),
)
def test_what_pairs_say_is_what_the_configuration_says(configs, separator, before, after):
    paths = [
        before.format(i) + separator.join(f"{k}={v}" for k, v in config.items()) + after + "/log"
        for i, config in enumerate(configs)
    ]
    if len(configs) > 1 or not before:  # of one run, nothing shows what its number is
        assert keys_from_paths(paths, "auto") == configs
    s = planned(dict(zip(paths, configs, strict=True)))
    names = {a.key for a in s.axes} | {c.key for c in s.coords} | s.constant.keys()
    assert names | s.excluded.keys() <= {"lr", "weight_decay", "opt"}
    assert s.problems == ()
