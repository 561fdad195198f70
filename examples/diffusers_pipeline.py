"""A pipeline of diffusers as a model: saved, added, and told how it is called.

The weights are random, so that nothing is downloaded: the picture is noise. A trained pipeline is
saved and added in the same way, and three jobs share its components' calls.
"""

from pathlib import Path

import diffusers

import omnifex

CLASSES = {"cat": 281, "dog": 207, "balloon": 417}


class ClassPictures(omnifex.PipelineFamily):
    name, modality = "dit", "image"
    pipelines = ("DiTPipeline",)

    def arguments(self, job, request, model):
        return {
            "class_labels": [CLASSES[request.prompt]],
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance,
            "output_type": "np",
        }

    def media(self, output, request):
        return (output.images[0] * 255).round().astype("uint8")  # (H, W, 3)


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
    jobs = [studio.submit("image", prompt=name, model="tiny-dit", steps=8) for name in CLASSES]
    for name, job in zip(CLASSES, jobs, strict=True):
        (artifact,) = job.result(timeout=120)
        print(artifact.save(f"{name}.png"), artifact.media_type)
