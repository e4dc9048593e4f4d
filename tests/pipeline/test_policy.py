"""The arguments of a load as plain data and back: for the attrs, for archives, as a key."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcube as rc
from runcube.pipeline.arguments import _KINDS, load_policy
from runcube.pipeline.policy import (
    policy_arguments,
    policy_attr,
    policy_facts,
    policy_key,
    policy_of,
    policy_of_arguments,
)
from runcube.readers import resolve_reader

names = st.lists(st.text(max_size=3), unique=True, max_size=2)
values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
)
ARGUMENTS = {
    "reader": st.sampled_from(["auto", "jsonl", rc.JsonlReader(x="step"), rc.CsvReader()]),
    "files": names,
    "ignore": names,
    "path_keys": st.sampled_from(["auto", "{a}", None]),
    "splits": st.none() | names,
    "metrics": st.none() | names,
    "messages": st.booleans(),
    "errors": st.sampled_from(["warn", "raise"]),
    "dims": st.none() | names,
    "exclude": names,
    "rename": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    "relabel": st.dictionaries(
        st.text(max_size=3), st.dictionaries(values, values, max_size=2), max_size=2
    ),
    "seed": st.sampled_from(["auto", "seed", None]),
    "layout": st.sampled_from(["auto", "grid", "configs"]),
    "defaults": st.dictionaries(st.text(max_size=3), values, max_size=2),
    "exact_labels": st.booleans(),
    "x": st.none() | st.text(max_size=3),
    "align": st.sampled_from(["auto", "union", "order"]),
    "expected": st.none() | st.integers() | st.floats(allow_nan=False),
    "on_duplicate": st.sampled_from(["prefer_complete", "first", "last", "raise"]),
    "missing_x": st.sampled_from(["carry", "drop"]),
}
policies = st.fixed_dictionaries({}, optional=ARGUMENTS).map(lambda given: load_policy(**given))


def key_of(policy):
    return policy_key(policy, resolve_reader(policy.reader))


def test_every_argument_has_a_kind_and_is_a_field():
    assert _KINDS.keys() == policy_arguments(load_policy()).keys() == ARGUMENTS.keys()


@given(policy=policies)
def test_a_policy_is_what_its_arguments_make(policy):
    assert policy_of_arguments(policy_arguments(policy)) == policy


@given(policy=policies)
def test_an_archive_gives_its_policy_back(policy):
    back = policy_of(json.loads(json.dumps(policy_facts(policy))), None)
    assert back == replace(policy, messages=True)
    assert repr(back) == repr(replace(policy, messages=True)), "1, 1.0 and True are not the same"


def test_the_form_in_archives_stays():
    facts = policy_facts(load_policy(dims=["lr"], relabel={"lr": {1: "one"}}, x="step"))
    assert json.loads(json.dumps(facts)) == {
        "reader": "auto",
        "files": [],
        "ignore": [],
        "path_keys": "auto",
        "plan": {
            "dims": ["lr"],
            "exclude": [],
            "rename": {},
            "relabel": [["lr", [[1, "one"]]]],
            "seed": "auto",
            "layout": "auto",
            "defaults": {},
            "exact_labels": False,
        },
        "contest": {
            "x": "step",
            "align": "auto",
            "expected": None,
            "on_duplicate": "prefer_complete",
            "missing_x": "carry",
        },
        "splits": None,
        "metrics": None,
        "errors": "warn",
    }


def test_archives_of_before_have_the_defaults_of_newer_arguments():
    facts = policy_facts(load_policy())
    del facts["files"], facts["ignore"], facts["contest"]["missing_x"]
    del facts["plan"]["exact_labels"], facts["plan"]["defaults"]
    facts["path_keys"] = None  # what "auto" was
    assert policy_of(facts, None) == load_policy(messages=True)


def test_the_attr_has_the_arguments_in_their_order():
    policy = load_policy(reader=rc.JsonlReader(x="step"), seed="replicate")
    told = json.loads(policy_attr(policy))
    assert list(told) == list(ARGUMENTS)
    assert (told["reader"], told["seed"], told["align"]) == ("jsonl", "replicate", "auto")


@given(one=policies, other=policies)
def test_policies_have_one_key_if_they_are_the_same(one, other):
    same = repr(one) == repr(other)
    assert (repr(key_of(one)) == repr(key_of(other))) == same
    assert key_of(one) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"expected": 1}, {"expected": 1.0}),
        ({"relabel": {"a": {1: 2}}}, {"relabel": {"a": {True: 2}}}),
        ({"defaults": {"a": [1]}}, {"defaults": {"a": (1,)}}),
        ({"defaults": {"a": {}}}, {"defaults": {"a": []}}),
        ({"rename": {"a": "b", "c": "d"}}, {"rename": {"c": "d", "a": "b"}}),
        ({"reader": "jsonl"}, {"reader": rc.JsonlReader(x="step")}),
        ({"messages": True}, {}),
        ({"metrics": []}, {}),
    ],
)
def test_whatever_differs_differs_in_the_key(one, other):
    assert repr(key_of(load_policy(**one))) != repr(key_of(load_policy(**other)))


def test_a_numpy_number_is_that_number():
    one, other = ({"defaults": {"a": x}, "expected": x} for x in (np.float64(2), 2.0))
    assert key_of(load_policy(**one)) == key_of(load_policy(**other))


@dataclass(frozen=True)
class Own:
    """A reader whose results depend on what nobody knows."""

    option: object
    name = "own"
    find = headers = read = None


def test_what_can_only_be_described_has_no_key():
    assert key_of(load_policy(defaults={"a": object()})) is None
    unknown = Own(lambda: None)  # cannot be pickled
    assert policy_key(load_policy(reader=unknown), [unknown]) is None
    known = Own(3)
    assert policy_key(load_policy(reader=known), [known]) is not None
