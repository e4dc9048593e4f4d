"""Text of any characters and length comes back."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st
from saved_cubes import assert_same, plain, there_and_back

import runcube as rc

TEXTS = {
    "NUL": ["a\0b", "x"],
    "surrogate": ["\udc80", "caf\udce9"],
    "emoji": ["😀", "👩‍🔬"],
    "None": ["None", ""],
    "nan": ["nan", "NaN"],
    "empty": ["", ""],
    "decomposed": ["e\u0301", "é"],
    "escaped alike": ["a\\x00b", "a\0b"],
    "white space": [" a ", "\t\n"],
    "long": ["x" * 5000, "é" * 5000],
    "as long as is shown": ["x" * 999, "x" * 1000],
    "just too long": ["é" * 1001, "x" * 1001],
}


texts = pytest.mark.parametrize("words", [pytest.param(t, id=k) for k, t in TEXTS.items()])


def as_objects(words):
    """Text as objects; where pandas uses pyarrow, xarray takes none that is no Unicode."""
    try:
        pd.Series(words)
    except UnicodeEncodeError:
        return np.array(words)
    return np.array(words, dtype=object)


@texts
def test_any_text_is_kept(cube, path, words):
    short, long = np.array(words), as_objects(words)
    ds = cube.assign_coords(words=("lr", short), word=((), short[0]), long=("lr", long))
    ds = ds.assign(said=("lr", short), all=("lr", long), last=((), long[1]))
    assert_same(there_and_back(ds, path), ds)


@texts
def test_any_text_is_a_label(cube, path, words):
    ds = cube.assign_coords(split=("split", words), metric=("metric", as_objects(words)))
    back = there_and_back(ds, path)
    assert_same(back, ds)
    if words[0] != words[1]:
        one = {"metric": words[1], "split": words[0]}
        xr.testing.assert_identical(back.sel(one), ds.sel(one))


def test_plain_xarray_shows_odd_text_readably(cube, path):
    long = "epoch 1: " + "x" * 5000
    values = np.array([long, "short"], dtype=object)
    ds = cube.assign_coords(said=("lr", values), metric=["a\0b", "caf\udce9"])
    rc.save_archive(ds, path)
    shown = plain(path)
    assert shown.metric.values.tolist() == ["a\\x00b", "caf\\udce9"]
    cut, whole = shown.said.values.tolist()
    assert whole == "short"
    assert long.startswith(cut[:-1])
    assert cut[-1] == "…"
    assert len(cut) == 1000


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


any_text = st.text(st.characters(exclude_categories=()), max_size=6)


@given(
    coords=st.dictionaries(any_text, st.tuples(any_text, any_text), max_size=3),
    attrs=st.dictionaries(any_text, json_like, max_size=3),
    dim=any_text,
    long=st.booleans(),
)
def test_names_texts_and_attrs_of_any_characters_are_kept(
    tmp_path_factory, cube, coords, attrs, dim, long
):
    assume(not {dim, *coords} & set(cube.variables) and dim not in coords)
    kind = object if long else str
    ds = cube.rename(lr=dim).assign_attrs(attrs)
    try:
        ds = ds.assign_coords({n: (dim, np.array(t, kind), attrs) for n, t in coords.items()})
    except (TypeError, UnicodeEncodeError):
        # Where pandas uses pyarrow, xarray cannot make a cube with half a pair of surrogates.
        assume(find_spec("pyarrow") is None)
        raise
    assert_same(there_and_back(ds, tmp_path_factory.mktemp("any") / "sweep.nc"), ds)
