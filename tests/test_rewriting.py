"""Prompts that a language model writes out, by real classes with random weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiles_plugin
import tiny_language
import torch
import transformers
from engine_cases import Heard
from family_models import save
from PIL import Image
from studio_cases import open_tiles, tiles
from typer.testing import CliRunner

from omnifex import InvalidRequest
from omnifex.cli.app import app
from omnifex.engine.durability.recording import JobJournal
from omnifex.engine.engine import Assignment, Outcome
from omnifex.rewriting import EXPAND, MOST_TOKENS, TOLD, filled, shortened
from omnifex.workbench import Workbench
from omnifex_jobs.files.journal import Journals
from omnifex_prism.refusals import PromptRefused
from omnifex_registry import BadModelFolder, UnknownModel, UnsafeWeights, load_component
from omnifex_registry.adding import Wanted, add
from omnifex_registry.errors import RemoteCode

PROMPT = "a red cube"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("language")
    return {name: tiny_language.save(name, place / name) for name in tiny_language.LANGUAGE}


@pytest.fixture(scope="module")
def bench(
    folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workbench]:
    with Workbench(tmp_path_factory.mktemp("bench"), [tiles_plugin]) as bench:
        for name, folder in folders.items():
            bench.add(folder, name)
        yield bench


def made(bench: Workbench, **fields: Any) -> Outcome:
    return bench.make("tile", **{"prompt": PROMPT, "seed": 3, "steps": 2, **fields})


def by_transformers(folder: Path, text: str, room: int) -> str:
    """What the model writes after the text, in one call."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    model = getattr(transformers, config["architectures"][0]).from_pretrained(folder)
    chat = tokenizer.chat_template
    if chat:
        talk = [{"role": "user", "content": text}]
        text = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, add_special_tokens=not chat, return_tensors="pt")
    start = 1 if config.get("is_encoder_decoder") else ids["input_ids"].shape[1]
    with torch.inference_mode():
        room = min(room, MOST_TOKENS)
        out = model.generate(**ids, max_new_tokens=room, do_sample=False)[0, start:]
    return str(tokenizer.decode(out, skip_special_tokens=True))


def test_a_model_with_a_chat_template_is_told_what_to_do(
    bench: Workbench, folders: dict[str, Path]
) -> None:
    (file, _) = made(bench, rewrite="instruct").files
    told = filled(TOLD.replace("{modality}", "tile"), PROMPT)
    text = shortened(by_transformers(folders["instruct"], told, 1024))
    assert file.meta["rewritten_prompt"] == text != ""


def test_a_model_that_goes_on_with_a_text_goes_on_with_the_prompt(
    bench: Workbench, folders: dict[str, Path]
) -> None:
    (file, _) = made(bench, rewrite="continuing").files
    room = 128 - len(PROMPT)  # a token is a letter
    text = shortened(PROMPT + by_transformers(folders["continuing"], PROMPT, room))
    assert file.meta["rewritten_prompt"] == text
    assert text.startswith(PROMPT)
    assert text != PROMPT


@pytest.mark.parametrize("instruction", [None, "Say it in other words:"])
def test_a_model_of_two_halves_is_given_an_instruction_and_the_prompt(
    bench: Workbench, folders: dict[str, Path], instruction: str | None
) -> None:
    (file, _) = made(bench, rewrite="paired", rewrite_instruction=instruction).files
    asked = f"{instruction} {PROMPT}" if instruction else filled(EXPAND, PROMPT)
    text = shortened(by_transformers(folders["paired"], asked, MOST_TOKENS))
    assert file.meta["rewritten_prompt"] == text != ""


def test_what_is_made_is_what_the_rewritten_prompt_makes(bench: Workbench) -> None:
    (file, _) = made(bench, rewrite="instruct").files
    (plain, _) = made(bench, prompt=file.meta["rewritten_prompt"]).files
    (short, _) = made(bench).files
    assert pixels(file.data) == pixels(plain.data) != pixels(short.data)


def pixels(data: bytes) -> bytes:
    from io import BytesIO

    with Image.open(BytesIO(data)) as picture:
        return picture.tobytes()


def test_the_same_words_are_written_once_for_jobs_of_other_seeds(bench: Workbench) -> None:
    first, other = (made(bench, prompt="a blue cube", rewrite="paired", seed=n) for n in (1, 2))
    assert first.files[0].meta == other.files[0].meta
    assert other.metrics["calls_remembered"] > first.metrics["calls_remembered"]


def test_jobs_that_write_at_the_same_time_write_what_each_writes_alone(bench: Workbench) -> None:
    prompts = ("a red ball", "a tin ball", "a big ball")

    def asked(prompt: str) -> Assignment:
        fields = {"rewrite": "instruct", "seed": 3, "steps": 2}
        return bench.assignment("tile", prompt=prompt, **fields)

    bench.engine.dispatcher.memo.clear()
    together = [bench.engine.start(asked(prompt)) for prompt in prompts]
    texts = [job.result(120).files[0].meta["rewritten_prompt"] for job in together]
    bench.engine.dispatcher.memo.clear()
    alone = [bench.engine.run(asked(prompt)).files[0] for prompt in prompts]
    assert texts == [file.meta["rewritten_prompt"] for file in alone]
    assert len(set(texts)) == len(prompts)


def test_what_was_written_is_given_again_after_a_crash(bench: Workbench, tmp_path: Path) -> None:
    asked = bench.assignment("tile", prompt="a green cube", seed=3, steps=2, rewrite="instruct")

    def run() -> Outcome:
        with closing(Journals(tmp_path).open("JOB", {"recipe": "1"}, lambda: True)) as journal:
            return bench.engine.run(replace(asked, journal=JobJournal(journal, short_s=0)), Heard())

    first, again = run(), run()
    assert again.files == first.files
    assert again.metrics["component_calls"] == 0
    assert again.metrics["calls_replayed"] == first.metrics["component_calls"] > 2


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"rewrite": "tiles"}, "rewrite 'tiles' is a TilesPipeline, which is no language model;"),
        ({"rewrite_instruction": "Improve it"}, "rewrite_instruction is for a language model"),
        ({"rewrite": "instruct", "sampler": "nope"}, "sampler 'nope' does not fit"),
        ({"rewrite": "instruct", "prompt": " "}, "there is no prompt for rewrite 'instruct';"),
        (
            {"rewrite": "instruct", "rewrite_instruction": ""},
            "rewrite_instruction is '', but must be text of 1 to 4000 characters",
        ),
    ],
)
def test_what_cannot_be_rewritten_is_refused(
    bench: Workbench, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        bench.assignment("tile", **{"prompt": PROMPT, **fields})


def test_a_prompt_that_leaves_no_room_to_write_is_refused(bench: Workbench) -> None:
    long = "a cube " * 15
    with pytest.raises(InvalidRequest, match=r"take 105 tokens, and rewrite 'continuing' has room"):
        made(bench, prompt=long, rewrite="continuing")


def test_the_family_reads_the_rewritten_prompt_and_not_the_one_before(bench: Workbench) -> None:
    asked = bench.assignment("image", prompt="something cheerful", rewrite="continuing")
    with pytest.raises(PromptRefused, match=r"rewritten prompt .something cheerful.* cannot be"):
        bench.engine.run(asked)
    heard = Heard()
    bench.make("tile", heard, prompt="blorp", rewrite="continuing")
    assert "the word 'blorp' is not known." in heard.notes


# In a home


def test_a_job_keeps_what_was_written(folders: dict[str, Path]) -> None:
    with open_tiles() as studio:
        writer = studio.models.add(folders["instruct"], name="writer")
        job = studio.submit("tile", prompt=PROMPT, seed=3, steps=2, rewrite="writer")
        (file,) = job.result(120)
        text = job.rewritten_prompt
        assert text
        assert f"rewritten prompt: {text}" in job.notes
        with Image.open(file.path) as picture:
            told = json.loads(picture.info["omnifex"])
        assert (told["prompt"], told["rewritten_prompt"]) == (PROMPT, text)
        parts = {role: part.id for role, part in writer.components.items()}
        assert job.record.recipe["others"]["writer"]["components"] == parts
        assert studio.replay(job.id).result(120)[0].sha256 == file.sha256
        reused = studio.fork(job.id, prompt=text, rewrite=None)
        assert pixels(reused.result(120)[0].read_bytes()) == pixels(file.read_bytes())
        assert reused.rewritten_prompt is None


def test_the_command_line_shows_what_was_written(folders: dict[str, Path], tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    line = CliRunner()
    commands = app(tiles())
    assert line.invoke(commands, ["models", "add", str(folders["paired"]), *home]).exit_code == 0
    ran = line.invoke(commands, ["tile", PROMPT, "--rewrite", "paired", "--json", *home])
    said = json.loads(ran.stdout)
    text = said["rewritten_prompt"]
    assert text
    shown = line.invoke(commands, ["jobs", "show", said["id"], *home]).stdout
    assert f"rewritten prompt: {text}" in shown


# In the registry


def test_a_folder_of_transformers_is_a_model_of_parts(
    bench: Workbench, folders: dict[str, Path]
) -> None:
    model = bench.model("instruct")
    assert (model.class_name, model.kind) == ("Qwen2ForCausalLM", "model")
    assert list(model.components) == ["language_model", "tokenizer"]
    (weights,) = model.components["language_model"].path.glob("*.safetensors")
    assert weights.resolve() == folders["instruct"] / "model.safetensors"
    again = bench.add(folders["instruct"], "once-more")
    assert again.components["tokenizer"].id == model.components["tokenizer"].id


def test_a_pipeline_that_reads_by_the_same_model_shares_it(
    bench: Workbench, tmp_path: Path
) -> None:
    reader = save("flux2-klein", tmp_path / "flux2")
    shutil.copytree(reader / "text_encoder", tmp_path / "writer")
    shutil.copytree(reader / "tokenizer", tmp_path / "writer", dirs_exist_ok=True)
    writer = bench.add(tmp_path / "writer", "shared-writer")
    parts = bench.add(reader, "flux2").components
    assert writer.components["language_model"].id == parts["text_encoder"].id


def test_a_model_in_shards_and_a_copy_are_the_same_model(
    bench: Workbench, folders: dict[str, Path], tmp_path: Path
) -> None:
    plain = bench.model("instruct")
    whole = transformers.Qwen2ForCausalLM.from_pretrained(folders["instruct"])
    shutil.copytree(folders["instruct"], tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    whole.save_pretrained(tmp_path / "model", max_shard_size="20KB")
    assert len(list((tmp_path / "model").glob("*.safetensors"))) > 1
    model = add(bench._registry, tmp_path / "model", Wanted(name="shards", copy=True))
    assert model.version == plain.version
    shutil.rmtree(tmp_path / "model")
    assert load_component(model.components["language_model"]).config.hidden_size == 32


@pytest.mark.parametrize(
    ("file", "error", "sentence"),
    [
        ("pytorch_model.bin", UnsafeWeights, "pytorch_model.bin"),
        ("modeling_own.py", RemoteCode, "modeling_own.py"),
    ],
)
def test_what_is_unsafe_beside_the_weights_is_refused(
    bench: Workbench, tmp_path: Path, file: str, error: type[Exception], sentence: str
) -> None:
    folder = tiny_language.save("continuing", tmp_path / "model")
    (folder / file).write_text("")
    with pytest.raises(error, match=sentence):
        bench.add(folder, "refused")
    with pytest.raises(UnknownModel):
        bench._registry.show("refused")


def test_a_language_model_without_a_tokenizer_is_refused(bench: Workbench, tmp_path: Path) -> None:
    folder = tiny_language.save("continuing", tmp_path / "model")
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(BadModelFolder, match="has no tokenizer of its GPT2LMHeadModel; get the"):
        bench.add(folder, "refused")
