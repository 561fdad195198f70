"""Prompts of solids."""

import pytest
from prompt_cases import misread, phrases_of, refusal

from omnifex_mesh.prompts import read
from omnifex_mesh.words import ARRANGEMENTS, SOLIDS
from omnifex_prism.glossary import lexicons

RED = {"colour": "red", "solid": "cube"}
BLUE = {"colour": "blue", "solid": "sphere"}


def test_written_captions_are_read_as_the_phrases_they_tell() -> None:
    assert misread("mesh", read) == []


def test_prompts_know_all_solids_and_arrangements() -> None:
    words = lexicons()["mesh"].words
    assert ([*words["solid"]], [*words["relation"]]) == ([*SOLIDS], [*ARRANGEMENTS])


@pytest.mark.parametrize(
    ("noun", "solid"),
    [
        ("ball", "sphere"),
        ("box", "cube"),
        ("doughnut", "torus"),
        ("pill", "capsule"),
        ("hemisphere", "dome"),
        ("wedge", "prism"),
        ("plate", "slab"),
        ("can", "cylinder"),
    ],
)
def test_solids_have_other_names(noun: str, solid: str) -> None:
    assert phrases_of(read(f"a 3D model of a tiny {noun}")) == [{"size": "small", "solid": solid}]


@pytest.mark.parametrize(
    ("prompt", "relation"),
    [
        ("a red cube on top of a blue ball", "on top of"),
        ("a red cube stacked on a blue ball", "on top of"),
        ("a red cube sits on a blue ball", "on top of"),
        ("a red cube under a blue ball", "under"),
        ("a red cube with a blue ball on top", "under"),
        ("a red cube at the bottom and a blue ball on top of it", "under"),
        ("a red cube to the left of a blue ball", "left of"),
        ("a red cube with a blue ball on its left", "right of"),
        ("a red cube on the left, a blue ball on the right", "left of"),
    ],
)
def test_arrangements_are_told_in_many_ways(prompt: str, relation: str) -> None:
    reading = read(prompt)
    assert phrases_of(reading) == [RED | {"relation": relation}, BLUE]
    assert reading.notes == ()


def test_vague_arrangements_are_noted() -> None:
    stack = read("a stack of a red cube and a blue ball")
    assert phrases_of(stack) == [RED | {"relation": "on top of"}, BLUE]
    assert stack.notes == ("took 'stack of' for 'on top of'",)
    assert read("a red cube beside a blue ball").notes == ("took 'beside' for 'left of'",)


def test_three_of_a_kind_are_stacked() -> None:
    on_top = RED | {"relation": "on top of"}
    assert phrases_of(read("three red cubes stacked on top of each other")) == [on_top, on_top, RED]


@pytest.mark.parametrize(
    ("prompt", "code", "part"),
    [
        ("a cube on a navy background", "unknown_word", "'background' (a word of"),
        ("a bouncing cube", "unknown_word", "'bouncing' (a word of video prompts)"),
        ("a snowman", "unknown_word", "'snowman'"),
        ("five cubes", "too_many_things", "a mesh holds at most 3 things"),
        ("a cube on a ball left of a cone", "contradiction", "'on top of' and 'left of'"),
        ("a cube at the left", "misplaced_word", "a mesh has no place 'left'"),
        ("a cube between a ball", "misplaced_word", "'between' needs a thing on both"),
    ],
)
def test_what_is_not_understood_is_refused_in_a_sentence(prompt: str, code: str, part: str) -> None:
    found, message = refusal(read, prompt)
    assert found == code
    assert part in message
