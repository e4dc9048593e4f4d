"""Bootstrap resamples of values in strata or clusters: what is drawn are units within strata."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, prod
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.cube import laid_out
from runcube.stats.resamples import EXACT_UP_TO, Resamples, resamples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.stats.labelled import Data

# Combinations of the resamples of all strata that are enumerated; more are drawn.
_ENUMERATED = 20_000


@dataclass(frozen=True, eq=False)
class Groups:
    """What is drawn together, and from what.

    Parameters
    ----------
    unit : (values,) intp
        Values of one unit are drawn together: a cluster, or each value by itself.
    stratum : (values,) intp
        Units are drawn within a stratum, as many as there are.
    """

    unit: NDArray[np.intp]
    stratum: NDArray[np.intp]

    def of(self, places: NDArray[np.bool_]) -> Groups:
        """Return the groups of some of the values."""
        return Groups(self.unit[places], self.stratum[places])

    def resamples(self, n_resamples: int, seed: int) -> Resamples:
        """Return how often each value is drawn: all resamples where they are few, else random ones.

        Counts are (resamples, values).
        """
        units, first, place = np.unique(self.unit, return_index=True, return_inverse=True)
        strata = self.stratum[first]
        sizes = np.unique(strata, return_counts=True)[1].tolist()
        is_exact = max(sizes) <= EXACT_UP_TO and (
            prod(comb(2 * n - 1, n) for n in sizes) <= _ENUMERATED
        )
        counts, probability = np.ones((1, 0)), np.ones(1)
        order: list[int] = []
        rng = np.random.default_rng([seed, len(units)])
        for number, size in zip(np.unique(strata), sizes, strict=True):
            order += np.flatnonzero(strata == number).tolist()
            if is_exact:
                some = resamples(size, n_resamples, seed)
                assert some.probability is not None
                before, after = len(counts), len(some.counts)
                counts = np.hstack(
                    [counts.repeat(after, axis=0), np.tile(some.counts, (before, 1))]
                )
                probability = np.outer(probability, some.probability).ravel()
            else:
                drawn = rng.multinomial(size, np.full(size, 1 / size), size=n_resamples)
                counts = np.hstack([counts if counts.size else np.ones((n_resamples, 0)), drawn])
        of_unit = np.empty_like(counts)
        of_unit[:, order] = counts
        found = of_unit[:, place.reshape(-1)]
        return Resamples(found, probability if is_exact else None)

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of units and of strata."""
        return len(np.unique(self.unit)), len(np.unique(self.stratum))


def groups_of(
    data: Data, values: xr.DataArray, dims: Sequence[str], strata: str | None, cluster: str | None
) -> Groups | None:
    """Return what is drawn together, and within what, of the flattened dims; None for each value.

    Parameters
    ----------
    data : Dataset or DataArray
        What the user gave: it has the coordinates.
    values : DataArray
        Its values.
    dims : sequence of str
        What is reduced.
    strata, cluster : str, optional
        As for :func:`summarize`.

    Raises
    ------
    PlanError
        If a name is no dim that is reduced and no coordinate on them, or a cluster is in several
        strata.
    """
    if strata is None and cluster is None:
        return None
    like = xr.DataArray(np.zeros([values.sizes[d] for d in dims]), dims=dims)
    numbers = {"cluster": np.arange(like.size), "strata": np.zeros(like.size, dtype=np.intp)}
    for argument, name in (("cluster", cluster), ("strata", strata)):
        if name is None:
            continue
        own = data[name].variable if name in data.coords or name in dims else None
        if own is None or not {*own.dims} <= {*dims}:
            raise PlanError(f"{argument}={name!r}: expected a dim in {dims}, or a coordinate on it")
        flat = laid_out(own, {d: like.sizes[d] for d in dims}).reshape(-1)
        numbers[argument] = np.unique(flat, return_inverse=True)[1].reshape(-1)
    places = np.unique(np.stack([numbers["cluster"], numbers["strata"]]), axis=1)
    if places.shape[1] > len(np.unique(places[0])):
        raise PlanError(f"cluster={cluster!r}: a cluster is in several strata {strata!r}")
    return Groups(numbers["cluster"], numbers["strata"])
