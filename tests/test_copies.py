import copy

import diffusers
import pytest
import tiny_tokenizers as tokenizers
import transformers

from omnifex.engine.pipelines.copies import Backend, own_copy

TEXT = "a small red cube on a shelf"


@pytest.mark.parametrize("kind", ["clip", "t5", "gpt2", "roberta", "qwen", "gemma", "llama"])
def test_a_copied_tokenizer_reads_as_the_original_does(kind: str) -> None:
    original = getattr(tokenizers, kind)()
    expected = original([TEXT, "a"], padding=True, truncation=True, max_length=12)
    mine = own_copy(original)
    assert mine([TEXT, "a"], padding=True, truncation=True, max_length=12) == expected
    assert mine.decode(expected["input_ids"][0]) == original.decode(expected["input_ids"][0])
    assert len(mine) == len(original)


def test_what_one_copy_is_told_the_others_never_hear() -> None:
    original = tokenizers.clip()
    plain = original(TEXT)["input_ids"]
    mine, other = own_copy(original), own_copy(original)
    mine.pad_token_id = 7
    mine.padding_side = "left"
    mine.add_tokens(["small"])
    assert len(mine) == len(other) + 1 == len(original) + 1
    assert mine(TEXT)["input_ids"] != plain
    assert other(TEXT)["input_ids"] == original(TEXT)["input_ids"] == plain
    assert (other.pad_token_id, other.padding_side) == (original.pad_token_id, "right")


def test_copies_that_take_turns_do_not_cut_each_others_texts() -> None:
    original = tokenizers.clip()
    short, whole = own_copy(original), own_copy(original)
    expected = [short(TEXT, truncation=True, max_length=5), whole(TEXT)]
    for _ in range(2):
        assert [short(TEXT, truncation=True, max_length=5), whole(TEXT)] == expected
    assert len(expected[1]["input_ids"]) > len(expected[0]["input_ids"]) == 5


def test_a_backend_that_was_set_anew_is_ones_own() -> None:
    original = tokenizers.gemma()
    mine = own_copy(original)
    mine.add_bos_token = mine.add_eos_token = True
    mine.update_post_processor()
    assert mine("a")["input_ids"] != original("a")["input_ids"]
    assert copy.deepcopy(mine)("a") == mine("a")


def test_a_scheduler_is_copied_whole() -> None:
    original = diffusers.DDIMScheduler()
    mine = own_copy(original)
    mine.set_timesteps(3)
    assert original.num_inference_steps is None
    assert own_copy(mine).timesteps.equal(mine.timesteps)


def test_the_tokenizer_of_a_processor_is_copied_like_any_other() -> None:
    pictures = transformers.CLIPImageProcessor()
    original = transformers.CLIPProcessor(image_processor=pictures, tokenizer=tokenizers.clip())
    mine = own_copy(original)
    assert isinstance(mine.tokenizer._tokenizer, Backend)
    assert mine.tokenizer is not original.tokenizer
    assert mine.image_processor is not original.image_processor
    assert mine(text=TEXT)["input_ids"] == original(text=TEXT)["input_ids"]
