"""Which numbers are whole, and become int64."""

import numpy as np
import pytest

from runcube.core import are_whole, as_whole


@pytest.mark.parametrize("values", [[], [0.0, -3.0], [2.0**53 - 1]])
def test_whole_numbers_become_int64(values):
    found = as_whole(np.array(values, dtype=float))
    assert found.dtype == np.int64
    assert found.tolist() == values


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, -np.inf, 2.0**53, -(2.0**53)])
def test_other_numbers_stay(value):
    values = np.array([1.0, value])
    assert as_whole(values) is values
    assert not are_whole(values)


def test_int64_stays_however_large():
    values = np.array([2**60])
    assert as_whole(values) is values
