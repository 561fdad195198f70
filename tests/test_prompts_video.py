"""Prompts of clips."""

import pytest
from prompt_cases import misread, phrases_of, refusal

from omnifex_prism.glossary import lexicons
from omnifex_video.prompts import read
from omnifex_video.words import MOTIONS

RED = {"colour": "red", "shape": "circle"}
BLUE = {"colour": "blue", "shape": "star"}


def test_written_captions_are_read_as_the_phrases_they_tell() -> None:
    assert misread("video", read) == []


def test_prompts_know_all_motions() -> None:
    assert [*lexicons()["video"].words["motion"]] == [*MOTIONS]


@pytest.mark.parametrize(
    ("prompt", "motion"),
    [
        ("a red ball bouncing", "bouncing"),
        ("bouncing red ball", "bouncing"),
        ("a red ball bounces up and down", "bouncing"),
        ("a red ball that hops", "bouncing"),
        ("a red ball moves to the right", "moving right"),
        ("a red ball sliding from left to right", "moving right"),
        ("a red ball flies leftwards", "moving left"),
        ("a rising red ball", "moving up"),
        ("a red ball, falling down", "moving down"),
        ("a red ball grows", "growing"),
        ("a red ball getting smaller", "shrinking"),
        ("a wobbling red ball", "shaking"),
        ("a red ball that flashes", "blinking"),
        ("a red ball stands still", "still"),
        ("a red ball that is not moving", "still"),
        ("a red ball orbits", "circling"),
        ("a red ball circles", "circling"),
        ("a red ball moving in a circle", "circling"),
    ],
)
def test_motions_are_told_in_many_ways(prompt: str, motion: str) -> None:
    assert phrases_of(read(prompt)) == [{}, RED | {"motion": motion}]


def test_two_things_move_each_in_their_way() -> None:
    prompt = "a red ball spins left of a blue star moving left, on a navy background"
    first = RED | {"motion": "spinning", "relation": "left of"}
    assert phrases_of(read(prompt)) == [
        {"background": "plain", "ground": "navy"},
        first,
        BLUE | {"motion": "moving left"},
    ]


def test_a_way_and_a_relation_are_told_apart() -> None:
    expected = [{}, RED | {"motion": "moving right", "relation": "left of"}, BLUE]
    assert phrases_of(read("a red ball moving right left of a blue star")) == expected
    assert phrases_of(read("a red ball moving right to the left of a blue star")) == expected


def test_both_tells_of_each() -> None:
    assert phrases_of(read("a red ball and a blue star, both blinking")) == [
        {}, RED | {"motion": "blinking"}, BLUE | {"motion": "blinking"},
    ]  # fmt: skip


def test_sides_are_a_relation() -> None:
    for prompt in (
        "a red ball on the left and a blue star on the right",
        "a red ball on the left and a blue star",
        "a red ball and a blue star on the right",
    ):
        assert phrases_of(read(prompt)) == [{}, RED | {"relation": "left of"}, BLUE]


def test_a_thing_alone_is_in_the_middle_anyway() -> None:
    assert phrases_of(read("a red ball in the middle")) == [{}, RED]


def test_spinning_that_cannot_be_seen_is_noted() -> None:
    assert read("a spinning ring").notes == ("a spinning ring looks as if it stood still",)
    assert read("a spinning star").notes == ()


@pytest.mark.parametrize(
    ("prompt", "code", "part"),
    [
        ("a moving ball", "unknown_word", "did you mean 'moving right'"),
        ("a ball bouncing slowly", "unknown_word", "'slowly' (a word of audio prompts)"),
        ("a bouncing torus", "unknown_word", "'torus' (a word of mesh prompts)"),
        ("three balls", "too_many_things", "a clip holds at most 2 things"),
        ("a bouncing ball spinning", "contradiction", "both 'bouncing' and 'spinning'"),
        ("a ball on the left and a star on the left", "contradiction", "relation"),
        ("a ball in the top left corner", "misplaced_word", "a clip has no place 'top left'"),
        ("a ball on the left", "misplaced_word", "a clip has no place 'left'"),
    ],
)
def test_what_is_not_understood_is_refused_in_a_sentence(prompt: str, code: str, part: str) -> None:
    found, message = refusal(read, prompt)
    assert found == code
    assert part in message
