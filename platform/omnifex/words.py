"""Textual inversion in requests: words of a user's own, and what they mean to a text encoder.

Which rows a file has for which encoder is told by its header, where there is no torch. A job's own
tokenizers learn the words; the rows are looked up in its own calls alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from omnifex.errors import InvalidRequest
from omnifex.model_config import component_config
from omnifex.request import Embedding, Request
from omnifex.signatures import bases_of
from omnifex_registry import Model
from omnifex_registry.adapters import adapter_file, embeddings_of

if TYPE_CHECKING:
    from omnifex.engine.adapters.adapter import Words
    from omnifex.engine.model import LoadedModel

LOADER = "TextualInversionLoaderMixin"  # of the pipelines whose prompts may have such words
# As trainers call the rows of each encoder; a file for one encoder calls them by the word.
SLOTS = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
NAMELESS = ("emb_params", *SLOTS)


def check(request: Request, model: Model) -> list[str]:
    """Refuse what is no embedding or is for another model; say what the prompt leaves unused."""
    chosen: Sequence[Embedding] = getattr(request, "embedding", [])
    if chosen and LOADER not in bases_of(model.class_name):
        raise InvalidRequest(
            f"model {model.name!r} cannot use embedding: a {model.class_name} takes none; "
            "leave it out or choose another model."
        )
    spoken: dict[str, str] = {}
    for one in chosen:
        demand_fit(one, model)
        word = word_of(one, model)
        if word in spoken:
            raise InvalidRequest(
                f"embedding {one.model!r} is called {word!r}, as {spoken[word]!r} is; "
                "give one of them another word."
            )
        spoken[word] = one.model
    return [
        f"no prompt says {word!r}, so embedding {name!r} does nothing"
        for word, name in spoken.items()
        if not any(word in text for text in texts(request))
    ]


def texts(request: Request) -> Iterator[str]:
    """All that an encoder may read."""
    told = (request.prompt, getattr(request, "negative_prompt", None))
    extra = getattr(request, "extra", {}).values()
    yield from (text for text in (*told, *extra) if isinstance(text, str))


def demand_fit(one: Embedding, model: Model) -> None:
    other = model.others[one.model]
    if other.class_name != "TextualInversion":
        raise InvalidRequest(
            f"embedding {one.model!r} is a {other.class_name}, which is no embedding; "
            "omnifex models lists those that are there."
        )
    for slot, (_, shape) in rows_of(other, model).items():
        own = width_of(slot, model)
        if own != shape[-1] and (own or slot not in model.components):
            fact = f"{slot} takes {own}" if own else f"the model has no {slot}"
            raise InvalidRequest(
                f"embedding {one.model!r} does not fit model {model.name!r}: its words are "
                f"{shape[-1]} numbers each, and {fact}; choose one made for this kind of model."
            )


def width_of(slot: str, model: Model) -> int | None:
    """How many numbers a token is to this encoder; None where its config does not say."""
    config = component_config(model, slot)
    width: int | None = config.get("hidden_size") or config.get("d_model")
    return width


def rows_of(other: Model, model: Model) -> dict[str, tuple[str, tuple[int, ...]]]:
    """By the slot of an encoder, the tensor that has its rows, and the shape of that."""
    found = embeddings_of(other)
    named = {SLOTS[name]: (name, shape) for name, shape in found.items() if name in SLOTS}
    if named:
        return named
    return {next(encoders(model), "text_encoder"): next(iter(found.items()))}


def encoders(model: Model) -> Iterator[str]:
    """The slots of text encoders that have a tokenizer."""
    for slot in model.components:
        if slot.startswith("text_encoder") and tokenizer_of(slot) in model.components:
            yield slot


def tokenizer_of(slot: str) -> str:
    return slot.replace("text_encoder", "tokenizer")


def word_of(one: Embedding, model: Model) -> str:
    """What prompts call it: what the request says, what its file says, or its name."""
    (first, *others) = embeddings_of(model.others[one.model])
    return one.word or (one.model if others or first in NAMELESS else first)


# In a job


def adapters(chosen: Sequence[Embedding], model: LoadedModel) -> dict[str, list[Words]]:
    """The rows that the engine looks up in the job's calls, by the slot of the encoder."""
    from omnifex.engine.adapters.adapter import Words

    found: dict[str, list[Words]] = {}
    for slot in encoders(model.record) if chosen else ():
        first = len(model.fresh(tokenizer_of(slot)))
        for one, tensor, rows in given(chosen, slot, model.record):
            other = model.record.others[one.model]
            (weights,) = other.components.values()
            id_ = f"{weights.id}/{tensor}@{first}"
            words = Words(id_, adapter_file(other), tensor=tensor, first=first)
            found.setdefault(slot, []).append(words)
            first += rows
    return found


def given(
    chosen: Sequence[Embedding], slot: str, model: Model
) -> Iterator[tuple[Embedding, str, int]]:
    """The embeddings that have rows for an encoder: each with its tensor and how many."""
    for one in chosen:
        rows = rows_of(model.others[one.model], model)
        if slot in rows:
            tensor, shape = rows[slot]
            yield one, tensor, shape[0] if len(shape) > 1 else 1


def teach(pipeline: Any, chosen: Sequence[Embedding], model: LoadedModel) -> None:
    """Add the words to the pipeline's own tokenizers, in the order of their rows.

    diffusers takes a word of several rows for as many tokens: <cat>, <cat>_1, <cat>_2.
    """
    for slot in encoders(model.record) if chosen else ():
        tokenizer = getattr(pipeline, tokenizer_of(slot), None)
        if tokenizer is None:
            continue
        for one, _, rows in given(chosen, slot, model.record):
            word = word_of(one, model.record)
            if word in tokenizer.get_vocab():
                raise InvalidRequest(
                    f"embedding {one.model!r} is called {word!r}, which model "
                    f"{model.name!r} knows already; give it another word: {one.model}=<my-word>."
                )
            tokenizer.add_tokens([word, *(f"{word}_{number}" for number in range(1, rows))])
