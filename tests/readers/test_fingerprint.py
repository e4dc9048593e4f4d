"""Readers are told apart by class, code and options: what one read is never taken for another's."""

import os
import re
import subprocess
import sys
import threading
import warnings
from dataclasses import dataclass, field
from textwrap import dedent

import pytest
from sweeps import product_configs, write_sweep

import runcube as rc
from runcube.readers.fingerprint import known_fingerprint, reader_fingerprint
from runcube.readers.native.reader import NativeReader

warnings.simplefilter("ignore", rc.SweepWarning)


class Constant:
    """A reader of one's own that is no dataclass: gives one number for every value."""

    name = "constant"

    def __init__(self, number):
        self.number = number

    def find(self, tree):
        return NativeReader().find(tree)

    def headers(self, source):
        return NativeReader().headers(source)

    def read(self, source, request):
        logs = NativeReader().read(source, request)
        for log in logs:
            for curves in log.curves:
                curves.values[:] = self.number
        return logs


class Named(Constant):
    def __repr__(self):
        return "Named()"


@dataclass(frozen=True)
class Hidden(Constant):
    number: float = field(default=0.0, repr=False)
    name: str = "hidden"


class Unportable(Constant):
    """No pickling tells what it is."""

    def __init__(self, number):
        super().__init__(number)
        self.lock = threading.Lock()


@pytest.fixture
def logs(tmp_path):
    write_sweep(tmp_path / "logs", product_configs(optim__lr=[0.1, 0.2]), seeds=(0, 1))
    return tmp_path / "logs"


@pytest.mark.parametrize("kind", [Constant, Named, Hidden, Unportable])
def test_readers_that_look_alike_read_for_themselves(logs, kind):
    both = [rc.open_runs(logs, reader=kind(number), cache=False) for number in (7.0, 8.0)]
    assert [float(ds.curve.max()) for ds in both] == [7.0, 8.0]
    assert len({ds.curve.data.name for ds in both}) == 2


@pytest.mark.parametrize("kind", [Constant, Named, Hidden, Unportable])
def test_the_next_reader_at_an_address_is_another(logs, kind):
    for number in (1.0, 2.0, 3.0):
        ds = rc.open_runs(logs, reader=kind(number), cache=False)
        assert float(ds.curve.max()) == number
        del ds


def test_what_reads_alike_has_one_word():
    for one, other in [(Constant(1), Constant(1)), (Hidden(2.0), Hidden(2.0))]:
        assert known_fingerprint(one) == known_fingerprint(other) == reader_fingerprint(one)
    assert known_fingerprint(Constant(1)) != known_fingerprint(Constant(1.0))
    assert known_fingerprint(Constant(1)) != known_fingerprint(Named(1))
    assert known_fingerprint(rc.JsonlReader(x="step")) == repr(rc.JsonlReader(x="step"))


def test_what_cannot_be_told_has_a_new_word_each_time():
    reader = Unportable(1)
    assert known_fingerprint(reader) is None
    assert reader_fingerprint(reader) != reader_fingerprint(reader)


class Scaled(NativeReader):
    """A dataclass by its base, with an option that is no field."""

    def __init__(self, *options):
        super().__init__()
        object.__setattr__(self, "options", options)


class OfSlots(Constant):
    __slots__ = ("number", "other")


class Mapping(dict):
    pass


A, B = object(), object()
OPTIONS = {
    "text": ("a", "b"),
    "sets": ({"a", "b", "c"}, {"a", "b"}),
    "lists": (["loss", 1], ["loss", 1.0]),
    "patterns": (re.compile("a"), re.compile("b")),
    "functions": (NativeReader.find, NativeReader.read),
    "inner readers": (Constant(1), Constant(2)),
    "classes": (Constant, Named),
    "objects": ([A, B, A], [A, B, B]),
    "own mappings": (Mapping(a=1), Mapping(a=2)),
}


@pytest.mark.parametrize("kind", [Constant, Scaled, OfSlots])
@pytest.mark.parametrize("case", OPTIONS)
def test_options_of_any_kind_are_told_apart(case, kind):
    words = {known_fingerprint(kind(option)) for option in OPTIONS[case]}
    assert len(words) == 2
    assert None not in words


@pytest.mark.parametrize("option", [lambda: 1, threading.Lock()], ids=["code", "a lock"])
def test_options_that_cannot_be_pickled_are_unknown(option):
    assert known_fingerprint(Constant(option)) is None


READER = """
    import re
    from dataclasses import dataclass
    from functools import cached_property
    import runcube as rc
    from runcube.readers.native import NativeReader

    KEPT = {kept!r}

    def chosen(name, among={kept!r}):
        return name in among {comment}

    {decorator}
    class Mine:
        name{annotation} = "mine"

        @property
        def pattern(self):
            return re.compile({pattern!r})

        @cached_property
        def own(self):
            return NativeReader()

        def find(self, tree):
            return self.own.find(tree)

        def headers(self, source):
            return self.own.headers(source)

        @staticmethod
        def pick(metrics):
            return [i for i, metric in enumerate(metrics) if metric in KEPT and chosen(metric)]

        def read(self, source, request):
            logs = self.own.read(source, request)
            for log in logs:
                for curves in log.curves:
                    keep = self.pick(curves.metrics)
                    keep = [i for i in keep if self.pattern.search(curves.metrics[i])]
                    # The second one under the name of the first, and so on: labels of one
                    # version do not fit values of another.
                    curves.values = curves.values[keep][::{step}]
                    curves.logged = curves.logged[keep][::{step}]
                    curves.metrics = tuple(curves.metrics[i] for i in keep)
            return logs
"""
# What is not code is in the file as well.
FIRST = {"kept": ("loss", "acc"), "comment": "", "pattern": "", "step": 1}
EDITS = {
    "a constant of the module": {"kept": ("acc", "loss", "ece")},
    "a property": {"pattern": "^a"},
    "a method": {"step": -1},
}


def write_reader(folder, decorator="", **edit):
    folder.mkdir(exist_ok=True)
    annotation = ": str" if decorator else ""
    text = READER.format(decorator=decorator, annotation=annotation, **FIRST | edit)
    file = folder / "reader_of_mine.py"
    file.write_text(dedent(text))
    # A process may take what another one compiled for the same: size and second are all it goes by.
    os.utime(file, (len(text), hash(text) % 10**9))


def run(folder, code):
    """Run code in a new process, with another order of sets each time."""
    env = os.environ | {"PYTHONPATH": str(folder), "PYTHONHASHSEED": "random"}
    head = "import warnings\nimport runcube as rc\nfrom reader_of_mine import Mine\n"
    head += "warnings.simplefilter('ignore', rc.SweepWarning)\n"
    done = subprocess.run(
        [sys.executable, "-c", head + dedent(code)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("decorator", ["", "@dataclass"])
def test_a_reader_that_was_edited_reads_anew(logs, tmp_path, edit, decorator):
    code = f"""
        ds = rc.open_runs({str(logs)!r}, reader=Mine(), cache={str(tmp_path / "cache")!r})
        assert ds.compute().drop_attrs().identical(
            rc.load_runs({str(logs)!r}, reader=Mine()).drop_attrs()
        )
        """
    folder = tmp_path / "code"
    for change in ({}, EDITS[edit], {}):
        write_reader(folder, decorator, **change)
        run(folder, code)


@pytest.mark.parametrize("edit", EDITS)
def test_an_archive_is_updated_from_all_logs_after_an_edit(logs, tmp_path, edit):
    folder = tmp_path / "code"
    archive = str(tmp_path / "sweep.nc")
    write_reader(folder)
    run(folder, f"rc.archive_runs({str(logs)!r}, {archive!r}, reader=Mine())")
    write_reader(folder, **EDITS[edit])
    run(
        folder,
        f"""
        rc.update_archive({archive!r}, reader=Mine())
        found = rc.open_archive({archive!r}).load().drop_attrs()
        assert found.curve.identical(rc.load_runs({str(logs)!r}, reader=Mine()).drop_attrs().curve)
        """,
    )


def test_a_word_is_the_same_in_every_process(tmp_path):
    code = """
        from runcube.readers.fingerprint import known_fingerprint
        reader = Mine()
        print(known_fingerprint(reader))
        reader.own  # which is kept in the reader
        print(known_fingerprint(reader))
        """
    write_reader(tmp_path)
    words = set("".join(run(tmp_path, code) for _ in range(3)).split("\n")) - {""}
    assert len(words) == 1
    assert "None" not in words


def test_a_module_that_was_edited_under_way_is_unknown_until_the_next_process(tmp_path):
    code = """
        from runcube.readers.fingerprint import known_fingerprint
        from pathlib import Path
        {before}
        print(known_fingerprint(Mine()))
        """
    write_reader(tmp_path)
    plain = run(tmp_path, code.format(before=""))
    file = tmp_path / "reader_of_mine.py"
    edited = f"file = Path({str(file)!r}); file.write_text(file.read_text() + '\\nKEPT = ()\\n')"
    assert run(tmp_path, code.format(before=edited)) == "None\n"
    assert run(tmp_path, code.format(before="")) not in (plain, "None\n")


NOTEBOOK = """
    import sys, warnings
    import runcube as rc
    from runcube.readers.fingerprint import known_fingerprint
    from runcube.readers.native import NativeReader
    warnings.simplefilter("ignore", rc.SweepWarning)
    FACTOR = 1.0
    class Mine:
        name = "mine"
        calls = 0
        def find(self, tree): return NativeReader().find(tree)
        def headers(self, source): return NativeReader().headers(source)
        def read(self, source, request):
            global FACTOR
            Mine.calls += 1
            logs = NativeReader().read(source, request)
            for log in logs:
                for curves in log.curves:
                    curves.values[:] = FACTOR
            return logs
    reader, before = Mine(), Mine.read
    for FACTOR in (1.0, 2.0, 3.0):
        found = [
            rc.load_runs(LOGS, reader=reader),
            rc.load_runs(LOGS, reader=reader, parallel="processes"),
            rc.open_runs(LOGS, reader=reader, cache=CACHE),
            rc.open_runs(LOGS, reader=reader, cache=CACHE),
        ]
        assert [float(ds.curve.max()) for ds in found] == [FACTOR] * 4
    assert Mine.calls > 0 and Mine.read is before and Mine.read.__globals__ is globals()
    assert known_fingerprint(reader) is None
    print("right")
"""


def test_a_reader_of_a_notebook_is_read_anew_and_left_as_it_is(logs, tmp_path):
    """As it is there: in no file. Its globals change from one load to the next."""
    code = f"LOGS, CACHE = {str(logs)!r}, {str(tmp_path / 'cache')!r}\n" + dedent(NOTEBOOK)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "right\n", done.stderr
