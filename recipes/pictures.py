"""Draw what docs/ shows of the training: loss curves, and what the built-in models make.

python -m recipes.pictures [--out build/prism] [--to docs/pictures]
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from omnifex import Studio
from omnifex.artifact import Artifact

PROMPTS = {
    "image": [
        "a medium red star at the left and a large blue ring at the right on a white background",
        "a large yellow heart in the middle on a navy background",
        "a large green arrow at the top left on a white to cyan gradient",
        "a medium orange moon at the top right on black and purple stripes",
    ],
    "video": [
        "a large yellow star growing on a navy background",
        "a large blue circle moving right above a large yellow heart moving left on black",
    ],
    "audio": ["a plucked sawtooth tone at A4", "a rising minor arpeggio of square notes from C4"],
    "mesh": [
        "a large orange torus",
        "a red cone on top of a blue cube",
        "a green sphere left of a yellow cylinder left of a purple pyramid",
    ],
}
RUNS: dict[str, Sequence[str]] = {
    "autoencoders": [f"{name}_autoencoder" for name in PROMPTS],
    "prism": ["flow"],
    "prism-ldm": ["diffusion"],
}
SMOOTH = 50  # steps that a point of a curve is the mean of


def curve(axes: plt.Axes, losses: list[float], label: str) -> None:
    window = min(SMOOTH, len(losses))
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    axes.plot(np.arange(len(smooth)) + window, smooth, label=label, linewidth=1)


def loss_curves(out: Path, to: Path) -> None:
    """A picture for each kind of run that is here; those of others stay as they are."""
    for title, names in RUNS.items():
        paths = [path for name in names if (path := out / f"{name}.pt").exists()]
        if not paths:
            continue
        figure, axes = plt.subplots(figsize=(5, 3.6), layout="constrained")
        for path in paths:
            for stream, losses in torch.load(path, weights_only=True)["losses"].items():
                curve(axes, losses, stream)
        axes.set(title=title, xlabel="step", ylabel="loss", yscale="log")
        axes.legend(frameon=False)
        figure.savefig(to / f"losses-{title}.png", dpi=110)
        plt.close(figure)


def picture(artifact: Artifact) -> Image.Image:
    return Image.open(artifact.path).convert("RGB").resize((256, 256), Image.Resampling.NEAREST)


def sheet(artifact: Artifact) -> Image.Image:
    from omnifex_video import files

    frames = files.decode(artifact.path.read_bytes()).frames[::3]
    return Image.fromarray(files.contact_sheet(frames, columns=8))


def waveform(artifact: Artifact) -> Image.Image:
    from omnifex_audio import files
    from omnifex_audio.picture import spectrogram_picture

    sound = files.decode(artifact.path.read_bytes())
    return Image.fromarray(spectrogram_picture(sound.samples, sound.sample_rate))


def solid(artifact: Artifact) -> Image.Image:
    from omnifex_mesh import files
    from omnifex_mesh.render import render

    return Image.fromarray(render(files.decode(artifact.path.read_bytes(), "glb"), size=320))


DRAWN: dict[str, Callable[[Artifact], Image.Image]] = {
    "image": picture,
    "video": sheet,
    "audio": waveform,
    "mesh": solid,
}


def beside(pictures: list[Image.Image], columns: int, gap: int = 6) -> Image.Image:
    """All pictures, of one size, on white."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    size = (columns * (width + gap) - gap, rows * (height + gap) - gap)
    page = Image.new("RGB", size, "white")
    for i, drawn in enumerate(pictures):
        page.paste(drawn, (i % columns * (width + gap), i // columns * (height + gap)))
    return page


def samples(to: Path) -> None:
    columns = {"image": 4, "video": 1, "audio": 2, "mesh": 3}
    with tempfile.TemporaryDirectory() as home, Studio(home) as studio:
        for modality, prompts in PROMPTS.items():
            jobs = [studio.submit(modality, prompt=prompt, seed=7) for prompt in prompts]
            drawn = [DRAWN[modality](job.result(timeout=600)[0]) for job in jobs]
            beside(drawn, columns[modality]).save(to / f"{modality}.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/prism"))
    parser.add_argument("--to", type=Path, default=Path("docs/pictures"))
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    loss_curves(asked.out, asked.to)
    samples(asked.to)


if __name__ == "__main__":
    main()
