"""From a path to a plan, or a cube: ``scan``, ``load_runs``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from runcube.core import gc_paused
from runcube.cube import build_cube
from runcube.pipeline.arguments import load_policy
from runcube.pipeline.discover import discover
from runcube.pipeline.parse import parse_logs, read_statuses, scan_sweep
from runcube.pipeline.summary import finish_load, selected_runs
from runcube.pipeline.tasks import check_parallel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from runcube.curves import Align, MissingX, OnDuplicate
    from runcube.files import Roots
    from runcube.pipeline.policy import Errors
    from runcube.pipeline.progress import Progress
    from runcube.pipeline.tasks import Parallel
    from runcube.plan import Sweep
    from runcube.readers import Reader


def scan(
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
    parallel: Parallel = "auto",
) -> Sweep:
    """Return what varies in a sweep, from the headers of its logs alone.

    Parameters
    ----------
    path : path-like or URL, or a sequence of these
        Directory of the logs, or one log, or the URL of either; fsspec opens URLs. Of several, all
        paths begin with the name of theirs, which is the key ``root`` if nothing else tells runs of
        one from those of another.
    reader : str or Reader
        ``"auto"`` looks into the files; a name (``"native"``, ``"ray"``, …) or an object, such as
        ``JsonlReader(x="step")``, reads only its own layout.
    files, ignore : str or sequence of str
        Globs of the files that may be logs, ``"**/metrics.jsonl"``, and of files and directories
        that are left out, ``"**/agg/**"``: relative to the root, with ``**`` for any directories.
    path_keys : str or None
        Template of keys that only the path holds: ``"{study}/{workload}/trial_{trial}"``. With
        ``"auto"`` directories such as ``lr=0.1,seed=3`` are read, and plain names such as
        ``k2_s3.jsonl`` where the configuration leaves runs alike; the warning says so. None reads
        nothing.
    dims : str or sequence of str, optional
        Hyperparameters that become dims, instead of those that the rules choose.
    exclude : str or sequence of str
        Hyperparameters to leave out.
    rename : mapping, optional
        New names: ``{"model.weights": "init"}``. Two old keys may get one new name.
    relabel : mapping, optional
        New values: ``{"model.weights": {None: "random", "DEFAULT": "pretrained"}}``.
    defaults : mapping, optional
        Values of keys that are younger than the sweep, for the runs that lack them:
        ``{"dropout": 0.0}``.
    exact_labels : bool
        Keep values apart that are one number: ``1e-5`` and ``"0.00001"``, ``0.3`` and
        ``0.30000000000000004``.
    seed : str or None
        Key of the seed; ``"auto"`` finds it, ``"replicate"`` numbers runs that nothing tells apart,
        None takes no key for it.
    layout : {"auto", "grid", "configs"}
        ``"grid"``: a dim for each hyperparameter. ``"configs"``: one dim ``config`` with the
        hyperparameters as coordinates. ``"auto"`` chooses, and the warning has the reason.
    parallel : {"auto", "threads", "processes", "dask"}, False or Executor
        Where whole logs are read, once the status of the runs is asked for: as for
        :func:`load_runs`. Headers are always read in this thread.

    Returns
    -------
    Sweep
        The plan: ``explain()`` as text, ``table()`` as a DataFrame.

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    NoRunsError
        If there is no log under it.
    StoreError
        If it is a URL that no installed library can read.
    UnknownNameError
        If an argument names a hyperparameter that is not there; the message has the nearest names.
    PlanError
        If arguments contradict each other, or one has none of its values.

    Examples
    --------
    >>> import runcube as rc
    >>> sweep = rc.scan("examples/logs")
    >>> list(sweep.dims)
    ['weights', 'lr', 'weight_decay', 'seed']
    """
    check_parallel(parallel)
    policy = load_policy(locals())
    discovery = discover(path, **policy.finding)
    discovery, sweep = scan_sweep(discovery, policy, parallel)
    return replace(sweep, read_statuses=lambda: read_statuses(discovery, sweep, policy, parallel))


def load_runs(
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
    x: str | None = None,
    align: Align = "auto",
    missing_x: MissingX = "carry",
    splits: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    messages: bool = False,
    expected: float | None = None,
    on_duplicate: OnDuplicate = "prefer_complete",
    errors: Errors = "warn",
    progress: bool | Progress = False,
    parallel: Parallel = "auto",
) -> xr.Dataset:
    """Load a directory of training logs as one labelled cube.

    Parameters
    ----------
    path : path-like or URL, or a sequence of these
        Directory of the logs, or one log, or the URL of either; fsspec opens URLs. Of several, all
        paths begin with the name of theirs, which is the key ``root`` if nothing else tells runs of
        one from those of another.
    reader : str or Reader
        ``"auto"`` looks into the files; a name (``"native"``, ``"ray"``, …) or an object, such as
        ``JsonlReader(x="step")``, reads only its own layout.
    files, ignore : str or sequence of str
        Globs of the files that may be logs, ``"**/metrics.jsonl"``, and of files and directories
        that are left out, ``"**/agg/**"``: relative to the root, with ``**`` for any directories.
    path_keys : str or None
        Template of keys that only the path holds: ``"{study}/{workload}/trial_{trial}"``. With
        ``"auto"`` directories such as ``lr=0.1,seed=3`` are read, and plain names such as
        ``k2_s3.jsonl`` where the configuration leaves runs alike; the warning says so. None reads
        nothing.
    dims : str or sequence of str, optional
        Hyperparameters that become dims, instead of those that the rules choose.
    exclude : str or sequence of str
        Hyperparameters to leave out.
    rename : mapping, optional
        New names: ``{"model.weights": "init"}``. Two old keys may get one new name.
    relabel : mapping, optional
        New values: ``{"model.weights": {None: "random", "DEFAULT": "pretrained"}}``.
    defaults : mapping, optional
        Values of keys that are younger than the sweep, for the runs that lack them:
        ``{"dropout": 0.0}``.
    exact_labels : bool
        Keep values apart that are one number: ``1e-5`` and ``"0.00001"``, ``0.3`` and
        ``0.30000000000000004``.
    seed : str or None
        Key of the seed; ``"auto"`` finds it, ``"replicate"`` numbers runs that nothing tells apart,
        None takes no key for it.
    layout : {"auto", "grid", "configs"}
        ``"grid"``: a dim for each hyperparameter. ``"configs"``: one dim ``config`` with the
        hyperparameters as coordinates. ``"auto"`` chooses, and the warning has the reason.
    x : str, optional
        Axis of the curves (``epoch``, ``step``, …); by default the one that keeps the points apart
        with the fewest labels. Of logs with a clock ``"elapsed"`` is one too: seconds since the
        first record.
    align : {"auto", "union", "order"}
        ``"union"``: x is the dim, with the sorted union of the runs' values. ``"order"``: the dim
        is ``point`` (0, 1, 2, …) and x a coordinate of each run.
    missing_x : {"carry", "drop"}
        ``"carry"``: a record without x stands at the x of the record before it, where its metric
        has no value yet. ``"drop"``: it is left out. ``rc.problems(ds)`` names both.
    splits, metrics : str or sequence of str, optional
        Load only these, in this order.
    messages : bool
        Add the coordinate ``messages``: the text lines of each run.
    expected : float, optional
        Length that a complete run has, in units of x, instead of what its configuration promises.
    on_duplicate : {"prefer_complete", "first", "last", "raise"}
        Which run stays where two share a cell; the others are in ``ds.attrs["skipped"]``.
    errors : {"warn", "raise"}
        ``"raise"`` makes the first problem an exception, other than files that are no logs.
    progress : bool or callable
        True shows a bar; a callable is called with ``(bytes done, bytes in all, files)``.
    parallel : {"auto", "threads", "processes", "dask"}, False or Executor
        Where the logs are read: ``"auto"`` starts threads for some 8 MB or more, ``"threads"``
        does always, False never. ``"processes"`` are for slow readers of your own, ``"dask"`` takes
        the current scheduler or ``distributed.Client``, an executor of ``concurrent.futures`` is
        used and left open. The cube is the same.

    Returns
    -------
    Dataset
        ``curve`` (float64, NaN where nothing was logged) and ``logged`` (bool) on (*cell dims*,
        split, metric, x). The cell dims are the hyperparameters that vary, or ``config``, and
        ``seed``. All else is a coordinate, among them ``status`` of each run and ``train_time``
        in seconds.

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
        If the cube would not fit in memory; raised before it is allocated.
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
    ...     ds = rc.load_runs("examples/logs", metrics=["acc1"], splits=["val"])
    >>> ds.curve.dims
    ('weights', 'lr', 'weight_decay', 'seed', 'split', 'metric', 'epoch')
    """
    check_parallel(parallel)
    policy = load_policy(locals())
    with gc_paused():
        discovery = discover(path, **policy.finding)
        parsed = parse_logs(discovery, policy, progress, parallel)
        finished = finish_load(parsed, policy, selected_runs(parsed, policy))
        sweep = parsed.sweep
        del parsed  # the logs that were superseded make room for the cube
        ds = build_cube(sweep, finished.selection, finished.labels, messages=messages)
    ds.attrs = finished.attrs | ds.attrs
    finished.summary.warn(stacklevel=2)
    return ds
