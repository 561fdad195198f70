"""What is asked of each family, and how a user of diffusers would call its pipeline for it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import adapter_models
import control_models
import diffusers
import numpy as np
import torch
from family_case import BEGUN, CUBE, GUIDED, MILD, PAINTED, PICTURE, SHORT, SMALL, Case, Make, both
from family_clips import CLIPS
from family_controls import CONTROLS
from family_models import Checkpoints
from family_solids import SOLIDS
from family_sounds import SOUNDS
from numpy.typing import NDArray
from PIL import Image, ImageOps
from trimesh import Trimesh

from omnifex.engine.adapters.fitting import fit
from omnifex.engine.adapters.image_prompts import HELD
from omnifex.engine.engine import Assignment, Outcome
from omnifex.modality import File, Modality
from omnifex_audio.files import decode
from omnifex_audio.modality import Wave
from omnifex_image.modality import Made
from omnifex_registry import Component, load_component
from omnifex_video import files as video_files
from omnifex_video.modality import Sounding

Numbers = NDArray[np.float32]
NAMES = {
    "image": ("image", "control_image"),
    "mask": ("mask_image",),
    "video": ("video",),
    "audio": ("audio", "initial_audio_waveforms", "src_audio"),
}
RESULTS = ("images", "frames", "audios", "prediction", "video")
BESIDE = ("audio", "sound")  # of a clip


def img2img(model: str, pipeline: str, **fields: Any) -> Case:
    return Case(model, **both(**fields, **BEGUN), pipeline=pipeline, files=PICTURE)


def inpaint(model: str, pipeline: str | None, **fields: Any) -> Case:
    return Case(model, **both(**fields, **BEGUN), pipeline=pipeline, files=PAINTED)


def refined(make: Make, call: Mapping[str, Any], generator: torch.Generator) -> Any:
    """Base and refiner as the documentation of diffusers calls them ("ensemble of experts")."""
    begin, told = 0.75, {k: v for k, v in call.items() if k not in ("width", "height")}
    latents = make("StableDiffusionXLPipeline")(
        **call, denoising_end=begin, output_type="latent", generator=generator
    ).images
    refiner = make("StableDiffusionXLImg2ImgPipeline", "refiner_")
    output = refiner(
        **told, image=latents, denoising_start=begin, output_type="np", generator=generator
    )
    return output.images[0]


def cascaded(make: Make, call: Mapping[str, Any], generator: torch.Generator) -> Any:
    """DeepFloyd's stages as the documentation of diffusers calls them."""
    words = {k: call[k] for k in ("prompt", "negative_prompt", "clean_caption")}
    small = make("IFPipeline")(**call, output_type="pt", generator=generator).images
    output = make("IFSuperResolutionPipeline", "super_resolution_")(
        **words, image=small, num_inference_steps=3, output_type="np", generator=generator
    )
    return output.images[0]


def cascaded_further(make: Make, call: Mapping[str, Any], generator: torch.Generator) -> Any:
    words = {k: call[k] for k in ("prompt", "negative_prompt")}
    small = make("IFPipeline")(**call, output_type="pt", generator=generator).images
    larger = make("IFSuperResolutionPipeline", "super_resolution_")(
        **words,
        clean_caption=False,
        image=small,
        num_inference_steps=3,
        output_type="pt",
        generator=generator,
    ).images
    output = make("StableDiffusionUpscalePipeline", "upscaler_")(
        **words,
        image=larger,
        num_inference_steps=2,
        noise_level=30,
        output_type="np",
        generator=generator,
    )
    return output.images[0]


PICTURES: Mapping[str, Case] = {
    "sd": Case("sd", **both(**GUIDED, **SMALL, steps=6)),
    "sd v": Case("sd-v", **both(**GUIDED, **SMALL, steps=6)),
    "sd image": img2img("sd", "StableDiffusionImg2ImgPipeline", **GUIDED),
    "sd mask": inpaint("sd", "StableDiffusionInpaintPipeline", **GUIDED),
    "sd-inpaint": Case("sd-inpaint", **both(**GUIDED, steps=6), files=PAINTED),
    "sd student": Case("sd-student", **both(**CUBE, **SMALL, steps=4, guidance=1.0)),
    "sdxl": Case("sdxl", **both(**GUIDED, **SMALL, steps=6)),
    "sdxl image": img2img("sdxl", "StableDiffusionXLImg2ImgPipeline", **GUIDED),
    "sdxl mask": inpaint("sdxl", "StableDiffusionXLInpaintPipeline", **GUIDED),
    "sdxl size": Case(
        "sdxl",
        **both(
            **GUIDED,
            **SMALL,
            steps=6,
            extra={"original_size": [64, 32], "crops_coords_top_left": [4, 2]},
        ),
    ),
    "sdxl turbo": Case("sdxl-turbo", **both(**CUBE, **SMALL, steps=2, guidance=0.0)),
    "lcm": Case("lcm", **both(**CUBE, **SMALL, steps=4, guidance=6.0)),
    "lcm image": img2img("lcm", "LatentConsistencyModelImg2ImgPipeline", **CUBE, guidance=6.0),
    "consistency": Case(
        "consistency", {"prompt": "1", "steps": 2}, {"class_labels": [1], "num_inference_steps": 2}
    ),
    "pixels": Case("pixels", **both(steps=4), chaotic=True),
    "dit": Case(
        "dit",
        {"prompt": "2", "steps": 6, **MILD},
        {"class_labels": [2], "num_inference_steps": 6, "guidance_scale": 2.0},
    ),
    "unidiffuser words": Case("unidiffuser", **both(**CUBE, **SMALL, steps=6, **MILD)),
    "unidiffuser picture": Case("unidiffuser", **both(**SMALL, steps=6, **MILD), files=PICTURE),
    "unidiffuser both": Case("unidiffuser", **both(**SMALL, steps=6, **MILD)),
    "sd3": Case("sd3", **both(**GUIDED, **SMALL, **SHORT, steps=6)),
    "sd3 image": img2img("sd3", "StableDiffusion3Img2ImgPipeline", **GUIDED, **SHORT),
    "sd3 mask": inpaint("sd3-inpaint", "StableDiffusion3InpaintPipeline", **GUIDED, **SHORT),
    "flux": Case("flux", **both(**CUBE, **SMALL, **SHORT, steps=6, guidance=3.0)),
    "flux image": img2img("flux", "FluxImg2ImgPipeline", **CUBE, **SHORT, guidance=3.0),
    "flux mask": inpaint("flux", "FluxInpaintPipeline", **CUBE, **SHORT, guidance=3.0),
    "flux schnell": Case("flux-schnell", **both(**CUBE, **SMALL, **SHORT, steps=4)),
    "flux fill": inpaint("flux-fill", None, **CUBE, **SHORT, guidance=3.0),
    "flux control": Case(
        "flux-control", **both(**CUBE, **SMALL, **SHORT, steps=6, guidance=3.0), files=PICTURE
    ),
    "flux kontext": Case(
        "flux-kontext",
        **both(
            **CUBE,
            **SMALL,
            steps=6,
            guidance=3.0,
            extra={"max_sequence_length": 24, "_auto_resize": False, "max_area": 256},
        ),
        files=PICTURE,
    ),
    "qwen-image": Case(
        "qwen-image",
        {**CUBE, "negative_prompt": "blurry", **SMALL, "steps": 6, "guidance": 2.0},
        {
            **CUBE,
            "negative_prompt": "blurry",
            **SMALL,
            "num_inference_steps": 6,
            "true_cfg_scale": 2.0,
        },
    ),
    "z-image": Case("z-image", **both(**CUBE, negative_prompt="blurry", **SMALL, **SHORT, steps=6)),
    "flux2 klein": Case(
        "flux2-klein",
        **both(
            **CUBE,
            **SMALL,
            steps=6,
            guidance=2.0,
            extra={"max_sequence_length": 24, "text_encoder_out_layers": [0, 1, 2]},
        ),
    ),
    "marigold": Case(
        "marigold", **both(steps=4, extra={"processing_resolution": 0}), files=PICTURE
    ),
    "sdxl refined": Case(
        "sdxl-refined",
        {**GUIDED, **SMALL, "steps": 8, "extra": {"refine_from": 0.75}},
        both(**GUIDED, **SMALL, steps=8)["call"],
        by=refined,
    ),
    "deepfloyd": Case(
        "deepfloyd",
        {
            **GUIDED,
            **SMALL,
            "steps": 4,
            "extra": {"clean_caption": False, "super_resolution_num_inference_steps": 3},
        },
        both(**GUIDED, **SMALL, steps=4, extra={"clean_caption": False})["call"],
        by=cascaded,
        chaotic=True,
    ),
    "deepfloyd upscaled": Case(
        "deepfloyd-upscaled",
        {
            **GUIDED,
            **SMALL,
            "steps": 4,
            "extra": {
                "clean_caption": False,
                "super_resolution_num_inference_steps": 3,
                "upscaler_num_inference_steps": 2,
                "upscaler_noise_level": 30,
            },
        },
        both(**GUIDED, **SMALL, steps=4, extra={"clean_caption": False})["call"],
        by=cascaded_further,
        chaotic=True,
    ),
    "kandinsky22": Case(
        "kandinsky22",
        **both(
            **CUBE, width=64, height=64, steps=4, **MILD, extra={"prior_num_inference_steps": 3}
        ),
        chaotic=True,
    ),
    "unclip": Case(
        "unclip",
        {
            **CUBE,
            "steps": 3,
            **MILD,
            "extra": {"prior_num_inference_steps": 3, "super_res_num_inference_steps": 2},
        },
        {
            **CUBE,
            "decoder_num_inference_steps": 3,
            "decoder_guidance_scale": 2.0,
            "prior_num_inference_steps": 3,
            "super_res_num_inference_steps": 2,
        },
    ),
    "any (pixart)": Case(
        "pixart",
        **both(
            **GUIDED,
            **SMALL,
            steps=6,
            extra={"use_resolution_binning": False, "clean_caption": False},
        ),
    ),
}

CASES: Mapping[str, Case] = {**PICTURES, **CONTROLS, **CLIPS, **SOUNDS, **SOLIDS}


class AsNumbers(Modality[Any]):
    """A modality whose file is the media itself, before it is encoded."""

    def __init__(self, real: Modality[Any]) -> None:
        self.name, self.Request = real.name, real.Request

    def encode(self, media: Any, request: Any, provenance: Mapping[str, Any]) -> list[File]:
        return [File(flat(media).tobytes(), "application/octet-stream", ".f32")]


def flat(media: Any) -> Numbers:
    """All numbers of the media in one row."""
    if isinstance(media, Wave):
        return flat(media.samples)
    if isinstance(media, Sounding):
        return np.concatenate([flat(media.frames), flat(media.sound)])
    if isinstance(media, Trimesh):
        return np.concatenate([flat(part) for part in parts_of(media)])
    if isinstance(media, Made):
        parts = [flat(media.pixels)] if media.pixels is not None else []
        words = np.frombuffer((media.text or "").encode(), np.uint8)
        return np.concatenate([*parts, words.astype(np.float32)])
    return np.asarray(media, np.float32).ravel()


def parts_of(mesh: Trimesh) -> tuple[Any, ...]:
    """What a solid is made of."""
    return mesh.vertices, mesh.faces, mesh.visual.vertex_colors


def assignment(models: Checkpoints, case: Case, seed: int = 7, **other: Any) -> Assignment:
    """The case as a job whose file holds the numbers of what was made."""
    references = {name: f"sha256:{name}" for name in case.files}
    fields = {**case.request, **references, **other}
    models[case.model]
    beside(models, case)
    asked = models.bench.assignment(case.modality, case.model, seed=seed, **fields)
    files = (*case.files, *(PICTURE if case.looks else ()))
    inputs = {f"sha256:{name}": models.file(name) for name in files}
    return replace(asked, modality=AsNumbers(asked.modality), inputs=inputs)


def numbers(outcome: Outcome) -> Numbers:
    return np.frombuffer(outcome.files[0].data, np.float32)


@torch.inference_mode()
def by_diffusers(models: Checkpoints, case: Case, seed: int = 7, **other: Any) -> Numbers:
    """The numbers of the plain pipeline over the very components that the engine has loaded."""
    generator = torch.Generator().manual_seed(seed)
    call = {**case.call, **other}
    if case.by:
        files = {name: given(models, name, case) for name in case.files}
        files |= seen(models, case)
        make = partial(plain, models, case)
        return flat(case.by(make, {**call, **files}, generator))
    pipeline = plain(models, case, case.pipeline or models[case.model].class_name)
    takes = inspect.signature(pipeline.__call__).parameters
    pictures = {
        next(one for one in NAMES[name] if one in takes): given(models, name, case)
        for name in case.files
    }
    pictures |= seen(models, case)
    begins = case.files and "width" in takes and ("strength" in takes or "mask_image" in takes)
    sized = {"width": 24, "height": 16} if begins else {}
    arguments = {"output_type": "np", **sized, **pictures, **call}
    output = pipeline(**arguments, generator=generator)
    if "text" in output:
        return flat(Made(*(made and made[0] for made in (aslist(output.images), output.text))))
    return result(output)


def result(output: Any) -> Numbers:
    """What was made, and the sound that goes with it."""
    name = next(name for name in RESULTS if name in output)
    made = output[name] if name == "video" else output[name][0]
    sounds = [output[name] for name in BESIDE if output.get(name) is not None]
    if sounds:
        return np.concatenate([flat(made), *(flat(sound) for sound in sounds)])
    return flat(made.repeat(3, axis=-1) if name == "prediction" and made.shape[-1] == 1 else made)


def given(models: Checkpoints, name: str, case: Case) -> Any:
    """A sound's samples; frames or a picture scaled as their user would, where a size is asked."""
    if name == "audio":
        return torch.from_numpy(decode(models.file(name).read_bytes()).samples)
    if name == "video":
        size = (case.request["width"], case.request["height"])
        frames = map(Image.fromarray, video_files.decode(models.file(name).read_bytes()).frames)
        return [ImageOps.fit(frame, size, Image.Resampling.LANCZOS) for frame in frames]
    picture = Image.open(models.file(name))
    if "width" not in case.request:
        return picture
    size = (case.request["width"], case.request["height"])
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def seen(models: Checkpoints, case: Case) -> dict[str, Any]:
    """What the networks look at: one picture by itself, several in a list.

    Only a network's is of the size that is made.
    """
    if not case.looks:
        return {}
    if "control" in case.request:
        return {case.looks: alone([given(models, "image", case) for _ in case.beside])}
    return {case.looks: [Image.open(models.file("image")).convert("RGB") for _ in case.beside]}


def alone(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def aslist(images: Any) -> list[Any] | None:
    return None if images is None else list(images)


def plain(models: Checkpoints, case: Case, name: str, prefix: str = "") -> Any:
    """The class of diffusers itself, no stand-in in it, over slots that begin with the prefix."""
    model, found = models[case.model], getattr(diffusers, name)
    bring, parts, settings = models.bench.engine.residency.bring, {}, {}
    wanted = inspect.signature(found).parameters
    for slot, value in model.config.items():
        slot = slot.removeprefix(prefix) if slot.startswith(prefix) else slot
        part = model.components.get(prefix + slot) or model.components.get(slot)
        if isinstance(model.config.get(prefix + slot, value), list):
            absent = model.config.get(prefix + slot) == [None, None] or part is None
            parts[slot] = (
                None if absent else load_component(part) if part.weightless else bring(part)
            )
        else:
            settings[slot] = model.config.get(prefix + slot, value)
    if case.scheduler:
        scheduler = getattr(diffusers, case.scheduler)
        parts["scheduler"] = scheduler.from_config(parts["scheduler"].config)
    if "control" in case.request:
        parts.update(networks(models, case))
    if case.load:
        parts = {role: unchanged(part, model.components.get(role)) for role, part in parts.items()}
    made = {n: v for n, v in {**settings, **parts}.items() if n in wanted}
    pipeline = found(**made)
    pipeline.set_progress_bar_config(disable=True)
    if case.load:
        case.load(models, pipeline)
    return pipeline


def beside(models: Checkpoints, case: Case) -> None:
    """The models that the request names too, in the registry."""
    for name in case.beside:
        makers = control_models if name in control_models.NETWORKS else adapter_models
        makers.add(models, name)


def networks(models: Checkpoints, case: Case) -> dict[str, Any]:
    """One by itself, several in a list, as their pipelines take them."""
    found = [part for name in case.beside for part in models.beside[name].components.values()]
    held = [models.bench.engine.residency.bring(part) for part in found]
    return {found[0].role: alone(held)}


def unchanged(part: Any, component: Component | None) -> Any:
    """A copy of the engine's module, without what jobs have put into it."""
    own = copy.deepcopy(part)
    if component is not None:
        fit(own, component, ())
    if hasattr(own, "peft_config"):
        own.unload_lora()
    if isinstance(own, torch.nn.Module):
        own._modules.pop(HELD, None)
    return own
