"""The template of path keys that a note prints: it reads every path, and tells runs apart."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runcube.core.model import LogFile, RunHeader, Source
from runcube.plan import plan
from runcube.plan.path_keys import compile_template, keys_from_paths
from runcube.plan.path_template import suggest_template


def planned(configs, *, template="auto"):
    """The plan of runs from their paths and configurations."""
    headers = [RunHeader(Source("/", p, (LogFile(p, 1, 1),)), config=c) for p, c in configs.items()]
    given_keys = keys_from_paths(list(configs), template)
    return plan(headers, path_keys=given_keys)


def printed(s):
    """The template in the notes of a plan."""
    (found,) = {m for note in s.notes for m in re.findall(r"path_keys=(\"[^\"]+\"|'[^']+')", note)}
    return eval(found)  # as it would be pasted


def again(configs):
    """The plan of runs with the template that their first plan prints."""
    return planned(configs, template=printed(planned(configs)))


# --- what a template looks like


@pytest.mark.parametrize(
    ("paths", "template"),
    [
        (["k1_s0.jsonl", "k1p5_s1.jsonl", "kinf_s0.jsonl"], "k{k}_s{s}.jsonl"),
        (["day1/lr0.1_s0", "day2/lr0.01_s1"], "day{day}/lr{lr}_s{s}"),
        (["lr1e-3_a.log", "lr0.1_b.log"], "lr{lr}_{level1}.log"),
        (["lr1e-3-a.log", "lr0.1-b.log"], "{level1}"),  # lr{lr}-{level1} would read lr = 1e
        (["lr=0.1,bs=32.jsonl", "lr=0.2,bs=64.jsonl"], "lr={lr},bs={bs}.jsonl"),
        (["a/2025-03/run_1.jsonl", "b/2025-03/run_2.jsonl"], "{level1}/2025-03/run_{run}.jsonl"),
        (["opt-sgd_7", "opt-adam_8"], "opt-{opt}_{level1}"),
        (["adam_x", "adamw_y"], "{level1}_{level1_2}"),
        (["base_s0.jsonl", "no_warmup_s1.jsonl"], "{level1}_s{s}.jsonl"),
        (["x/log", "x/log", "y/log"], "{level1}"),
        (["a/s1/f", "b/s2/f"], "{level1}/s{s}"),
        (["s1/s3/f", "s2/s4/f"], "s{s}/s{level2}"),
        (["rank0.log", "rank1.log"], "rank{level1}.log"),  # by the name rank it would be excluded
        (["bs32lr0.1", "bs64lr0.2"], "bs{bs}lr{lr}"),
        (["lr0.1wd0_s0", "lr0.1wd1_s0"], "lr0.1wd{wd}_s0"),
        (["m1p5s0", "m2p5s1", "m1p5s1", "m2p5s0"], "m{m}s{seed}"),
        (["day1/lr0.1_s0", "day2/lr1_s0", "day1/lr10_s3"], "day{day}/lr{lr}_s{s}"),
        (["2025-03-07/09-00-11_x", "2025-03-08/09-01-11_x"], "{level1}/{level2}_x"),
        (["run_20240101_120000_s1", "run_20240102_130000_s2"], "run_{run}_s{s}"),
        (["k1_s0", "k1_s1", "k2_s0", "k2_s1"], "k{k}_s{seed}"),  # seeds that recur
        (["a{x}_1", "a{x}_2"], "{level1}"),  # braces cannot be literal
    ],
)
def test_tokens_become_fields_and_keep_their_values(paths, template):
    assert suggest_template(paths) == template


@pytest.mark.parametrize("paths", [[], ["a"], ["a/log", "a/log"]])
def test_paths_that_do_not_differ_have_no_template(paths):
    assert suggest_template(paths) is None


def test_numbers_that_are_one_value_are_not_read_as_numbers():
    paths = ["s1.log", "s01.log"]
    assert suggest_template(paths) == "{level1}"
    assert keys_from_paths(paths, "{level1}") == [{"level1": "s1.log"}, {"level1": "s01.log"}]


# --- what a template says beside the configuration


def test_a_token_that_repeats_a_key_has_its_name_and_is_no_new_key():
    configs = {
        f"{study}_{opt}_d{width}_s{seed}.jsonl": {
            "_meta": {"optimizer": opt, "d_model": width, "seed": seed}
        }
        for study in ("capA", "ladder")
        for opt in ("adam", "sgd")
        for width in (128, 256)
        for seed in (0, 1)
    }
    first = planned(configs)
    assert printed(first) == "{level1}_{optimizer}_d{d_model}_s{seed}.jsonl"
    s = again(configs)
    assert {a.name: a.key for a in s.axes} == {
        "optimizer": "_meta.optimizer",
        "d_model": "_meta.d_model",
        "level1": "level1",
    }
    assert s.seed_axis.key == "_meta.seed"
    assert (s.coords, s.problems, s.shared_cells) == ((), (), ())
    assert not [note for note in s.notes if "path_keys" in note]


def test_a_token_is_not_called_after_a_key_that_says_something_else():
    configs = {f"k{k}_lr{lr}": {"lr": 0.5, "k": 9} for k in (1, 2) for lr in (0.1, 0.2)}
    assert printed(planned(configs)) == "k{level1}_lr{level1_2}"
    s = again(configs)
    assert s.constant == {"lr": 0.5, "k": 9}
    assert s.problems == ()
    assert not s.shared_cells


def test_of_keys_with_the_same_values_the_one_with_the_initial_of_the_token_counts():
    configs = {f"{a}_s{i}": {"fold": i, "seed": i} for a in "xy" for i in (0, 1, 2)}
    assert printed(planned(configs)) == "{level1}_s{seed}"


def test_a_template_that_says_what_the_configuration_says_is_not_printed():
    """Two studies share cells, and the names say nothing of them."""
    configs = {
        f"s{seed}/{part}.log": {"seed": seed, "part": part} for seed in (0, 1) for part in "ab"
    }
    headers = [
        RunHeader(Source("/", p, (LogFile(p, 1, 1),)), str(i), config=c)
        for p, c in configs.items()
        for i in range(2)
    ]
    s = plan(headers)
    assert s.separate
    assert not [note for note in s.notes if "path_keys" in note]


@pytest.mark.parametrize("odd", ['say "a"', "back\\slash", "tab\t", "it's"])
def test_what_is_printed_can_be_pasted(odd):
    configs = {f"{odd}/run_{i}": {"lr": 1} for i in range(3)}
    (note,) = [note for note in planned(configs).notes if "path_keys" in note]
    found = re.search(r"path_keys=(.+) reads", note)
    assert eval(found[1]) == f"{odd}/run_{{run}}"


def test_a_template_that_says_the_same_as_a_nested_key_is_no_new_key():
    s = planned(
        {"adam/1": {"optim": {"name": "adam"}}, "sgd/1": {"optim": {"name": "sgd"}}},
        template="{name}",
    )
    assert [axis.key for axis in s.axes] == ["optim.name"]


# --- properties

NUMBERS = st.sampled_from(["0", "1", "2", "10", "0.1", "0.25", "1e-3", "2.5e-4", "1p5", "inf"])
WORDS = st.sampled_from(["adam", "adamw", "sgd", "A5", "D30", "capA", "x", "None", "true"])


@st.composite
def token_names(draw):
    """Paths whose names are made of tokens, each level by one pattern."""
    levels = []
    for _ in range(draw(st.integers(1, 3))):
        n_tokens = draw(st.integers(1, 4))
        kinds = draw(st.lists(st.sampled_from("cvwn"), min_size=n_tokens, max_size=n_tokens))
        starts = draw(st.lists(st.sampled_from(["s", "lr", "k", "day", "id"]), min_size=4))
        levels.append(
            (kinds, starts, draw(st.sampled_from("_-.")), draw(st.sampled_from(["", ".jsonl"])))
        )

    def token(kind, start):
        return {
            "c": st.just(start),
            "v": NUMBERS.map(lambda number: start + number),
            "w": WORDS,
            "n": NUMBERS,
        }[kind]

    paths = st.tuples(
        *(
            st.tuples(*map(token, kinds, starts)).map(
                lambda tokens, sep=separator, end=end: sep.join(tokens) + end
            )
            for kinds, starts, separator, end in levels
        )
    ).map("/".join)
    return draw(st.lists(paths, min_size=2, max_size=12))


def read_alike(paths, template):
    """Whether two paths that differ have the same keys."""
    keys = [tuple(map(repr, found.values())) for found in keys_from_paths(paths, template)]
    assert all(keys)
    return len(set(keys)) < len(set(paths))


@given(token_names())
@settings(max_examples=300)
def test_a_template_matches_all_paths_and_tells_apart_those_that_differ(paths):
    assume(len(set(paths)) > 1)
    template = suggest_template(paths)
    assert template is not None
    assert not read_alike(paths, template)


@given(
    st.integers(1, 3).flatmap(
        lambda depth: st.lists(
            st.lists(
                st.text("ab01.-_={} é\n\\\"'/".replace("/", ""), min_size=1, max_size=6),
                min_size=depth,
                max_size=depth,
            ).map("/".join),
            min_size=2,
            max_size=6,
            unique=True,
        )
    )
)
@settings(max_examples=300)
def test_any_paths_are_matched_and_told_apart_by_their_texts(paths):
    pattern = compile_template(suggest_template(paths))
    found = [pattern.match(path) for path in paths]
    assert all(found)
    assert len({match.groups() for match in found}) == len(paths)
    assert all(
        match.end() == len(path) or path[match.end()] == "/"
        for match, path in zip(found, paths, strict=True)
    )
