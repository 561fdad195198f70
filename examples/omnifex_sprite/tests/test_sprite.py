"""The sprite plugin's own tests; `pytest --omnifex-plugin sprite` adds the contract's."""

import io

import pytest
from PIL import Image

from omnifex import InvalidRequest
from omnifex_image.files import read_provenance


def test_a_sprite_is_alike_on_both_sides(omnifex_workbench):
    picture = made(omnifex_workbench, prompt="a red ghost", seed=7)
    assert picture.tobytes() == picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).tobytes()


def test_a_sprite_has_the_colour_of_its_prompt(omnifex_workbench):
    picture = made(omnifex_workbench, prompt="a red ghost", seed=7)
    assert {colour for _, colour in picture.getcolors()} == {(0, 0, 0), (255, 0, 0)}


def test_a_sprite_without_a_colour_is_white(omnifex_workbench):
    picture = made(omnifex_workbench, prompt="a ghost", seed=7)
    assert {colour for _, colour in picture.getcolors()} == {(0, 0, 0), (255, 255, 255)}


def test_a_sprite_says_how_it_was_made(omnifex_workbench):
    (file,) = omnifex_workbench.make("sprite", prompt="a red ghost", seed=7).files
    assert read_provenance(file.data)["prompt"] == "a red ghost"


def test_a_size_without_a_middle_is_refused(omnifex_workbench):
    with pytest.raises(InvalidRequest, match="size"):
        made(omnifex_workbench, prompt="a red ghost", size=7)


def made(workbench, **fields):
    (file,) = workbench.make("sprite", **fields).files
    return Image.open(io.BytesIO(file.data))
