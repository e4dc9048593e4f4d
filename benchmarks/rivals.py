"""The same labelled grid by pandas, polars and DuckDB, and the floor: bare msgspec.

Every rival knows more than runcube is told: the splits, the metrics, the names and the number of
hyperparameters, that each line is sound, and that no run is repeated. Each ends in ``grid``, whose
scatter is plain NumPy, the fastest way found. Libraries are imported inside the functions, so that
a process pays only for what it uses; the variants of a library are those that were worth keeping.

``python -m benchmarks.rivals`` checks that all give the same values.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import xarray as xr

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.integer[Any]]
    Contender = Callable[[Path], xr.Dataset | None]

SPLITS = ("train", "val", "eval")
METRICS = ("loss", "acc1", "acc5", "ece", "grad_norm")
CONFIG_KEYS = {
    "lr": ("optim", "lr"),
    "weight_decay": ("optim", "weight_decay"),
    "weights": ("model", "weights"),
    "seed": ("seed",),
}


def find_logs(root: Path) -> list[str]:
    """Paths of the logs, sorted: with ``os.walk``, six times as fast as ``glob``."""
    return sorted(
        os.path.join(folder, name)
        for folder, _, names in os.walk(root)
        for name in names
        if name.endswith(".jsonl")
    )


def first_lines(paths: Sequence[str]) -> Iterator[bytes]:
    """Yield the first line of each log."""
    for path in paths:
        with open(path, "rb") as file:
            yield file.readline()


def grid(headers: Iterator[bytes], run: Ints, split: Ints, values: list[Floats]) -> xr.Dataset:
    """Build the cube from the metric rows in file order.

    Parameters
    ----------
    headers : iterator of bytes
        The config line of each run.
    run : int, (row,)
        The number of the run.
    split : int, (row,)
        Index in ``SPLITS``.
    values : list of float64, (row,)
        One array for each metric.
    """
    import numpy as np
    import xarray as xr

    configs = [_hparams(line) for line in headers]
    labels: dict[str, list[Any]] = {
        name: sorted({config[name] for config in configs}) for name in CONFIG_KEYS
    }
    shape = tuple(map(len, labels.values()))
    places = [
        np.array([names.index(config[key]) for config in configs]) for key, names in labels.items()
    ]
    cells = np.ravel_multi_index(tuple(places), shape)
    series = np.asarray(run, np.int64) * len(SPLITS) + split
    order = np.argsort(series, kind="stable")
    counts = np.bincount(series, minlength=len(configs) * len(SPLITS))
    epoch = np.empty(len(series), np.int64)
    epoch[order] = np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts)
    epochs = int(counts.max())
    curve = np.full(int(np.prod(shape)) * len(SPLITS) * len(METRICS) * epochs, np.nan)
    place = (cells[run] * len(SPLITS) + split) * (len(METRICS) * epochs) + epoch
    for column in values:
        curve[place] = column
        place += epochs
    dims = (*labels, "split", "metric", "epoch")
    return xr.Dataset(
        {"curve": (dims, curve.reshape(*shape, len(SPLITS), len(METRICS), epochs))},
        coords={**labels, "split": list(SPLITS), "metric": list(METRICS), "epoch": range(epochs)},
    )


def _hparams(line: bytes) -> dict[str, Any]:
    config = json.loads(line)["value"]
    found: dict[str, Any] = {}
    for name, path in CONFIG_KEYS.items():
        value = config
        for part in path:
            value = value[part]
        found[name] = "None" if value is None else value
    return found


def polars_scan(root: Path) -> xr.Dataset:
    """Polars: ``scan_ndjson`` of all files with a schema."""
    import polars as pl

    paths = find_logs(root)
    is_header = (pl.col("type") == "dict_config").fill_null(False)
    frame = (
        pl.scan_ndjson(paths, schema=_polars_schema())
        .filter(is_header | pl.col("data_name").is_not_null())
        .select(is_header.alias("header"), "data_name", pl.col("agg_stats"))
        .collect()
    )
    return _polars_grid(paths, frame)


def polars_lines(root: Path) -> xr.Dataset:
    """Polars: ``scan_lines``, text lines left out by their beginning, then ``json_decode``."""
    import polars as pl

    paths = find_logs(root)
    line = pl.col("line")
    is_header = line.str.starts_with('{"type": "dict_config"')
    frame = (
        pl.scan_lines(paths)
        .filter(line.str.starts_with('{"title"') | is_header)
        .select(
            is_header.alias("header"),
            line.str.json_decode(pl.Struct(_polars_schema())).alias("record"),
        )
        .unnest("record")
        .collect()
    )
    return _polars_grid(paths, frame)


def polars_buffer(root: Path) -> xr.Dataset:
    """Polars: ``read_ndjson`` of the joined bytes of all files."""
    import polars as pl

    paths = find_logs(root)
    frame = pl.read_ndjson(_joined(paths), schema=_polars_schema())
    is_header = (pl.col("type") == "dict_config").fill_null(False)
    frame = frame.filter(is_header | pl.col("data_name").is_not_null())
    return _polars_grid(paths, frame.with_columns(is_header.alias("header")))


def _polars_schema() -> dict[str, Any]:
    import polars as pl

    stats = pl.Struct({metric: pl.Float64() for metric in METRICS})
    return {"type": pl.String(), "data_name": pl.String(), "agg_stats": stats}


def _polars_grid(paths: Sequence[str], frame: Any) -> xr.Dataset:
    import numpy as np
    import polars as pl

    frame = frame.with_columns(run=pl.col("header").cum_sum().cast(pl.Int64) - 1)
    frame = frame.filter(~pl.col("header"))
    split = frame["data_name"].cast(pl.Enum(SPLITS)).to_physical().to_numpy().astype(np.int64)
    stats = frame["agg_stats"].struct
    values = [stats.field(metric).to_numpy() for metric in METRICS]
    return grid(first_lines(paths), frame["run"].to_numpy(), split, values)


def duckdb_struct(root: Path) -> xr.Dataset:
    """DuckDB: ``read_json`` of all files with typed columns, text lines filtered out in SQL."""
    import duckdb

    paths = find_logs(root)
    stats = ", ".join(f"{metric} DOUBLE" for metric in METRICS)
    columns = f"{{data_name: 'VARCHAR', agg_stats: 'STRUCT({stats})'}}"
    names = ", ".join(f"agg_stats.{metric} AS {metric}" for metric in METRICS)
    split = " ".join(f"WHEN '{name}' THEN {i}" for i, name in enumerate(SPLITS))
    found: dict[str, Any] = (
        duckdb.connect()
        .execute(
            f"""SELECT file_index AS run, CASE data_name {split} END AS split, {names}
                FROM read_json(?, columns={columns}, format='newline_delimited')
                WHERE data_name IS NOT NULL""",
            [paths],
        )
        .fetchnumpy()
    )
    values = [found[metric] for metric in METRICS]
    return grid(first_lines(paths), found["run"], found["split"], values)


def pandas_arrow(root: Path) -> xr.Dataset:
    """Use pandas over pyarrow's JSON reader (what ``engine="pyarrow"`` uses) with a schema."""
    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.json  # type: ignore[import-untyped]

    paths = find_logs(root)
    stats = pa.struct([(metric, pa.float64()) for metric in METRICS])
    schema = pa.schema([("type", pa.string()), ("data_name", pa.string()), ("agg_stats", stats)])
    options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    table = pyarrow.json.read_json(pa.BufferReader(_joined(paths)), parse_options=options)
    kinds = [table["type"].dictionary_encode(), table["data_name"].dictionary_encode()]
    frame = pa.table(
        [*kinds, *table.select(["agg_stats"]).flatten().columns],
        names=["type", "data_name", *METRICS],
    ).to_pandas()
    run = (frame["type"] == "dict_config").cumsum().to_numpy() - 1
    keep = frame["data_name"].notna().to_numpy()
    frame = frame[keep]
    split = pd.Categorical(frame["data_name"], categories=list(SPLITS)).codes
    values = [frame[metric].to_numpy() for metric in METRICS]
    return grid(first_lines(paths), run[keep], split, values)


def pandas_json(root: Path) -> xr.Dataset:
    """Use pandas by the book: ``read_json(lines=True)`` of each file, then ``json_normalize``."""
    import pandas as pd

    paths = find_logs(root)
    parts = [pd.read_json(path, lines=True, precise_float=True) for path in paths]
    frame = pd.concat(parts, ignore_index=True)
    run = (frame["type"] == "dict_config").cumsum().to_numpy() - 1
    keep = frame["data_name"].notna().to_numpy()
    frame = frame[keep]
    stats = pd.json_normalize(frame["agg_stats"].tolist())
    split = pd.Categorical(frame["data_name"], categories=list(SPLITS)).codes
    values = [stats[metric].to_numpy() for metric in METRICS]
    return grid(first_lines(paths), run[keep], split, values)


def _joined(paths: Sequence[str]) -> bytes:
    parts = []
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            parts.append(file.read())
    return b"".join(parts)


def imports(_root: Path) -> None:
    """Import what the floor imports, and do nothing."""
    import msgspec  # noqa: F401
    import numpy as np  # noqa: F401
    import xarray as xr  # noqa: F401


def tiny_cube(_root: Path) -> xr.Dataset:
    """Build a Dataset of two numbers, reading nothing: the fixed price of ending in xarray.

    The first Dataset of a process imports ``dask.array``, where dask is installed.
    """
    import xarray as xr

    return xr.Dataset({"curve": ("epoch", [0.0, 1.0])}, coords={"epoch": [0, 1]})


def msgspec_floor(root: Path) -> None:
    """Take the floor's time: read and decode all records into typed Structs; no arrays, no cube."""
    imports(root)
    import msgspec

    stats = msgspec.defstruct(
        "Stats", [(metric, float) for metric in METRICS], forbid_unknown_fields=True, gc=False
    )
    record = msgspec.defstruct(
        "Record",
        [
            ("title", str, ""),
            ("data_name", str, ""),
            ("agg_stats", stats | None, None),
            ("type", str, ""),
            ("value", msgspec.Raw, msgspec.Raw()),
        ],
        forbid_unknown_fields=True,
        gc=False,
    )
    decoder = msgspec.json.Decoder(record)
    for path in find_logs(root):
        with open(path, "rb", buffering=0) as file:
            decoder.decode_lines(file.read())


def runcube(root: Path) -> xr.Dataset:
    """Load with this library."""
    import runcube as rc

    return rc.load_runs(root)


CONTENDERS: dict[str, Contender] = {
    "imports": imports,
    "tiny-cube": tiny_cube,
    "msgspec": msgspec_floor,
    "runcube": runcube,
    "duckdb": duckdb_struct,
    "polars": polars_lines,
    "polars-scan": polars_scan,
    "polars-buffer": polars_buffer,
    "pandas": pandas_arrow,
    "pandas-json": pandas_json,
}
RIVALS = ("duckdb", "polars", "polars-scan", "polars-buffer", "pandas", "pandas-json")


def check() -> None:
    """Raise unless all rivals, and runcube where it is installed, give equal labels and values."""
    import importlib.util

    import numpy as np

    from benchmarks.make_logs import DATA, SMALL, native_sweep

    root = native_sweep(DATA / "native-small", SMALL)
    names = list(RIVALS)
    spec = importlib.util.find_spec("runcube")
    if spec is not None and spec.origin is not None:
        names.append("runcube")
    wanted = duckdb_struct(root)
    for name in names:
        found = CONTENDERS[name](root)
        assert found is not None
        curve = found["curve"].transpose(*wanted["curve"].dims)
        labels = {str(dim): wanted[dim].values for dim in wanted["curve"].dims}
        assert curve.shape == wanted["curve"].shape, (name, curve.sizes)
        np.testing.assert_array_equal(curve.sel(labels).values, wanted["curve"].values, name)
        print(f"{name}: equal to DuckDB's {dict(curve.sizes)}")


if __name__ == "__main__":
    check()
