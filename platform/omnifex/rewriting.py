"""Prompts that a local language model writes out before a job generates: a stage of conditioning.

The model is one of the registry's like any other, and each piece that it writes is a component
call. It writes greedily: the same prompt, instruction and model give the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnifex.errors import InvalidRequest
from omnifex.modality import Modality
from omnifex.request import MAX_PROMPT, Request

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

ROLE, TOKENIZER = "language_model", "tokenizer"
MOST_TOKENS = 256  # written for one prompt
PIECE = 32  # tokens of one component call: in between others run, and a cancel is heard
ROOM = 32  # tokens that there must be room for, or the prompt is too long for the model
PLACE = "{prompt}"  # in an instruction: where the prompt goes
# What models that follow instructions are told, and those that turn one text into another.
TOLD = (
    "Rewrite the prompt below for a text-to-{modality} model. Keep everything that it "
    "asks for and settle what it leaves open, in one paragraph of at most 80 words. Answer with "
    "the new prompt alone.\n\nPrompt: {prompt}"
)
EXPAND = "Expand the following prompt to add more detail: {prompt}"


def check(request: Request, model: Model) -> None:
    """Refuse, before there is a job, a model that cannot rewrite, and a prompt that is none."""
    if request.rewrite is None:
        if request.rewrite_instruction is not None:
            raise InvalidRequest(
                "rewrite_instruction is for a language model, and rewrite names none; give one."
            )
        return
    writer = model.others[request.rewrite]
    if not {ROLE, TOKENIZER} <= writer.components.keys():
        raise InvalidRequest(
            f"rewrite {request.rewrite!r} is a {writer.class_name}, which is no language model; "
            "add one as transformers saves it, such as Qwen/Qwen2.5-1.5B-Instruct."
        )
    if not request.prompt.strip():
        raise InvalidRequest(
            f"there is no prompt for rewrite {request.rewrite!r}; write one or leave rewrite out."
        )


def rewritten(
    job: JobContext, request: Request, model: LoadedModel, modality: Modality[Any]
) -> str:
    """The prompt as the model that the request names has written it out.

    A model with a chat template, or one that turns a text into another, is told what to do; one
    that only goes on with a text does so with the prompt.
    """
    assert request.rewrite is not None
    writer = model.other(request.rewrite)
    tokenizer, config = writer.fresh(TOKENIZER), writer[ROLE].config
    chat, pair = bool(tokenizer.chat_template), bool(config.get("is_encoder_decoder"))
    usual = TOLD.replace("{modality}", modality.name) if chat else EXPAND if pair else PLACE
    instruction = request.rewrite_instruction or usual
    ids = read(tokenizer, filled(instruction, request.prompt), chat=chat)
    room = room_for(ids, config, pair, request.rewrite)
    written = write(job, writer, tokenizer, ids, room)
    text = tokenizer.decode(written, skip_special_tokens=True)
    if not shortened(text):
        return ""
    goes_on = instruction == PLACE and not chat and not pair
    return shortened(request.prompt + text if goes_on else text)


def filled(instruction: str, prompt: str) -> str:
    if PLACE not in instruction:
        instruction = f"{instruction} {PLACE}"
    return instruction.replace(PLACE, prompt)


def read(tokenizer: Any, text: str, *, chat: bool) -> list[int]:
    """The text as token ids, in the form of a talk where the model is trained on such."""
    if chat:
        # Models that think aloud first are asked not to; other templates know nothing of it.
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
    ids: list[int] = tokenizer(text, add_special_tokens=not chat)["input_ids"]
    return ids


def room_for(ids: Sequence[int], config: Mapping[str, Any], pair: bool, name: str) -> int:
    """How many tokens the model may write; a model of two halves reads and writes apart."""
    most = config.get("max_position_embeddings") or config.get("n_positions")
    if most is None or pair:
        return MOST_TOKENS
    if most - len(ids) < ROOM:
        raise InvalidRequest(
            f"the prompt and its instruction take {len(ids)} tokens, and rewrite {name!r} has room "
            f"for {most - ROOM} beside what it writes; shorten them."
        )
    return min(MOST_TOKENS, int(most) - len(ids))


def write(
    job: JobContext, writer: LoadedModel, tokenizer: Any, ids: Sequence[int], room: int
) -> list[int]:
    """What the model writes after these tokens, up to a sign that it is done."""
    import torch

    ends, pad = ends_of(writer, tokenizer)
    start = start_of(writer[ROLE].config, pad)
    written: list[int] = []
    while len(written) < room:
        before = [*start, *written] if start else [*ids, *written]
        told = {"decoder_input_ids": torch.tensor([before], device=job.device)} if start else {}
        source = torch.tensor([ids if start else before], device=job.device)  # (1, N)
        answer = writer[ROLE].generate(
            source,
            attention_mask=torch.ones_like(source),
            **told,
            max_new_tokens=min(PIECE, room - len(written)),
            do_sample=False,
            num_beams=1,
            eos_token_id=ends or None,
            pad_token_id=pad,
        )
        new = answer[0, len(before) :].tolist()
        end = next((place for place, token in enumerate(new) if token in ends), None)
        written += new[:end]
        if end is not None or not new:
            break
        job.step(len(written), room)
    return written


def ends_of(writer: LoadedModel, tokenizer: Any) -> tuple[list[int], int]:
    """The tokens that say that a text is done, and the one that fills up what is shorter."""
    from omnifex.engine.model import read_json  # it imports torch

    settings = read_json(writer.record.components[ROLE].path / "generation_config.json") or {}
    said = settings.get("eos_token_id", writer[ROLE].config.get("eos_token_id"))
    given = tokenizer.eos_token_id if said is None else said
    ends = [int(one) for one in (given if isinstance(given, list) else [given]) if one is not None]
    pad = tokenizer.pad_token_id
    return ends, int(pad if pad is not None else ends[0] if ends else 0)


def start_of(config: Mapping[str, Any], pad: int) -> list[int]:
    """What a decoder that has an encoder beside it begins with; nothing for all others."""
    if not config.get("is_encoder_decoder"):
        return []
    start = config.get("decoder_start_token_id")
    return [pad if start is None else int(start)]


def shortened(text: str) -> str:
    """On one line, without signs that cannot be shown, and cut at a word to a prompt's length."""
    shown = "".join(sign if sign.isprintable() and sign != "\ufffd" else " " for sign in text)
    line = " ".join(shown.split())
    return line if len(line) <= MAX_PROMPT else line[:MAX_PROMPT].rpartition(" ")[0]
