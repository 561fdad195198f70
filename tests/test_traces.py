"""What is recorded of component calls: traces, and the metrics that they decide."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dots_plugin
import pytest
import torch
from cli_cases import Cli, job_of, tiles_cli
from dots_plugin import Dots
from engine_cases import call, dots, free, two_jobs_with_one_call_running
from jobs_cases import open_queue, submit
from studio_cases import open_tiles, until

from omnifex.engine.context import Listener
from omnifex.engine.watching.record import CallRecord
from omnifex.errors import GenerationFailed
from omnifex.trace import Trace, read, trace_of, written
from omnifex.workbench import Workbench
from omnifex.worker import reporter
from omnifex.worker.reporter import Reporter
from omnifex_jobs import Claim, JobQueue, Report
from omnifex_jobs.errors import JobNotFound, LostClaim
from omnifex_jobs.finding import traces


class Ear(Listener):
    """Keeps the records of a job's calls."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def called(self, record: CallRecord) -> None:
        self.records.append(record)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with Workbench(tmp_path, [dots_plugin], entry_points=False) as workbench:
        yield workbench
    Dots.during = staticmethod(lambda: None)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    return tiles_cli(tmp_path, monkeypatch, capfd)


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    return open_queue(tmp_path / "jobs.db")


def record(**fields: Any) -> CallRecord:
    usual: dict[str, Any] = {
        "component": "sha256:1",
        "role": "backbone",
        "class_name": "Dots",
        "method": "__call__",
        "jobs": ("a",),
        "rows": 1,
        "began": 1000.0,
    }
    return CallRecord(**{**usual, **fields})


def claimed(queue: JobQueue) -> Claim:
    submit(queue)
    return queue.claim("worker")[0]


# Records


def test_every_call_of_a_job_is_recorded(bench: Workbench) -> None:
    ear = Ear()
    bench.make("dots", ear, prompt="dots", steps=5)
    assert [record.method for record in ear.records] == ["__call__"] * 5 + ["decode"]
    first = ear.records[0]
    assert (first.role, first.class_name, first.how) == ("backbone", "Dots", "ran")
    assert first.rows == 2  # the prompt, and the negative
    assert first.device == "cpu"


def test_a_call_that_fails_is_recorded_too(bench: Workbench) -> None:
    def body(job: Any, model: Any) -> Any:
        call(model)
        return model["backbone"].decode(torch.full((1, 2), torch.nan))

    ear = Ear()
    with pytest.raises(GenerationFailed):
        bench.engine.run(free(bench, body), ear)
    assert [(record.method, record.how) for record in ear.records] == [
        ("__call__", "ran"),
        ("decode", "failed"),
    ]


def test_a_call_that_waits_says_how_long(bench: Workbench) -> None:
    jobs, go_on = two_jobs_with_one_call_running(bench, bench.engine)
    threading.Timer(0.05, go_on.set).start()
    waited = [job.result(10).metrics["wait_time"] for job in jobs]
    assert waited[1] >= 0.05


def test_metrics_come_from_the_calls(bench: Workbench) -> None:
    metrics = bench.make("dots", prompt="dots", steps=5).metrics
    assert set(metrics["component_seconds"]) == {"backbone"}
    assert 0 < metrics["component_seconds"]["backbone"] < metrics["total_time"]
    first, conditioning, sampling, *_, last = metrics["stage_seconds"]
    assert (first, conditioning, sampling, last) == (
        "starting",
        "conditioning",
        "sampling",
        "encoding",
    )
    assert min(metrics["stage_seconds"].values()) > 0
    assert metrics["mean_batch"] == 1
    assert metrics["calls_replayed"] == metrics["calls_remembered"] == 0


def test_each_job_hears_of_its_own_calls_alone(bench: Workbench) -> None:
    ears = {"first": Ear(), "second": Ear()}
    running = [
        bench.engine.start(replace(dots(bench, steps=5), id=name), ear)
        for name, ear in ears.items()
    ]
    for job in running:
        job.result(60)
    for name, ear in ears.items():
        assert len(ear.records) == 6
        assert all(name in record.jobs for record in ear.records)


# In the database


def test_a_record_comes_back_as_it_was_written() -> None:
    whole = record(
        jobs=("a", "b"),
        rows=4,
        queued={"a": 0.5},
        load=1.5,
        run=0.25,
        how="replayed",
        peak_bytes=7,
        device="cuda:0",
        method="decode",
    )
    for kept in (whole, record(queued={"a": 0.0})):
        assert read(json.loads(json.dumps(written(kept, "a"))), "a") == kept


def test_what_is_usual_is_not_written() -> None:
    usual = written(record(run=0.1), "a")
    assert set(usual) == {"component", "role", "class", "began", "run"}


def test_parts_of_a_trace_are_kept_in_their_order(queue: JobQueue) -> None:
    claim = claimed(queue)
    for began in (1.0, 2.0, 3.0):
        queue.report(claim, Report(calls=[written(record(began=began), claim.job.id)]))
    assert [call.began for call in trace_of(queue, claim.job.id).calls] == [1, 2, 3]
    with pytest.raises(JobNotFound):
        queue.trace("nobody")


def test_the_newest_parts_of_all_jobs_are_kept(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "KEPT", 3)
    claims = [claimed(queue) for _ in range(5)]
    for claim in claims:
        queue.report(claim, Report(calls=[written(record(), claim.job.id)]))
    left = [claim for claim in claims if queue.trace(claim.job.id)]
    assert left == claims[2:]


def test_a_lost_claim_writes_no_trace(queue: JobQueue) -> None:
    claim = claimed(queue)
    queue.release(claim)
    with pytest.raises(LostClaim):
        queue.report(claim, Report(calls=[written(record(), claim.job.id)]))
    assert queue.trace(claim.job.id) == []


def test_a_trace_is_bounded(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "MOST_CALLS", 4)
    claim = claimed(queue)
    ours = Reporter(queue, claim)
    for _ in range(10):
        ours.called(record(jobs=(claim.job.id,)))
    assert ours.flush(ended=True)
    assert len(trace_of(queue, claim.job.id).calls) == 4


def test_calls_are_written_now_and_then_and_at_the_end(queue: JobQueue) -> None:
    claim = claimed(queue)
    ours = Reporter(queue, claim)
    ours.called(record())
    assert not ours.flush()  # it is too soon
    assert ours.flush(ended=True)
    assert len(queue.trace(claim.job.id)) == 1
    assert not ours.flush(ended=True)


# For a viewer


def checked(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """The slices, after what the Trace Event Format and Perfetto's importer ask of a file."""
    named, slices = defaultdict(set), []
    for event in json.loads(json.dumps(shown))["traceEvents"]:
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            named[event["name"]].add((event["pid"], event["tid"]))
            assert event["args"]["name"]
        else:
            assert event["ph"] == "X"
            assert event["dur"] >= 0
            slices.append(event)
    assert {(event["pid"], event["tid"]) for event in slices} <= named["thread_name"]
    free: dict[tuple[int, int], int] = defaultdict(int)
    for event in slices:  # none overlaps another of its thread
        assert event["ts"] >= free[event["pid"], event["tid"]]
        free[event["pid"], event["tid"]] = event["ts"] + event["dur"]
    return slices


def test_a_trace_shows_attempts_waits_loads_and_runs(queue: JobQueue) -> None:
    claim = claimed(queue)
    job = queue.get(claim.job.id)
    began = job.created_at / 1000 + 1
    calls = [
        record(began=began, load=0.5, run=0.1, jobs=(job.id, "other"), rows=4),
        record(began=began + 1, queued={job.id: 0.25}, run=0.1, how="replayed"),
        record(began=began + 2, run=0.1, method="decode", component="sha256:2", device="cuda:0"),
    ]
    trace = Trace(job, queue.attempts(job.id), calls)
    slices = checked(trace.chrome())
    names = [event["name"] for event in slices]
    assert names == [
        "waits for a worker",
        "attempt 1",
        "load",
        "backbone",
        "wait",
        "backbone",
        "backbone.decode",
    ]
    assert slices[2]["ts"] == pytest.approx(1e6, abs=2)
    assert slices[3]["args"]["batched_with"] == ["other"]
    assert slices[3]["args"]["rows"] == 4
    assert slices[5]["cat"] == "replayed"
    assert len({(event["pid"], event["tid"]) for event in slices}) == 3


def test_two_clocks_that_differ_make_no_overlap(queue: JobQueue) -> None:
    job = claimed(queue).job
    began = job.created_at / 1000 + 1
    calls = [record(began=began + n * 0.1, run=0.1000007) for n in range(50)]
    slices = checked(Trace(job, (), calls).chrome())
    assert len(slices) == 50


def test_a_job_of_a_worker_leaves_a_trace(cli: Cli, tmp_path: Path) -> None:
    job = job_of(cli("tile", "red", "--json")[1])
    code, said, _ = cli("jobs", "trace", job["id"], "--out", tmp_path / "trace.json")
    assert (code, said.strip()) == (0, str(tmp_path / "trace.json"))
    slices = checked(json.loads((tmp_path / "trace.json").read_text()))
    assert sum(event["name"] == "backbone" for event in slices) == 20
    assert job["metrics"]["component_seconds"].keys() == {"backbone"}


def test_a_failed_job_leaves_a_trace_too(tmp_path: Path) -> None:
    with open_tiles(tmp_path) as studio:
        job = studio.submit("tile", prompt="break the encoder")
        until(lambda: job.error)
        shown = job.trace()
    assert len(shown.calls) == 20
    checked(shown.chrome())


def test_a_running_job_can_be_traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "TRACE_S", 0.0)
    with open_tiles(tmp_path) as studio:
        job = studio.submit("tile", prompt="red", steps=1000, seed=1)
        until(lambda: job.trace().calls)
        slices = checked(job.trace().chrome())
        job.cancel()
    assert any(event["name"] == "attempt 1" for event in slices)


def test_no_trace_is_told_in_one_sentence(cli: Cli) -> None:
    code, _, said = cli("jobs", "trace", "nobody")
    assert code == 2
    assert "nobody" in said
