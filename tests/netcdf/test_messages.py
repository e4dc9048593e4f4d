"""Messages of any length cost no memory where they are not asked for."""

import json

from saved_cubes import (
    assert_same,
    load,
    run,
    there_and_back,
)
from sweeps import product_configs, write_sweep

import runcube as rc

MEASURE = """
    import resource, sys
    import xarray as xr
    with xr.open_dataset(sys.argv[1]) as ds:
        ds.load()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def megabytes_to_load(path):
    # What exec replaces counts in ru_maxrss: the shell stands between this process and that one.
    return float(run(MEASURE, path, prefix=("sh", "-c", '"$@"; exit $?', "sh")))


def test_a_megabyte_of_message_and_bad_lines_burden_no_plain_reader(tmp_path):
    root = tmp_path / "logs"
    write_sweep(root, product_configs(optim__lr=[0.1, 1.0]), seeds=range(10))
    rc.save_archive(load(root), tmp_path / "light.nc")
    message = "x" * 1_000_000
    logs = sorted(root.glob("*/*.jsonl"))
    with logs[0].open("a") as log:
        log.write(json.dumps({"type": "str", "value": message}) + "\n")
    with logs[-1].open("a") as log:
        log.writelines(f'{{"title": "agg_val", bad {i}\n' for i in range(10_000))
    heavy = load(root, messages=True)
    assert heavy.n_problems.max() >= 10_000
    assert any(message in said for said in heavy.messages.values.flat)
    assert_same(there_and_back(heavy, tmp_path / "heavy.nc"), heavy)
    assert (tmp_path / "heavy.nc").stat().st_size < 1_000_000
    light, used = (megabytes_to_load(tmp_path / f"{name}.nc") for name in ("light", "heavy"))
    assert used < light + 50
