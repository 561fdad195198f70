import subprocess
import sys
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, field_validator

import omnifex
from omnifex import errors
from omnifex.errors import Canceled, InvalidRequest, JobCanceled, JobFailed, UnknownModality
from omnifex.request import MAX_SEED, MediaInput, Request, validated
from omnifex_jobs.errors import JobsError
from omnifex_registry.errors import RegistryError


class PosterRequest(Request):
    size: Literal[128, 256] = 128
    paper: Literal["matt", "gloss"] | None = None
    border: float = Field(default=1.0, gt=0, lt=10)
    copies: int = Field(default=2, multiple_of=2)
    tags: list[str] = Field(default=[], max_length=2)
    image: Annotated[str, MediaInput("image")] | None = None
    title: str = ""

    @field_validator("title")
    @classmethod
    def is_capital(cls, title: str) -> str:
        if title != title.upper():
            raise ValueError("written in capitals")
        return title


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"steps": 0}, "steps is 0, but must be a whole number from 1 to 1000."),
        ({"steps": -5}, "steps is -5, but must be a whole number from 1 to 1000."),
        ({"steps": 2.5}, "steps is 2.5, but must be a whole number from 1 to 1000."),
        ({"seed": "x"}, f"seed is 'x', but must be a whole number from 0 to {MAX_SEED}."),
        ({"guidance": float("nan")}, "guidance is nan, but must be a number from 0 to 100."),
        ({"prompt": ""}, "prompt is '', but must be text of 1 to 4000 characters."),
        ({"size": 10**10}, "size is 10000000000, but must be one of 128, 256."),
        ({"paper": "silk"}, "paper is 'silk', but must be one of matt, gloss."),
        ({"border": 0}, "border is 0, but must be a number above 0 below 10."),
        ({"copies": 3}, "copies is 3, but must be a whole number divisible by 2."),
        ({"title": "low"}, "title is 'low', but must be written in capitals."),
        ({"sampler": 7}, "sampler is 7, but must be a valid string."),
        (
            {"setps": 4},
            "poster has no field 'setps', did you mean 'steps'; known: prompt, seed, steps, "
            "guidance, sampler, deterministic, style, rewrite, rewrite_instruction, best_of, "
            "scorer, keep, size, paper, border, copies, tags, image, title.",
        ),
        (
            {"steps": 0, "border": 10},
            "steps is 0, but must be a whole number from 1 to 1000; "
            "border is 10, but must be a number above 0 below 10.",
        ),
    ],
)
def test_a_bad_field_is_one_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validated(PosterRequest, {"prompt": "a poster"} | fields, "poster")
    assert str(caught.value) == sentence


def test_a_missing_field_is_asked_for() -> None:
    with pytest.raises(InvalidRequest, match=r"^poster needs a prompt\.$"):
        validated(PosterRequest, {}, "poster")


def test_a_long_value_is_cut_short() -> None:
    with pytest.raises(InvalidRequest) as caught:
        validated(PosterRequest, {"prompt": "x" * 5000}, "poster")
    assert len(str(caught.value)) < 150


def test_an_unknown_modality_names_the_installed_ones() -> None:
    known = UnknownModality("imgae", ["video", "image"])
    assert str(known) == "no modality 'imgae', did you mean 'image'; installed: image, video."
    alone = UnknownModality("image", [], "plugin 'a' was set aside: ImportError: no av")
    assert str(alone).endswith("installed: none (plugin 'a' was set aside: ImportError: no av).")


def test_every_error_has_a_code_of_its_own() -> None:
    found = [errors.OmnifexError, *every_subclass(errors.OmnifexError)]
    platform = [error for error in found if error.__module__ == "omnifex.errors"]
    codes = [error.code for error in platform]
    assert len(codes) == len(set(codes)) >= 10


def every_subclass(kind: type[Any]) -> list[Any]:
    return [deep for sub in kind.__subclasses__() for deep in (sub, *every_subclass(sub))]


def test_user_errors_are_those_of_all_three_packages() -> None:
    assert (errors.OmnifexError, JobsError, RegistryError) == errors.USER_ERRORS


def test_no_except_exception_catches_a_cancel() -> None:
    assert not issubclass(Canceled, Exception)


def test_the_end_of_a_job_is_told_with_its_reason() -> None:
    failed = JobFailed("01J", "disk_full", "the disk is full.")
    assert (failed.job_code, str(failed)) == (
        "disk_full",
        "job 01J failed (disk_full): the disk is full.",
    )
    assert str(JobCanceled("01J")) == "job 01J was canceled."
    assert str(JobCanceled("01J", "too slow")) == "job 01J was canceled: too slow."


def test_the_public_names_are_few_and_all_there() -> None:
    assert len(omnifex.__all__) <= 20
    assert {*omnifex.__all__, "__version__"} == set(dir(omnifex))
    assert omnifex.Request is Request
    assert omnifex.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="no attribute 'Omnifax'"):
        omnifex.Omnifax  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        errors.nothing  # noqa: B018


@pytest.mark.parametrize("module", ["omnifex", "omnifex.plugins", "omnifex.testing"])
def test_the_contract_needs_neither_torch_nor_the_database(module: str) -> None:
    heavy = "{'torch', 'sqlalchemy', 'diffusers', 'transformers', 'av'}"
    code = f"import sys, {module}; found = {heavy} & set(sys.modules); sys.exit(str(found or 0))"
    check = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert check.stderr.strip() in ("", "0")
