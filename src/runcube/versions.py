"""What runs: versions of the libraries, and which kernel reads JSON lines."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from runcube.readers import KERNEL

if TYPE_CHECKING:
    from typing import TextIO

_LIBRARIES = (
    *("numpy", "xarray", "netCDF4", "h5py", "dask", "distributed", "pandas", "scipy", "msgspec"),
    *("fsspec", "matplotlib", "bokeh"),
)


def show_versions(file: TextIO | None = None) -> None:
    """Print what a report of a bug should say: Python, the system, the kernel and the libraries.

    Parameters
    ----------
    file : file, optional
        Where to print; by default standard output.

    See Also
    --------
    xarray.show_versions : The same of xarray.

    Notes
    -----
    The kernel decodes JSON lines. It is ``C`` where the package was built with a compiler, else
    ``Python``, which gives the same values more slowly; ``RUNCUBE_KERNEL=0`` in the environment
    chooses that one.

    Examples
    --------
    >>> import runcube as rc
    >>> rc.show_versions()
    <BLANKLINE>
    INSTALLED VERSIONS
    ------------------
    python: 3...
    """
    lines = ["", "INSTALLED VERSIONS", "------------------", f"python: {platform.python_version()}"]
    lines += [f"OS: {platform.system()} {platform.release()} {platform.machine()}", ""]
    lines += [f"runcube: {version('runcube')}", f"kernel: {KERNEL}"]
    for name in _LIBRARIES:
        try:
            lines.append(f"{name}: {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name}: None")
    (sys.stdout if file is None else file).write("\n".join(lines) + "\n")
