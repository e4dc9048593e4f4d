"""Configuration files beside logs and above them: which count, and what of them is carried."""

import json
import math
import re
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runcube.core import DEFAULT_LIMITS, Limits, LogFile, Source
from runcube.files.tree import Tree, list_files
from runcube.readers.config_files import HYDRA, SIDECARS, find_sidecars, load_sidecars


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def load(root, files, folder="", limits=DEFAULT_LIMITS):
    write(root, files)
    tree = Tree(list_files(root))
    return load_sidecars(Source(tree.root, "log", ()), find_sidecars(tree, folder), limits)


def load_one(root, text, name="config.json", limits=DEFAULT_LIMITS):
    return load(root, {name: text}, limits=limits)


def nested(open_, close, depth, inner="1"):
    return open_ * depth + inner + close * depth


def with_bad(text):
    return '{"lr": 1, "bad": ' + text + "}"


# --- which files


def test_all_files_of_a_folder_and_above_count_nearest_first(tmp_path):
    names = ["a/b/hparams.yaml", "a/b/config.json", "a/.hydra/config.yaml", "params.json"]
    write(tmp_path, dict.fromkeys([*names, "a/c/config.json", "results.json"], "{}"))
    found = find_sidecars(Tree(list_files(tmp_path)), "a/b")
    assert [file.path for file in found] == [
        "a/b/config.json",
        "a/b/hparams.yaml",
        "a/.hydra/config.yaml",
        "params.json",
    ]


def test_a_claimed_file_is_found_for_the_next_log(tmp_path):
    write(tmp_path, {"config.json": "{}", "a/log.jsonl": "", "b/log.jsonl": ""})
    tree = Tree(list_files(tmp_path))
    tree.claim(find_sidecars(tree, "a"))
    assert [file.path for file in find_sidecars(tree, "b")] == ["config.json"]


def test_two_files_of_one_folder_are_one_configuration(tmp_path):
    files = {"config.json": '{"optim": {"lr": 1}}', "hparams.yaml": "optim: {wd: 2}\nseed: 3\n"}
    config, problems = load(tmp_path, files)
    assert config == {"optim": {"lr": 1, "wd": 2}, "seed": 3}
    assert not problems


def test_keys_in_which_files_of_one_folder_differ_are_named_with_both_files(tmp_path):
    first = '{"lr": 1, "o": {"a": 1, "b": true, "n": NaN}}'
    second = "lr: 2\no: {a: 1.0, b: 1, n: .nan}\n"
    config, problems = load(tmp_path, {"config.json": first, "hparams.yaml": second})
    what = "config.json and hparams.yaml differ, config.json counts"
    assert [(p.kind, p.path, p.message) for p in problems] == [
        ("config_conflict", "hparams.yaml", f"configuration: '{key}': {what}")
        for key in ("lr", "o.b")
    ]
    assert (config["lr"], config["o"]["b"]) == (1, True)


def test_a_nearer_file_overrides_one_above_key_by_key_and_each_is_named(tmp_path):
    above = '{"lr": 1, "seed": 0, "o": {"a": 1, "b": 1}, "gone": {"x": 1}}'
    files = {"config.json": above, "a/config.yaml": "lr: 2\no: {b: 2}\ngone: null\n"}
    config, problems = load(tmp_path, files | {"a/deep/args.json": '{"lr": 3}'}, "a/deep/er")
    assert config == {"lr": 3, "seed": 0, "o": {"a": 1, "b": 2}, "gone": None}
    assert [(p.kind, p.path, p.message.split(": ", 1)[1]) for p in problems] == [
        ("config_conflict", path, f"'{key}': {counts} and {path} differ, {counts} counts")
        for path, key, counts in (
            ("a/config.yaml", "lr", "a/deep/args.json"),
            ("config.json", "lr", "a/deep/args.json"),
            ("config.json", "o.b", "a/config.yaml"),
            ("config.json", "gone", "a/config.yaml"),
        )
    ]


def leaves(value, above=""):
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from leaves(inner, f"{above}{key}.")
        else:
            yield above + key, inner


NESTED = st.recursive(
    st.integers(0, 1) | st.sampled_from((None, True, "a")),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), NESTED, max_size=3), max_size=4))
def test_every_value_of_every_file_counts_or_is_named(tmp_path_factory, configs):
    root = tmp_path_factory.mktemp("logs")
    folders = ["", "a/", "a/b/", "a/b/c/"]
    files = {
        f"{folder}config.json": json.dumps(config)
        for folder, config in zip(folders, configs, strict=False)
    }
    merged, problems = load(root, files, "a/b/c")
    counts = {key: json.dumps(value) for key, value in leaves(merged)}
    named = [(p.path, p.message.split("'")[1]) for p in problems]
    assert len(set(named)) == len(named)
    for path, text in files.items():
        for key, value in leaves(json.loads(text)):
            above = {key[:end] for end, at in enumerate(key + ".") if at == "."}
            is_named = any((path, part) in named for part in above)
            is_empty = value == {}
            assert is_named != (counts.get(key) == json.dumps(value)) or is_empty


def test_what_a_null_replaces_does_not_come_back_below_it(tmp_path):
    files = {"config.json": '{"o": {"a": 1}}', "x/config.json": '{"o": null}'}
    assert load(tmp_path, files | {"x/y/config.json": '{"o": {}}'}, "x/y")[0] == {"o": {}}


def test_a_broken_file_costs_itself(tmp_path):
    config, problems = load(tmp_path, {"config.json": '{"lr": ', "hparams.yaml": "seed: 1"})
    assert config == {"seed": 1}
    assert [(p.kind, p.path) for p in problems] == [("no_config", "config.json")]


def test_a_file_that_is_gone_is_a_problem(tmp_path):
    gone = LogFile("config.json", 1, 1)
    config, problems = load_sidecars(Source(str(tmp_path), "log", ()), [gone])
    assert config == {}
    assert [(p.kind, p.path) for p in problems] == [("unreadable", "config.json")]


# --- what is carried

CASES = {
    "deep list": (with_bad(nested("[", "]", 500)), "config.json"),
    "very deep list": (with_bad(nested("[", "]", 100_000)), "config.json"),
    "deep mapping": (with_bad(nested('{"k": ', "}", 50_000)), "config.json"),
    "deep yaml": (f"lr: 1\nbad: {nested('[', ']', 500)}\n", "config.yaml"),
    "itself": ("lr: 1\nbad: &a [*a]\n", "config.yaml"),
    "itself below": ("lr: 1\nbad: {x: &a {y: *a}}\n", "config.yaml"),
    "long hexadecimal": (f"lr: 1\nbad: 0x{'f' * 4000}\n", "config.yaml"),
    "long number": (with_bad("9" * 5000), "config.json"),
    "long fraction": (with_bad("0." + "9" * 5000), "config.json"),
    "too large": ('{"lr": 1, "bad": 1e400}', "config.json"),
    "too small": ('{"lr": 1, "bad": 1e-400}', "config.json"),
    "too large in yaml": ("lr: 1\nbad: -1e400\n", "config.yaml"),
    "surrogate": ('{"lr": 1, "bad": "\\ud800"}', "config.json"),
    "surrogate in a key": ('{"lr": 1, "bad": {"x\\ud800": 1}}', "config.json"),
    "no utf-8": (b'{"lr": 1, "bad": "caf\xe9"}', "config.json"),
    "repeated": ('{"lr": 1, "bad": 1, "bad": 2}', "config.json"),
    "repeated in yaml": ("lr: 1\nbad: 1\nbad: 2\n", "config.yaml"),
    "bytes": ("lr: 1\nbad: !!binary aGVsbG8=\n", "config.yaml"),
    "a name": ("lr: 1\nbad: !!python/name:torch.nn.ReLU\n", "config.yaml"),
    "an object": ("lr: 1\nbad: !!python/object:x.Y {a: 1}\n", "config.yaml"),
    "no such anchor": ("lr: 1\nbad: *nothing\n", "config.yaml"),
    "not a number": ("lr: 1\nbad: !!int abc\n", "config.yaml"),
    "a list as key": ("lr: 1\nx: {? [bad] : 2}\n", "config.yaml"),
    "described": ("lr: {value: 1}\nbad: {desc: what it is, value: 2}\n", "config.yaml"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_carried_costs_itself_and_is_named(tmp_path, case):
    start = time.perf_counter()
    config, problems = load_one(tmp_path, *CASES[case])
    assert config["lr"] == 1
    (problem,) = problems
    assert "bad" in problem.message
    assert problem.path == CASES[case][1]
    assert json.loads(json.dumps(config)) == config
    json.dumps(config, ensure_ascii=False).encode()  # no lone surrogates
    assert time.perf_counter() - start < 5


def test_the_last_of_a_repeated_key_counts(tmp_path):
    assert load_one(tmp_path, '{"a": 1, "a": 2}')[0] == {"a": 2}
    assert load_one(tmp_path / "b", "a: 1\na: 2\n", "config.yaml")[0] == {"a": 2}


def test_the_text_of_a_number_is_kept_where_the_number_cannot_be(tmp_path):
    digits = "-" + "9" * 5000
    config, _ = load_one(tmp_path, f'{{"a": 1e400, "b": {digits}, "c": 1e5, "d": 0e0}}')
    assert config == {"a": "1e400", "b": digits, "c": 1e5, "d": 0.0}


BOMBS = {
    "lists": ("[x, x, x, x, x, x, x, x, x]", "[{}]", "*a{0}"),
    "mappings": ("{x: 1}", "{{{}}}", "k{1}: *a{0}"),
    "merges": ("{x: 1}", "{{<<: [{}]}}", "*a{0}"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_aliases_cost_no_more_than_the_limit(tmp_path, kind):
    first, whole, part = BOMBS[kind]
    lines = ["lr: 1", f"a0: &a0 {first}"]
    for i in range(1, 20):
        inner = ", ".join(part.format(i - 1, j) for j in range(9))
        lines.append(f"a{i}: &a{i} {whole.format(inner)}")
    start = time.perf_counter()
    config, problems = load_one(tmp_path, "\n".join([*lines, "seed: 3", ""]), "config.yaml")
    assert time.perf_counter() - start < 10
    assert (config["lr"], config["seed"]) == (1, 3)
    if kind == "merges":
        assert config["a19"] == {"x": 1}  # nothing grows
    else:
        assert "'a19'" in problems[0].message
        assert f"Limits(keys={DEFAULT_LIMITS.keys})" in problems[0].message


def test_values_beyond_the_limit_are_left_out_and_named(tmp_path):
    text = json.dumps({"a": [1, 2, 3], "b": 1, "c": {"d": 1, "e": 2}, "f": 1})
    config, problems = load_one(tmp_path, text, limits=Limits(keys=3))
    assert config == {"a": [1, 2, 3]}
    (problem,) = problems
    assert problem.kind == "limit"
    assert "'b', 'c', 'f'" in problem.message
    assert load_one(tmp_path, text, limits=Limits(keys=7)) == (json.loads(text), [])


@pytest.mark.parametrize("depth", [3, 300])
@pytest.mark.parametrize("name", ["config.json", "config.yaml"])
def test_depth_is_the_number_of_containers_and_can_be_raised(tmp_path, depth, name):
    whole, deeper = nested("[", "]", depth - 1), nested("[", "]", depth)
    text = f'{{"a": {whole}, "b": {deeper}}}'
    config, problems = load_one(tmp_path, text, name, limits=Limits(depth=depth))
    assert config == {"a": json.loads(whole)}
    assert f"'b': nested deeper than Limits(depth={depth})" in problems[0].message


def test_yaml_as_people_write_it(tmp_path):
    text = """
base: &base {lr: 1e-4, wd: 0.0}
run:
  <<: *base
  wd: 1_000
on: off
10: ten
date: 2024-01-01
shape: !!python/tuple [1, 2]
names: !!set {p, q}
inf: .inf
"""
    config, problems = load_one(tmp_path, text, "config.yaml")
    assert config == {
        "base": {"lr": 1e-4, "wd": 0.0},
        "run": {"lr": 1e-4, "wd": 1000},
        "on": False,
        "10": "ten",
        "date": "2024-01-01",
        "shape": [1, 2],
        "names": ["p", "q"],
        "inf": math.inf,
    }
    assert not problems


@pytest.mark.parametrize("ending", ["json", "yaml"])
@given(data=st.binary(max_size=60) | st.text("[]{}:,-&*a!<\n 1\"'", max_size=60).map(str.encode))
def test_nothing_raises(tmp_path_factory, ending, data):
    config, _ = load_one(tmp_path_factory.mktemp("any"), data, f"config.{ending}")
    json.dumps(config, ensure_ascii=False).encode()


# --- any configuration comes back, wherever it stands

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
# PyYAML writes the text 1e5 without quotes; everybody else means, and we read, the number.
FREE_TEXT = TEXT.filter(lambda text: not re.fullmatch(r"[-+]?[\d_.]+[eE][-+]?\d+", text))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | FREE_TEXT
    | st.sampled_from(["1", "1.5", "null", "yes", "2024-01-01", "<<", "=", "~", "0x1"])
)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT, v, max_size=3), max_leaves=8
)
CONFIGS = st.dictionaries(st.sampled_from("abc") | TEXT, VALUES, max_size=4)
PLACES = st.sampled_from(["", "x/", "x/y/", "x/y/z/"])


def as_json(config):
    return json.dumps(config)


def as_yaml(config):
    return yaml.safe_dump(config, allow_unicode=True, sort_keys=False)


def over(below, above):
    """Every key of both; where both have one, that of ``above``, mappings key by key."""
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


# Those that are a configuration by themselves: the others say more of Hydra's.
ALONE = [name for name in SIDECARS if name not in HYDRA[1:]]


@given(st.dictionaries(st.tuples(PLACES, st.sampled_from(ALONE)), CONFIGS, min_size=1, max_size=4))
def test_any_configuration_comes_back_key_by_key(tmp_path_factory, configs):
    root = tmp_path_factory.mktemp("sidecars")
    dump = {place: (as_json if place[1].endswith("json") else as_yaml) for place in configs}
    files = {place + name: dump[place, name](c) for (place, name), c in configs.items()}
    found, problems = load(root, files, "x/y/z")
    expected = {}
    order = sorted(configs, key=lambda place: (len(place[0]), -SIDECARS.index(place[1])))
    for place in order:
        read = yaml.safe_load if dump[place] is as_yaml else json.loads
        expected = over(expected, read(dump[place](configs[place])))
    boxed = any(
        c and all(isinstance(v, dict) and v and v.keys() <= {"desc", "value"} for v in c.values())
        for c in configs.values()
    )
    if not boxed:
        assert found == expected
        assert repr(found).count("True") == repr(expected).count("True")  # True is not 1
    assert {p.kind for p in problems} <= {"config_conflict"}
