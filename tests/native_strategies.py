"""Native logs of any kind, for property tests."""

import json

from hypothesis import strategies as st

keys = st.one_of(
    st.sampled_from(["loss", "acc", "a", "a/b", "b", "type", "value", "title", "data_name"]),
    st.sampled_from(["agg_stats", "__proto__", "layer\\w", 'q"q', "\0", "\n", "\u2028", "😀", ""]),
    st.text(max_size=3),
)
numbers = st.one_of(st.floats(), st.integers(-(2**60), 2**60), st.just(10**400))
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        numbers,
        st.sampled_from(["x", "0.5", "nan", ""]),
        st.lists(numbers, max_size=3),
        st.lists(st.one_of(st.none(), numbers), max_size=40),
    ),
    lambda inner: st.dictionaries(keys, inner, max_size=3),
    max_leaves=4,
)
stats = st.dictionaries(keys, values, max_size=4)
beside = st.dictionaries(
    st.one_of(keys, st.sampled_from(["epoch", "step", "samples", "wall_time", "note"])),
    values,
    max_size=2,
)
words = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["agg_train", "agg_test", "bench", ""]),
        "data_name": st.sampled_from(["train", "test", "ev al", "", None]),
        "type": st.just("stats"),
    },
)
records = st.builds(lambda b, w, s: {**b, **w, "agg_stats": s}, beside, words, stats)
texts = st.builds(
    lambda kind, value, more: {**more, "type": kind, "value": value},
    st.sampled_from(["str", "list", "dict_config"]),
    st.one_of(st.sampled_from([">> Start Epoch: 1", "x", "Training time 0:00:01"]), values),
    st.one_of(st.just({}), beside),
)
plain = st.builds(
    lambda split, loss: {"title": f"agg_{split}", "data_name": split, "agg_stats": {"loss": loss}},
    st.sampled_from(["train", "test"]),
    st.floats(),
)
odd_lines = st.sampled_from(["5", "[1]", "{", '{"a": 1}', '{"agg_stats": 3}', '{"type": "str"}'])
lines_of_logs = st.lists(
    st.one_of(*(s.map(json.dumps) for s in (plain, records, texts)), odd_lines), max_size=12
)
