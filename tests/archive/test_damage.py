"""A damaged file is refused or read rightly, never wrongly."""

import h5py
import numpy as np
import pytest
from saved_cubes import assert_same, opened, run, synthetic

import runcube as rc


def test_a_file_that_was_cut_short_says_so(cube, path, tmp_path):
    ds = cube.assign_coords(said=("lr", np.array(["a\0b", "x" * 5000], dtype=object)))
    rc.save_archive(ds, path)
    content = path.read_bytes()
    cut = tmp_path / "cut.nc"
    for size in [0, 1, 4, 7, 8, 9, 100, *np.linspace(101, len(content) - 1, 60, dtype=int)]:
        cut.write_bytes(content[:size])
        with pytest.raises(rc.ArchiveError, match=str(cut)):
            opened(cut)
    cut.write_bytes(content)
    assert_same(opened(cut), ds)


# Forks, since HDF5 leaves a file open that it could not read, and now and then loops in one.
DAMAGE = """
    import os, random, signal, sys
    from collections import Counter
    from pathlib import Path
    import runcube as rc
    path, target = map(Path, sys.argv[1:3])
    spans = [tuple(map(int, span.split(":"))) for span in sys.argv[3:]]
    content, dice, seen = path.read_bytes(), random.Random(7), Counter()
    with rc.open_archive(path) as whole:
        whole.load()
    outcomes = ["the same", "refused", "values cannot be read", "others", "another error"]

    def outcome():
        try:
            ds = rc.open_archive(target)
        except rc.ArchiveError as error:
            return 1 if str(target) in str(error) else 4
        except Exception:
            return 4
        try:
            return 0 if ds.load().identical(whole) else 3
        except RuntimeError:  # of netCDF: a damaged chunk
            return 2

    for _ in range(150):
        start, stop = dice.choice(spans)
        at = dice.randrange(start, stop)
        damaged = bytearray(content)
        damaged[at] ^= dice.randrange(1, 256)
        target.write_bytes(damaged)
        child = os.fork()
        if not child:
            signal.alarm(5)
            os._exit(outcome())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = "HDF5 loops" if status == -signal.SIGALRM else f"killed by {-status}"
        seen[said if status < 0 else outcomes[status]] += 1
    for kind, count in seen.items():
        print(count, kind)
"""


def seen_of(path, target, spans):
    """What comes of 150 archives with a damaged byte in one of the spans."""
    told = run(DAMAGE, path, target, *(f"{start}:{stop}" for start, stop in spans)).splitlines()
    return {kind: int(count) for count, _, kind in (line.partition(" ") for line in told)}


def test_damage_to_any_byte_is_an_archive_error_at_most(cube, path, tmp_path):
    ds = cube.assign_coords(said=("lr", np.array(["a\0b", "x" * 5000], dtype=object)))
    rc.save_archive(ds, path)
    seen = seen_of(path, tmp_path / "damaged.nc", [(0, path.stat().st_size)])
    assert seen["refused"]
    assert seen["the same"]
    # HDF5 keeps no checksum of labels and of its own tables: some damage there shows in nothing.
    assert seen.pop("HDF5 loops", 0) + seen.pop("others", 0) < 8
    assert seen.keys() <= {"refused", "the same", "values cannot be read"}


def test_damaged_values_are_never_read_as_others(path, tmp_path):
    rc.save_archive(synthetic(seed=10), path)
    with h5py.File(path) as file:
        chunks = [
            file[name].id.get_chunk_info(i)
            for name in ("curve", "logged")
            for i in range(file[name].id.get_num_chunks())
        ]
    spans = [(c.byte_offset, c.byte_offset + c.size) for c in chunks]
    seen = seen_of(path, tmp_path / "damaged.nc", spans)
    assert seen["values cannot be read"] > 100
    assert seen.keys() <= {"values cannot be read", "refused", "the same"}


FULL_DISK = """
    import os, resource, signal, sys
    from pathlib import Path
    import runcube as rc
    source, folder = map(Path, sys.argv[1:])
    path = folder / "sweep.nc"
    with rc.open_archive(source) as ds:
        ds.load()
    rc.save_archive(ds, path)
    new = ds.assign(curve=ds.curve + 0.1)
    rc.save_archive(new, folder.parent / "size.nc")
    size = (folder.parent / "size.nc").stat().st_size
    before = path.read_bytes()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in [0, 1, 100, 2000, *range(5000, size, size // 16), size - 1]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            rc.save_archive(new, path)
        except rc.ArchiveError as error:
            said = "refused" if str(path) in str(error) else str(error)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        else:
            said = "saved"
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        same = path.read_bytes() == before
        print(said, "same" if same else "changed", sorted(os.listdir(folder)), "at", limit)
    rc.save_archive(new, path)
    with rc.open_archive(path) as ds:
        print(ds.load().identical(new), os.listdir(folder))
"""


def test_a_full_disk_leaves_the_old_archive_and_no_litter(tmp_path):
    rc.save_archive(synthetic(seed=10), tmp_path / "source.nc")
    folder = tmp_path / "out"
    folder.mkdir()
    *told, last = run(FULL_DISK, tmp_path / "source.nc", folder).splitlines()
    assert len(told) > 15
    assert {line.partition(" at ")[0] for line in told} == {"refused same ['sweep.nc']"}
    assert last == "True ['sweep.nc']"


# Forks, for a start of Python takes longer than a save.
KILLED = """
    import os, random, signal, sys, time
    from pathlib import Path
    import runcube as rc
    source, folder = map(Path, sys.argv[1:])
    path = folder / "sweep.nc"
    with rc.open_archive(source) as one:
        one.load()
    other = one.assign(curve=one.curve + 1)
    rc.save_archive(one, path)
    dice, littered = random.Random(3), 0
    for _ in range(10):
        child = os.fork()
        if not child:
            while True:
                rc.save_archive(other, path)
                rc.save_archive(one, path)
        time.sleep(dice.uniform(0.01, 0.3))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        littered += len(os.listdir(folder)) > 1
        with rc.open_archive(path) as ds:
            ds.load()
        assert ds.identical(one) or ds.identical(other)
        rc.save_archive(other, path)
        assert os.listdir(folder) == ["sweep.nc"], os.listdir(folder)
        with rc.open_archive(path) as ds:
            assert ds.load().identical(other)
    print(littered)
"""


def test_a_killed_writer_leaves_a_whole_archive(tmp_path):
    rc.save_archive(synthetic(seed=10), tmp_path / "source.nc")
    folder = tmp_path / "out"
    folder.mkdir()
    assert int(run(KILLED, tmp_path / "source.nc", folder)) > 0
