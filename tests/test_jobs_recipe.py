import hashlib

import pytest

from omnifex_jobs import Recipe
from omnifex_jobs.errors import InvalidRecipe


def test_the_hash_is_over_canonical_json() -> None:
    made = Recipe({"steps": 4, "prompt": "ein roter Kreis, groß", "size": [128, 128]})
    assert (
        made.canonical == '{"prompt":"ein roter Kreis, groß","size":[128,128],"steps":4}'.encode()
    )
    assert made.hash == "sha256:" + hashlib.sha256(made.canonical).hexdigest()


def test_the_order_of_keys_does_not_matter_and_tuples_are_lists() -> None:
    assert Recipe({"a": 1, "b": (2, 3)}) == Recipe({"b": [2, 3], "a": 1})
    assert len({Recipe({"a": 1}), Recipe({"a": 1}), Recipe({"a": 2})}) == 2


def test_a_change_outside_does_not_reach_the_recipe() -> None:
    body = {"prompt": "a", "size": [1]}
    made = Recipe(body)
    body["size"].append(2)
    assert made.body == {"prompt": "a", "size": [1]}


def test_the_words_are_the_text_values_without_case() -> None:
    assert (
        Recipe({"prompt": "A STRASSE", "parts": [{"style": "Öl"}], "seed": 7}).words
        == "öl\na strasse"
    )


@pytest.mark.parametrize(
    "body", [{"x": float("nan")}, {"x": object()}, {"x": {1: 2}}, {"x": "\ud800"}, {"x": [{2: 1}]}]
)
def test_what_is_not_plain_json_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(InvalidRecipe, match="not plain JSON") as caught:
        Recipe(body)
    assert caught.value.code == "invalid_recipe"


def test_a_recipe_that_contains_itself_is_refused() -> None:
    body: dict[str, object] = {}
    body["self"] = body
    with pytest.raises(InvalidRecipe):
        Recipe(body)
