"""Fingerprints of calls: equal where component, method and inputs are, to the last bit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable

import torch
from torch import Tensor

from omnifex.engine.call import ComponentCall
from omnifex.engine.durability.raw import buffer, raw_bytes

SMALL_BYTES = 1 << 16
WORDS = 511  # folded into one; an odd number, so that a constant is not folded into nothing
MOST_FORMS = 10_000

_forms: dict[Hashable, bytes] = {}  # of signatures; the same few come every step


def fingerprint(call: ComponentCall) -> str:
    """32 hex digits; says nothing of an argument whose content is not known."""
    digest = hashlib.blake2b(form_of(call.signature), digest_size=16)
    for tensor in call.reading.tensors:
        update(digest, tensor)
    return digest.hexdigest()


def form_of(signature: Hashable) -> bytes:
    """The signature as text, the same in every process; whichever device of its kind it was."""
    known = _forms.get(signature)
    if known is None:
        known = re.sub(r", index=\d+\)", ")", repr(signature)).encode()
        if len(_forms) >= MOST_FORMS:
            _forms.clear()
        _forms[signature] = known
    return known


def update(digest: hashlib.blake2b, tensor: Tensor) -> None:
    """Small tensors by their bytes, large ones by every 511 words of 8 bytes folded with xor.

    Folding is done where the tensor lies, so that no more than a 511th of it leaves the device.
    """
    raw = raw_bytes(tensor)
    if raw.numel() <= SMALL_BYTES:
        digest.update(buffer(raw))
        return
    if raw.storage_offset() % 8:  # words must be aligned
        raw = raw.clone()
    raw = raw.view(-1)
    folded = raw.numel() // (8 * WORDS) * (8 * WORDS)
    words = raw[:folded].view(torch.int64).view(-1, WORDS)
    digest.update(buffer(torch.hash_tensor(words, 1)))
    digest.update(buffer(raw[folded:]))
