"""``ds.sweep``: reports and layouts of a cube, as methods of the Dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from runcube import stats
from runcube.core import method_of
from runcube.cube import at_best, diverged, final, problems, report, to_configs, to_grid

if TYPE_CHECKING:
    import pandas as pd

    from runcube.plot import PlotMethods


@xr.register_dataset_accessor("sweep")  # type: ignore[no-untyped-call]
class SweepAccessor:
    """Reports and layouts of a cube.

    Every Dataset has ``ds.sweep``; where it is no cube, or lacks what a report needs, the method
    raises `runcube.PlanError`. No method changes the Dataset.

    ===================== ====================================================
    ``table``             configurations, with their numbers of runs by status
    ``missing``           configurations and seeds without a complete run
    ``missing_configs``   the same as configurations for a launcher
    ``problems``          what is wrong with the logs, by file and line
    ``final``             last logged value of each curve, its best, or the mean of its last
    ``at_best``           all metrics and splits at each run's best epoch on one split
    ``diverged``          which curves hold a logged NaN or infinity
    ``constant``          hyperparameters that are the same in all runs
    ``completeness``      how each run ended: configurations by seeds
    ``to_grid``           one dim for each hyperparameter
    ``to_configs``        one dim ``config`` for all hyperparameters
    ``balanced``          the part where all configurations have the same seeds
    ``summarize``         what the seeds say of each configuration
    ``compare``           this selection and another one
    ``select``            the best configuration, with an honest value
    ``rank``              the rank of each configuration
    ``importance``        what each hyperparameter explains
    ``marginals``         the mean for each label of a hyperparameter
    ``divergence``        where runs diverge, and why
    ``plot``              figures: ``ds.sweep.plot.curves()``
    ===================== ====================================================

    ``problems``, ``final``, ``at_best``, ``diverged``, ``to_grid``, ``to_configs``, and all from
    ``balanced`` on, are the functions of `runcube` with these names, of this Dataset.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> len(ds.sweep.table()), len(ds.sweep.to_configs().config)
    (24, 24)

    Statistics take what the functions take:

    >>> how = {"metric": "acc1", "mode": "max", "rng": 0}
    >>> ds.sweep.select(**how, report="eval").attrs["winner"]
    '{"weights": "DEFAULT", "lr": 0.2, "weight_decay": ...}'
    >>> ds.sweep.rank(**how).ci.min().item()
    1.0
    >>> ds.sweep.importance(**how, n_resamples=99).importance.idxmax().item()
    'lr'
    >>> ds.sweep.marginals(over="lr", metric="acc1", mode="max")["mean"].idxmax().item()
    0.2
    >>> ds.sel(metric="loss").sweep.divergence(mode="min").x.sel(split="train").min().item()
    0.0
    >>> ds.sweep.balanced().sweep.completeness().shape
    (22, 5)
    >>> acc = ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0)
    >>> acc.sweep.summarize().sel(epoch=10).n.values.tolist()
    [5, 5, 5, 5]
    >>> found = acc.sel(lr=0.2).sweep.compare(acc.sel(lr=0.004)).sel(epoch=10)
    >>> int(found.n_pairs), bool(found.p < 0.05)
    (5, True)
    """

    final = method_of(final)
    at_best = method_of(at_best)
    diverged = method_of(diverged)
    problems = method_of(problems)
    to_grid = method_of(to_grid)
    to_configs = method_of(to_configs)
    balanced = method_of(stats.balanced)
    summarize = method_of(stats.summarize)
    compare = method_of(stats.compare)
    select = method_of(stats.select)
    rank = method_of(stats.rank)
    importance = method_of(stats.importance)
    marginals = method_of(stats.marginals)
    divergence = method_of(stats.divergence)

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def __repr__(self) -> str:
        return f"<runcube sweep: {dict(self._ds.sizes)}>"

    def _repr_html_(self) -> str:
        return report.as_html(self._ds)

    def table(self) -> pd.DataFrame:
        """Return the configurations: their hyperparameters, and how their runs ended.

        Returns
        -------
        DataFrame
            A row per configuration that has a run: its hyperparameters (those that vary with the
            seed are left out), ``seeds`` and ``runs``, how many of the runs are ``complete``,
            ``incomplete`` and ``failed``, and with how many seeds a complete run is ``missing``.
            The index is the position along ``config`` where there is such a dim.

        Raises
        ------
        PlanError
            If the Dataset is no cube.

        Examples
        --------
        >>> import warnings, runcube as rc
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", rc.SweepWarning)
        ...     ds = rc.load_runs("examples/logs")
        >>> counts = ["runs", "complete", "incomplete", "failed", "missing"]
        >>> ds.sweep.table()[counts].sum().to_dict()
        {'runs': 120, 'complete': 118, 'incomplete': 2, 'failed': 0, 'missing': 2}
        """
        return report.table(self._ds)

    def missing(self, *, all_combinations: bool = False) -> pd.DataFrame:
        """Return the configurations and seeds that have no complete run.

        Parameters
        ----------
        all_combinations : bool
            Also those combinations of labels that have no run with any seed (grid layout only).

        Returns
        -------
        DataFrame
            A row per configuration and seed: the hyperparameters, ``seed``, ``status`` and, where
            there is a log, its ``path``. A hyperparameter that only a run would show is NaN or
            None.

        Raises
        ------
        PlanError
            If the Dataset is no cube, or with ``all_combinations`` in the configs layout.

        See Also
        --------
        missing_configs : the same for a launcher.

        Examples
        --------
        >>> import warnings, runcube as rc
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", rc.SweepWarning)
        ...     ds = rc.load_runs("examples/logs")
        >>> ds.sweep.missing()[["weights", "lr", "weight_decay", "seed", "status"]]
           weights     lr  weight_decay  seed      status
        0     None  0.004           0.1     1  incomplete
        1  DEFAULT  1.400           0.0     0  incomplete
        """
        return report.missing(self._ds, all_combinations=all_combinations)

    def missing_configs(self, *, all_combinations: bool = False) -> list[dict[str, Any]]:
        """Return the configurations and seeds that have no complete run, for a launcher.

        A string ``"None"`` or ``"True"`` on an axis that never holds the value itself has the same
        label as the value, and comes back as the value. Values that ``relabel=`` changed stay
        changed.

        Parameters
        ----------
        all_combinations : bool
            Also those combinations of labels that have no run with any seed (grid layout only).

        Returns
        -------
        list of dict
            Full dotted key to value as JSON has it: None, numbers, bools and lists again where a
            text label stands for one. A key that the run would not have is left out, and so is the
            seed where runs draw their own. ``_status`` is the run's status, ``_path`` its log.

        Raises
        ------
        PlanError
            If the Dataset is no cube, or with ``all_combinations`` in the configs layout.

        See Also
        --------
        missing : the same as a table.

        Examples
        --------
        >>> import warnings, runcube as rc
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", rc.SweepWarning)
        ...     ds = rc.load_runs("examples/logs")
        >>> ds.sweep.missing_configs()[0]
        {'model.weights': None, 'optim.lr': 0.004, ..., 'seed': 1, '_status': 'incomplete', ...}
        """
        return report.missing_configs(self._ds, all_combinations=all_combinations)

    def completeness(self) -> pd.DataFrame:
        """Return how each run ended, as a table of configurations and seeds.

        Returns
        -------
        DataFrame
            A row per configuration that has a run, indexed by its hyperparameters, or by ``config``
            where there are none; a column per seed, with ``complete``, ``incomplete``, ``failed``
            or ``absent``.

        Raises
        ------
        PlanError
            If the Dataset is no cube.

        Examples
        --------
        >>> import warnings, runcube as rc
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", rc.SweepWarning)
        ...     ds = rc.load_runs("examples/logs")
        >>> ds.sweep.completeness().iloc[-3:, :2]
        seed                               0         1
        weights lr  weight_decay
        DEFAULT 1.4 0.00          incomplete  complete
                    0.01            complete  complete
                    0.10            complete  complete
        """
        return report.completeness(self._ds)

    @property
    def plot(self) -> PlotMethods:
        """Figures of this cube: the functions of `runcube.plot`, as methods.

        Returns
        -------
        PlotMethods
            With ``curves``, ``distribution``, ``heatmap``, ``coverage``, ``compare``,
            ``importance``, ``marginals``, ``best_of_k`` and ``parallel``.

        Raises
        ------
        ModuleNotFoundError
            By its methods, where matplotlib is not installed.

        Examples
        --------
        >>> import warnings, runcube as rc
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", rc.SweepWarning)
        ...     ds = rc.load_runs("examples/logs")
        >>> ds.sel(metric="acc1", split="val", lr=0.2).sweep.plot.curves().get_ylabel()
        'val acc1'
        """
        from runcube.plot import PlotMethods

        return PlotMethods(self._ds)

    @property
    def constant(self) -> dict[str, Any]:
        """Hyperparameters that are the same in all runs.

        Returns
        -------
        dict
            Full dotted key to value, as JSON has it.

        Raises
        ------
        PlanError
            If the attr ``constant_hparams``, which holds them, is gone.

        Examples
        --------
        >>> import warnings, runcube as rc
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", rc.SweepWarning)
        ...     ds = rc.load_runs("examples/logs")
        >>> ds.sweep.constant["optim.name"], ds.sweep.constant["epochs"]
        ('sgd', 20)
        """
        return report.constant(self._ds)
