"""Pictures as inputs: taken from wherever they are, refused before anything is queued."""

import io
from pathlib import Path

import pytest
from PIL import Image

from omnifex import Studio, UnreadableInput


def png(colour: tuple[int, int, int] = (20, 30, 90)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize(
    "data", [png()[:-40], b"not a picture at all", b"", b"\x89PNG\r\n\x1a\n"], ids=repr
)
def test_what_is_no_whole_picture_is_refused_and_nothing_is_queued(
    tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "start.png").write_bytes(data)
    with Studio(tmp_path / "home", workers=0) as studio:
        with pytest.raises(UnreadableInput) as refused:
            studio.submit("image", prompt="a circle", image=tmp_path / "start.png")
        assert "\n" not in str(refused.value)
        assert studio.jobs() == []


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with (
        Studio(tmp_path / "home", workers=0) as studio,
        pytest.raises(UnreadableInput, match=r"nowhere\.png"),
    ):
        studio.submit("image", prompt="a circle", image=tmp_path / "nowhere.png")


def test_a_picture_is_made_from_the_picture_of_another_job(tmp_path: Path) -> None:
    with Studio(tmp_path / "home") as studio:
        first = studio.submit("image", prompt="a large red circle", seed=1, steps=4)
        second = studio.submit(
            "image", prompt="a large blue circle", image=first, seed=1, steps=4, strength=0.5
        )
        (artifact,) = second.result(timeout=120)
        with Image.open(artifact.path) as picture:
            assert picture.size == (128, 128)
        assert [made.sha256 for made in first.artifacts] != [artifact.sha256]
