"""From a path to a tree of cubes, one for each axis: ``load_tree``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from runcube.cube import build_cube
from runcube.pipeline.arguments import load_policy
from runcube.pipeline.discover import discover
from runcube.pipeline.parse import parse_logs
from runcube.pipeline.summary import finish_tree
from runcube.pipeline.tasks import check_parallel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcube.curves import OnDuplicate
    from runcube.files import Roots
    from runcube.pipeline.policy import Errors
    from runcube.pipeline.progress import Progress
    from runcube.pipeline.tasks import Parallel
    from runcube.readers import Reader


def load_tree(
    path: Roots,
    *,
    reader: str | Reader = "auto",
    files: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    path_keys: str | None = "auto",
    dims: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    relabel: Mapping[str, Mapping[Any, Any]] | None = None,
    defaults: Mapping[str, Any] | None = None,
    exact_labels: bool = False,
    seed: str | None = "auto",
    layout: Literal["auto", "grid", "configs"] = "auto",
    splits: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    messages: bool = False,
    expected: float | None = None,
    on_duplicate: OnDuplicate = "prefer_complete",
    errors: Errors = "warn",
    progress: bool | Progress = False,
    parallel: Parallel = "auto",
) -> xr.DataTree:
    """Load logs that write some metrics per step and others per epoch: one cube for each axis.

    Every node is a complete cube with the same labels of cells, splits and metrics, and its own
    coordinates. A curve is in each node whose axis keeps 95 % of its points apart, a record in
    those whose x it has; rows whose x is in another unit have a node of their own. Every argument
    means what it means for :func:`load_runs`; ``x`` and ``align`` are chosen for each node.

    Parameters
    ----------
    path : path-like or URL, or a sequence of these
        Directory of the logs, or one log, or the URL of either; or several.
    reader : str or Reader
        ``"auto"``, the name of a reader, or a reader.
    files, ignore : str or sequence of str
        Globs of the files that may be logs, and of what is left out.
    path_keys : str or None
        Template of keys that only the path holds; ``"auto"`` reads what is plain, None nothing.
    dims, exclude : str or sequence of str, optional
        Hyperparameters that become dims, and those to leave out.
    rename, relabel, defaults : mapping, optional
        New names of hyperparameters, new values, and values for the runs that lack a key.
    exact_labels : bool
        Keep values apart that are one number.
    seed : str or None
        Key of the seed; ``"auto"`` finds it.
    layout : {"auto", "grid", "configs"}
        A dim for each hyperparameter, or one dim ``config``.
    splits, metrics : str or sequence of str, optional
        Load only these, in this order.
    messages : bool
        Add the coordinate ``messages``: the text lines of each run.
    expected : float, optional
        Length that a complete run has, in units of the x that ``load_runs`` would choose.
    on_duplicate : {"prefer_complete", "first", "last", "raise"}
        Which run stays where two share a cell.
    errors : {"warn", "raise"}
        ``"raise"`` makes the first problem an exception.
    progress : bool or callable
        True shows a bar; a callable is called with ``(bytes done, bytes in all, files)``.
    parallel : {"auto", "threads", "processes", "dask"}, False or Executor
        Where the logs are read; the trees are the same.

    Returns
    -------
    DataTree
        A child for each axis (``/epoch``, ``/step``), with ``curve`` (float64) and ``logged``
        (bool) on (*cell dims*, split, metric, x); the root holds attrs alone.

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    NoRunsError
        If there is no log under it, or none could be read.
    StoreError
        If it is a URL that no installed library can read.
    UnknownNameError
        If an argument names what is not there; the message has the nearest names.
    PlanError
        If arguments contradict each other or one has none of its values, or, with
        ``on_duplicate="raise"``, if two runs share a cell.
    CubeTooLargeError
        If a cube would not fit in memory; raised before it is allocated.
    LogError
        With ``errors="raise"``, at the first problem.

    Warns
    -----
    SweepWarning
        Once, at the end: the problems by kind, and what no rule could decide.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     tree = rc.load_tree("examples/logs")
    >>> list(tree.children)
    ['epoch']
    >>> tree["epoch"].curve.dims[-3:]
    ('split', 'metric', 'epoch')
    """
    check_parallel(parallel)
    policy = load_policy(locals(), missing_x="drop")
    discovery = discover(path, **policy.finding)
    parsed = parse_logs(discovery, policy, progress, parallel)
    finished, selections = finish_tree(parsed, policy)
    nodes = {}
    for name in [*selections]:
        # What is in a cube makes room for the next one.
        selection = selections.pop(name)
        node = build_cube(parsed.sweep, selection, finished.labels, messages=messages)
        node.attrs = finished.attrs | node.attrs
        nodes[name] = node
    tree = xr.DataTree.from_dict(nodes)
    tree.attrs = finished.attrs
    finished.summary.warn(stacklevel=2)
    return tree
