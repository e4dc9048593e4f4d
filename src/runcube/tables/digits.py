"""Numbers with as many digits as their uncertainty leaves."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Significant digits: of an uncertainty, and of values that have none.
_OF_ERROR, _OF_VALUE = 2, 4
# From here on numbers are written with an exponent, such as those of runs that diverged.
_LONG = 1e7
# So small numbers too, where they have more decimals than these.
_SMALL, _MANY = 1e-4, 7
_ROUNDING = 1e-12


def decimals_of(values: Sequence[float], errors: Sequence[float]) -> int:
    """Return the decimals of a column: its typical uncertainty then has two significant digits.

    Rows that are surer get one decimal more, and never more than one: a row whose seeds hardly
    differ is not to fill all others with digits that mean nothing.

    Parameters
    ----------
    values, errors : sequence of float
        NaN where there is none.

    Examples
    --------
    >>> decimals_of([93.4567, 86.1], [0.123, 4.0]), decimals_of([0.5], [float("nan")])
    (2, 4)
    """
    # Several values may share one uncertainty.
    known = [e for v, e in zip(values, errors, strict=False) if _is_known(v, e)]
    if known:
        wanted = _OF_ERROR - 1 - _exponent(min(known))
        return max(0, min(wanted, _OF_ERROR - _exponent(median(known))))
    sizes = [abs(v) for v in values if 0 < abs(v) < _LONG]
    return max(0, _OF_VALUE - 1 - _exponent(max(sizes))) if sizes else 0


def places_of(values: Sequence[float], errors: Sequence[float]) -> list[int]:
    """Return the decimals of each row of a column: the same for all, unless they are too mixed.

    They are too mixed if by the same decimals an uncertainty would be nothing but zeros, or have
    more than four significant digits, or a value without uncertainty be nothing but zeros. Each
    row then has two significant digits of its own uncertainty, or four of its value.

    Parameters
    ----------
    values, errors : sequence of float
        NaN where there is none.

    Examples
    --------
    >>> places_of([93.45, 86.1], [0.123, 4.0]), places_of([2.30266, 40.488], [0.0002, 3.7])
    ([2, 2], [5, 1])
    >>> nan = float("nan")
    >>> places_of([1234.0, 0.001], [nan, nan]), places_of([12.0, 345.6], [nan, nan])
    ([0, 6], [1, 1])
    """
    same = decimals_of(values, errors)
    own = [decimals_of([v], [e]) for v, e in zip(values, errors, strict=True)]
    is_mixed = False
    for value, error, wanted in zip(values, errors, own, strict=True):
        if _is_known(value, error):
            is_mixed |= not -_OF_ERROR < same - wanted <= _OF_ERROR
        elif 0 < abs(value) < _LONG:
            is_mixed |= same < wanted - _OF_VALUE + 1
    return own if is_mixed else [same] * len(own)


def shown(value: float, error: float, places: int) -> tuple[str, str]:
    """Return a value and its uncertainty as text, ``""`` for what is NaN.

    Examples
    --------
    >>> shown(93.4567, 0.123, 2), shown(0.5, float("nan"), 4), shown(float("inf"), 1.0, 2)
    (('93.46', '0.12'), ('0.5000', ''), ('∞', ''))
    >>> shown(2.29e36, 2.9e36, 0), shown(2.53e-08, 1.94e-09, 10)
    (('2.3e+36', '2.9e+36'), ('2.53e-08', '1.9e-09'))
    """
    if math.isnan(value):
        return "", ""
    if not math.isfinite(value):
        return ("∞" if value > 0 else "-∞"), ""
    if max(abs(value), error if math.isfinite(error) else 0) >= _LONG:
        return f"{value:.{_OF_ERROR}g}", f"{error:.{_OF_ERROR}g}" if math.isfinite(error) else ""
    if places > _MANY and max(abs(value), error if math.isfinite(error) else 0) < _SMALL:
        return _small(value, places), _small(error, places) if math.isfinite(error) else ""
    return f"{value:.{places}f}", f"{error:.{places}f}" if math.isfinite(error) else ""


def _small(value: float, places: int) -> str:
    """Return a small number with an exponent, and the digits that so many decimals have."""
    if not round(value, places):
        return "0"
    return f"{value:.{max(0, places + math.floor(math.log10(abs(value))))}e}"


def _is_known(value: float, error: float) -> bool:
    """Return whether an uncertainty is one: of equal values it is what rounding leaves."""
    return _ROUNDING * abs(value) < error < _LONG


def _exponent(size: float) -> int:
    # Of 0.0996 with two digits, which is 0.10.
    return int(f"{size:.{_OF_ERROR - 1}e}".partition("e")[2])
