"""A picture that keeps to another one's lines: a ControlNet beside Stable Diffusion.

The weights are random, so that nothing is downloaded: the picture is noise. Trained ones are added
in the same way: `studio.models.add("control_v11p_sd15_canny", name="canny-net")`.
"""

from pathlib import Path

import diffusers
from PIL import Image, ImageDraw
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from omnifex import Studio

BLOCKS = {
    "block_out_channels": (32, 32),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "cross_attention_dim": 32,
}


def save_models(folder: Path) -> None:
    """Both in the layouts that checkpoints are published in."""
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "house</w>": 2}
    text = CLIPTextConfig(vocab_size=3, hidden_size=32, num_attention_heads=4, num_hidden_layers=2)
    up = ("UpBlock2D", "CrossAttnUpBlock2D")
    diffusers.StableDiffusionPipeline(
        unet=diffusers.UNet2DConditionModel(**BLOCKS, up_block_types=up, sample_size=32),
        vae=diffusers.AutoencoderKL(
            block_out_channels=(32, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(words, merges=[], model_max_length=77),
        scheduler=diffusers.EulerDiscreteScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder / "base")
    network = diffusers.ControlNetModel(**BLOCKS, conditioning_embedding_out_channels=(16, 32))
    network.save_pretrained(folder / "canny-net")


def house() -> Image.Image:
    picture = Image.new("RGB", (32, 32), "white")
    ImageDraw.Draw(picture).polygon([(4, 16), (16, 4), (28, 16), (28, 28), (4, 28)], fill="navy")
    return picture


save_models(Path())
with Studio() as studio:
    studio.models.add("base")
    studio.models.add("canny-net")
    lines = {"model": "canny-net", "image": house(), "preprocess": "canny", "scale": 0.8}
    job = studio.submit("image", model="base", prompt="house", control=[lines], seed=7, steps=2)
    (picture,) = job.result(timeout=120)
    print(picture.save("house.png"), *job.record.recipe["others"])
