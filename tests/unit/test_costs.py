"""The page about costs is what the sums say."""

from benchmarks import costs


def test_the_committed_page_is_what_the_sums_say() -> None:
    assert costs.FILE.read_text() == costs.text(), "run `python -m benchmarks.costs`"
