"""Whether two versions of the source make the same cubes of the same logs.

    python -m benchmarks.same_cubes BEFORE/src AFTER/src LOGS [LOGS ...] [--reworded OLD NEW]

Each version loads every directory in a process of its own: `load_runs`, `load_tree`, the plan
that `scan` explains, `open_runs` and an archive, read back. Values are compared as bytes, with
dtypes, dims, attrs, encodings, problems and the words of warnings. Exits with 1 at a difference.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

# What depends on the moment and the version, not on the logs.
OF_NOW = {"created", "command", "versions", "runcube_version", "git_commit"}


def array_facts(values):
    if values.dtype.hasobject:
        digest = hashlib.sha256(repr(values.tolist()).encode("utf-8", "backslashreplace"))
    else:
        digest = hashlib.sha256(values.tobytes())
    return f"{values.dtype} {values.shape} {digest.hexdigest()[:16]}"


def cube_facts(ds):
    facts = {"dims": list(ds.sizes.items())}
    for name, variable in ds.variables.items():
        facts[f"{name}: dims"] = list(variable.dims)
        facts[f"{name}: values"] = array_facts(variable.values)
        facts[f"{name}: attrs"] = repr(variable.attrs)
        encoding = {k: v for k, v in variable.encoding.items() if k != "source"}
        facts[f"{name}: encoding"] = repr(encoding)
    facts |= {f"attr {k}": repr(v) for k, v in ds.attrs.items() if k not in OF_NOW}
    return facts


def facts_of(logs, rc):
    facts = {}

    def take(what, make):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                facts[what] = make()
            except rc.RuncubeError as error:
                facts[what] = {"error": f"{type(error).__name__}: {error}"}
        own = [w for w in caught if issubclass(w.category, rc.SweepWarning)]
        facts[what]["warnings"] = [str(w.message) for w in own]

    def archived():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "sweep.nc")
            rc.archive_runs(logs, path)
            with rc.open_archive(path, messages=True) as ds:
                return cube_facts(ds.load())

    def tree():
        nodes = rc.load_tree(logs).subtree
        return {n.path: cube_facts(n.to_dataset(inherit=False)) for n in nodes}

    def opened():
        return cube_facts(rc.open_runs(logs).load())

    take("load_runs", lambda: cube_facts(rc.load_runs(logs, messages=True)))
    take("problems", lambda: {"table": rc.problems(rc.load_runs(logs)).to_json()})
    take("load_tree", tree)
    take("scan", lambda: {"explain": rc.scan(logs).explain()})
    take("open_runs", opened)
    take("archive", archived)
    return facts


def differences(before, after, where=""):
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from differences(before.get(key), after.get(key), f"{where} / {key}")
    elif before != after:
        yield f"{where.removeprefix(' / ')}\n    before: {before}\n    after:  {after}"


def run(source, logs, cache, reworded=()):
    command = [sys.executable, __file__, "--facts", *logs]
    environment = os.environ | {"PYTHONPATH": str(Path(source).resolve()), "RUNCUBE_CACHE": cache}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    text = done.stdout.decode()
    for old, new in reworded:
        text = text.replace(old, new)
    return json.loads(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--reworded",
        nargs=2,
        action="append",
        default=[],
        metavar=("OLD", "NEW"),
        help="words of messages that the second version has in place of others",
    )
    parser.add_argument("--facts", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="+", metavar="PATH")
    arguments = parser.parse_args()
    if arguments.facts:
        import runcube as rc

        facts = {"source": str(Path(rc.__file__).parent)}
        facts |= {logs: facts_of(logs, rc) for logs in arguments.paths}
        json.dump(facts, sys.stdout, default=str)
        return
    before, after, *logs = arguments.paths
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        both = run(before, logs, one, arguments.reworded), run(after, logs, other)
    print("before:", both[0].pop("source"), "\nafter: ", both[1].pop("source"))
    found = list(differences(*both))
    loads = sum("error" not in facts["load_runs"] for facts in both[0].values())
    print(*found, f"{len(logs)} directories, {loads} of them load; {len(found)} differ", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
