"""Fixtures of the tests in this folder."""

from saved_cubes import cube, path  # noqa: F401
