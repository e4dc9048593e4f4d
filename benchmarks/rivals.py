"""The same labelled grid by pandas, polars and DuckDB.

Every rival knows more than runcube is told: the splits, the metrics, the names and the number of
hyperparameters, that each line is sound, and that no run is repeated. Each ends in ``grid``, whose
scatter is plain NumPy, the fastest way found. Libraries are imported inside the functions, so that
a process pays only for what it uses; the variants of a library are those that were worth keeping.
``child`` measures one of them, or decoding or an import alone, in the process that calls it.

``python -m benchmarks.rivals`` checks that all give the same values.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    import xarray as xr

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.integer[Any]]
    Contender = Callable[[Path], xr.Dataset]

SPLITS = ("train", "val", "eval")
METRICS = ("loss", "acc1", "acc5", "ece", "grad_norm")
FLAT_METRICS = tuple(f"m{number:02d}" for number in range(20))
BATCH_BYTES = 8_000_000
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


def read_configs(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Hyperparameters of each run: of the file beside its log, else of the log's first line."""
    beside = os.path.exists(_beside(paths[0]))
    configs = []
    for path in paths:
        with open(_beside(path) if beside else path, "rb") as file:
            found = json.loads(file.readline())
        configs.append(_hparams(found if beside else found.get("value") or found["config"]))
    return configs


def _beside(path: str) -> str:
    return os.path.join(os.path.dirname(path), "config.json")


def grid(
    configs: list[dict[str, Any]],
    run: Ints,
    split: Ints,
    values: list[Floats],
    splits: Sequence[str] = SPLITS,
    metrics: Sequence[str] = METRICS,
) -> xr.Dataset:
    """Build the cube from the metric rows in file order.

    Parameters
    ----------
    configs : list of dict
        The hyperparameters of each run.
    run : int, (row,)
        The number of the run.
    split : int, (row,)
        Index in ``splits``.
    values : list of float64, (row,)
        One array for each metric.
    splits, metrics : sequence of str
        Their labels.
    """
    import numpy as np
    import xarray as xr

    labels: dict[str, list[Any]] = {
        name: sorted({config[name] for config in configs}) for name in CONFIG_KEYS
    }
    shape = tuple(map(len, labels.values()))
    places = [
        np.array([names.index(config[key]) for config in configs]) for key, names in labels.items()
    ]
    cells = np.ravel_multi_index(tuple(places), shape)
    series = np.asarray(run, np.int64) * len(splits) + split
    order = np.argsort(series, kind="stable")
    counts = np.bincount(series, minlength=len(configs) * len(splits))
    epoch = np.empty(len(series), np.int64)
    epoch[order] = np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts)
    epochs = int(counts.max())
    curve = np.full(int(np.prod(shape)) * len(splits) * len(metrics) * epochs, np.nan)
    place = (cells[run] * len(splits) + split) * (len(metrics) * epochs) + epoch
    for column in values:
        curve[place] = column
        place += epochs
    dims = (*labels, "split", "metric", "epoch")
    return xr.Dataset(
        {"curve": (dims, curve.reshape(*shape, len(splits), len(metrics), epochs))},
        coords={**labels, "split": list(splits), "metric": list(metrics), "epoch": range(epochs)},
    )


def _hparams(config: dict[str, Any]) -> dict[str, Any]:
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
    return grid(read_configs(paths), frame["run"].to_numpy(), split, values)


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
    return grid(read_configs(paths), found["run"], found["split"], values)


def duckdb_flat(root: Path) -> xr.Dataset:
    """DuckDB: ``read_json`` of flat records with typed columns."""
    import duckdb
    import numpy as np

    paths = find_logs(root)
    columns = ", ".join(f"{metric}: 'DOUBLE'" for metric in FLAT_METRICS)
    found: dict[str, Any] = (
        duckdb.connect()
        .execute(
            f"""SELECT file_index AS run, {", ".join(FLAT_METRICS)}
                FROM read_json(?, columns={{{columns}}}, format='newline_delimited')""",
            [paths],
        )
        .fetchnumpy()
    )
    run = np.asarray(found["run"], np.int64)
    values = [found[metric] for metric in FLAT_METRICS]
    return grid(read_configs(paths), run, np.zeros_like(run), values, ("all",), FLAT_METRICS)


def polars_flat(root: Path) -> xr.Dataset:
    """Polars: ``scan_ndjson`` of flat records with a schema."""
    import numpy as np
    import polars as pl

    paths = find_logs(root)
    schema = dict.fromkeys(FLAT_METRICS, pl.Float64())
    frame = pl.scan_ndjson(paths, schema=schema, include_file_paths="path").collect()
    run = frame["path"].cast(pl.Enum(paths)).to_physical().to_numpy().astype(np.int64)
    values = [frame[metric].to_numpy() for metric in FLAT_METRICS]
    return grid(read_configs(paths), run, np.zeros_like(run), values, ("all",), FLAT_METRICS)


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
    return grid(read_configs(paths), run[keep], split, values)


def _joined(paths: Sequence[str]) -> bytes:
    parts = []
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            parts.append(file.read())
    return b"".join(parts)


def runcube(root: Path) -> xr.Dataset:
    """Load with this library, as it does by itself."""
    import runcube as rc

    return rc.load_runs(root, parallel="auto")


def runcube_serial(root: Path) -> xr.Dataset:
    """Load with this library in one thread."""
    import runcube as rc

    return rc.load_runs(root, parallel=False)


CONTENDERS: dict[str, Contender] = {
    "runcube": runcube,
    "runcube, one thread": runcube_serial,
    "duckdb": duckdb_struct,
    "duckdb, flat": duckdb_flat,
    "polars": polars_lines,
    "polars-scan": polars_scan,
    "polars, flat": polars_flat,
    "pandas": pandas_arrow,
}


def decode(root: Path, threads: int) -> None:
    """Decode logs in batches, and do nothing with what comes out."""
    from concurrent.futures import ThreadPoolExecutor

    from runcube.readers.kernel import decode as decode_batch

    batches: list[list[str]] = []
    size = BATCH_BYTES
    for path in find_logs(root):
        if size >= BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(path)
        size += os.path.getsize(path)

    def read(batch: list[str]) -> None:
        decode_batch([Path(path).read_bytes() for path in batch], ("value",))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, batches))


def work_of(contender: str, logs: str) -> Callable[[], Any]:
    """Return what is timed, after the imports that are not."""
    words = re.findall(r"\w+", contender)
    what, last = words[0], words[-1]
    if what == "import":
        return lambda: importlib.import_module(last)
    importlib.import_module("runcube" if what == "decode" else what)
    if what == "decode":
        return lambda: decode(Path(logs), int(last))
    import xarray as xr

    xr.Dataset({"curve": ("epoch", [0.0, 1.0])}, coords={"epoch": [0, 1]})
    return lambda: CONTENDERS[contender](Path(logs))


def child(contender: str, logs: str, loads: str) -> None:
    """Measure in this process, and print what was found."""
    work = work_of(contender, logs)
    unit = 1 if sys.platform == "darwin" else 1024
    seconds, peak = [], 0.0
    for _ in range(int(loads)):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
        del found
        # Of the first load: what stays of it is in the way of the second.
        own, of_child = (
            resource.getrusage(who).ru_maxrss
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        peak = peak or (own + of_child) * unit / 1e6
    readers = sys.modules.get("runcube.readers")
    kernel = getattr(readers, "KERNEL", None)
    place = getattr(sys.modules.get("runcube"), "__file__", None)
    print(json.dumps({"seconds": seconds, "peak": peak, "kernel": kernel, "place": place}))


def check() -> None:
    """Raise unless all give equal labels and values."""
    import numpy as np

    from benchmarks.make_logs import DATA, KINDS, SMALL, native_sweep

    for kind in KINDS:
        root = native_sweep(DATA / f"{kind.replace(' ', '-')}-small", SMALL, kind)
        wanted = runcube_serial(root).squeeze()
        rivals = [name for name in CONTENDERS if ("flat" in name) == ("flat" in kind)]
        for name in () if kind == "diverged" else rivals:
            found = CONTENDERS[name](root).squeeze()
            labels = {str(dim): wanted[dim].values for dim in wanted["curve"].dims}
            curve = found["curve"].transpose(*labels)
            assert curve.shape == wanted["curve"].shape, (name, curve.sizes)
            np.testing.assert_array_equal(curve.sel(labels).values, wanted["curve"].values, name)
            print(f"{kind}, {name}: equal to runcube's {dict(curve.sizes)}")


if __name__ == "__main__":
    check()
