"""Jobs that need each other, in the hands of their user."""

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from studio_cases import open_tiles, process, until
from test_worker_processes import LONG_LEASE

from omnifex.errors import InvalidRequest, JobFailed
from omnifex.studio import Studio
from omnifex_jobs import State
from omnifex_jobs.errors import ArtifactMissing, DependencyCycle, ForeignJob, JobNotFound


@pytest.fixture
def desk() -> Iterator[Studio]:
    """A studio that only submits and watches."""
    with open_tiles(workers=0) as studio:
        yield studio


def test_a_graph_outlives_two_killed_workers_and_its_drawing_shows_it(
    desk: Studio, tmp_path: Path
) -> None:
    with desk.graph() as graph:
        picture = graph.submit("tile", prompt="a picture", steps=25, pace=0.05)
        clip = graph.submit("tile", prompt="its clip", steps=25, pace=0.05, image=picture)
        solid = graph.submit("tile", prompt="its solid", steps=2, image=picture)
    assert [job.status for job in (picture, clip, solid)] == ["queued", "blocked", "blocked"]
    for victim in (picture, clip):
        with process("-c", LONG_LEASE) as worker:
            until(lambda job=victim: job.status is State.RUNNING)  # type: ignore[misc]
            worker.kill()
            worker.communicate()
    desk.serve(["cpu"])
    ends = [job.result(120)[0] for job in (picture, clip, solid)]
    alone = desk.submit(
        "tile", prompt="its clip", steps=25, pace=0.05, image=ends[0], seed=clip.seed
    )
    assert alone.result(120)[0].sha256 == ends[1].sha256
    lineage = picture.lineage()
    told = {job.id: lineage.describe(job) for job in lineage.jobs}
    assert told[picture.id] == "tile succeeded, claimed 2 times"
    assert "claimed 2 times" in told[clip.id]
    assert {(edge.parent, edge.child) for edge in lineage.edges} == {
        (picture.id, clip.id),
        (picture.id, solid.id),
        (picture.id, alone.id),
    }
    drawing = ElementTree.parse(lineage.save(tmp_path / "graph.svg")).getroot()
    words = " ".join(text.text or "" for text in drawing.iter("{http://www.w3.org/2000/svg}text"))
    assert "tile succeeded, claimed 2 times" in words
    assert all(job.id in words for job in (picture, clip, solid))


def test_lineage_is_asked_of_jobs_and_of_files(desk: Studio) -> None:
    first = desk.submit("tile", prompt="red", seed=1)
    second = desk.submit("tile", prompt="blue", image=first)
    desk.serve(["cpu"])
    second.result(120)
    (made,) = first.result()
    third = desk.submit("tile", prompt="green", image=made)
    assert second.parents() == third.parents() == (first,)
    assert first.children() == (second, third)
    assert made.made_by == first
    assert made.used_by == (second, third)
    assert [file.sha256 for file in second.inputs] == [made.sha256]
    assert second.inputs[0].made_by == first
    repeated = desk.replay(second.id)
    assert repeated.result(120)[0].sha256 == second.result()[0].sha256
    assert set(repeated.parents()) == {first, second}
    assert [file.sha256 for file in repeated.inputs] == [made.sha256]
    assert desk.submit("tile", prompt="own").parents() == ()


def test_jobs_are_submitted_together_by_name(desk: Studio) -> None:
    jobs = desk.submit_all(
        [
            {"name": "end", "modality": "tile", "prompt": "c", "after": ["job:middle"]},
            {"name": "middle", "modality": "tile", "prompt": "b", "image": "job:start"},
            {"name": "start", "modality": "tile", "prompt": "a", "tags": ["x"], "priority": 3},
        ]
    )
    assert [job.request["prompt"] for job in jobs] == ["c", "b", "a"]
    assert jobs[0].parents() == (jobs[1],)
    assert jobs[1].parents() == (jobs[2],)
    assert jobs[2].tags == ("x",)


@pytest.mark.parametrize(
    ("requests", "error", "complaint"),
    [
        (
            [
                {"name": "a", "modality": "tile", "prompt": "a", "image": "job:b"},
                {"name": "b", "modality": "tile", "prompt": "b", "after": "job:a"},
            ],
            DependencyCycle,
            r"in a ring \('[ab]' needs '[ab]' needs '[ab]'\)",
        ),
        (
            [{"modality": "tile", "prompt": "a"}, {"modality": "tile", "prompt": "b", "size": 0}],
            InvalidRequest,
            "size",
        ),
        ([{"prompt": "a"}], InvalidRequest, "job 1 of the list has no modality"),
        ([{"name": "a", "modality": "tile", "prompt": "a"}] * 2, InvalidRequest, "two jobs"),
        (
            [{"modality": "tile", "prompt": "a", "image": "job:nobody"}],
            JobNotFound,
            "No job 'nobody'",
        ),
        (
            [{"modality": "tile", "prompt": "a", "on_failure": "panic"}],
            InvalidRequest,
            "on_failure is 'panic', but must be fail, cancel, run",
        ),
        (
            [{"modality": "tile", "prompt": "a", "tags": ["x" * 101]}],
            InvalidRequest,
            "1 to 100 characters",
        ),
        (
            [{"modality": "tile", "prompt": "a", "after": [7]}],
            InvalidRequest,
            "after holds 7; give jobs or their ids",
        ),
    ],
)
def test_a_faulty_list_is_refused_as_a_whole(
    desk: Studio, requests: list[dict[str, object]], error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        desk.submit_all(requests)
    assert desk.jobs() == []


def test_an_error_within_a_graph_submits_nothing(desk: Studio) -> None:
    with pytest.raises(InvalidRequest, match="size"), desk.graph() as graph:  # noqa: PT012
        graph.submit("tile", prompt="red")
        graph.submit("tile", prompt="blue", size=0)
    assert desk.jobs() == []


def test_a_graph_sent_twice_with_its_keys_is_one(desk: Studio) -> None:
    def send() -> list[str]:
        with desk.graph() as graph:
            first = graph.submit("tile", prompt="red", idempotency_key="first")
            second = graph.submit("tile", prompt="blue", image=first, idempotency_key="second")
        return [first.id, second.id]

    assert send() == send()
    assert len(desk.jobs()) == 2


def test_a_job_of_somebody_else_cannot_be_taken(desk: Studio) -> None:
    with open_tiles(workers=0, owner="ann") as ann, open_tiles(workers=0, owner="bob") as bob:
        hers = ann.submit("tile", prompt="red")
        assert hers.owner == "ann"
        with pytest.raises(ForeignJob, match="belongs to somebody else than 'bob'"):
            bob.submit("tile", prompt="blue", image=hers)
        assert bob.jobs() == [hers]


def test_a_job_runs_without_the_input_that_was_lost(desk: Studio) -> None:
    broken = desk.submit("tile", prompt="break the family")
    child = desk.submit("tile", prompt="blue", seed=1, image=broken, on_failure="run")
    plain = desk.submit("tile", prompt="blue", seed=1)
    desk.serve(["cpu"])
    assert child.result(120)[0].sha256 == plain.result(120)[0].sha256
    assert any(f"image is left out, as job {broken.id} made none" in note for note in child.notes)


def test_a_file_that_vanished_is_named(desk: Studio) -> None:
    first = desk.submit("tile", prompt="red")
    desk.serve(["cpu"])
    (made,) = first.result(120)
    waits = desk.submit("tile", prompt="blue", delay=0.7, image=first)
    made.path.unlink()
    with pytest.raises(ArtifactMissing, match=f"No artifact '{made.sha256}'.*Replay its job"):
        desk.submit("tile", prompt="blue", image=made)
    with pytest.raises(JobFailed, match=r"artifact_missing.*Replay its job"):
        waits.result(120)


def test_a_fork_is_the_same_with_changes(desk: Studio) -> None:
    first = desk.submit("tile", prompt="red", steps=3, tags=["draft"], priority=2)
    second = desk.submit("tile", prompt="blue", seed=5, image=first, metadata={"project": "x"})
    other = desk.fork(second.id, steps=7, tags=["final"])
    assert other.request == {**second.request, "steps": 7}
    assert other.parents() == (first, second)
    assert (other.tags, other.metadata) == (("final",), {"project": "x"})
    assert other.record.source_id == second.id
    assert desk.fork(first.id, seed=None).seed != first.seed
    plain = desk.fork(second.id, image=None)
    assert plain.record.parents == ()
    with pytest.raises(InvalidRequest, match="stepps"):
        desk.fork(first.id, stepps=3)


def test_a_drawing_is_of_a_known_kind(desk: Studio, tmp_path: Path) -> None:
    first = desk.submit("tile", prompt='a "red" <tile>')
    second = desk.submit("tile", prompt="blue", image=first)
    again = desk.fork(first.id, steps=2)
    lineage = first.lineage()
    mermaid = lineage.save(tmp_path / "graph.mmd").read_text()
    assert f"    {first.id} --> {second.id}" in mermaid
    assert f"    {first.id} -. fork .-> {again.id}" in mermaid
    assert "#quot;red#quot;" in mermaid
    tree = json.loads(lineage.save(tmp_path / "graph.json").read_text())
    assert {edge["kind"] for edge in tree["edges"]} == {"waits", "fork"}
    assert ElementTree.parse(lineage.save(tmp_path / "graph.svg"))
    with pytest.raises(InvalidRequest, match=r"'graph.png' is no kind of drawing"):
        lineage.save(tmp_path / "graph.png")
