"""Names of logs that are read unasked (rule 9): where it is safe, and what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweeps import write_run

import runcube as rc
from runcube.core.model import LogFile, RunHeader, Source
from runcube.plan import find_names, flatten_headers, plan


def planned(configs):
    """The plan of runs from their paths and configurations, as a load makes it."""
    headers = [RunHeader(Source("/", p, (LogFile(p, 1, 1),)), config=c) for p, c in configs.items()]
    read = find_names(flatten_headers(headers, None, ()))
    given_keys = None if read is None else read.keys_of(list(configs))
    return plan(headers, path_keys=given_keys, names_read=read)


def sizes(s):
    return {name: len(labels) for name, labels in s.dims.items()}


def names(*patterns, **config):
    """Runs of one configuration, called by each pattern with two settings and three seeds."""
    return {p.format(k=k, s=s): dict(config) for p in patterns for k in (1, 2) for s in (0, 1, 2)}


def test_settings_and_seeds_that_only_names_have_are_keys():
    s = planned(
        {f"k{k}_s{s}.jsonl": {"lr": 1, "seed": s} for k in ("1", "1p5", "inf") for s in range(4)}
    )
    assert sizes(s) == {"k": 3, "seed": 4}
    (note,) = s.notes
    assert note.startswith("k read from the names of the logs, since 12 runs are alike without")
    assert 'path_keys="k{k}_s{seed}.jsonl"' in note
    assert "path_keys=None" in note


def test_a_seed_in_names_is_the_seed_if_it_recurs_over_settings():
    s = planned(names("m{k}_capA_s{s}.jsonl"))
    assert sizes(s) == {"m": 2, "seed": 3}
    assert (s.seed_axis.key, s.seed_axis.kind) == ("seed", "labels")
    sized = {f"m{m}_s{width}": {} for m in (1, 2) for width in (64, 128, 256)}
    assert sizes(planned(sized)) == {"m": 2, "s": 3, "seed": 1}


def test_directories_are_names_too():
    s = planned({f"{a}/{b}/trial_{t}/log": {} for a in "xy" for b in "pq" for t in (1, 2)})
    assert sizes(s) == {"level1": 2, "level2": 2, "trial": 2, "seed": 1}


def test_what_is_in_a_directory_of_a_plain_name_may_be_called_anything():
    s = planned({f"k{k}_s{i}/2024010{k}_090{i}.log": {"seed": i} for k in (1, 2) for i in range(3)})
    assert sizes(s) == {"k": 2, "seed": 3}


@pytest.mark.parametrize(
    "configs",
    [
        {f"run_{i}.log": {} for i in range(12)},  # a number for each run
        {f"k{k}.log": {} for k in range(4)},  # each setting once
        {f"k{i % 2}_s{i}.log": {} for i in range(12)},  # seeds that never recur
        {f"2024-01-0{d}/s{s}.log": {} for d in (1, 2) for s in range(3)},
        {f"09-0{d}-11_s{s}.log": {} for d in (1, 2) for s in range(3)},
        {f"{h}_s{s}.log": {} for h in ("3fa9c1", "77b0de") for s in range(3)},
        {f"host{h}/s{s}.log": {} for h in (1, 2) for s in range(3)},
        {f"rank{h}_s{s}.log": {} for h in (1, 2) for s in range(3)},
        {f"lr{lr}_s{s}.log": {"lr": 0.5} for lr in (1, 2) for s in range(3)},  # no: lr is 0.5
        {f"n{n}_s{s}.log": {"lr": n % 3, "seed": s} for n in range(4) for s in (0, 1)},
        names("k{k}_s{s}.log", "other_{k}_{s}_x.log"),  # two shapes
    ],
)
def test_names_that_may_mean_anything_are_not_read(configs):
    s = planned(configs)
    assert s.separate
    assert {axis.key for axis in s.axes} <= {"lr"}


def test_names_are_not_read_where_the_configuration_tells_runs_apart():
    s = planned({f"k{k}_s{i}": {"kk": k, "seed": i} for k in (1, 2) for i in range(3)})
    assert sizes(s) == {"kk": 2, "seed": 3}
    assert s.notes == ()


def test_a_run_of_another_shape_changes_no_other_and_is_named():
    alike = {f"k{k}p5_s{i}.log": {"seed": i} for k in (1, 2) for i in range(4)}
    s = planned(alike | {"baseline.log": {"seed": 0}})
    assert s.dims["k"].tolist() == ["absent", "1p5", "2p5"]
    assert [(s.headers[i].source.path, p.kind) for i, p in s.problems] == [
        ("baseline.log", "unread_name")
    ]
    without = planned(alike)
    labels = {h.source.path: s.dims["k"][c[0]] for h, c in zip(s.headers, s.cells, strict=True)}
    for header, cell in zip(without.headers, without.cells, strict=True):
        assert labels[header.source.path] == without.dims["k"][cell[0]]


def test_reruns_in_names_of_one_shape_do_not_keep_the_others_from_being_read():
    runs = names("k{k}_s{s}_a.log") | {"k1_s0_b.log": {}}
    assert sizes(planned(runs))["k"] == 2


def test_several_runs_of_one_log_are_one_name():
    runs = [
        RunHeader(Source("/", p, (LogFile(p, 1, 1),)), str(i), config={"lr": lr})
        for p in ("one.jsonl", "two.jsonl")
        for i, lr in enumerate((0.1, 0.2))
    ]
    assert find_names(flatten_headers(runs, None, ())) is None


@pytest.mark.parametrize("odd", [0, 1])
def test_a_name_never_takes_the_place_of_a_dim(odd):
    """However the configuration of a run or two was changed."""
    lr = {n: 0.1 * n for n in range(12)}
    configs = {f"{n}_a{a}.log": {"lr": lr[n], "a": a} for n in lr for a in (0, 1)}
    for a in range(odd, 2):
        configs[f"11_a{a}.log"] = {"lr": lr[1], "a": a}
    s = planned(configs)
    assert {axis.key for axis in s.axes} == {"lr", "a"}


def test_one_run_does_not_keep_the_names_of_the_others_from_being_read():
    configs = {f"k{k}_s{i}.log": {"lr": 0.1, "seed": i} for k in (1, 2, 3) for i in range(4)}
    configs["k3_s3.log"] = {"lr": 0.2, "seed": 3}
    assert sizes(planned(configs))["k"] == 3


SETTINGS = {
    "k": ["1", "2", "10"],
    "m": ["1p5", "2p5"],
    "cap": ["A", "B", "none"],
    "lr": ["0.1", "1e-3", "0.003"],
}


@given(
    st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=3, unique=True),
    st.integers(2, 4),
    st.sampled_from(["_", "-", "/"]),
    st.sampled_from([".jsonl", "/log.jsonl"]),
    st.randoms(use_true_random=False),
)
def test_what_names_say_is_what_the_configuration_would_have_said(
    keys, n_seeds, separator, end, rng
):
    if separator == "-" and "lr" in keys:
        separator = "_"  # 1e-3 has one of its own
    combinations = [{}]
    for key in keys:
        combinations = [{**c, key: value} for c in combinations for value in SETTINGS[key]]
    configs = [{**c, "seed": s} for c in combinations for s in range(n_seeds)]
    paths = [
        separator.join(f"{key.removesuffix('eed')}{value}" for key, value in c.items()) + end
        for c in configs
    ]
    pairs = [*zip(paths, configs, strict=True)]
    rng.shuffle(pairs)
    read = planned({path: {"lr0": 1} for path, _ in pairs})
    plain = lambda t: int(t) if str(t).isdigit() else float(t) if "." in t or "-" in t else t  # noqa: E731
    said = planned({p: {k: plain(v) for k, v in c.items()} for p, c in pairs})
    assert sorted(map(len, read.dims.values())) == sorted(map(len, said.dims.values()))
    assert read.seed.tolist() == said.seed.tolist()
    assert not read.shared_cells
    for axis in said.axes:
        if axis.key != "cap":  # capA, capB: the letters belong to the value
            assert read.dims[axis.name].tolist() == axis.labels.tolist()


# --- on every road


def write(root, k, seed, name=None):
    write_run(root / (name or f"k{k}_s{seed}"), {"lr": 0.1, "seed": seed}, config_index=k)


def test_an_archive_that_grows_reads_names_as_a_fresh_one(tmp_path):
    logs = tmp_path / "logs"
    for k in (1, 2):
        write(logs, k, 0)
    archive, fresh = tmp_path / "sweep.nc", tmp_path / "fresh.nc"
    steps = [(1, 1, None), (2, 1, None), (1, 2, None), (2, 2, None), (3, 0, None), (4, 0, "base")]
    with pytest.warns(rc.SweepWarning):
        rc.archive_runs(logs, archive)
    for step in steps:
        write(logs, *step)
        with pytest.warns(rc.SweepWarning):
            rc.update_archive(archive)
        with pytest.warns(rc.SweepWarning):
            rc.archive_runs(logs, fresh)
        with rc.open_archive(archive) as one, rc.open_archive(fresh) as other:
            assert one.drop_attrs().identical(other.drop_attrs())
            assert one.attrs["policies"] == other.attrs["policies"]
    with rc.open_archive(archive) as ds:
        assert ds.sizes["k"] == 4


def test_names_are_read_with_any_arguments_and_on_every_road(tmp_path):
    for k in (1, 2):
        for seed in (0, 1):
            write(tmp_path / "logs", k, seed)
    logs = tmp_path / "logs"
    options = {"rename": {"k": "cap"}, "relabel": {"k": {1: 10}}, "dims": ["cap"]}
    with pytest.warns(rc.SweepWarning, match="k read from the names"):
        ds = rc.load_runs(logs, **options)
    assert ds.cap.values.tolist() == [2, 10]
    with pytest.warns(rc.SweepWarning):
        assert rc.open_runs(logs, cache=False, **options).sizes == ds.sizes
    with pytest.warns(rc.SweepWarning):
        assert rc.load_tree(logs, **options)["epoch"].sizes["cap"] == 2
    assert rc.scan(logs, path_keys=None).separate
    with pytest.warns(rc.SweepWarning):
        assert rc.load_runs(logs, path_keys=None).sizes["config"] == 4
    with pytest.warns(rc.SweepWarning, match="k read from the names"):
        assert rc.load_runs(logs, layout="grid").sizes["k"] == 2
