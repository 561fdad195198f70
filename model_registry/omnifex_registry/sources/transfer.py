"""Files of the hub into its shared cache: each byte once, whatever happens in between."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from io import RawIOBase
from pathlib import Path

from omnifex_registry.errors import HubError, WrongHash
from omnifex_registry.sources.hub import HubModel, hub_errors, transport_errors
from omnifex_registry.sources.hub_files import HubFile
from omnifex_registry.sources.owned import check_space

PART = ".part"
MOST_ATTEMPTS = 4  # in a row that bring nothing
TIMEOUT = 30.0  # seconds without a byte


def fetch(model: HubModel, files: Iterable[HubFile]) -> Mapping[str, Path]:
    """The files by their path in the repository, each where the cache has it."""
    files = list(files)
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    missing = [file for file in files if not blob(cache, model.repo, file).exists()]
    check_space(cache, sum(left(cache, model.repo, file) for file in missing))
    return {file.path: place(cache, model, file) for file in files}


def place(cache: Path, model: HubModel, file: HubFile) -> Path:
    """One file: as it is there, as another repository has it, or transferred."""
    from huggingface_hub.utils._fixes import WeakFileLock

    target = blob(cache, model.repo, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = cache / ".locks" / target.parent.parent.name / f"{file.hash}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        if not target.exists() and not link_equal(cache, file, target):
            transfer(model, file, target)
    return register(model, file)


def link_equal(cache: Path, file: HubFile, target: Path) -> bool:
    """Whether another repository of the cache had a file of this hash; then it is linked."""
    for other in cache.glob(f"models--*/blobs/{file.hash}"):
        try:
            if other.stat().st_size == file.size:
                os.link(other.resolve(), target)
                return True
        except OSError:  # no hard links here, or it just goes
            continue
    return False


def transfer(model: HubModel, file: HubFile, target: Path) -> None:
    """Get what is missing of it, and keep it only if it is what the hub said."""
    part = target.with_name(target.name + PART)
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()
    with hub_errors(model.hub, model.repo, model.commit), part.open("ab", buffering=0) as opened:
        receive(model, file, opened)
        os.fsync(opened.fileno())
    if content_hash(part, file) != file.hash:
        part.unlink()
        raise WrongHash(model.repo, file.path)
    part.replace(target)


def receive(model: HubModel, file: HubFile, opened: RawIOBase) -> None:
    """Write what the server sends as it comes, so that nothing of it is ever sent twice."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    attempts = 0
    with tqdm(  # type: ignore[no-untyped-call]
        total=file.size, initial=opened.tell(), unit="B", unit_scale=True
    ) as bar:
        bar.set_description(file.path[-40:])
        while opened.tell() < file.size:
            before = opened.tell()
            try:
                for piece in pieces(model, file, before):
                    opened.write(piece)
                    bar.update(len(piece))
                if opened.tell() == before:
                    raise ConnectionError("nothing came")
            except transport_errors():
                attempts = attempts + 1 if opened.tell() == before else 0
                if attempts == MOST_ATTEMPTS:
                    raise
                time.sleep(attempts)


def pieces(model: HubModel, file: HubFile, start: int) -> Iterator[bytes]:
    """The bytes of a file from `start` on, as the network brings them."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils._http import hf_raise_for_status, http_stream_backoff

    url = hf_hub_url(model.repo, file.path, revision=model.commit, endpoint=model.hub.address)
    # Compressed on the way, it could not go on at a byte of the file.
    headers = build_hf_headers(token=model.hub.token) | {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with http_stream_backoff(
        "GET", url, headers=headers, timeout=TIMEOUT, retry_on_exceptions=()
    ) as response:
        hf_raise_for_status(response)
        skip = start if response.status_code == 200 else 0  # a server that knows no ranges
        for piece in response.iter_bytes():
            yield piece[skip:]
            skip = max(0, skip - len(piece))


def register(model: HubModel, file: HubFile) -> Path:
    """The file below the snapshot of its commit, which huggingface_hub makes of the blob."""
    from huggingface_hub import hf_hub_download

    with hub_errors(model.hub, model.repo, model.commit):
        found = hf_hub_download(
            model.repo,
            file.path,
            revision=model.commit,
            endpoint=model.hub.endpoint,
            token=model.hub.token,
        )
    if Path(found).stat().st_size != file.size:
        raise HubError(
            f"The cache has another file {file.path} of {model.repo} than the hub names; "
            f"delete {found} and add the model again."
        )
    return Path(found)


def content_hash(path: Path, file: HubFile) -> str:
    """sha256 where the hub names that, else what git calls the file."""
    content = hashlib.sha256() if len(file.hash) == 64 else hashlib.sha1(usedforsecurity=False)
    if len(file.hash) != 64:
        content.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as opened:
        while chunk := opened.read(1 << 20):
            content.update(chunk)
    return content.hexdigest()


def left(cache: Path, repo: str, file: HubFile) -> int:
    part = blob(cache, repo, file)
    part = part.with_name(part.name + PART)
    return file.size - (part.stat().st_size if part.exists() else 0)


def blob(cache: Path, repo: str, file: HubFile) -> Path:
    """Where huggingface_hub has a file's bytes: under its hash, in the repository's folder."""
    from huggingface_hub.file_download import repo_folder_name

    return cache / repo_folder_name(repo_id=repo, repo_type="model") / "blobs" / file.hash


def cache_folder() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
