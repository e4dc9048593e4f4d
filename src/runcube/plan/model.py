"""What the planner decided about a set of runs, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import Roles, check_choice, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Problem, RunHeader, Status

SeedKind = Literal["labels", "drawn", "replicate", "none"]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class PlanPolicy:
    """The arguments of a load that override the planner.

    Parameters
    ----------
    dims : sequence of str, optional
        The dim hyperparameters, in this order, in place of rules 3 to 6. Full keys or short names.
    exclude : sequence of str
        Keys that are neither dims nor coordinates.
    rename : mapping
        Old key (full or short) to new name. Several old keys may go to one new name.
    relabel : mapping
        Key (full or short) to a mapping of its raw values to other values.
    seed : str or None
        ``"auto"``, a key, ``"replicate"`` (number the runs of each configuration) or None.
    layout : {"auto", "grid", "configs"}
        Layout of the cube; ``"auto"`` applies rule 8.
    defaults : mapping
        Key (full or short) to its value in the runs that lack it.
    exact_labels : bool
        Whether values that are one number, spelled in several ways, keep labels of their own.
    """

    dims: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    relabel: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)
    seed: str | None = "auto"
    layout: Literal["auto", "grid", "configs"] = "auto"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    exact_labels: bool = False

    @property
    def named(self) -> set[str]:
        """Keys and names that the arguments name."""
        return {*(self.dims or ()), *self.exclude, *self.rename, *self.relabel, str(self.seed)}

    def __post_init__(self) -> None:
        """Replace the NumPy scalars of mappings, which JSON cannot hold, by plain values.

        Raises
        ------
        PlanError
            If ``layout`` has none of its values.
        """
        check_choice("layout", self.layout, ("auto", "grid", "configs"))
        plain = {
            key: {_plain(old): _plain(new) for old, new in pairs.items()}
            for key, pairs in self.relabel.items()
        }
        object.__setattr__(self, "relabel", plain)
        defaults = {key: _plain(value) for key, value in self.defaults.items()}
        object.__setattr__(self, "defaults", defaults)


@dataclass(frozen=True, eq=False)
class Axis:
    """A dim hyperparameter.

    Parameters
    ----------
    key : str
        Full dotted key.
    name : str
        Name of the dim.
    labels : (n_labels,) int64, float64, bool or <U
        Labels in the order in which they lie along the dim.
    value : (n_labels,) float64, optional
        The numbers of a text axis that has some, NaN for the rest: ``<name>_value``.
    """

    key: str
    name: str
    labels: NDArray[Any]
    value: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class SeedAxis:
    """The dim ``seed``.

    Parameters
    ----------
    key : str or None
        Full key of the seed; None for ``"replicate"`` and ``"none"``.
    kind : {"labels", "drawn", "replicate", "none"}
        ``"labels"``: the seeds themselves. ``"drawn"`` and ``"replicate"``: replicate numbers.
        ``"none"``: the one label 0.
    labels : (n_seeds,) int64 or <U
        Labels of the dim.
    value : (n_runs,) int64 or <U, optional
        The seed that each run drew, where the labels are not the seeds.
    reason : str
        Why the seed has this kind, for ``explain()``.
    """

    key: str | None
    kind: SeedKind
    labels: NDArray[Any]
    value: NDArray[Any] | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Coord:
    """A hyperparameter that varies without being a dim.

    Parameters
    ----------
    key : str
        Full dotted key.
    name : str
        Name of the coordinate.
    dims : tuple of str
        The smallest set of cell dims that determines it, in the order of the cell dims.
    values : (n_runs,) int64, float64, bool or <U
        Its label in each run.
    value : (n_runs,) float64, optional
        The numbers of text labels that have some, NaN for the rest: ``<name>_value``.
    """

    key: str
    name: str
    dims: tuple[str, ...]
    values: NDArray[Any]
    value: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class SharedCell:
    """Runs that share a cell, and the excluded keys that differ among them.

    Parameters
    ----------
    runs : tuple of int
        Positions of the runs in ``Plan.headers``.
    differ : tuple of str
        Full keys.
    """

    runs: tuple[int, ...]
    differ: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What the planner decided: what varies, what does not, and where every run goes.

    Parameters
    ----------
    headers : tuple of RunHeader
        The runs of the plan, (n_runs,), in natural path order, which all arrays (n_runs,) share.
    axes : tuple of Axis
        The dim hyperparameters, (n_axes,), in config order.
    seed_axis : SeedAxis
        The dim ``seed``.
    coords : tuple of Coord
        The hyperparameters that vary without being dims.
    cells : (n_runs, n_axes + 1) int64
        Label index per axis; the last column is the seed index.
    rows : (n_runs,) int64
        Row of each run along ``config`` in the configs layout, in C order of the grid.
    separate : bool
        True where rows also tell apart runs that share a cell.
    layout : {"grid", "configs"}
        Layout of the cube.
    layout_reason : str
        Why the cube has this layout, for ``explain()``.
    fill : float
        Share of the grid's cells that hold a run with metrics, from 0 to 1.
    constant : dict
        Full key to value, of the keys that are the same in all runs.
    excluded : dict
        Full key to reason, of the varying keys that were left out.
    rest : tuple of dict
        Per run, (n_runs,), the keys that are neither dims, coordinates nor constant.
    roles : Roles
        What columns of the logs turned out to be.
    skipped : tuple of Problem
        Files and runs that are in no cell.
    problems : tuple of (int, Problem)
        Problems of the configuration of a run, each with the run's position in ``headers``.
    notes : tuple of str
        What no rule could decide, with the argument that decides it.
    shared_cells : tuple of SharedCell
        Runs that share a cell, a group for each such cell.
    policy : PlanPolicy
        The arguments that override the planner.
    names : dict
        Full key to short name, of all keys that vary, of the dims and of the seed.
    read_statuses : callable, optional
        Returns the status of every run, (n_runs,); logs are parsed when it is called.
    """

    headers: tuple[RunHeader, ...]
    axes: tuple[Axis, ...]
    seed_axis: SeedAxis
    coords: tuple[Coord, ...]
    cells: NDArray[np.int64]
    rows: NDArray[np.int64]
    separate: bool
    layout: Literal["grid", "configs"]
    layout_reason: str
    fill: float
    constant: dict[str, Any]
    excluded: dict[str, str]
    rest: tuple[dict[str, Any], ...]
    roles: Roles = field(default_factory=Roles)
    skipped: tuple[Problem, ...] = ()
    problems: tuple[tuple[int, Problem], ...] = ()
    notes: tuple[str, ...] = ()
    shared_cells: tuple[SharedCell, ...] = ()
    policy: PlanPolicy = field(default_factory=PlanPolicy)
    names: dict[str, str] = field(default_factory=dict)
    read_statuses: Callable[[], Sequence[Status]] | None = None

    def __len__(self) -> int:
        return len(self.headers)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {len(labels)}" for name, labels in self.dims.items())
        return printable(f"<runcube.Sweep: {len(self)} runs, {self.layout} ({sizes})>")

    @property
    def dims(self) -> dict[str, NDArray[Any]]:
        """Labels of the cell dims of the grid, ``seed`` last.

        Returns
        -------
        dict
            Name of each dim to its labels, (n_labels,) int64, float64, bool or <U.

        Examples
        --------
        >>> import runcube as rc
        >>> sweep = rc.scan("examples/logs")
        >>> {name: len(labels) for name, labels in sweep.dims.items()}
        {'weights': 2, 'lr': 4, 'weight_decay': 3, 'seed': 5}
        """
        return {axis.name: axis.labels for axis in self.axes} | {"seed": self.seed}

    @property
    def seed(self) -> NDArray[Any]:
        """Labels of the dim ``seed``.

        Returns
        -------
        (n_seeds,) int64 or <U
            The seeds, or replicate numbers where runs drew their seeds.

        Examples
        --------
        >>> import runcube as rc
        >>> rc.scan("examples/logs").seed
        array([0, 1, 2, 3, 4])
        """
        return self.seed_axis.labels

    @property
    def coupled(self) -> dict[str, tuple[str, ...]]:
        """The dims that determine each hyperparameter that varies without being a dim.

        Returns
        -------
        dict
            Name of the hyperparameter to a tuple of dims, in the order of the cell dims.

        Examples
        --------
        >>> import runcube as rc
        >>> rc.scan("examples/logs", dims=["paths.run_dir"]).coupled
        {'weights': ('run_dir',), 'lr': ('run_dir',), 'weight_decay': ('run_dir',)}
        """
        return {coord.name: coord.dims for coord in self.coords}

    @property
    def with_seed(self) -> tuple[str, ...]:
        """Names of the hyperparameters that ``mean("seed")`` averages over.

        Returns
        -------
        tuple of str
            Those of ``coupled`` that the seed helps to determine.

        Examples
        --------
        >>> import runcube as rc
        >>> rc.scan("examples/logs").with_seed
        ()
        """
        return tuple(coord.name for coord in self.coords if "seed" in coord.dims)

    @property
    def n_configs(self) -> int:
        """Number of rows along ``config`` in the configs layout.

        Returns
        -------
        int
            Configurations; runs that nothing tells apart are rows of their own if ``separate``.

        Examples
        --------
        >>> import runcube as rc
        >>> rc.scan("examples/logs").n_configs
        24
        """
        return int(self.rows.max()) + 1 if len(self) else 0

    @property
    def n_cells(self) -> int:
        """Number of cells of the grid, seeds included.

        Returns
        -------
        int
            Product of the numbers of labels in ``dims``.

        Examples
        --------
        >>> import runcube as rc
        >>> rc.scan("examples/logs").n_cells
        120
        """
        return math.prod(len(labels) for labels in self.dims.values())

    @cached_property
    def statuses(self) -> tuple[Status, ...] | None:
        """Status of every run; logs are parsed at the first call.

        Returns
        -------
        tuple of Status or None
            (n_runs,) of ``complete``, ``incomplete`` and ``failed``; None for a plan without logs.

        Raises
        ------
        NoRunsError
            If no log can be read any more.

        Examples
        --------
        >>> import runcube as rc
        >>> statuses = rc.scan("examples/logs").statuses
        >>> statuses.count("complete"), statuses.count("incomplete")
        (118, 3)
        """
        return None if self.read_statuses is None else tuple(self.read_statuses())
