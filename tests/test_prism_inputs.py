"""Pictures as inputs: taken from wherever they are, refused before anything is queued."""

import io
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from omnifex import Studio, UnreadableInput
from omnifex_prism.open_words import (
    with_background,
    with_colours,
    with_places,
    with_relations,
    with_words,
)
from omnifex_prism.words import RELATIONS, SIZES


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


def test_an_open_background_is_settled_by_the_seed() -> None:
    star = {"colour": "red", "shape": "star"}
    settled = [with_background([{}, star], Random(seed)) for seed in range(40)]
    assert settled[7] == with_background([{}, star], Random(7))
    grounds = {phrases[0]["ground"] for phrases in settled}
    assert len(grounds) > 5
    assert "red" not in grounds
    assert all(phrases[0]["background"] == "plain" for phrases in settled)


def test_what_the_prompt_says_of_a_background_stays() -> None:
    star = {"shape": "star"}
    (ground, _) = with_background([{"second ground": "pink"}, star], Random(1))
    assert (ground["background"], ground["second ground"]) == ("gradient", "pink")
    whole = {"background": "striped", "ground": "red", "second ground": "blue"}
    assert with_background([whole, star], Random(1)) == [whole, star]
    assert with_background([{"ground": "white"}], Random(1)) == [{"ground": "white"}]


def test_open_sizes_and_places_are_settled_so_that_relations_hold() -> None:
    ring, star = {"shape": "ring"}, {"shape": "star", "relation": "left of"}
    for seed in range(20):
        _, first, last = with_places([{}, star, ring], Random(seed))
        assert "place" not in first
        assert last["place"].endswith("right")
        _, one, other = with_places([{}, ring, {"shape": "star"}], Random(seed))
        assert one["place"] != other["place"]
    assert with_places([{}, {"place": "top"}], Random(1)) == [{}, {"place": "top"}]
    sizes = {"size": SIZES}
    assert with_words([{}, {"size": "small"}], Random(1), sizes) == [{}, {"size": "small"}]
    assert "size" in with_words([{}, ring], Random(1), sizes)[1]


def test_open_colours_show_and_open_relations_go_on_as_they_began() -> None:
    ground, things = {"ground": "navy"}, [{"shape": "ring"}, {"colour": "grey"}, {"shape": "star"}]
    for seed in range(20):
        (_, *painted) = with_colours([ground, *things], Random(seed))
        colours = [thing["colour"] for thing in painted]
        assert len({*colours}) == 3
        assert not {*colours} & {"navy", "black", "brown"}

        (_, *chain) = with_relations([ground, *things], Random(seed), RELATIONS)
        assert chain[0]["relation"] == chain[1]["relation"]
        assert "relation" not in chain[2]
    told = [{}, {"shape": "star"}, {"relation": "above"}, {}]
    assert with_relations(told, Random(1), RELATIONS)[1]["relation"] == "above"
