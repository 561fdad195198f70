"""What tells a good clip from a worse one: what CLIP says of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnifex.agreement import ClipAesthetics, ClipAgreement, ClipScorer
from omnifex_video.modality import Sounding, VideoRequest

if TYPE_CHECKING:
    import numpy as np

FRAMES = 8  # looked at, evenly over the clip


class OfClips(ClipScorer[VideoRequest]):
    modality = "video"

    def pictures(self, media: Any) -> Sequence[np.ndarray]:
        from omnifex_video.files import bytes_of

        frames = bytes_of(media.frames if isinstance(media, Sounding) else media)
        count = min(FRAMES, len(frames))
        return [frames[(2 * i + 1) * len(frames) // (2 * count)] for i in range(count)]


class VideoAgreement(OfClips, ClipAgreement[VideoRequest]):
    """Whether a clip is as the prompt has it."""


class VideoAesthetics(OfClips, ClipAesthetics[VideoRequest]):
    """Whether people like what such a clip shows."""
