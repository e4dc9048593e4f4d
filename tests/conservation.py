"""Is anything of a directory of logs missing from its cube? An oracle that needs no ground truth.

`lost` reads every file with json, csv, yaml and gzip alone and asks of every leaf of every record:
is it in the cube of *its* run, under *its* name and split (as often as it was logged), in that
run's x, configuration, train time or messages, or named by a problem of its file with its key or
line?
`misplaced` compares with values that were read independently by (run, split, metric, x).
"""

import csv
import io
import json
import lzma
import math
import re
import warnings
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
import yaml

import runcube as rc

# Words that one split goes by.
SYNONYMS = (
    {"train", "training", "trn"},
    {"val", "valid", "validation", "dev"},
    {"eval", "evaluation"},
    {"test", "testing"},
)
SPLIT_WORDS = set().union(*SYNONYMS)
# Problems of these kinds say nothing about a value whose key they do not quote.
KEYED = {
    "config_conflict",
    "duplicate_run",
    "label_collision",
    "missing_x",
    "no_config",
    "non_numeric",
    "repeated_x",
    "superseded_rows",
}
# More leaves than this in one file, or deeper ones, are a matter of bounds: the file is named.
MAX_LEAVES, MAX_DEPTH = 300_000, 200
DOCUMENTS = (".md", ".rst", ".py", ".png", ".nc")
TABLES = (".csv", ".tsv", "progress.txt")
# Cells of a table that hold nothing.
MISSING = {"", "na", "n/a", "<na>", "null", "none", "-"}


def load(root, **options):
    """Load with messages and without the warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **({"messages": True, "parallel": False} | options))


def load_warned(root, **options):
    """Load, and return the cube with the text of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", rc.SweepWarning)
        ds = rc.load_runs(root, **({"messages": True, "parallel": False} | options))
    return ds, "\n".join(str(w.message) for w in caught)


def cells(ds):
    """Yield each run of a cube: the cube at its cell, in either layout."""
    for index, path in np.ndenumerate(ds.path.values):
        if path:
            yield ds.isel(dict(zip(ds.path.dims, index, strict=True)))


def curves(cell, x=None):
    """What a run logged: {(split, metric): {x: value}}; ``x`` names a coordinate of the run."""
    held = cell.variables  # quick, however many coordinates there are
    dim = held["curve"].dims[-1]
    xs, splits, metrics = (held[n].values.tolist() for n in (x or dim, "split", "metric"))
    values, logged = (held[n].transpose("split", "metric", dim).values for n in ("curve", "logged"))
    found = defaultdict(dict)
    for s, m, i in np.argwhere(logged).tolist():
        found[splits[s], metrics[m]][xs[i]] = float(values[s, m, i])
    return found


def values_of(ds, x=None, *, run=False):
    """All values of a cube: {(path, split, metric, x): value}, with ``path#run_id`` for a path."""
    return {
        (f"{cell.path.item()}#{cell.run_id.item()}" if run else cell.path.item(), *name, at): value
        for cell in cells(ds)
        for name, curve in curves(cell, x).items()
        for at, value in curve.items()
    }


def misplaced(ds, expected, x=None, *, run=False):
    """Values of ``expected`` that the cube has not: {(path, split, metric, x): (wanted, found)}."""
    found = values_of(ds, x, run=run)
    return {
        at: (value, found.get(at))
        for at, value in expected.items()
        if at not in found or canonical(found[at]) != canonical(value)
    }


# Records and their leaves.


@dataclass(frozen=True)
class Record:
    """One object of a file with the lines it stands on; None for what is no object."""

    line: int
    last: int
    content: dict | None
    text: str = ""


@dataclass(frozen=True)
class Leaf:
    line: int
    key: tuple[str, ...]
    value: object
    record: Record


def unpacked(data):
    """Return the bytes of a file after decompression, and whether anything of it is damaged."""
    if data.startswith(b"\xfd7zXZ"):
        return lzma.decompress(data), False
    out, damaged = b"", False
    while data.startswith(b"\x1f\x8b"):
        member, at = zlib.decompressobj(31), 0
        try:
            while not member.eof and at < len(data):
                out += member.decompress(data[at : at + 64])
                at += 64
        except zlib.error:
            return out, True
        if not member.eof:
            return out, True
        data = member.unused_data + data[at:]
    damaged = bool(out) and bool(data.strip(b"\0")) and not data.lstrip().startswith(b"{")
    return out + (b"" if damaged else data), damaged


def records_of(file):
    """Return the records of a file; None where nothing in it is a log or a configuration."""
    name = file.name.removesuffix(".gz").removesuffix(".xz")
    if name.endswith(DOCUMENTS) or name == "LICENSE":
        return None
    data, damaged = unpacked(file.read_bytes())
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode(
        "utf-16" if utf16 else "utf-8-sig", "replace" if utf16 else "surrogateescape"
    )
    found = [Record(1, 1, None, "(damaged)")] if damaged else []
    if name.endswith(TABLES):
        return [*found, *_table(text.replace("\0", ""))]
    if name.endswith((".yaml", ".yml")):
        return [*found, Record(1, 1, _yaml(text), text)]
    whole = _json(text) if text.lstrip()[:1] == "[" or name.endswith(".json") else None
    if isinstance(whole, dict | list):
        items = whole if isinstance(whole, list) else [whole]
        return found + [
            Record(1, text.count("\n") + 1, r, "") for r in items if isinstance(r, dict)
        ]
    found += list(_lines(text.split("\n")))
    objects = any(record.content is not None for record in found)
    return found if objects or name.endswith((".jsonl", ".ndjson", ".json")) else None


def _table(text):
    """Yield the rows of a table by the csv module alone; what has another length is no record."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        yield Record(len(lines), len(lines), None, "(damaged) half a row")
        lines.pop()
    names, separator, at = None, ",", 0
    while at < len(lines):
        line, here = lines[at], at + 1
        at += 1
        if line.startswith("#"):
            said = _json(line.lstrip("# "))
            yield Record(here, here, said if isinstance(said, dict) else None, line)
            continue
        while line.count('"') % 2 and at < len(lines):
            line, at = line + lines[at], at + 1
        if not line.strip():
            continue
        if names is None:
            separator = max(",;\t", key=re.sub('"[^"]*"', "", line).count)
        own = io.StringIO(line)
        cells = next(csv.reader(own, delimiter=separator, skipinitialspace=True), [])
        cells = [cell.strip() for cell in cells]
        is_head = len(cells) > 1 and not any(isinstance(_cell(c, ","), float) for c in cells)
        if names is None or (is_head and {*cells} & {*names}):
            names = cells
        elif len(cells) != len(names):
            yield Record(here, at, None, "(damaged) " + line)
        else:
            values = [_cell(cell, separator) for cell in cells]
            yield Record(here, at, dict(zip(names, values, strict=True)), line)


def _cell(text, separator):
    if text.lower() in MISSING:
        return None
    plain = text if separator == "," else re.sub(r"^([-+]?\d*),(\d+)", r"\1.\2", text)
    try:
        return float(plain)
    except ValueError:
        return text


def _yaml(text):
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _json(text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _lines(lines):
    """Yield objects, one or several on a line, behind text, or over several lines."""
    at = 0
    while at < len(lines):
        line, here = lines[at].strip(" \t\r\0"), at
        at += 1
        if not line:
            continue
        objects = _objects(line)
        if objects is None and line.startswith("{"):
            objects, at = _over_lines(lines, here)
        if objects is None:
            yield Record(here + 1, here + 1, None, line)
        else:
            yield from (Record(here + 1, at, content, line) for content in objects)


def _objects(line):
    """Return the objects that a line consists of, or ends with behind text; None if none."""
    for start in [m.start() for m in re.finditer(r"\{", line)][:8] or [None]:
        if start is None or (start and line[:1] == "{"):
            return None
        rest, found = line[start:], []
        while rest:
            try:
                content, end = json.JSONDecoder().raw_decode(rest)
            except (ValueError, RecursionError):
                break
            if not isinstance(content, dict):
                break
            found.append(content)
            rest = rest[end:].lstrip(" \t\r\0,")
        if not rest:
            return found
    return None


def _over_lines(lines, start):
    """Return the object that begins on a line and ends on a later one, and the line behind it."""
    for end in range(start + 2, min(len(lines), start + 200) + 1):
        if lines[end - 1].rstrip().endswith("}"):
            found = _json("\n".join(lines[start:end]))
            if isinstance(found, dict):
                return [found], end
    return None, start + 1


def leaves_of(record):
    """Return what a record holds; one leaf for all of it where it is beyond any bound."""
    found, stack = [], [((), record.content, 0)]
    while stack:
        key, value, depth = stack.pop()
        if depth > MAX_DEPTH or len(found) > MAX_LEAVES:
            return [Leaf(record.line, ("(all)",), "", record)]
        if isinstance(value, dict):
            stack += [((*key, str(k)), v, depth + 1) for k, v in reversed(value.items())]
        elif value is not None and value != "" and not _structure(key, record.content):
            found.append(Leaf(record.line, key, value, record))
    return found


def _structure(key, record):
    """Words by which the native layout says what a record is; a wrong split shows all the same."""
    native = "agg_stats" in record or ("type" in record and "value" in record)
    return native and key in {("type",), ("title",), ("data_name",)}


# What a value and a name are, however they are written.


def canonical(value):
    """Return one text for all ways to write a value: 1, 1.0, "1.000" and True are the same."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | dict):
        return _canonical_json(value)
    if isinstance(value, str):
        text = value.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
        if text[:1] in ("[", "{") and (parsed := _json(text)) is not None:
            return _canonical_json(parsed)
        try:
            value = float(text) if "_" not in text else text
            if value in (math.inf, -math.inf) and text.strip("+-")[:1].isdigit():
                return text  # a whole number beyond float64
        except ValueError:
            return text
        if isinstance(value, str):
            return value
    if value is None:
        return "None"
    try:
        number = float(value)
    except OverflowError:
        return str(value)
    return "nan" if math.isnan(number) else repr(number + 0.0)


def _canonical_json(value):
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    except (RecursionError, ValueError):
        return "(beyond any bound)"


@cache
def words(name):
    """Return the words of a name, the same ones for ``trainLoss`` and ``train/loss``."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return tuple(word.casefold() for word in re.findall(r"[^\W_]+", split))


@cache
def words_of(key):
    return tuple(word for part in key for word in words(part))


def same_split(label, found):
    """Is one of the words that a log says a split by a word of this label?"""
    mine = set(words(label)) or {label}
    return any(mine & set(s) and found & s for s in SYNONYMS) or bool(mine & found)


@cache
def _suffixes(key):
    """Words of the last parts of a key, of the last two, …, of all."""
    parts = [part for whole in key for part in re.split(r"[/.]", whole)]
    return [its for i in range(len(parts)) if (its := words_of(tuple(parts[i:])))]


def names_it(name, key, splits=frozenset()):
    """Is this the name of a key: its last parts, whole, words of splits aside?"""
    name = re.sub(r" \(\d+\)", "", name).replace("\\x00", "\0")  # the second one of a name
    mine, apart = words(name), SPLIT_WORDS | splits
    if name.strip() in _spellings(key):
        return True
    if not words_of(key):  # a key of blanks or signs may need a name of words
        return mine in (("empty",), ("blank",), ("unnamed",))
    bare = tuple(w for w in mine if w not in apart)
    said = set(mine) & apart
    return any(
        mine == its
        or (bare and said <= set(its) and bare == tuple(w for w in its if w not in apart))
        for its in _suffixes(key)
    )


def configures(name, key):
    """Is this the full name of a key in a configuration, in an object of whatever name?"""
    return names_it(name, key) or names_it(re.sub(r"^[^/.]*[/.]", "", name), key)


def at_key(cell, *key, x=None):
    """What one run logged under a key, whatever its split is: {x: value}."""
    found = {}
    said = frozenset(words_of(key)) & SPLIT_WORDS
    for (split, metric), curve in curves(cell, x).items():
        if names_it(metric, key) and (split == "all" or not said or same_split(split, said)):
            found |= curve
    return found


# The cube, run by run.


@dataclass
class Run:
    """What the cube has of one run, to be ticked off leaf by leaf."""

    cell: object
    points: dict = field(default_factory=dict)

    def __post_init__(self):
        self.points = {
            name: Counter(map(canonical, curve.values()))
            for name, curve in curves(self.cell).items()
        }
        held = self.cell.variables
        self.path, self.id = str(held["path"].values), str(held["run_id"].values)
        self.directory = self.path.rpartition("/")[0]
        self._candidates, self._known = {}, {}

    @cached_property
    def splits(self):
        return frozenset(w for split, _ in self.points for w in words(split)) - {"all"}

    @cached_property
    def config(self):
        """Configuration as (key, canonical value): constants, labels, the rest."""
        found = list(_flat(json.loads(self.cell.attrs["constant_hparams"])))
        ours = {"path", "run_id", "status", "n_problems", "problems", "messages", "train_time"}
        ours |= {"split", "metric", "run_config", "config"}
        for name in self.cell.coords:
            coord = self.cell.variables[name]
            # The number of a replicate was never logged; the seed that was drawn is seed_value.
            numbered = coord.attrs.get("long_name") == "replicate"
            if name not in ours and not coord.dims and not numbered:
                key, value = (coord.attrs.get("hparam", str(name)),), coord.values[()]
                found.append((key, canonical(value)))
                if str(value) in ("True", "False"):  # a label among texts
                    found.append((key, canonical(str(value) == "True")))
        text = str(self.cell.run_config.values)
        return found + list(_flat(json.loads(text) if text.startswith("{") else {}))

    @cached_property
    def keys_of_value(self):
        found = defaultdict(list)
        for key, text in self.config:
            found[text].append(key)
        return found

    @cached_property
    def axes(self):
        """Names along x to their values where this run logged anything."""
        held = self.cell.variables
        dim = held["curve"].dims[-1]
        there = held["logged"].any([d for d in held["logged"].dims if d != dim]).values
        return {
            str(name): {canonical(v) for v in held[name].values[there]}
            for name in self.cell.coords
            if held[name].dims == (dim,)
        }

    def labels(self, leaf):
        """Is it a label of x, whether this run logged something there or not?"""
        dim = self.cell.variables["curve"].dims[-1]
        if not names_it(dim, leaf.key):
            return False
        return canonical(leaf.value) in {canonical(x) for x in self.cell.variables[dim].values}

    @cached_property
    def messages(self):
        return str(self.cell.messages.values) if "messages" in self.cell.coords else ""

    @cached_property
    def message_lines(self):
        lines = self.messages.split("\n")
        objects = [o for line in lines if line[:1] == "{" for o in [_json(line)] if o]
        held = {pair for o in objects if isinstance(o, dict) for pair in _flat(o)}
        return {canonical(line) for line in lines}, held

    def known(self, leaf):
        """Is it in the configuration, on x, in the messages, or a name of the run or a split?"""
        at = leaf.key, repr(leaf.value)
        if at not in self._known:
            self._known[at] = self._is_known(leaf.key, leaf.value, canonical(leaf.value))
        return self._known[at]

    def _is_known(self, key, value, text):
        # Ray's layout: where it ran is a fact of the configuration, its last word the status.
        if key[-1] == "node_ip" and any(
            "/".join(k).endswith("host") for k in self.keys_of_value.get(text, ())
        ):
            return True
        if key == ("done",) and self.path.endswith("result.json") and isinstance(value, bool):
            return True
        # An object behind the rows repeats the configuration, in whatever object that is.
        said = self.keys_of_value.get(text, ())
        if len(key) > 1 and any(
            re.split("[./]", k[-1])[-1] == re.split("[./]", key[-1])[-1] for k in said
        ):
            return True
        if any(configures("/".join(k), key) for k in self.keys_of_value.get(text, ())):
            return True
        # A quantity along x whose name is taken, or no identifier, has its own as long_name.
        held = self.cell.variables
        axes = {
            str(held[name].attrs.get("long_name", name)): xs for name, xs in self.axes.items()
        } | self.axes
        if any(text in xs and names_it(name, key) for name, xs in axes.items()):
            return True
        if self._took(key, value):
            return True
        lines, held = self.message_lines
        if (key, text) in held:
            return True
        if not isinstance(value, str):
            return text == canonical(self.id)
        said = {value.strip().casefold()}
        return (
            text in lines
            or ("\n" in value and value in self.messages)
            or text == canonical(self.id)
            or any(same_split(split, said) for split, _ in self.points)
        )

    @cached_property
    def train_time(self):
        return float(self.cell.train_time)

    def _took(self, key, value):
        timely = {"time", "elapsed", "duration", "sec", "secs", "seconds", "runtime", "clock", "s"}
        if isinstance(value, bool | str | list) or not timely & set(words_of(key)):
            return False
        if canonical(value).lstrip("-").isdigit():
            return False  # a whole number beyond float64
        return any(
            math.isclose(float(value) * unit, self.train_time) for unit in (1, 60, 3600, 1e-3)
        )

    def take(self, leaf, where):
        """Is it in the curves, as often as it was logged? ``where``: words around it."""
        value = leaf.value
        if isinstance(value, list):
            if not value or not all(type(v) in (int, float) for v in value):
                return False
            parts = [((*leaf.key, str(i)), canonical(v)) for i, v in enumerate(value)]
        else:
            parts = [(leaf.key, canonical(value))]
        taken = []
        for key, text in parts:
            name = next((n for n in self._names(key, where) if self.points[n][text] > 0), None)
            if name is None:
                for n, t in taken:
                    self.points[n][t] += 1
                return False
            self.points[name][text] -= 1
            taken.append((name, text))
        return True

    def _names(self, key, where):
        """Curves under which a key may stand: its own name, and the split that it is of."""
        at = key, where
        if at not in self._candidates:
            said = frozenset(words_of(key)) & (SPLIT_WORDS | self.splits)
            found = [
                (split, metric)
                for split, metric in self.points
                if names_it(metric, key, self.splits)
                and (
                    split == "all"
                    or same_split(split, said or where)
                    # A column of splits decides; then a word in the name stays in it.
                    or (said and metric in _spellings(key))
                )
            ]
            # Its very name first, so that it takes nothing from a key that has no other.
            self._candidates[at] = sorted(
                found,
                key=lambda n: (
                    re.sub(r" \(\d+\)", "", n[1]) not in _spellings(key),
                    bool(said) and not same_split(n[0], said),
                    -len(words(n[1])),
                ),
            )
        return self._candidates[at]


def _flat(config, key=()):
    for k, v in config.items():
        if isinstance(v, dict) and v:
            yield from _flat(v, (*key, str(k)))
        else:
            yield (*key, str(k)), canonical(v)


# What problems name.


@dataclass(frozen=True)
class Named:
    """One problem: which lines, and which keys, it answers for."""

    line: int | None
    kind: str
    message: str

    @cached_property
    def quoted(self):
        texts = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", self.message)
        return [_unescaped(one or other) for one, other in texts]

    @cached_property
    def plain(self):
        return re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "", self.message)

    @cached_property
    def lines(self):
        """First and last line of a range that is spelled out."""
        found = re.search(r"lines? ([\d,]+) ?(?:to|-|–|…) ?([\d,]+)", self.plain)
        return tuple(int(n.replace(",", "")) for n in found.groups()) if found else None

    @cached_property
    def count(self):
        """How many values it stands for; None for all of its key."""
        found = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", self.plain)]
        if not found:
            return None if self.line is None else 1
        return max(found)

    def of_key(self, key):
        return any(names_it(quoted, key) for quoted in self.quoted)

    def of_line(self, line):
        """Does it answer for a whole line, or for a range with it?"""
        if self.lines:
            return self.lines[0] <= line <= self.lines[1]
        return self.line == line and self.kind not in KEYED


def _unescaped(text):
    try:
        return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    except UnicodeDecodeError:
        return text


@cache
def _spellings(key):
    parts = [part.strip() for part in key]
    return {s.join(parts[i:]) for i in range(len(parts)) for s in ("/", ".")}


def named_by_path(ds):
    """All problems of a cube, by the path of their log."""
    named = defaultdict(list)
    for row in rc.problems(ds).itertuples():
        line = None if str(row.line) == "<NA>" else int(row.line)
        named[row.path].append(Named(line, row.kind, row.message))
    return named


# The question.


def lost(root, ds):
    """Return what of the files under a root is in silence not in a cube: (path, line, key, value).

    Parameters
    ----------
    root : Path
        A directory, the one that was loaded.
    ds : Dataset
        Its cube, loaded with ``messages=True``.
    """
    named, runs = named_by_path(ds), [Run(cell) for cell in cells(ds)]
    skipped = {item["path"] for item in json.loads(ds.attrs["skipped"])}
    files = sorted(f for f in root.rglob("*") if f.is_file())
    own = {run.path for run in runs}
    files.sort(key=lambda f: f.relative_to(root).as_posix() not in own)  # parts come after
    others = _others_of_their_kind(named)
    found = []
    for file in files:
        path = file.relative_to(root).as_posix()
        if path not in own and path in skipped and any(p.line is None for p in named[path]):
            continue  # named as a whole
        if path not in own and others[file.suffix] > 0 and path.endswith(TABLES):
            others[file.suffix] -= 1  # one of several that are named by the first of them
            continue
        records = records_of(file)
        if records is not None:
            found += [(path, *rest) for rest in _missing(path, records, runs, named)]
    return found


def _others_of_their_kind(named):
    """Count the files, by ending, that a problem of the first one names: "20 files, this is …"."""
    found = Counter()
    for path, problems in named.items():
        for problem in problems:
            if count := re.search(r"not read: ([\d,]+) files, this is the first", problem.message):
                found["." + path.rpartition(".")[2]] += int(count[1].replace(",", "")) - 1
    return found


def _missing(path, records, runs, named):
    where = frozenset(words(path.rpartition(".")[0]))
    # What is named line by line takes nothing from the other lines.
    bad = {p.line for p in named[path] if p.kind == "bad_line"}
    records = sorted(records, key=lambda record: record.line in bad)
    mine = [run for run in runs if run.path == path]
    if mine:
        return _unnamed(_left(records, mine, where), named[path])
    below = [run for run in runs if f"{run.directory}/".startswith(_parent(path))]
    lone = len(records) == 1 and records[0].content is not None
    near = below if lone and below else _nearest(path, runs)
    if not near:
        return _unnamed(_left(records, [], where), named[path])
    answers = []
    for run in near:
        before = {name: Counter(points) for name, points in run.points.items()}
        left = _unnamed(_left(records, [run], where), [*named[path], *named[run.path]])
        answers.append((left, run, run.points))
        run.points = before
    if lone and below:  # a configuration beside or above: every run below has all of it
        return [leaf for left, _, _ in answers for leaf in left]
    left, run, points = min(answers, key=lambda answer: len(answer[0]))
    run.points = points  # a part of this run
    return left


def _parent(path):
    directory = path.rpartition("/")[0]
    return f"{directory}/" if directory else ""


def _nearest(path, runs):
    """Return the runs that share the most directories with a file."""
    depth = {}
    for run in runs:
        pairs = zip(_parent(path).split("/")[:-1], _parent(run.path).split("/")[:-1], strict=False)
        depth[id(run)] = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        if depth[id(run)] is None:
            depth[id(run)] = min(path.count("/"), run.path.count("/"))
    return [run for run in runs if depth[id(run)] == max(depth.values())]


def _left(records, runs, where):
    """Return the leaves that are in none of the runs a record may belong to."""
    left, before = [], []
    for record in records:
        if record.content is None:
            left.append(Leaf(record.line, ("(line)",), record.text, record))
            continue
        leaves = leaves_of(record)
        scalars = [leaf for leaf in leaves if not isinstance(leaf.value, list)]
        ids = [leaf for leaf in scalars if re.search("run|trial|exp|job|task", leaf.key[-1])]
        said = {canonical(leaf.value) for leaf in ids}
        own = [run for run in runs if canonical(run.id) in said] if len(runs) > 1 else runs
        said_in = (leaf for leaf in leaves if isinstance(leaf.value, str) and len(leaf.key) == 1)
        said_in = list(said_in)
        # A key that says that it is the split goes before texts that could be one.
        said_in = [x for x in said_in if x.key[0] in ("split", "mode")] or said_in
        texts = (word for leaf in said_in for word in words(leaf.value))
        around = where | frozenset(texts) | frozenset(_names_of_splits(record.content))
        # A record that names no run goes with the one before it.
        own = before = own or before or _next_named(records, record, runs) or runs
        unknown = [leaf for leaf in leaves if not any(run.known(leaf) for run in own)]
        absent = [leaf for leaf in unknown if not any(run.take(leaf, around) for run in own)]
        if len(absent) == len(unknown):  # nothing of it is on a curve: where it stands is a label
            absent = [leaf for leaf in absent if not any(run.labels(leaf) for run in own)]
        left += absent
    return left


def _next_named(records, record, runs):
    """Return the run that the first record behind one names; nothing if none does."""
    for later in (r for r in records if r.line > record.line and r.content is not None):
        said = {canonical(v) for k, v in later.content.items() if isinstance(v, str | int | float)}
        if found := [run for run in runs if canonical(run.id) in said]:
            return found[:1]
    return []


def _names_of_splits(record):
    """Words of the native layout that a leaf is not: the split of its record."""
    return words(str(record.get("data_name", ""))) if "agg_stats" in record else ()


def _unnamed(leaves, problems):
    """Return those leaves that no problem answers for, as (line, key, value)."""
    by_key = defaultdict(list)
    for leaf in leaves:
        covered = any(p.of_line(leaf.line) and _whole(p, leaf.key) for p in problems)
        if not covered:
            by_key[leaf.key].append(leaf)
    found = []
    for key, lines in by_key.items():
        if key == ("(line)",):  # lines of plain text between records hold no leaf
            counts = [p.count for p in problems if p.kind not in KEYED]
            left = [x for x in lines if re.search(r"[{}]|\":|\(damaged\)", str(x.value))]
        else:
            counts = [p.count for p in problems if p.of_key(key)]
            left = lines
        if counts and (None in counts or sum(counts) >= len(left)):
            continue
        found += [(leaf.line, "/".join(key), leaf.value) for leaf in left]
    return found


def _whole(problem, key):
    """A problem of a line that quotes keys is of these alone; words of a damaged line are none."""
    return (
        problem.kind in ("bad_line", "truncated_tail") or not problem.quoted or problem.of_key(key)
    )
