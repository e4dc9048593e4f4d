"""How the runs of a sweep ended, from their logs to all that shows it (rule 15)."""

import json
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import runcube as rc
from runcube.cli.watch import counts

C, N, F = "complete", "incomplete", "failed"
ERRORS = {"RuntimeError": RuntimeError("out"), "ValueError": ValueError()}
STOPS = {"KeyboardInterrupt": KeyboardInterrupt(), "SystemExit": SystemExit(143)}


def load(root, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", rc.SweepWarning)
        ds = rc.load_runs(root, parallel=False, **options)
    return ds, "\n".join(str(one.message) for one in caught)


def by_path(ds):
    paths, found = (ds[name].values.ravel().tolist() for name in ("path", "status"))
    return {path.split("/")[0].split(".")[0]: s for path, s in zip(paths, found, strict=True) if s}


def log_run(path, config, n, error=None, *, kill=False):
    """Train for ``n`` epochs, and end by an exception, a kill, or well."""
    try:
        with rc.RunLogger(path, config) as log:
            for epoch in range(n):
                log.start_epoch(epoch)
                log.log("train", {"loss": 1.0 / (epoch + 1)})
                log.log("val", {"loss": 2.0 / (epoch + 1)})
            if error is not None:
                raise error
            if kill:
                log._file.close()
    except BaseException as caught:
        if caught is not error and not kill:
            raise


@given(
    ends=st.lists(
        st.tuples(
            st.integers(0, 10),
            st.sampled_from(["well", "kill", *ERRORS, *STOPS]),
        ),
        min_size=1,
        max_size=5,
    ),
    promise=st.sampled_from([{}, {"epochs": 10}, {"epochs": 100, "patience": 2}]),
)
def test_no_run_that_did_not_end_well_is_complete(tmp_path_factory, ends, promise):
    """A sweep with a logger that fails; where one ended well, its trailer is on all that did."""
    root = tmp_path_factory.mktemp("sweep")
    for seed, (n, end) in enumerate(ends):
        error = (ERRORS | STOPS).get(end)
        log_run(root / f"r{seed}", {"seed": seed, **promise}, n, error, kill=end == "kill")
    ds, _ = load(root)
    found = by_path(ds)
    well = sum(end == "well" and n > 0 for n, end in ends)
    others = sum(end == "kill" and n > 0 for n, end in ends)
    for seed, (n, end) in enumerate(ends):
        status = found[f"r{seed}"]
        if n == 0 or end in ERRORS:
            assert status == F
        elif end == "well":
            assert status == C
        elif end in STOPS or well > others or (promise == {"epochs": 10} and n < 10):
            assert status == N
    # What is said of a sweep is said in one voice.
    assert counts(ds) == {s: list(found.values()).count(s) for s in (C, N, F)}
    table = ds.sweep.table()
    assert [int(table[s].sum()) for s in (C, N, F)] == [*counts(ds).values()]
    missing = ds.sweep.missing()
    assert len(missing) == len(found) - counts(ds)[C]
    assert sorted(rc.scan(root).statuses) == sorted(found.values())


def test_a_run_that_is_resumed_takes_back_that_it_failed(tmp_path):
    log_run(tmp_path / "a", {"seed": 0}, 3, ERRORS["ValueError"])
    log_run(tmp_path / "b", {"seed": 1}, 3, ERRORS["ValueError"])
    for name, closed in (("a", True), ("b", False)):
        path = tmp_path / name / "json_out.jsonl"
        more = [{"type": "str", "value": ">> Start Epoch: 3"}]
        more += [{"data_name": s, "agg_stats": {"loss": 0.1}} for s in ("train", "val")]
        more += [{"type": "str", "value": "Training time 0:00:03"}] * closed
        with path.open("a") as file:
            file.writelines(json.dumps(one) + "\n" for one in more)
    ds, _ = load(tmp_path)
    assert by_path(ds)["a"] == C
    assert by_path(ds)["b"] != F


@example(
    lengths=[20, 3, 3],
    trailer={"message": "training took 12.5 s"},
    config={"epochs": 20, "patience": 1},
)
@given(
    lengths=st.lists(st.integers(3, 20), min_size=3, max_size=6),
    trailer=st.sampled_from(
        [{"_summary": {"best": 0.5}}, {"test_acc": 0.9}, {"message": "training took 12.5 s"}]
    ),
    config=st.sampled_from([{}, {"epochs": 50}, {"epochs": 20, "patience": 1}]),
)
def test_runs_that_stopped_early_are_complete_by_their_trailer(
    tmp_path_factory, lengths, trailer, config
):
    """Without it, one of them is not: it was killed."""
    root = tmp_path_factory.mktemp("sweep")
    for seed, n in enumerate(lengths):
        rows = [{"epoch": e, "train_loss": 1 / (e + 1), "val_loss": seed + e / 9} for e in range(n)]
        last = [trailer] * (seed > 0)
        every = [{"config": {"seed": seed, "lr": 0.1} | config}, *rows, *last]
        text = "".join(json.dumps(one) + "\n" for one in every)
        (root / f"r{seed}.jsonl").write_text(text)
    found = by_path(load(root)[0])
    is_kept = config.get("epochs") == lengths[0] == 20 and "message" in trailer
    assert found.pop("r0") == (C if is_kept else N)
    assert set(found.values()) == {C}
    ds, _ = load(root, expected=max(lengths))
    wanted = [C if n == max(lengths) else N for n in lengths]
    assert [by_path(ds)[f"r{i}"] for i in range(len(lengths))] == wanted


@pytest.mark.parametrize("key", ["epochs", "max_steps"])
def test_what_is_promised_in_another_unit_is_named_in_the_warning(tmp_path, key):
    for seed in range(3):
        rows = [{"step": s, "train_loss": 1 / (s + 1)} for s in range(8)]
        rows.insert(0, {"config": {"seed": seed, key: 10}})
        (tmp_path / f"r{seed}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    ds, warned = load(tmp_path)
    assert f"{key}=10" in warned
    assert "expected=" in warned
    assert set(ds.status.values.ravel()) == {C if key == "epochs" else N}
    assert load(tmp_path, expected=8)[1] == ""
