"""A family of checkpoints of your own: what is special about it, as data, and one plugin hook.

The weights are random, so that nothing is downloaded: the picture is noise. A trained pipeline is
saved and added in the same way, and three jobs share its components' calls.
"""

from pathlib import Path

import diffusers

import omnifex
from omnifex_image.families.pictures import ImageFamily

CLASSES = {"cat": 281, "dog": 207, "balloon": 417}


class ClassPictures(ImageFamily):
    name = "class-pictures"
    pipelines = ("DiTPipeline",)
    precedence = 1  # before the built-in family of these checkpoints
    fields = {"prompt": "class_labels"}
    samplers = ("ddim",)
    steps = 8  # unless the request says otherwise

    def check(self, request, model):
        if request.prompt not in CLASSES:
            raise omnifex.InvalidRequest(f"the prompt can be {', '.join(CLASSES)}.")
        return super().check(request, model)

    def arguments(self, job, request, model):
        labels = {"class_labels": [CLASSES[request.prompt]]}
        return {**super().arguments(job, request, model), **labels}


class Plugin:
    @omnifex.hookimpl
    def register_families(self):
        return [ClassPictures()]


def save_pipeline(folder: Path) -> Path:
    backbone = diffusers.DiTTransformer2DModel(
        sample_size=32, num_layers=2, num_attention_heads=2, attention_head_dim=16, out_channels=8
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    pipeline = diffusers.DiTPipeline(backbone, vae, diffusers.DDIMScheduler())
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


with omnifex.Studio(plugins=[Plugin()]) as studio:
    studio.models.add(save_pipeline(Path("tiny-dit")), name="tiny-dit")
    jobs = [studio.submit("image", prompt=name, model="tiny-dit") for name in CLASSES]
    for name, job in zip(CLASSES, jobs, strict=True):
        (artifact,) = job.result(timeout=120)
        print(artifact.save(f"{name}.png"), artifact.media_type)
