"""What logs share in memory: equal objects, and only those that are equal in every way."""

from hypothesis import given
from hypothesis import strategies as st
from sweeps import product_configs, write_sweep

from runcube.core.model import Request, RunHeader, Source
from runcube.curves.attempts import AttemptResolver, attempts_of
from runcube.pipeline.discover import _Sharing, discover

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.0, -0.0, 1.0, float("nan"), float("inf"), 10**30]),
    st.sampled_from(["", "1", "\ud800", "None"]),
    st.just((1, 2)),
    st.just([1, 2]),
    st.just({1}),
    st.just(object),
)
SECTIONS = st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2)


def header(config):
    return RunHeader(Source("", "", ()), config=config)


@given(configs=st.lists(st.dictionaries(st.sampled_from("xyz"), SECTIONS | VALUES), max_size=6))
def test_sections_are_shared_only_where_they_are_the_same(configs):
    sharing = _Sharing()
    for config in configs:
        assert repr(sharing.slim(header(config)).config) == repr(config)


def test_equal_sections_of_a_sweep_are_one_object(tmp_path):
    configs = product_configs(optim__lr=[0.1, 1.0], model__weights=[None])
    headers = discover(write_sweep(tmp_path, configs, seeds=(0, 1)), "auto", None).headers
    sections = [header.config["model"] for header in headers]
    assert all(section is sections[0] for section in sections)
    assert len({id(header.config["optim"]) for header in headers}) == 2


def test_runs_with_the_same_curves_share_their_tracks(tmp_path):
    write_sweep(tmp_path, product_configs(optim__lr=[0.1]), seeds=(0, 1, 2))
    jobs = discover(tmp_path, "auto", None).jobs
    logs = [log for job in jobs for log in job.reader.read(job.source, Request())]
    logs[1].curves = logs[0].curves
    resolver = AttemptResolver("epoch")
    first, second, third = (resolver.attempts(log)[0] for log in logs)
    assert first.tracks is second.tracks is not third.tracks
    for attempt, log in zip((first, second, third), logs, strict=True):
        assert attempt.log is log
        assert attempt.course.ends == attempts_of(log, "epoch")[0].course.ends
