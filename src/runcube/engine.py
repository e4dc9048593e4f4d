"""The xarray engine ``runcube``: ``xr.open_dataset("logs/", engine="runcube")``."""

from __future__ import annotations

import os
from copy import copy
from hashlib import blake2b
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import xarray as xr
from xarray.backends import BackendEntrypoint

from runcube.archive import open_cube, open_runs
from runcube.files import PACKED_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from runcube.curves import Align, MissingX, OnDuplicate
    from runcube.pipeline import Errors, Parallel, Progress
    from runcube.readers import Reader

# What is passed on.
_OPTIONS = signature(open_runs).parameters.keys() - {"path", "chunks"}
_LOG_NAMES = tuple(e + packed for e in (".jsonl", ".ndjson") for packed in PACKED_ENDINGS)


class _Coordinate(xr.Variable):
    """A coordinate, which stays in memory when ``xr.open_dataset`` puts variables in chunks.

    As a dask array it would be of no use to operations that take values: ``where(..., drop=True)``,
    ``groupby``.
    """

    __slots__ = ()

    @classmethod
    def of(cls, variable: xr.Variable) -> Self:
        """Return a variable of this class; its values stay lazy."""
        made: Any = variable.copy(deep=False)
        made.__class__ = cls
        same: Self = made
        return same

    def chunk(self, *arguments: Any, **options: Any) -> Any:
        """Return a plain variable: as it is where xarray opens it, in chunks where a user asks."""
        plain: Any = self.to_base_variable()
        is_opening = (options.get("from_array_kwargs") or {}).get("name")
        return plain if is_opening else plain.chunk(*arguments, **options)

    def __reduce__(self) -> Any:
        """Leave nothing but a plain variable to other processes."""
        return copy, (self.to_base_variable(),)


class _Values(_Coordinate):
    """A variable whose dask array has another name as soon as a log has changed.

    ``xr.open_dataset`` names arrays after the path and its time, and that of a directory stays as
    it is when a log in it grows: dask would take new values for those that it has.
    """

    __slots__ = ()

    def chunk(self, *arguments: Any, from_array_kwargs: Any = None, **options: Any) -> Any:
        """Return a plain variable in chunks; the file that holds its values is in its name."""
        given = dict(from_array_kwargs or {})
        if given.get("name"):
            source = str(self.encoding.get("source", "")).encode("utf-8", "surrogatepass")
            given["name"] += f"-{blake2b(source, digest_size=8).hexdigest()}"
        plain: Any = self.to_base_variable()
        return plain.chunk(*arguments, from_array_kwargs=given, **options)


class RuncubeBackend(BackendEntrypoint):
    """Open a directory of training logs, or one log, with xarray.

    Where runcube is installed, ``engine="runcube"`` means this class. Values are lazy without dask
    until ``chunks=`` asks for it.

    Attributes
    ----------
    description : str
        One line for ``xr.backends.list_engines()``.
    url : str
        Home page of the engine.

    Examples
    --------
    >>> import warnings, xarray as xr
    >>> from runcube import SweepWarning
    >>> from runcube.engine import RuncubeBackend
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", SweepWarning)
    ...     ds = xr.open_dataset("examples/logs", engine=RuncubeBackend, metrics="acc1")
    >>> ds.curve.sel(metric="acc1").dims
    ('weights', 'lr', 'weight_decay', 'seed', 'split', 'epoch')
    """

    description: ClassVar[str] = "Directories of training logs as one labelled cube"
    url: ClassVar[str] = "https://pypi.org/project/runcube/"

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        mask_and_scale: Any = None,
        decode_times: Any = None,
        decode_timedelta: Any = None,
        use_cftime: Any = None,
        concat_characters: Any = None,
        decode_coords: Any = None,
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
        cache_directory: bool | str | Path = True,
    ) -> xr.Dataset:
        """Return the logs as one cube with lazy values, as :func:`runcube.open_runs` opens them.

        Parameters
        ----------
        filename_or_obj : path-like or URL, or a list of these
            Directory of the logs, or one log, or the URL of either; or several.
        drop_variables : str or iterable of str, optional
            Variables to leave out of the Dataset, coordinates included.
        mask_and_scale, decode_times, decode_timedelta, use_cftime, concat_characters, decode_coords
            Accepted because xarray passes them to every engine, and ignored: logs hold plain
            numbers, there is nothing to decode.
        reader, files, ignore, path_keys, dims, exclude, rename, relabel, defaults, exact_labels, \
seed, layout, x, align, missing_x, splits, metrics, messages, expected, on_duplicate, errors, \
progress, parallel
            As for :func:`runcube.open_runs`.
        cache_directory : bool or path-like
            As ``cache`` of :func:`runcube.open_runs`; ``xr.open_dataset`` has one of its own.

        Returns
        -------
        Dataset
            ``curve`` (float64) and ``logged`` (bool) on (*cell dims*, split, metric, x), lazy;
            ``chunks={}`` of ``xr.open_dataset`` makes them dask arrays. Coordinates are in memory.

        Raises
        ------
        TypeError
            If ``filename_or_obj`` is an open file or bytes.
        FileNotFoundError, NoRunsError, StoreError, UnknownNameError, PlanError, LogError
            As :func:`runcube.open_runs`.

        Warns
        -----
        SweepWarning
            As :func:`runcube.load_runs`.

        Examples
        --------
        >>> import warnings
        >>> from runcube import SweepWarning
        >>> from runcube.engine import RuncubeBackend
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", SweepWarning)
        ...     backend = RuncubeBackend()
        ...     ds = backend.open_dataset("examples/logs", splits="val", cache_directory=False)
        >>> ds.curve.dtype, ds.split.values.tolist()
        (dtype('float64'), ['val'])
        """
        options: dict[str, Any] = {n: v for n, v in locals().items() if n in _OPTIONS}
        is_path = isinstance(filename_or_obj, str | os.PathLike)
        if not is_path and not isinstance(filename_or_obj, list | tuple):
            got = type(filename_or_obj).__name__
            raise TypeError(f"engine 'runcube' reads a directory or a log by its path, got {got}")
        path = os.fspath(filename_or_obj) if is_path else filename_or_obj
        options |= {"path": path, "chunks": None, "cache": cache_directory}
        ds, summary = open_cube(options, argument="cache_directory")
        summary.warn(stacklevel=1)
        names = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables or ())
        values = {name: _Values.of(ds[name].variable) for name in ("curve", "logged")}
        beside = [name for name in ds.coords if name not in ds.indexes]
        known = {name: _Coordinate.of(ds[name].variable) for name in beside}
        # As coordinates they would be made plain variables again.
        ds = ds.reset_coords(beside).assign(values | known).set_coords(beside)
        return ds.drop_vars(names, errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether a path is named as a JSON-lines log and is no directory.

        Directories belong to Zarr and others: they need ``engine="runcube"``.

        Parameters
        ----------
        filename_or_obj : object
            What ``xr.open_dataset`` was called with.

        Returns
        -------
        bool
            True for paths that end in ``.jsonl`` or ``.ndjson``, packed or not; never raises.

        Examples
        --------
        >>> from runcube.engine import RuncubeBackend
        >>> backend = RuncubeBackend()
        >>> backend.guess_can_open("run.jsonl"), backend.guess_can_open("examples/logs")
        (True, False)
        """
        try:
            path = os.fspath(filename_or_obj)
            return isinstance(path, str) and path.endswith(_LOG_NAMES) and not os.path.isdir(path)
        except Exception:  # whatever it is, it is no log of ours
            return False
