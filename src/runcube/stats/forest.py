"""What `importance` computes of a random forest: functional analysis of variance of its trees.

A tree is constant on boxes, so that its variance along each hyperparameter and each pair is a sum
over pairs of leaves: exact, without sampling. Trees are those of scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import PlanError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Configurations in a leaf, as in the paper.
_LEAST_IN_LEAF = 3
# Each shuffle of each key grows a forest.
TREES_OF_NULL = 16


@dataclass(frozen=True, eq=False)
class Space:
    """Configurations as columns of numbers, and the labels that each key has.

    Parameters
    ----------
    columns : (configurations, columns) float32
        A number is one column, by its place among the values; a text is one for each label.
    owner : (columns,) intp
        The key of each column.
    levels : list of (labels, columns of the key) float32
        What each label of each key is in the columns of the key.
    share : list of (labels,) float64
        How many of the configurations have it.
    """

    columns: NDArray[np.float32]
    owner: NDArray[np.intp]
    levels: list[NDArray[np.float32]]
    share: list[NDArray[np.float64]]

    @classmethod
    def of(cls, keys: Sequence[tuple[NDArray[Any], NDArray[np.float64]]]) -> Space:
        """Return the space of labels and numbers (NaN for none) of each key."""
        columns, levels, shares = [], [], []
        for labels, numbers in keys:
            is_number = bool(np.isfinite(numbers).all())
            _, code, count = np.unique(
                numbers if is_number else labels, return_inverse=True, return_counts=True
            )
            size = len(count)
            own = np.arange(size)[:, None] if is_number or size <= 2 else np.eye(size)
            levels.append(own.astype(np.float32))
            columns.append(levels[-1][code.reshape(-1)])
            shares.append(count / count.sum())
        owner = np.repeat(np.arange(len(levels)), [own.shape[1] for own in levels])
        return cls(np.concatenate(columns, axis=1), owner, levels, shares)

    def shuffled(self, key: int, rng: np.random.Generator) -> Space:
        """Return the space with the labels of one key shuffled over the configurations."""
        columns = self.columns.copy()
        own = self.owner == key
        columns[:, own] = rng.permutation(columns[:, own], axis=0)
        return Space(columns, self.owner, self.levels, self.share)


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees, each of a bootstrap sample of the configurations.

    Parameters
    ----------
    space : Space
    trees : list
        As scikit-learn has them in ``tree_``.
    counts : (trees, configurations) int64
        How often each configuration is in the sample of a tree.
    """

    space: Space
    trees: list[Any]
    counts: NDArray[np.int64]

    @classmethod
    def grown(
        cls, space: Space, y: NDArray[np.float64], n_trees: int, seed: Sequence[int]
    ) -> Forest:
        """Return the forest of configurations and their values.

        Raises
        ------
        PlanError
            If scikit-learn is not installed.
        """
        try:
            import sklearn
            from sklearn.tree import DecisionTreeRegressor
        except ImportError:
            raise PlanError(
                "method='forest': scikit-learn is not installed: pip install runcube[forest]"
            ) from None
        rng = np.random.default_rng(seed)
        n = len(y)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=n_trees)
        trees = []
        # Arguments are right, and a tree of so few rows is grown faster than they are checked.
        with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
            for own in counts:
                tree = DecisionTreeRegressor(
                    min_samples_leaf=_LEAST_IN_LEAF, random_state=int(rng.integers(2**31))
                )
                tree.fit(space.columns, y[:, None], own.astype(np.float64), check_input=False)
                trees.append(tree.tree_)
        return cls(space, trees, counts)

    def mean_and_error(
        self, terms: Sequence[tuple[int, ...]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean share of keys and pairs, (terms,), and its standard error.

        The error is that over configurations: the infinitesimal jackknife of a bagged statistic,
        corrected for the number of trees, and at least the error of so many trees. Trees without
        variance say nothing; NaN where there are no others.
        """
        found = [tree_shares(tree, self.space, terms) for tree in self.trees]
        shares = np.array(found).reshape(len(found), len(terms))
        grew = np.isfinite(shares).all(axis=1)
        shares, counts = shares[grew], self.counts[grew]
        n_trees, n = counts.shape
        if not n_trees:
            return np.full(len(terms), np.nan), np.full(len(terms), np.nan)
        mean = shares.mean(axis=0)
        among_trees = shares.var(axis=0) / n_trees
        influence = (counts - counts.mean(axis=0)).T @ (shares - mean) / n_trees
        variance = (influence**2).sum(axis=0) - n * among_trees
        return mean, np.sqrt(np.maximum(variance, among_trees))

    def r2(self, y: NDArray[np.float64]) -> float:
        """Return how well configurations are predicted by the trees that have not seen them."""
        predicted = np.array([tree.predict(self.space.columns)[:, 0] for tree in self.trees])
        unseen = self.counts == 0
        votes = unseen.sum(axis=0)
        rows = votes > 0
        mean = (predicted * unseen).sum(axis=0)[rows] / votes[rows]
        total = ((y[rows] - y[rows].mean()) ** 2).sum()
        return float(1 - ((y[rows] - mean) ** 2).sum() / total) if total > 0 else np.nan


def tree_shares(tree: Any, space: Space, terms: Sequence[tuple[int, ...]]) -> NDArray[np.float64]:
    """Return the share of each key and pair of keys in the variance of a tree, (terms,).

    NaN for a tree that is a single leaf.

    Keys are independent, each label as probable as it is frequent (Hutter et al. 2014): with leaves
    p and q, of value v and probability m, centred, the variance along a set of keys U is the sum of
    v m(p) v m(q) times the product over U of what p and q share of the key, against chance.
    """
    if tree.node_count == 1:
        return np.full(len(terms), np.nan)
    boxes = _boxes(tree, space)
    measures = [box @ share for box, share in zip(boxes, space.share, strict=True)]
    mass = np.prod(measures, axis=0)
    value = tree.value[tree.children_left < 0, 0, 0]
    value = value - mass @ value
    likeness = [
        (box * share) @ box.T / np.outer(own, own)
        for box, share, own in zip(boxes, space.share, measures, strict=True)
    ]

    def along(*keys: int) -> float:
        both = np.prod([likeness[key] for key in keys], axis=0)
        return float((mass * value) @ both @ (mass * value))

    alone = {key: along(key) for key in {key for term in terms for key in term}}
    found = [
        alone[term[0]] if len(term) == 1 else along(*term) - sum(alone[key] for key in term)
        for term in terms
    ]
    return np.asarray(np.array(found) / (mass @ value**2))


def _boxes(tree: Any, space: Space) -> list[NDArray[np.float64]]:
    """Return which labels of each key lead to each leaf, (leaves, labels) of 0 and 1."""
    sizes = [len(own) for own in space.levels]
    ends = np.cumsum(sizes)
    inside = np.ones((tree.node_count, ends[-1]))
    first = np.searchsorted(space.owner, space.owner)
    for node in range(tree.node_count):  # parents come before their children
        left, right = tree.children_left[node], tree.children_right[node]
        if left < 0:
            continue
        column = tree.feature[node]
        key = space.owner[column]
        goes_left = space.levels[key][:, column - first[column]] <= tree.threshold[node]
        own = slice(ends[key] - sizes[key], ends[key])
        inside[left] = inside[right] = inside[node]
        inside[left, own] *= goes_left
        inside[right, own] *= ~goes_left
    return np.split(inside[tree.children_left < 0], ends[:-1], axis=1)
