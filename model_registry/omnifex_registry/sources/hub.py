"""Models from the hub: looked up at one commit, fetched into the hub's own shared cache.

Transfers go on where they stopped, in this process or a later one; huggingface_hub's own, since
2.0, begin again. What is complete is put where huggingface_hub keeps it, so that other programs,
and other homes, find it there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from omnifex_registry.errors import GatedModel, HubBusy, HubError
from omnifex_registry.sources.hub_files import HubFile

MOST_WAITS = 5
LONGEST_WAIT = 60.0  # seconds that the hub may ask for before a person has to decide

HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")

T = TypeVar("T")


@dataclass(frozen=True)
class Hub:
    """A hub, by its address; None is what HF_ENDPOINT and HF_TOKEN say."""

    endpoint: str | None = None
    token: str | None = None

    @property
    def address(self) -> str:
        from huggingface_hub import constants

        return (self.endpoint or constants.ENDPOINT).rstrip("/")


@dataclass(frozen=True)
class HubModel:
    """A repository as it was at one commit."""

    hub: Hub
    repo: str
    commit: str
    licence: str
    files: tuple[HubFile, ...]


def look_up(hub: Hub, repo: str, revision: str | None) -> HubModel:
    """What the hub has under this id, at the commit that the revision now means."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    with hub_errors(hub, repo, revision):
        found = patiently(lambda: api.model_info(repo, revision=revision, files_metadata=True))
    files = tuple(
        HubFile(sibling.rfilename, sibling.size or 0, hash_of(sibling))
        for sibling in found.siblings or ()
    )
    return HubModel(hub, repo, str(found.sha), licence_of(found, hub), files)


def hash_of(sibling: Any) -> str:
    """The name that the file has in the cache, too; so it must be a hash and nothing else."""
    found = str(sibling.lfs.sha256 if sibling.lfs else sibling.blob_id)
    if not HASH.fullmatch(found):
        raise HubError(f"The hub names {found!r} as the hash of {sibling.rfilename}; it is none.")
    return found


def licence_of(found: Any, hub: Hub) -> str:
    """In words, with the address where it can be read."""
    card = found.card_data or {}
    tags = (tag.partition(":")[2] for tag in found.tags or () if tag.startswith("license:"))
    named = card.get("license_name") or card.get("license") or next(tags, None)
    link = card.get("license_link") or f"{hub.address}/{found.id}"
    return f"the licence {named} ({link})" if named else f"no licence that it names ({link})"


def patiently(ask: Callable[[], T]) -> T:
    """Ask again where the hub says how long to wait, and that is bearable."""
    from huggingface_hub.errors import HfHubHTTPError

    for _ in range(MOST_WAITS):
        try:
            return ask()
        except HfHubHTTPError as error:
            wait = seconds_to_wait(error)
            if wait is None or wait > LONGEST_WAIT:
                raise
            time.sleep(wait)
    return ask()


def seconds_to_wait(error: Any) -> float | None:
    if error.response is None or error.response.status_code != 429:
        return None
    said = error.response.headers.get("Retry-After", "1")
    return float(said) if said.replace(".", "", 1).isdigit() else LONGEST_WAIT


@contextmanager
def hub_errors(hub: Hub, repo: str, revision: str | None = None) -> Iterator[None]:
    """What huggingface_hub raises, as one sentence that says what to do."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise GatedModel(repo, hub.address) from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            f"There is no model {repo} at {hub.address}, or it is private; check the id, and log "
            "in with `hf auth login` or set HF_TOKEN if it is yours."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(
            f"The model {repo} has no revision {revision!r}; choose a branch, tag or commit of it."
        ) from error
    except errors.HfHubHTTPError as error:
        raise refused(hub, repo, error) from error
    except errors.OfflineModeIsEnabled as error:
        raise HubError(
            f"{repo} is to come from a hub, and HF_HUB_OFFLINE forbids to ask one; unset it, or "
            "add the model from a folder."
        ) from error
    except OSError as error:
        raise unreachable(hub, repo, error) from error
    except Exception as error:
        if not isinstance(error, transport_errors()):
            raise
        raise unreachable(hub, repo, error) from error


def unreachable(hub: Hub, repo: str, error: Exception) -> HubError:
    return HubError(
        f"{hub.address} cannot be reached, or broke off ({_short(error)}); add {repo} again, "
        "what was transferred is kept."
    )


def refused(hub: Hub, repo: str, error: Any) -> HubError:
    status = error.response.status_code if error.response is not None else 0
    if status == 429:
        return HubBusy(repo, f"{error.response.headers.get('Retry-After', 'some')} s")
    if status in (401, 403):
        return GatedModel(repo, hub.address)
    return HubError(f"{hub.address} answered {status} for {repo}; add it again later.")


def transport_errors() -> tuple[type[Exception], ...]:
    """Of the HTTP client that huggingface_hub has come with: httpx in 1.x, httpx2 since."""
    from huggingface_hub import get_session

    module = __import__(type(get_session()).__module__.partition(".")[0])
    return (module.TransportError,)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
