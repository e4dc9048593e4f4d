"""Bounds of resamples: those of the plain way, which puts all resamples in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcube.stats.intervals import bootstrap_interval, interval_of_resamples
from runcube.stats.resamples import Resamples, resamples


def plain_tails(values, tail, probability):
    """Return the bounds of each row by sorting it whole."""
    found = []
    for row in values:
        order = np.argsort(row, kind="stable")
        if probability is None:
            cut = int(np.floor(len(row) * tail * (1 + 1e-12)))
            below, above = cut, len(row) - 1 - cut
        else:
            reached = probability[order].cumsum()
            below = np.argmax(reached > tail + 1e-12)
            above = np.argmax(reached >= 1 - tail - 1e-12)
        found.append(row[order[[below, above]]])
    return np.array(found)


@st.composite
def many_resamples(draw):
    """Return values of resamples, unlike normal ones too, and their probabilities or None."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.integers(1, 3)), draw(st.integers(990, 4500))
    values = rng.standard_normal(shape)
    kind = draw(st.sampled_from(["normal", "ties", "one", "in order", "periodic", "not finite"]))
    if kind == "ties":
        values = values.round(draw(st.integers(0, 1)))
    elif kind == "one":
        values[:] = 1.5
    elif kind == "in order":
        values = np.sort(values)[:, :: draw(st.sampled_from([1, -1]))]
    elif kind == "periodic":  # whatever stands in every so many places is lower, or higher
        period = draw(st.integers(2, 10))
        far = np.arange(shape[1]) % period == draw(st.integers(0, period - 1))
        values = values + draw(st.sampled_from([-9.0, 9.0])) * far
    elif kind == "not finite":
        odd = rng.choice([np.nan, np.inf, -np.inf], size=shape)
        values = np.where(rng.random(shape) < draw(st.sampled_from([1e-3, 0.1])), odd, values)
    weights = draw(st.sampled_from(["none", "equal", "any"]))
    if weights == "none":
        return values, None
    probability = rng.exponential(size=shape[1]) ** 2 if weights == "any" else np.ones(shape[1])
    return values, probability / probability.sum()


@given(many_resamples(), st.sampled_from([0.0, 0.5, 0.8, 0.9, 0.95, 0.999]))
def test_bounds_of_many_resamples_are_those_of_the_plain_way(drawn, level):
    values, probability = drawn
    some = Resamples(np.empty((values.shape[1], 0)), probability)
    found = interval_of_resamples(values, np.zeros(len(values)), "percentile", level, 9, some)
    np.testing.assert_array_equal(found, plain_tails(values, (1 - level) / 2, probability))


@pytest.mark.parametrize("place", range(8))
def test_a_sample_that_is_not_like_the_rest_does_no_harm(place):
    values = np.random.default_rng(0).standard_normal((1, 4000))
    values[:, place::8] -= 9  # one of these is what a sample of every eighth sees
    some = Resamples(np.empty((4000, 0)))
    for own in (values, -values):
        found = interval_of_resamples(own, np.zeros(1), "percentile", 0.95, 9, some)
        np.testing.assert_array_equal(found, plain_tails(own, 0.025, None))


@given(st.integers(6, 30), st.integers(0, 2**32), st.sampled_from([0.8, 0.95]))
def test_the_mean_of_resamples_that_are_copies(n, seed, level):
    ordered = np.sort(np.random.default_rng(seed).lognormal(size=(3, n)), axis=1)
    some = resamples(n, 1500, seed)
    found = bootstrap_interval(ordered, "mean", "percentile", level, some)
    copies = [np.repeat(ordered, count.astype(int), axis=1).mean(axis=1) for count in some.counts]
    wanted = plain_tails(np.array(copies).T, (1 - level) / 2, some.probability)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
