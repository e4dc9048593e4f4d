"""Numbers with as many digits as their uncertainty leaves."""

from __future__ import annotations

import math

# From here on numbers are written with an exponent, such as those of runs that diverged.
_LONG = 1e7


def decimals_of(error: float) -> int:
    """Return how many decimals an uncertainty leaves: two digits of it where it begins with 1.

    Examples
    --------
    >>> [decimals_of(e) for e in (0.0123, 0.5, 12.0, 4.0, 0.0)]
    [3, 1, 0, 0, 0]
    """
    if not error > 0 or not math.isfinite(error):
        return 0
    exponent = math.floor(math.log10(error))
    leading = error / 10.0**exponent
    digits = 2 if round(leading, 1) < 2 else 1
    return max(0, digits - 1 - exponent)


def shown(value: float, error: float, *, places: int | None = None) -> tuple[str, str]:
    """Return a value and its uncertainty as text, with the same decimals.

    Parameters
    ----------
    value, error : float
        NaN where there is none.
    places : int, optional
        Decimals, in place of those that the uncertainty leaves.

    Examples
    --------
    >>> shown(93.4567, 0.123), shown(93.4567, 4.0), shown(0.5, float("nan"))
    (('93.46', '0.12'), ('93', '4'), ('0.5000', ''))
    >>> shown(2.29e36, 2.9e36)
    ('2.3e+36', '2.9e+36')
    """
    if math.isnan(value):
        return "", ""
    if not math.isfinite(value):
        return ("∞" if value > 0 else "-∞"), ""
    if math.isnan(error) or not math.isfinite(error):
        return (f"{value:#.4g}" if places is None else f"{value:.{places}f}").rstrip("."), ""
    if places is None and max(abs(value), error) >= _LONG:
        return f"{value:.2g}", f"{error:.2g}"
    if error == 0:
        return (f"{value:.4g}" if places is None else f"{value:.{places}f}"), "0"
    kept = decimals_of(error) if places is None else places
    return f"{value:.{kept}f}", f"{error:.{kept}f}"
