import datetime as dt
import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcube.core.errors import UnknownNameError
from runcube.plan.labels import MAX_LABEL, make_labels
from runcube.plan.names import reserved, resolve, short_names
from runcube.plan.values import ABSENT, fill_null_subtrees, flatten, key_order, make_column, token

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["None", "1"])
)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3),
    max_leaves=6,
)


def labels_of(*raw):
    return make_labels(make_column("key", raw))


def shown(*raw):
    column = make_column("key", raw)
    return make_labels(column).of(column.codes).tolist()


# --- flattening


def test_lists_and_empty_mappings_are_values():
    assert flatten({"a": {"b": [1, {"c": 2}], "d": {}}}) == {"a.b": [1, {"c": 2}], "a.d": {}}


def test_keys_keep_the_order_of_the_config():
    assert list(flatten({"z": 1, "a": {"y": 1, "b": 1}, "c": 1})) == ["z", "a.y", "a.b", "c"]


def test_a_dotted_key_beside_the_nested_one_is_not_lost():
    assert sorted(flatten({"a.b": 1, "a": {"b": 2}}).values()) == [1, 2]


def test_numpy_scalars_and_tuples_become_plain():
    flat = flatten({"a": np.float32(0.5), "b": (1, 2), "c": np.bool_(True)})
    assert flat == {"a": 0.5, "b": [1, 2], "c": True}
    assert type(flat["c"]) is bool


def test_fifty_levels_flatten():
    config = 1
    for _ in range(50):
        config = {"a": config}
    assert flatten(config) == {".".join("a" * 50): 1}


def test_no_depth_and_no_circle_is_too_much():
    deep, wide = 1, 1
    for _ in range(5000):
        deep, wide = {"a": deep}, [wide, (wide,)][:1]
    itself = {"n": 1}
    itself["me"] = itself
    itself["list"] = [itself, [itself]]
    flat = flatten({"deep": deep, "wide": wide, "itself": itself})
    assert flat["itself.n"] == 1
    assert flat["itself.me"] == "…"
    assert flat["itself.list"] == ["…", ["…"]]
    assert len(flat) == 5
    for value in flat.values():
        token(value)
        json.dumps(value)


def test_many_keys_below_null_parents_take_linear_time():
    n = 20_000
    null = {f"k{i}": None for i in range(n)}
    start = time.perf_counter()
    filled = fill_null_subtrees([null, flatten({f"k{i}": {"a": 1} for i in range(n)})])
    assert list(filled[0]) == list(filled[1])
    assert time.perf_counter() - start < 5  # 25 s where each parent costs a pass


def test_keys_that_runs_do_not_share_take_linear_time():
    n = 40_000
    start = time.perf_counter()
    order = key_order([{f"a{i}": 1 for i in range(n)} | {"z": 1}, {f"b{i}": 1 for i in range(n)}])
    assert order[:2] == ["b0", "b1"]
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("null", [None, {}])
def test_a_null_parent_is_null_below(null):
    flats = fill_null_subtrees([{"s": null, "x": 1}, {"s.a": 1, "s.b.c": 2, "x": 1}])
    assert flats[0] == {"s.a": None, "s.b.c": None, "x": 1}


def test_null_subtrees_reach_through_nested_ones():
    flats = fill_null_subtrees([{"a": None}, {"a.b": None}, {"a.b.c": 1}])
    assert flats == [{"a.b.c": None}, {"a.b.c": None}, {"a.b.c": 1}]


def test_a_null_without_children_anywhere_stays():
    assert fill_null_subtrees([{"a": None}, {"a": 1}]) == [{"a": None}, {"a": 1}]


def test_a_key_that_only_later_runs_have_stands_where_they_have_it():
    assert key_order([{"a": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}]) == ["a", "b", "c"]


# --- values


def test_true_is_not_one_and_one_is_one_point_zero():
    assert token(True) != token(1)
    assert token(1) == token(1.0)
    assert token([True]) != token([1])
    assert token(-0.0) == token(0.0)


def test_integers_stay_integers_and_ascend():
    labels = labels_of(10, 2, 10).labels
    assert labels.dtype == np.int64
    assert labels.tolist() == [2, 10]


def test_int_and_float_are_float64():
    assert labels_of(1, 0.5).labels.dtype == np.float64
    assert shown(1, 0.5, 1.0) == [1.0, 0.5, 1.0]


def test_an_int_hidden_behind_an_equal_float_does_not_decide_the_type():
    assert labels_of(1, 1.0, 2).labels.dtype == np.float64


def test_bools_are_bools_but_not_beside_numbers():
    assert labels_of(True, False).labels.dtype == np.bool_
    assert shown(True, 1) == ["True", "1"]


def test_integers_that_float64_would_merge_are_text():
    assert labels_of(2**53, 2**53 + 1, 0.5).labels.dtype.kind == "U"
    assert len(set(shown(2**53, 2**53 + 1, 0.5))) == 3


def test_integers_beyond_int64_are_text_with_value():
    labels = labels_of(2**70, 1)
    assert labels.labels.tolist() == [str(2**70), "1"]
    assert labels.value.tolist() == [2.0**70, 1.0]


def test_nan_is_never_an_index_label():
    labels = labels_of(math.nan, 0.5, math.nan)
    assert labels.labels.tolist() == ["NaN", "0.5"]
    np.testing.assert_array_equal(labels.value, [math.nan, 0.5])


def test_infinity_is_a_number():
    assert labels_of(math.inf, 1).labels.tolist() == [1.0, math.inf]


def test_text_keeps_the_order_of_appearance():
    assert labels_of("b", "a", None, ABSENT).labels.tolist() == ["b", "a", "None", "absent"]


def test_text_without_numbers_has_no_value():
    assert labels_of("b", None, True).value is None


def test_a_string_that_spells_another_value_is_quoted():
    labels = labels_of(None, "None", 1, "1", '"1"')
    assert labels.labels.tolist() == ["None", '"None"', "1", '"1"', '"\\"1\\""']
    assert labels.quoted == (1, 3, 4)


def test_a_string_that_spells_nothing_present_stays():
    assert labels_of("None", 1).labels.tolist() == ["None", "1"]


def test_numbers_on_a_text_axis_are_written_alike():
    assert shown(1, 0.5, "auto", 1.0) == ["1.0", "0.5", "auto", "1.0"]


def test_strings_that_netcdf_cannot_hold_are_escaped():
    assert shown("a\0", "\ud800", None) == ["a\\x00", "\\ud800", "None"]
    assert len(set(shown("\0", "\\x00"))) == 2
    assert len(set(shown("\0\\x00", "\\x00\0"))) == 2


def test_a_long_value_is_cut_but_still_told_apart():
    a, b = list(range(10_000)), [*range(9_999), 0]
    labels = labels_of(a, b)
    assert len(set(labels.labels.tolist())) == 2
    assert labels.labels.dtype.itemsize <= 4 * MAX_LABEL
    assert labels.shortened == (0, 1)


def test_what_json_has_no_word_for_is_text():
    assert shown(dt.date(2025, 1, 2), "2025-01-02") == ["2025-01-02", '"2025-01-02"']


@given(st.lists(VALUES, min_size=1, max_size=8))
def test_labels_tell_apart_exactly_what_values_do(raw):
    labels = shown(*raw)
    for i, a in enumerate(raw):
        for j, b in enumerate(raw):
            assert (labels[i] == labels[j]) == (token(a) == token(b)), (i, j)


@given(st.lists(VALUES, min_size=1, max_size=8))
def test_text_labels_can_be_encoded(raw):
    for label in shown(*raw):
        if isinstance(label, str):
            label.encode()
            assert "\0" not in label


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.none()), min_size=1))
def test_integers_come_back_from_their_labels(raw):
    for label, value in zip(shown(*raw), raw, strict=True):
        assert label == (value if None not in raw else str(value))


# --- names


def test_the_shortest_unambiguous_suffix():
    keys = ["optim.lr", "train.batch_size", "val.batch_size"]
    assert list(short_names(keys).values()) == ["lr", "train_batch_size", "val_batch_size"]


def test_a_root_key_keeps_its_name_beside_a_nested_one():
    assert short_names(["optim.lr", "lr"]) == {"optim.lr": "optim_lr", "lr": "lr"}


@pytest.mark.parametrize(
    "word", ["method", "drop", "lambda", "name", "dims", "data", "epoch", "metric", "path", "size"]
)
def test_names_in_the_way_are_lengthened(word):
    assert short_names([f"optim.{word}"]) == {f"optim.{word}": f"optim_{word}"}
    assert short_names([word]) == {word: f"{word}_"}


def test_a_name_leaves_room_for_the_value_of_another():
    names = short_names(["optim.lr", "optim.lr_value"])
    assert names["optim.lr_value"] != names["optim.lr"] + "_value"


def test_names_are_read_as_python_reads_them():
    assert short_names(["µ"])["µ"] == "μ"


@given(st.lists(st.text(max_size=250) | st.sampled_from(["a.b", "a_b", "b", "a.a.b"]), unique=True))
def test_names_are_unique_valid_and_free(keys):
    names = short_names(keys)
    assert list(names) == keys
    assert len(set(names.values())) == len(keys)
    for name in names.values():
        assert name.isidentifier()
        assert name not in reserved()
        assert len(name.encode()) < 250
        assert (
            name.removesuffix("_value") == name or name.removesuffix("_value") not in names.values()
        )


def test_a_name_that_is_not_there_raises_with_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"dims: no hyperparameter 'wieght_decay'.*weight_decay"
    ):
        resolve("wieght_decay", {"optim.weight_decay": "weight_decay"}, "dims")


def test_an_ambiguous_suffix_raises():
    names = short_names(["a.x.lr", "b.x.lr"])
    with pytest.raises(UnknownNameError, match="ambiguous"):
        resolve("x.lr", names, "dims")


def test_labels_of_lists_are_compact_json():
    assert json.loads(shown([1, "a", None], "x")[0]) == [1, "a", None]
