"""Benchmarks: logs that are made here, rivals, and ``python -m benchmarks.load``."""
