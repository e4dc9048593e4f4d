"""Configurations as numbers: exactly what went in comes out."""

from hypothesis import given
from hypothesis import strategies as st

from runcube.lazy.serialize import ConfigTable

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([1, 1.0, True, 0, 0.0, -0.0, False, "", "1"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)
CONFIGS = st.lists(st.dictionaries(st.text(max_size=2), VALUES, max_size=4), max_size=5)


def spelled(value):
    """With types, the order of names, and the sign of zero."""
    if isinstance(value, dict):
        return [(name, spelled(item)) for name, item in value.items()]
    if isinstance(value, list):
        return [spelled(item) for item in value]
    return type(value).__name__, value.hex() if isinstance(value, float) else value


@given(CONFIGS)
def test_what_went_in_comes_out_of_the_rows(configs):
    table = ConfigTable()
    numbers = [table.add(config) for config in configs]
    again = ConfigTable(table.rows)
    for config, row in zip(configs, numbers, strict=True):
        assert spelled(again.get(row)) == spelled(config)
        assert again.add(config) == row
    assert again.rows == table.rows


def test_runs_that_differ_in_little_take_little():
    table = ConfigTable()
    for seed in range(1000):
        about = {"model": {f"option{i}": i for i in range(100)}, "out": f"/runs/{seed}"}
        table.add({"seed": seed, "nested": {"deep": about}})
    assert sum(map(len, table.rows)) < 100_000
    assert len(table.rows) < 4 * 1000 + 10
