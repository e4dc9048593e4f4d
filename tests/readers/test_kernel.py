"""The kernel in C and its twin in Python are one: on damage, at bounds, to the bit of floats."""

import io
import json
import math
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_damage import LINES, damaged_file, held

import runcube as rc
from runcube.core import Limits
from runcube.readers.kernel import KERNEL, Kind, twin

# Of the source: a wheel has no C in it.
FOLDER = Path(__file__).parents[2] / "src" / "runcube" / "readers" / "kernel"
try:
    from runcube.readers.kernel import compiled
except ImportError:
    compiled = None

KERNELS = [twin.decode, *([compiled.decode] if compiled else [])]
each_kernel = pytest.mark.parametrize("decode", KERNELS, ids=lambda f: f.__module__[-8:])
in_c = pytest.mark.skipif(compiled is None, reason="built without a compiler")
BOUNDS = [
    *(Limits(), Limits(columns=5), Limits(columns=0), Limits(depth=6), Limits(digits=12)),
    *(Limits(line_bytes=90), Limits(columns=3, depth=4)),
]
RAW = [(), ("cfg",), ("cfg", 'c"g', "c\\g", "\ud800")]
ALWAYS = [(), ("a", "cfg", "title"), ("b", 'c"g', "\ud800")]


def test_a_required_kernel_is_there():
    assert compiled or os.environ.get("RUNCUBE_REQUIRE_KERNEL") != "1"


@in_c
@pytest.mark.parametrize("seed", range(20))
def test_both_kernels_read_damaged_files_alike(seed):
    rng = random.Random(seed)
    for _ in range(40):
        files = [damaged_file(rng) for _ in range(rng.choice([1, 1, 3]))]
        case = files, rng.choice(RAW), rng.choice(BOUNDS), rng.choice(ALWAYS)
        assert held(compiled.decode(*case)) == held(twin.decode(*case))


@each_kernel
@pytest.mark.parametrize("seed", range(10))
def test_a_batch_tells_which_columns_each_file_has_in_its_own_order(decode, seed):
    rng = random.Random(seed)
    for _ in range(40):
        files = [damaged_file(rng) for _ in range(rng.choice([1, 2, 5]))]
        raw = rng.choice(RAW)
        alone = [[*decode([data], raw).cells] for data in files]
        batch = decode(files, raw)
        paths = [*batch.cells]
        assert [[paths[number] for number in order] for order in batch.orders] == alone


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "a/b", ""]), ANY, max_size=3))


def leaves(value, path=()):
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def value_of(cells, i):
    kind, value = cells.kinds[i], float(cells.values[i])
    if kind == Kind.STRING:
        return cells.words[int(value)]
    if kind == Kind.LIST:
        return cells.items[int(value)]
    if kind in (Kind.INT, Kind.BIGINT):
        return int(value)
    return {Kind.NULL: None, Kind.TRUE: True, Kind.FALSE: False, Kind.EMPTY: {}}.get(kind, value)


@each_kernel
@given(RECORDS, st.booleans())
def test_a_record_comes_out_as_it_went_in(decode, records, ascii_only):
    lines = [json.dumps(record, ensure_ascii=ascii_only) for record in records]
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    found = decode([data])
    want = [(path, row, v) for row, r in enumerate(records) for path, v in leaves(r)]
    if found.bad:  # a surrogate that is not escaped
        assert not ascii_only
        return
    got = {
        (path, row): value_of(cells, i)
        for path, cells in found.cells.items()
        for i, row in enumerate(cells.rows.tolist())
    }
    assert len(got) == len(want)
    for path, row, value in want:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        kept = int(float(value)) if is_whole else value
        assert json.dumps(got[path, row]) == json.dumps(kept)


def halfway_texts(rng, count):
    """Numbers in the middle between two doubles, a digit beside it, and cut at many digits."""
    for _ in range(count):
        low = math.ldexp(rng.getrandbits(53) | 1 << 52, rng.randrange(-1100, 960))
        middle = (Fraction(low) + Fraction(math.nextafter(low, math.inf))) / 2
        power = middle.denominator.bit_length() - 1
        digits = str(middle.numerator * 5**power)
        for text in (digits, str(int(digits) + 1), str(int(digits) - 1)):
            yield f"{text}e{-power}"
        for keep in (17, 19, 20, 40):
            if len(digits) > keep:
                yield f"{digits[:keep]}e{len(digits) - keep - power}"


def number_texts(rng, count):
    for _ in range(count):
        yield repr(rng.gauss(0, 1))
        yield repr(math.exp(min(rng.gauss(0, 200), 709)))  # beyond, exp raises
        yield repr(math.ldexp(rng.random(), rng.randrange(-1074, -1000)))
        k = rng.randint(1, 40)
        digits, point = str(rng.randrange(10 ** (k - 1), 10**k)), rng.randint(0, k)
        yield f"{digits[:point] or '0'}.{digits[point:] or '0'}e{rng.randint(-350, 350)}"
        yield f"-0.{'0' * rng.randint(0, 30)}{digits}"
        yield str(rng.choice([1, -1]) * rng.getrandbits(rng.randint(1, 1100)))
    yield from halfway_texts(rng, count // 2)
    yield from ("1.7976931348623157e308", "1.7976931348623159e308", "-1e400", "4.9e-324", "-0")
    yield from ("2.4703282292062327e-324", "2.4703282292062328e-324", "-0.0", "0.0e-999", "5e-325")
    yield from ("9007199254740993.0", "9007199254740992.999", "1e23", "8.5e22", "0." + "3" * 1000)
    yield from ("1e99999999999999999999", "1e-99999999999999999999", "1" + "0" * 400 + ".0")
    yield from ("2.2250738585072011e-308", "2.2250738585072014e-308", "1" * 800 + ".5")


@each_kernel
def test_floats_are_those_of_python_to_the_bit(decode):
    texts = list(number_texts(random.Random(3), 2_000))
    found = decode(["".join(f'{{"v": {text}}}\n' for text in texts).encode()])
    values = found.cells["v",].values
    # Integers have no negative zero.
    want = np.array([0.0 if text == "-0" else float(text) for text in texts])
    differ = np.flatnonzero(values.view(np.int64) != want.view(np.int64))
    assert not found.bad
    assert not [(texts[i], float(values[i])) for i in differ.tolist()]


@each_kernel
def test_bounds_cost_the_lines_and_keys_beyond_them(decode):
    data = b'{"a": 1}\n{"a": {"b": [1]}}\n{"n": 123456}\n{"t": "' + b"x" * 50 + b'"}\n{"z": 2}\n'
    assert [bad.line for bad in decode([data], (), Limits(depth=2)).bad] == [2]
    assert [bad.line for bad in decode([data], (), Limits(digits=5)).bad] == [3]
    assert [bad.line for bad in decode([data], (), Limits(line_bytes=50)).bad] == [4]
    found = decode([data], (), Limits(columns=2))
    assert list(found.cells) == [("a",), ("a", "b")]
    assert found.left_out == {("n",): 2, ("t",): 3, ("z",): 4}
    found = decode([data], (), Limits(columns=2), ("t", "b"))
    assert list(found.cells) == [("a",), ("a", "b"), ("t",)]
    assert found.left_out == {("n",): 2, ("z",): 4}


@each_kernel
def test_a_bad_line_is_told_by_its_file_and_bytes(decode):
    files = [b'\xef\xbb\xbf{"a": 1}\n{"a": \n\n', b'oops\r\n{"a": 2}\n{"a', b""]
    found = decode(files)
    assert [(b.file, b.line, files[b.file][b.start : b.stop]) for b in found.bad] == [
        (0, 2, b'{"a": '),
        (1, 1, b"oops\r"),
        (1, 3, b'{"a'),
    ]
    assert found.ends.tolist() == [1, 2, 2]
    assert (found.lines.tolist(), found.offsets.tolist()) == ([1, 2], [3, 6])


@each_kernel
def test_a_column_on_a_bad_line_alone_does_not_exist(decode):
    found = decode([b'{"a": 1, "b": "x", "c": [2], "d"}\n{"a": 3, "b": "y"}\n'])
    assert list(found.cells) == [("a",), ("b",)]
    assert found.cells["b",].words == ["y"]


# Each takes twice as long for twice as many; what is quadratic takes minutes.
LONG = {
    "equal keys with much in them": lambda n: (
        b'{"a": {' + b", ".join(b'"%d": 1' % i for i in range(n)) + b"}" + b', "a": 1' * n + b"}"
    ),
    "equal keys of hard numbers": lambda n: b'{"a": 5e-324' + b', "a": 5e-324' * n + b"}",
    "many keys": lambda n: b"{" + b", ".join(b'"%d": 5e-324' % i for i in range(n)) + b"}",
    "half a text of escapes": lambda n: b'{"a": "' + b'\\"' * n,
    "open brackets": lambda n: b'{"a": ' + b"[" * n,
    "bad lines with keys of their own": lambda n: b"\n".join(b'{"%d": 1' % i for i in range(n)),
    "rows with keys of their own": lambda n: b"\n".join(b'{"%d": 1}' % i for i in range(n)),
    "digits": lambda n: b'{"a": 0.' + b"1" * n + b', "b": ' + b"1" * n + b"}",
    "blank lines": lambda n: b"\n" * n + b'{"a": 1}',
}


@each_kernel
@pytest.mark.parametrize("case", LONG)
def test_no_input_takes_more_than_linear_time(decode, case):
    limits = Limits(columns=10)
    for count in (3_000, 100_000):
        data = LONG[case](count)
        start = time.process_time()
        decode([data], (), limits)
        taken = time.process_time() - start
    assert taken < (20 if decode is twin.decode else 5)


@in_c
def test_threads_decode_at_once_what_one_does():
    rng = random.Random(4)
    batches = [[damaged_file(rng) for _ in range(20)] for _ in range(40)]
    want = [held(compiled.decode(batch)) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda batch: held(compiled.decode(batch)), batches * 3)) == want * 3


def test_the_table_of_powers_is_floors_of_powers_of_ten():
    text = (FOLDER / "pow10.h").read_text()
    pairs = [line.strip(" {},\n").split(", ") for line in text.splitlines() if "{0x" in line]
    found = [(int(high, 16) << 64) + int(low, 16) for high, low in pairs]
    for q, bits in zip(range(-342, 309), found, strict=True):
        power = Fraction(10) ** q
        # floor(log2): what the decoder takes for the exponent.
        scaled = power / Fraction(2) ** (((q * 217706) >> 16) - 127)
        assert bits == math.floor(scaled)
        assert bits.bit_length() == 128


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """Path of a kernel that checks every access; skips where the compiler cannot make one."""
    out = tmp_path_factory.mktemp("san") / "_jsonlines.so"
    cc = shutil.which("gcc")
    if cc is None or sys.platform != "linux":
        pytest.skip("no gcc on Linux")
    build = [cc, "-std=c11", "-O1", "-g", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror"]
    build += ["-Wno-unused-parameter", "-fsanitize=address,undefined"]
    build += ["-fno-sanitize-recover=all", f"-I{sysconfig.get_path('include')}"]
    made = subprocess.run([*build, str(FOLDER / "jsonlines.c"), "-o", str(out)], check=False)
    libraries = [
        subprocess.run(
            [cc, f"-print-file-name=lib{name}.so"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("asan", "ubsan")
    ]
    if not all(os.path.isabs(library) for library in libraries):
        pytest.skip("gcc without its sanitizers")
    assert made.returncode == 0
    return out, " ".join(libraries)


FUZZ = """
import importlib.util, random, sys, time
path, folder, seconds = sys.argv[1:]
sys.path.insert(0, folder)
name = "runcube.readers.kernel._jsonlines"
spec = importlib.util.spec_from_file_location(name, path)
sys.modules[name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[name])
import numpy as np
from kernel_damage import damaged_file, held
from runcube.core import Limits
from runcube.readers.kernel import compiled, twin
assert compiled._jsonlines.__file__ == path
seed = random.randrange(1 << 32) if float(seconds) > 60 else 1
rng, files, lines, start = random.Random(seed), 0, 0, time.monotonic()
while time.monotonic() - start < float(seconds):
    batch = [damaged_file(rng) for _ in range(rng.choice([1, 3]))]
    limits = Limits(columns=rng.choice([3, 99]), depth=rng.choice([3, 99]))
    # Arrays that are just as long as the file: bytes have one more.
    arrays = [np.frombuffer(data, np.uint8).copy() if data else data for data in batch]
    case = rng.choice([(), ("cfg",)]), limits, rng.choice([(), ("a", "title")])
    same = held(compiled.decode(arrays, *case)) == held(twin.decode(batch, *case))
    assert same, (seed, batch, case)
    files += len(batch)
    lines += sum(data.count(b"\\n") + 1 for data in batch)
print(f"{files} files, {lines} lines from seed {seed}: sound, and both kernels alike")
"""


@pytest.mark.slow
def test_no_damage_makes_the_kernel_touch_memory_that_is_not_its_own(sanitized):
    path, libraries = sanitized
    seconds = os.environ.get("RUNCUBE_FUZZ_SECONDS", "15")
    settings = {"ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
    ran = subprocess.run(
        [sys.executable, "-c", FUZZ, str(path), str(Path(__file__).parents[1]), seconds],
        env=os.environ | settings | {"LD_PRELOAD": libraries},
        capture_output=True,
        text=True,
        check=False,
    )
    print(ran.stdout)
    assert ran.returncode == 0, ran.stderr[-4000:]


def test_the_environment_chooses_the_twin():
    code = "import runcube.readers as r; print(r.KERNEL)"
    for value, want in (("0", "Python"), ("1", KERNEL if compiled is None else "C")):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"RUNCUBE_KERNEL": value},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == want


def test_show_versions_says_which_kernel_runs(capsys):
    rc.show_versions()
    printed = capsys.readouterr().out
    assert f"\nkernel: {KERNEL}\n" in printed
    assert f"\nnumpy: {np.__version__}\n" in printed
    into = io.StringIO()
    rc.show_versions(file=into)
    assert into.getvalue() == printed


def test_damage_begins_from_lines_that_are_mostly_sound():
    found = twin.decode([b"\n".join(LINES)])
    assert len(found.lines) > len(found.bad) > 0
