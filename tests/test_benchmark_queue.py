"""The benchmark of the queue works, in small."""

from pathlib import Path

from benchmarks.queue_backlog import TRIES, Backlog, measure_backlog


def test_claims_and_pages_are_measured_with_a_backlog(tmp_path: Path) -> None:
    made = Backlog(ended=300, waiting=TRIES)
    claim_p50, claim_p99, page_p50, page_p99 = measure_backlog(f"sqlite:///{tmp_path}/a.db", made)
    assert 0 < claim_p50 <= claim_p99
    assert 0 < page_p50 <= page_p99
