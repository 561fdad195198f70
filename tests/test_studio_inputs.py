"""Media that users hand in, and what is no such thing."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from studio_cases import open_tiles

from omnifex.errors import (
    JobFailed,
    UnreadableInput,
)
from omnifex.studio import Studio
from omnifex_jobs import State
from omnifex_jobs.errors import JobNotFound


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_tiles() as studio:
        yield studio


@pytest.fixture
def desk() -> Iterator[Studio]:
    """A studio that only submits and watches."""
    with open_tiles(workers=0) as studio:
        yield studio


def provenance(path: Path) -> dict[str, object]:
    with Image.open(path) as picture:
        found: dict[str, object] = json.loads(picture.text["omnifex"])  # type: ignore[attr-defined]
    return found


def picture_bytes(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, "PNG")
    return file.getvalue()


def test_a_picture_may_be_given_in_any_form(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(picture_bytes())
    forms = (path, str(path), path.read_bytes(), Image.new("RGB", (4, 4), "red"))
    jobs = [studio.submit("tile", prompt="red", seed=1, image=form) for form in forms]
    assert len({job.request["image"] for job in jobs}) == 1
    assert len({job.result(120)[0].sha256 for job in jobs}) == 1
    assert jobs[0].inputs[0].read_bytes() == path.read_bytes()
    given = studio.submit("tile", prompt="red", seed=1, image=jobs[0].inputs[0])
    assert given.request["image"] == jobs[0].request["image"]


def test_a_job_that_takes_another_waits_for_it(desk: Studio) -> None:
    first = desk.submit("tile", prompt="red")
    second = desk.submit("tile", prompt="blue", seed=1, image=first)
    assert second.status is State.BLOCKED
    assert second.record.parents == (first.id,)
    desk.serve(["cpu"])
    (artifact,) = second.result(120)
    said = provenance(artifact.path)["parameters"]["image"]  # type: ignore[index]
    assert said == f"sha256:{first.artifacts[0].sha256}"
    direct = desk.submit("tile", prompt="blue", seed=1, image=first.artifacts[0])
    assert direct.result(120)[0].sha256 == artifact.sha256
    by_name = desk.submit("tile", prompt="blue", seed=1, image=f"job:{first.id}")
    assert by_name.result(120)[0].sha256 == artifact.sha256


def test_a_job_whose_input_fails_fails_with_it(desk: Studio) -> None:
    first = desk.submit("tile", prompt="red")
    second = desk.submit("tile", prompt="blue", image=first)
    first.cancel()
    with pytest.raises(JobFailed, match=first.id):
        second.result(120)
    assert second.error is not None
    assert second.error.code == "dependency"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        (
            "cut.png",
            picture_bytes()[:40],
            r"cut.png' cannot be used: the picture is broken",
        ),
        ("words.png", b"hello, I am text", r"words.png' is no tile file: it begins with b'hello"),
        ("empty.png", b"", r"empty.png' is no tile file|cannot be used"),
        ("sound.wav", b"RIFF0000WAVEfmt ", r"sound.wav' is no tile file: it is audio/wav"),
    ],
)
def test_a_file_that_is_no_picture_is_refused(
    desk: Studio, tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableInput, match=complaint):
        desk.submit("tile", prompt="red", image=tmp_path / name)
    assert desk.jobs() == []


def test_an_input_that_is_not_there_is_refused(desk: Studio, tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"image 'gone.png' does not exist"):
        desk.submit("tile", prompt="red", image="gone.png")
    with pytest.raises(UnreadableInput, match="is a folder"):
        desk.submit("tile", prompt="red", image=tmp_path)
    with pytest.raises(UnreadableInput, match="of type int"):
        desk.submit("tile", prompt="red", image=7)
    with pytest.raises(UnreadableInput, match=r"image \(5 bytes\) is no tile file"):
        desk.submit("tile", prompt="red", image=b"12345")
    with pytest.raises(JobNotFound):
        desk.submit("tile", prompt="red", image="job:nope")
