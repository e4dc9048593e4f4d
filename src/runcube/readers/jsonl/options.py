"""What the user, or a reader of a special layout, fixes about the columns of a log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runcube.core import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Options:
    """What is fixed about the columns of a log; what is None is found by evidence.

    Parameters
    ----------
    config : tuple of str, optional
        Keys of the objects that are the configuration, or the columns that are.
    run : str or False, optional
        Column that tells the runs of a file apart. False: a file is one run.
    x : str, optional
        Column that is the x-axis.
    split : str or False, optional
        Column of splits, or a regular expression with the groups ``split`` and ``metric`` for the
        names of metrics. False: no splits.
    metrics : tuple of str, optional
        The only columns that are metrics, by their name with or without the split.
    header, trailer : str, optional
        Key of the record that holds the configuration before the rows, or the results behind them.
    null_is_nan : bool
        Whether the text ``"null"`` is a logged NaN.
    ignore : frozenset of str
        Columns that are neither metric nor configuration.
    axes : frozenset of str
        Columns that are axes beside x, whatever they hold.
    plain : frozenset of str
        Columns that are none, nor how long the run took, whatever they are called.
    facts : tuple of (str, tuple of str)
        Columns whose first value goes into the configuration, each with its keys there.
    in_log : bool
        False where the configuration is known from elsewhere: then no column of numbers is part
        of it.
    objects : bool
        False where a column with a slash in its name is no key of an object, but a metric.
    config_file : str, optional
        Name of the configuration file beside a log, instead of the usual ones.
    limits : Limits
    """

    config: tuple[str, ...] | None = None
    run: str | Literal[False] | None = None
    x: str | None = None
    split: str | Literal[False] | None = None
    metrics: tuple[str, ...] | None = None
    header: str | None = None
    trailer: str | None = None
    null_is_nan: bool = False
    ignore: frozenset[str] = frozenset()
    axes: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()
    facts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    in_log: bool = True
    objects: bool = True
    config_file: str | None = None
    limits: Limits = DEFAULT_LIMITS

    @classmethod
    def of_logger(
        cls,
        x: str,
        *clocks: str,
        plain: Iterable[str] = (),
        split: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Options:
        """Return what is fixed where a logger says which column is x: one run, with its own config.

        Parameters
        ----------
        x : str
        *clocks : str
            Columns that are axes beside it.
        plain : iterable of str
        split : str, optional
        limits : Limits
        """
        axes = frozenset(clocks)
        return cls(
            run=False,
            x=x,
            axes=axes,
            plain=frozenset(plain),
            split=split,
            in_log=False,
            limits=limits,
        )

    @property
    def known(self) -> frozenset[str]:
        """Columns that are neither x nor metric, whatever they hold."""
        return self.ignore | frozenset(self.config or ()) | {name for name, _ in self.facts}
