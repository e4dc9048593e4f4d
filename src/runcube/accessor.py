"""``ds.sweep``: what a cube says of its sweep, by methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from runcube.cube import final, problems, report, to_configs, to_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


@xr.register_dataset_accessor("sweep")  # type: ignore[no-untyped-call]
class SweepAccessor:
    """Reports and layouts of a cube; every method is a function of :mod:`runcube` as well.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> len(ds.sweep.table()), len(ds.sweep.to_configs().config)
    (24, 24)
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def __repr__(self) -> str:
        return f"<runcube sweep: {dict(self._ds.sizes)}>"

    def _repr_html_(self) -> str:
        return report.as_html(self._ds)

    def to_grid(self, *, dims: Sequence[str] | None = None) -> xr.Dataset:
        """See :func:`runcube.to_grid`."""
        return to_grid(self._ds, dims=dims)

    def to_configs(self) -> xr.Dataset:
        """See :func:`runcube.to_configs`."""
        return to_configs(self._ds)

    def problems(self) -> pd.DataFrame:
        """See :func:`runcube.problems`."""
        return problems(self._ds)

    def table(self) -> pd.DataFrame:
        """See :func:`runcube.report.table`."""
        return report.table(self._ds)

    def missing(self, *, all_combinations: bool = False) -> pd.DataFrame:
        """See :func:`runcube.report.missing`."""
        return report.missing(self._ds, all_combinations=all_combinations)

    def missing_configs(self, *, all_combinations: bool = False) -> list[dict[str, Any]]:
        """See :func:`runcube.report.missing_configs`."""
        return report.missing_configs(self._ds, all_combinations=all_combinations)

    def final(self) -> xr.DataArray:
        """See :func:`runcube.cube.final`."""
        return final(self._ds)

    @property
    def constant(self) -> dict[str, Any]:
        """See :func:`runcube.report.constant`."""
        return report.constant(self._ds)
