"""What cannot be made is refused at once, in one sentence, and loses nothing."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from studio_cases import open_tiles

from omnifex.errors import (
    USER_ERRORS,
    InvalidRequest,
    UnknownModality,
)
from omnifex.studio import Studio
from omnifex_registry import UnknownModel


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_tiles() as studio:
        yield studio


@pytest.fixture
def desk() -> Iterator[Studio]:
    """A studio that only submits and watches."""
    with open_tiles(workers=0) as studio:
        yield studio


@pytest.mark.parametrize(
    ("modality", "fields", "complaint"),
    [
        ("tiel", {"prompt": "red"}, "no modality 'tiel', did you mean 'tile'; installed: tile"),
        ("tile", {}, "tile needs a prompt"),
        ("tile", {"prompt": ""}, "prompt is '', but must be text of 1 to 4000 characters"),
        ("tile", {"prompt": "red", "stepz": 3}, "no field 'stepz', did you mean 'steps'"),
        ("tile", {"prompt": "red", "steps": -1}, "steps is -1, but must be a whole number from 1"),
        ("tile", {"prompt": "red", "size": 10**10}, "size is 10000000000, but must be"),
        ("tile", {"prompt": "red", "seed": 0.5}, "seed is 0.5"),
        ("tile", {"prompt": "red", "sampler": "oiler"}, "sampler 'oiler' does not fit"),
        ("tile", {"prompt": "red", "model": "nope"}, "no model 'nope'; registered: tiles"),
        ("tile", {"prompt": "red", "priority": "high"}, "priority is 'high'"),
        ("tile", {"prompt": "red", "priority": 10**30}, "priority is 1000"),
        ("tile", {"prompt": "red", "delay": -1}, "delay is -1"),
        ("tile", {"prompt": "red", "run_at": float("nan")}, "run_at is nan"),
        ("tile", {"prompt": "red", "run_at": 0, "delay": 1}, "both given"),
        ("tile", {"prompt": "red", "deadline": 0}, "deadline is 0, but must be seconds from now"),
        ("tile", {"prompt": "red", "deadline": "soon"}, "deadline is 'soon'"),
        ("tile", {"prompt": "red", "deadline": float("nan")}, "deadline is nan"),
        ("tile", {"prompt": "red", "deadline": datetime(1999, 1, 1)}, "in the future"),
        ("tile", {"prompt": "red", "deadline": datetime.max}, "within ten years"),
        ("tile", {"prompt": "red", "deadline": 5, "delay": 9}, "is to start only later"),
        ("tile", {"prompt": "red", "metadata": {"a": object()}}, "metadata cannot be kept"),
        ("tile", {"prompt": "red", "idempotency_key": ""}, "idempotency_key"),
        ("tile", {"prompt": "break the check"}, "family 'tiles' could not check the request"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_sentence(
    desk: Studio, modality: str, fields: dict[str, object], complaint: str
) -> None:
    kept = desk.submit("tile", prompt="kept")
    with pytest.raises(USER_ERRORS) as caught:
        desk.submit(modality, **fields)  # type: ignore[arg-type]
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.code  # type: ignore[attr-defined]
    assert desk.jobs() == [kept]


def test_the_errors_have_classes_of_their_own(desk: Studio) -> None:
    with pytest.raises(UnknownModality):
        desk.submit("hologram", prompt="red")
    with pytest.raises(InvalidRequest):
        desk.submit("tile", prompt="red", steps=0)
    with pytest.raises(UnknownModel):
        desk.submit("tile", prompt="red", model="nope")
