"""What the recipes need to know of each modality: its scenes, its samples, its words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from torch import Tensor

from omnifex_audio.mel import to_mel
from omnifex_prism.autoencoder import ConvAutoencoder
from omnifex_video.autoencoder import ClipAutoencoder
from recipes.world import audio, image, mesh, video


@dataclass(frozen=True)
class World:
    sample: Callable[[Random], Any]  # a scene; scene.phrases() tells it
    render: Callable[[list[Any]], Tensor]  # scenes → samples (N, C, *space) in [-1, 1]
    autoencoder: dict[str, Any]  # the config of its autoencoder
    mirrored: Sequence[int] = ()  # axes whose flip is as good a sample, to train autoencoders
    kind: type[ConvAutoencoder] | type[ClipAutoencoder] = ConvAutoencoder

    def new_autoencoder(self) -> ConvAutoencoder | ClipAutoencoder:
        return self.kind.from_config(self.autoencoder)


PICTURE = {
    "channels": 3,
    "latent_channels": 16,
    "patch": [4, 4],
    "widths": [48, 96, 160],
    "depth": 2,
}

WORLDS = {
    "image": World(
        image.sample,
        lambda scenes: image.render(scenes) * 2 - 1,
        PICTURE,
        mirrored=(2, 3),
    ),
    "audio": World(
        audio.sample,
        lambda scenes: to_mel(audio.render(scenes)),
        {
            "channels": 1,
            "latent_channels": 16,
            "patch": [4, 4],
            "widths": [48, 96, 160],
            "depth": 1,
        },
    ),
    "mesh": World(
        mesh.sample,
        mesh.render,
        {"channels": 4, "latent_channels": 16, "patch": [4, 4, 4], "widths": [56, 112], "depth": 1},
        mirrored=(2, 4),
    ),
    "video": World(
        video.sample,
        lambda scenes: video.render(scenes) * 2 - 1,
        {"frame": PICTURE, "latent_channels": 24, "stride": 4, "width": 96},
        mirrored=(3, 4),
        kind=ClipAutoencoder,
    ),
}
