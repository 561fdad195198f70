"""Models from a hub, against a server that speaks its protocol over a real socket."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_language
import transformers
from hub_server import HubServer, Repo
from huggingface_hub import constants
from safetensors.numpy import save_file
from sqlalchemy import Engine
from studio_cases import until
from tiny_models import write_component, write_model

import omnifex_jobs
from omnifex_registry import Model, Registry, RegistryError, UnsafeWeights, migrate
from omnifex_registry.adding import Wanted, add
from omnifex_registry.errors import (
    BadModelFolder,
    GatedModel,
    HubBusy,
    HubError,
    LicenceNotAccepted,
    RemoteCode,
    RevisionChanged,
    WrongHash,
)
from omnifex_registry.sources.hub import Hub

UNET = "unet/diffusion_pytorch_model.safetensors"
REPO = "people/tiny"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and a hub that may be asked; the library reads both at its import."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return tmp_path / "cache"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = omnifex_jobs.open_database(f"sqlite:///{tmp_path / 'home.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def registry(engine: Engine, tmp_path: Path) -> Registry:
    return Registry(engine, tmp_path / "home")


@pytest.fixture
def take(registry: Registry, hub: HubServer) -> Callable[..., Model]:
    """Adds a model of the hub."""

    def call(repo: str = REPO, **wanted: Any) -> Model:
        wanted = {"accept_license": True, **wanted}
        return add(registry, repo, Wanted(hub=Hub(hub.address, "token"), **wanted))

    return call


@pytest.fixture
def repo(hub: HubServer, tmp_path: Path) -> Repo:
    return hub.offer(REPO, big_model(tmp_path / "files"))


def big_model(folder: Path, *, scale: float = 1.0) -> Path:
    """A model with a unet of half a megabyte."""
    write_model(folder)
    weights = np.random.default_rng(0).standard_normal((128, 1024)).astype(np.float32) * scale
    write_component(folder / "unet", {"weight": weights}, channels=4)
    return folder


def left_behind(registry: Registry) -> list[str]:
    folder = registry.owned.folder
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def test_a_model_is_fetched_pinned_and_found_in_the_shared_cache(
    take: Callable[..., Model], repo: Repo, hub: HubServer, registry: Registry, cache: Path
) -> None:
    model = take()
    assert (model.name, model.class_name) == ("tiny", "StableDiffusionPipeline")
    assert model.source["revision"] == repo.commit
    assert model.source["licence"] == f"the licence openrail++ ({hub.address}/people/tiny)"
    assert registry.owned.has(model.path)
    weights = model.components["unet"].path / "diffusion_pytorch_model.safetensors"
    assert weights.resolve().is_relative_to(cache / "models--people--tiny" / "blobs")
    snapshot = cache / "models--people--tiny" / "snapshots" / repo.commit / UNET
    assert snapshot.resolve() == weights.resolve()
    before = hub.sent.total()
    assert take() == model
    assert hub.sent.total() == before
    registry.remove("tiny")
    assert left_behind(registry) == []
    assert snapshot.exists()  # other programs may want it


def test_a_licence_has_to_be_accepted_and_is_shown(
    take: Callable[..., Model], repo: Repo, hub: HubServer, registry: Registry
) -> None:
    repo.card = {"license": "other", "license_name": "tiny-licence", "license_link": "https://l"}
    with pytest.raises(LicenceNotAccepted, match=r"tiny-licence \(https://l\).*--accept-license"):
        take(accept_license=False)
    assert (hub.sent.total(), registry.list()) == (0, [])


def test_only_safetensors_and_small_files_are_fetched(
    take: Callable[..., Model], repo: Repo, hub: HubServer
) -> None:
    repo.files |= {
        "unet/diffusion_pytorch_model.bin": b"\x80\x04.",
        "unet/diffusion_pytorch_model.fp16.safetensors": repo.files[UNET],
        "v1-5-pruned.safetensors": b"0" * 5000,
        "pictures/a.png": b"0",
        "README.md": b"Hello",
    }
    unet = take().components["unet"].path
    assert {path.name for path in unet.iterdir()} == {"config.json", Path(UNET).name}
    named = {path.split("/resolve/")[1].split("/", 1)[1] for path in asked_files(hub)}
    assert named == {
        "model_index.json",
        "scheduler/scheduler_config.json",
        UNET,
        "unet/config.json",  # vae/config.json is the same, and is linked
        "vae/diffusion_pytorch_model.safetensors",
    }


def asked_files(hub: HubServer) -> list[str]:
    return [asked for asked in hub.asked if asked.startswith("GET") and "/resolve/" in asked]


def test_a_variant_is_chosen_where_there_is_one(
    take: Callable[..., Model], repo: Repo, hub: HubServer, tmp_path: Path
) -> None:
    half = tmp_path / "half.safetensors"
    save_file({"weight": np.ones((4, 4), np.float16)}, half)
    repo.files["unet/diffusion_pytorch_model.fp16.safetensors"] = half.read_bytes()
    model = take(variant="fp16")
    assert model.components["unet"].dtypes == {"F16": 16}
    assert "F32" in model.components["vae"].dtypes  # which has no such variant
    assert hub.sent[UNET] == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_connection_that_is_cut_goes_on_where_it_was(
    take: Callable[..., Model], repo: Repo, hub: HubServer, seed: int
) -> None:
    size = len(repo.files[UNET])
    repo.cut_at = random.Random(seed).randrange(1000, size)
    take()
    assert hub.sent[UNET] == size


def test_a_killed_process_leaves_what_it_got_and_the_next_gets_the_rest(
    take: Callable[..., Model], repo: Repo, hub: HubServer, registry: Registry, tmp_path: Path
) -> None:
    """The rest is all that is transferred; what was half a model is nobody's."""
    total = sum(map(len, repo.files.values()))
    stop = random.Random(7).randrange(total // 3, total - 1000)
    reached = threading.Event()

    def hold(sent: int) -> None:
        if sent >= stop and not reached.is_set():
            reached.set()
            threading.Event().wait(3)  # the process is killed meanwhile

    hub.on_sent = hold
    process = subprocess.Popen(
        [sys.executable, "-c", ADD], env=os.environ | hub_environment(hub, tmp_path)
    )
    assert reached.wait(120)
    until(lambda: any(part.stat().st_size for part in (tmp_path / "cache").rglob("*.part")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert registry.list() == []
    hub.on_sent = lambda sent: None
    (part,) = (tmp_path / "cache").rglob("*.part")
    kept = part.stat().st_size
    before = hub.sent[UNET]
    take()
    assert kept > 0
    assert hub.sent[UNET] - before == len(repo.files[UNET]) - kept


ADD = """
import os, omnifex_jobs
from omnifex_registry import Registry, migrate
from omnifex_registry.adding import Wanted, add
engine = omnifex_jobs.open_database("sqlite:///" + os.environ["BASE"] + "/home.db")
add(Registry(engine, os.environ["BASE"] + "/home"), "people/tiny", Wanted(accept_license=True))
"""


def hub_environment(hub: HubServer, base: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.address,
        "HF_HUB_CACHE": str(base / "cache"),
        "HF_HUB_OFFLINE": "0",
        "BASE": str(base),
    }


def test_a_changed_revision_is_told_and_taken_only_on_demand(
    take: Callable[..., Model], repo: Repo, hub: HubServer, registry: Registry, tmp_path: Path
) -> None:
    old = take()
    new = hub.offer(REPO, big_model(tmp_path / "newer", scale=2.0))
    with pytest.raises(RevisionChanged, match=f"{repo.commit[:8]} to {new.commit[:8]}"):
        take()
    assert registry.show("tiny") == old
    before = hub.sent.copy()
    updated = take(update=True)
    assert updated.source["revision"] == new.commit
    assert [path for path in hub.sent if hub.sent[path] != before[path]] == [UNET]
    kept = registry.show(f"tiny@{old.version}")
    ids = {role: part.id for role, part in old.components.items()}
    assert registry.holding("tiny", ids) == kept
    assert {part.path.exists() for part in kept.components.values()} == {True}
    registry.remove("tiny")
    assert registry.show(kept.name).components["unet"].path.exists()


def test_a_file_with_a_wrong_hash_is_thrown_away(
    take: Callable[..., Model], repo: Repo, registry: Registry, cache: Path
) -> None:
    repo.wrong = frozenset([UNET])
    with pytest.raises(WrongHash, match=UNET):
        take()
    assert registry.list() == []
    assert list(cache.rglob("*.part")) == []
    repo.wrong = frozenset()
    assert take().name == "tiny"


def test_a_gated_model_says_what_to_do(registry: Registry, repo: Repo, hub: HubServer) -> None:
    repo.gated = True
    anonymous = Wanted(hub=Hub(hub.address, False), accept_license=True)  # type: ignore[arg-type]
    with pytest.raises(GatedModel, match=rf"{hub.address}/people/tiny.*hf auth login"):
        add(registry, REPO, anonymous)
    assert registry.list() == []


def test_a_busy_hub_is_waited_for(take: Callable[..., Model], repo: Repo) -> None:
    repo.busy = 1
    assert take().name == "tiny"


def test_a_hub_that_stays_busy_is_told(
    take: Callable[..., Model], repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnifex_registry.sources.hub.LONGEST_WAIT", 0.5)
    repo.busy = 1000
    with pytest.raises(HubBusy, match="asks to wait 1 s"):
        take()


def test_what_is_not_there_is_told(take: Callable[..., Model], repo: Repo) -> None:
    with pytest.raises(HubError, match="no model people/other"):
        take("people/other")
    with pytest.raises(HubError, match="no revision 'v9'"):
        take(revision="v9")


def test_a_hub_that_is_away_is_told(registry: Registry) -> None:
    nowhere = Wanted(hub=Hub("http://127.0.0.1:9"), accept_license=True)
    with pytest.raises(HubError, match="cannot be reached"):
        add(registry, REPO, nowhere)


def test_a_file_that_another_repository_had_is_not_transferred_again(
    take: Callable[..., Model], repo: Repo, hub: HubServer, tmp_path: Path
) -> None:
    take()
    hub.offer("people/second", big_model(tmp_path / "second", scale=3.0))
    before = hub.sent.copy()
    second = take("people/second")
    assert [path for path in hub.sent if hub.sent[path] != before[path]] == [UNET]
    assert second.components["vae"].id == take().components["vae"].id


def pickled(repo: Repo) -> None:
    repo.files["unet/diffusion_pytorch_model.bin"] = repo.files.pop(UNET)


def renamed(repo: Repo) -> None:
    repo.files[UNET] = b"PK\x03\x04" + bytes(100)


def own_code(repo: Repo) -> None:
    repo.files["unet/modeling_mine.py"] = b"print()"


def auto_map(repo: Repo) -> None:
    repo.files["unet/config.json"] = json.dumps({"auto_map": {"AutoModel": "a.B"}}).encode()


def missing(repo: Repo) -> None:
    for path in [path for path in repo.files if path.startswith("vae/")]:
        del repo.files[path]


def truncated(repo: Repo) -> None:
    repo.files[UNET] = repo.files[UNET][:-7]


def path_as_role(repo: Repo) -> None:
    index = json.loads(repo.files["model_index.json"])
    index["../../x"] = ["diffusers", "AutoencoderKL"]
    repo.files["model_index.json"] = json.dumps(index).encode()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (pickled, UnsafeWeights),
        (renamed, UnsafeWeights),
        (own_code, RemoteCode),
        (auto_map, RemoteCode),
        (missing, BadModelFolder),
        (truncated, RegistryError),
        (path_as_role, BadModelFolder),
    ],
)
def test_bad_repositories_are_refused_and_leave_nothing(
    take: Callable[..., Model], repo: Repo, registry: Registry, spoil: Any, error: type
) -> None:
    spoil(repo)
    with pytest.raises(error) as caught:
        take()
    assert "\n" not in str(caught.value)
    assert registry.list() == []
    assert left_behind(registry) == []


def test_an_adapter_is_fetched_alone(
    take: Callable[..., Model], hub: HubServer, tmp_path: Path
) -> None:
    folder = tmp_path / "lora"
    folder.mkdir()
    for name in ("one", "two"):
        down, up = np.ones((4, 3072), np.float32), np.ones((3072, 4), np.float32)
        block = "transformer.single_transformer_blocks.0.attn.to_k"
        tensors = {f"{block}.lora_A.weight": down, f"{block}.lora_B.weight": up}
        save_file(tensors, folder / f"{name}.safetensors")
    hub.offer("people/lora", folder)
    with pytest.raises(BadModelFolder, match=r"--file: one\.safetensors, two\.safetensors"):
        take("people/lora")
    model = take("people/lora", file="two.safetensors")
    assert (model.kind, model.config["base"], model.source["file"]) == (
        "adapter",
        "flux",
        "two.safetensors",
    )
    assert hub.sent["one.safetensors"] == 0
    assert take("people/lora", file="two.safetensors") == model


def test_an_ip_adapter_comes_with_the_image_encoder_beside_it(
    take: Callable[..., Model], hub: HubServer, tmp_path: Path
) -> None:
    folder = tmp_path / "ip"
    (folder / "models").mkdir(parents=True)
    tensors = {"image_proj.proj.weight": (96, 8), "ip_adapter.1.to_k_ip.weight": (16, 24)}
    for name in ("one", "two"):
        own = {key: np.ones(shape, np.float32) for key, shape in tensors.items()}
        save_file(own, folder / "models" / f"{name}.safetensors")
    encoder = transformers.CLIPVisionModelWithProjection(
        transformers.CLIPVisionConfig(
            hidden_size=8,
            projection_dim=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            image_size=8,
            patch_size=8,
        )
    )
    encoder.save_pretrained(folder / "models" / "image_encoder")
    (folder / "models" / "image_encoder" / "pytorch_model.bin").write_bytes(b"never read")
    hub.offer("people/ip", folder)
    model = take("people/ip", file="models/two.safetensors")
    assert (model.kind, list(model.components)) == ("adapter", ["ip_adapter", "image_encoder"])
    assert hub.sent["models/one.safetensors"] == hub.sent["pytorch_model.bin"] == 0


def test_a_lone_component_comes_from_a_hub_too(
    take: Callable[..., Model], hub: HubServer, tmp_path: Path
) -> None:
    folder = tmp_path / "control"
    write_component(folder, {"weight": np.ones((2, 2), np.float32)}, _class_name="ControlNetModel")
    hub.offer("people/control", folder)
    model = take("people/control")
    assert (model.kind, list(model.components)) == ("adapter", ["controlnet"])


def test_a_language_model_comes_from_a_hub_as_parts(
    take: Callable[..., Model], hub: HubServer, tmp_path: Path, cache: Path
) -> None:
    folder = tiny_language.save("continuing", tmp_path / "writer")
    (folder / "README.md").write_text("of no use here")
    hub.offer("people/writer", folder)
    model = take("people/writer")
    assert list(model.components) == ["language_model", "tokenizer"]
    (weights,) = model.components["language_model"].path.glob("*.safetensors")
    assert weights.resolve().is_relative_to(cache)
    assert (model.class_name, model.source["hub"]) == ("GPT2LMHeadModel", "people/writer")
    assert not [part for part in model.components.values() if (part.path / "README.md").exists()]
