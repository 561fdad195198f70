"""Styles: words around a prompt that a model has under a name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_language
from family_models import save
from PIL import Image
from studio_cases import copy_model, open_tiles, tiles
from typer.testing import CliRunner

from omnifex import InvalidRequest, Studio
from omnifex.cli.app import app
from omnifex.errors import PluginError
from omnifex.styles import InvalidStyle, Style, filled

FILM = {"prompt": "a photo of {prompt}, 35mm film", "steps": 3, "guidance": 2.5}


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_tiles() as studio:
        studio.models.style("tiles", "film", **FILM)
        yield studio


@pytest.fixture
def desk() -> Iterator[Studio]:
    """A studio that only submits."""
    with open_tiles(workers=0) as studio:
        studio.models.style("tiles", "film", **FILM)
        yield studio


def told(path: Path) -> dict[str, Any]:
    with Image.open(path) as picture:
        found: dict[str, Any] = json.loads(picture.info["omnifex"])
    return found


def pixels(path: Path) -> bytes:
    with Image.open(path) as picture:
        return picture.tobytes()


def test_a_style_puts_its_words_around_the_prompt_and_fills_in_what_is_left_out(
    studio: Studio,
) -> None:
    job = studio.submit("tile", prompt="a cat", seed=5, style="film")
    (file,) = job.result(120)
    assert job.request["prompt"] == "a cat"
    assert (job.request["steps"], job.request["guidance"]) == (3, 2.5)
    words = {"prompt": "a photo of a cat, 35mm film"}
    assert job.record.recipe["style"] == {**FILM, "words": words}
    assert file.meta["style"] == {"name": "film", **words}
    said = told(file.path)
    assert (said["prompt"], said["style"]) == ("a cat", {"name": "film", **words})
    plain = studio.submit("tile", **words, seed=5, steps=3, guidance=2.5)
    assert pixels(plain.result(120)[0].path) == pixels(file.path)
    own = studio.submit("tile", prompt="a cat", style="film", steps=2)
    assert (own.request["steps"], own.request["guidance"]) == (2, 2.5)


def test_a_replay_has_the_style_of_its_time_and_a_fork_that_of_today(studio: Studio) -> None:
    job = studio.submit("tile", prompt="a cat", seed=5, style="film", steps=2)
    (file,) = job.result(120)
    studio.models.style("tiles", "film", prompt="cinema")
    assert studio.replay(job.id).result(120)[0].sha256 == file.sha256
    fork = studio.fork(job.id, prompt="a dog")
    assert fork.record.recipe["style"]["words"] == {"prompt": "a dog, cinema"}
    assert "style" not in studio.fork(job.id, style=None).record.recipe
    assert studio.models.unstyle("tiles", "film")
    assert studio.replay(job.id).result(120)[0].sha256 == file.sha256
    with pytest.raises(InvalidRequest, match="has no style 'film'; it has: none"):
        studio.fork(job.id, prompt="a dog")


def test_a_style_goes_around_what_was_rewritten(studio: Studio, tmp_path: Path) -> None:
    studio.models.add(tiny_language.save("paired", tmp_path / "writer"))
    job = studio.submit("tile", prompt="a cat", seed=5, style="film", rewrite="writer")
    (file,) = job.result(120)
    words = f"a photo of {job.rewritten_prompt}, 35mm film"
    assert job.rewritten_prompt
    assert file.meta["style"]["prompt"] == words
    assert job.record.recipe["style"]["words"] == {}


def test_a_negative_prompt_gets_the_styles_words_behind_it(tmp_path: Path) -> None:
    with Studio(tmp_path / "home", workers=0) as studio:
        studio.models.add(save("sd", tmp_path / "sd"))
        studio.models.style("sd", "clean", negative_prompt="noise, text", sampler="ddim")
        job = studio.submit("image", model="sd", prompt="a cat", style="clean")
        assert job.record.recipe["style"]["words"] == {"negative_prompt": "noise, text"}
        assert job.request["sampler"] == "ddim"
        both = studio.fork(job.id, negative_prompt="people")
        words = both.record.recipe["style"]["words"]
        assert words == {"negative_prompt": "people, noise, text"}


@pytest.mark.parametrize(
    ("text", "prompt", "whole"),
    [
        ("{prompt}, film", "a cat", "a cat, film"),
        ("film still of {prompt}", "a cat", "film still of a cat"),
        ("{prompt} and {prompt}", "a cat", "a cat and a cat"),
        ("film", "a cat", "a cat, film"),
        ("film", "", "film"),
        ("{prompt}, film", "", "film"),
    ],
)
def test_words_are_put_in_their_place(text: str, prompt: str, whole: str) -> None:
    assert filled(text, prompt) == whole


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "style 'x' says nothing; give it some of these: prompt, negative_prompt, steps, "),
        ({"steps": 0}, "steps is 0, but must be a whole number from 1 to 1000"),
        ({"promt": "film"}, "style 'x' has no field 'promt', did you mean 'prompt'; known: "),
        ({"guidance": float("inf")}, "guidance is inf, but must be"),
    ],
)
def test_a_style_that_says_nothing_of_use_is_refused(
    desk: Studio, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidStyle, match=sentence):
        desk.models.style("tiles", "x", **values)
    assert list(desk.models.show("tiles").styles) == ["film"]


def test_a_style_that_a_model_does_not_have_is_refused(desk: Studio) -> None:
    sentence = "model 'tiles' has no style 'films', did you mean 'film'; it has: film."
    with pytest.raises(InvalidRequest, match=sentence):
        desk.submit("tile", prompt="a cat", style="films")
    desk.models.style("tiles", "clean", negative_prompt="noise")
    with pytest.raises(InvalidRequest, match="style 'clean' has a negative_prompt, which such a"):
        desk.submit("tile", prompt="a cat", style="clean")
    with pytest.raises(InvalidStyle, match="style '' must have a name of 1 to 60 characters"):
        desk.models.style("tiles", "", prompt="film")


def test_the_family_reads_the_words_of_the_style(desk: Studio) -> None:
    desk.models.style("tiles", "odd", prompt="blorp")
    job = desk.submit("tile", prompt="a cat", style="odd")
    assert job.notes == ("the word 'blorp' is not known.",)
    desk.models.style("tiles", "broken", prompt="break the check")
    with pytest.raises(PluginError):
        desk.submit("tile", prompt=",", style="broken")


def test_styles_stay_with_a_model_that_is_updated(desk: Studio, tmp_path: Path) -> None:
    desk.models.add(copy_model(tmp_path / "one"), name="mine")
    desk.models.alias("best", "mine")
    desk.models.style("best", "film", prompt="film")
    desk.models.add(copy_model(tmp_path / "two", other=1), name="mine", update=True)
    assert desk.models.show("mine").styles == {"film": {"prompt": "film"}}
    assert not desk.models.unstyle("mine", "another")
    assert Style(**desk.models.show("best").styles["film"]) == Style(prompt="film")


def test_a_scheduled_request_may_have_a_style_and_is_refused_an_unknown_one(desk: Studio) -> None:
    desk.schedule("daily", "0 6 * * *", "tile", prompt="a cat", style="film")
    with pytest.raises(InvalidRequest, match="has no style 'flim'"):
        desk.schedule("daily", "0 6 * * *", "tile", prompt="a cat", style="flim")


def test_the_command_line_makes_shows_uses_and_removes_styles(tmp_path: Path) -> None:
    commands, home, line = app(tiles()), ["--home", str(tmp_path)], CliRunner()

    def run(*words: str) -> str:
        ran = line.invoke(commands, [*words, *home])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    made = run("models", "style", "tiles", "film", "--prompt", "{prompt} on film", "--steps", "3")
    assert made == "film: prompt={prompt} on film  steps=3\n" == run("models", "style", "tiles")
    assert "style film  prompt={prompt} on film  steps=3" in run("models", "show", "tiles")
    job = json.loads(run("tile", "a cat", "--style", "film", "--json"))
    assert job["request"]["steps"] == 3
    assert job["artifacts"][0]["meta"]["style"]["prompt"] == "a cat on film"
    assert (
        run("models", "style", "tiles", "film", "--remove")
        == "film is no style any more of tiles\n"
    )
    assert run("models", "style", "tiles") == ""
