"""Files are fetched before their reader asks for them."""

from concurrent.futures import ThreadPoolExecutor

from runcube.core import LogFile
from runcube.files.prefetch import ReadAhead


def test_a_file_that_sources_share_does_not_end_the_reading_ahead():
    shared = LogFile("config.json", 10, 0)
    sources = [[LogFile(f"{i}.jsonl", 10, 0), shared] for i in range(8)]
    asked = []

    def fetch(path):
        asked.append(path)
        return path

    with ThreadPoolExecutor(1) as pool:
        ahead = ReadAhead(pool, fetch, sources)
        assert ahead.take("0.jsonl") == "0.jsonl"
        assert ahead.take("config.json") == "config.json"
        assert ahead.take("config.json") is None  # it was given once
        pool.submit(lambda: None).result()
        assert sorted(asked) == sorted(["config.json", *(f"{i}.jsonl" for i in range(8))])
