"""The weights that ship in the wheel, to train on from."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from omnifex_prism.autoencoder import ConvAutoencoder
from omnifex_video.autoencoder import ClipAutoencoder
from recipes.world.modalities import WORLDS

MODELS = Path("plugins/omnifex_prism/models")


def weights(folder: Path) -> dict[str, Tensor]:
    (file,) = folder.glob("*.safetensors")
    return {name: tensor.float() for name, tensor in load_file(file).items()}


def run_weights(model: str, backbone: str, modalities: tuple[str, ...]) -> dict[str, Tensor]:
    """A backbone and its conditioners, named as in a training run."""
    parts = {"backbone": weights(MODELS / model / backbone)}
    for name in modalities:
        parts[f"conditioners.{name}"] = weights(MODELS / model / f"{name}_conditioner")
    return {f"{part}.{name}": w for part, ws in parts.items() for name, w in ws.items()}


def autoencoder(modality: str) -> ConvAutoencoder | ClipAutoencoder:
    folder = MODELS / "prism" / f"{modality}_autoencoder"
    model = WORLDS[modality].new_autoencoder()
    model.load_state_dict(weights(folder))
    return model.eval()
