"""What can go wrong with models, said to the user in one sentence each."""

from collections.abc import Iterable
from pathlib import Path


class RegistryError(Exception):
    """Base of the errors shown to users; `code` is stable, the message names the way out."""

    code = "registry"


class DatabaseNewer(RegistryError):
    """The database was migrated by a later version of this package."""

    code = "database_newer"

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            f"The database is from a newer Omnifex (model registry revision {found!r}, this one "
            f"knows {known!r}); upgrade Omnifex or choose another home."
        )


class UnknownModel(RegistryError):
    """No model of this name is registered."""

    code = "unknown_model"

    def __init__(self, name: str, registered: Iterable[str]) -> None:
        names = sorted(registered)
        known = f"registered: {', '.join(names)}" if names else "none is registered, add one first"
        super().__init__(f"There is no model {name!r}; {known}.")


class NameTaken(RegistryError):
    """Another model, with other contents, has this name."""

    code = "model_name_taken"

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(
            f"The name {name!r} belongs to another model, in {path}; "
            "choose another name or remove that model first."
        )


class BadName(RegistryError):
    """A model's name that would not survive a command line, a path or a URL."""

    code = "bad_model_name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is no name for a model; use up to 90 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit."
        )


class BadModelFolder(RegistryError):
    """The folder is not a model in the diffusers layout."""

    code = "bad_model_folder"


class CorruptWeights(RegistryError):
    """A safetensors file that is cut off, garbled or at odds with its own header."""

    code = "corrupt_weights"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"The weight file {path} cannot be used: {why}; download or save it again."
        )


class UnsafeWeights(RegistryError):
    """A file that runs code of its author when it is loaded."""

    code = "unsafe_weights"

    def __init__(self, path: Path | str) -> None:
        super().__init__(
            f"The weight file {path} is a pickle, which can run code when it is loaded; convert it "
            "to safetensors (or delete it, if the same weights lie beside it as safetensors)."
        )


class RemoteCode(RegistryError):
    """A model that would have code of its author run."""

    code = "remote_code"

    def __init__(self, place: object, what: str) -> None:
        super().__init__(
            f"{place} asks for code of its own ({what}), and code that comes with a model is never "
            "run; use a model whose classes are those of an installed library or plugin."
        )


class AbsurdConfig(RegistryError):
    """A config whose numbers no model has; building it would fill the memory."""

    code = "absurd_config"

    def __init__(self, path: object, key: str, value: object, most: int) -> None:
        super().__init__(
            f"{path} has {key} = {str(value)[:40]}, where at most {most:,} makes sense; "
            "download or save it again."
        )


class LibraryRefused(RegistryError):
    """A component's class lives in a package that nobody declared."""

    code = "library_refused"


class UnknownClass(RegistryError):
    """A component's class is not in its library, or cannot be loaded by us."""

    code = "unknown_component_class"

    def __init__(self, library: str, class_name: str, why: str) -> None:
        super().__init__(
            f"The component class {library}.{class_name} cannot be loaded: {why}; "
            "install the version of the library that the model was saved with."
        )


class WeightsChanged(RegistryError):
    """The files of a component are not those that were registered."""

    code = "weights_changed"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The weights in {path} are not the ones that were registered; "
            "add the model again, or put the old files back."
        )


class WeightsMismatch(RegistryError):
    """The tensors of the files are not those that the class asks for."""

    code = "weights_mismatch"

    def __init__(self, path: Path, class_name: str, why: str) -> None:
        super().__init__(
            f"The weights in {path} do not fit {class_name}: {why}; "
            "use the config.json that they were saved with."
        )


class LeftOnMeta(RegistryError):
    """A module keeps tensors that no file holds; for the author of the class."""

    code = "left_on_meta"

    def __init__(self, class_name: str, names: Iterable[str]) -> None:
        super().__init__(
            f"{class_name} has no values for {', '.join(names)} after loading, because components "
            "are built without memory; compute it in forward, or register it as persistent."
        )


class LoadFailed(RegistryError):
    """The library that owns the class refused to load the component."""

    code = "load_failed"

    def __init__(self, path: Path, class_name: str, why: str) -> None:
        super().__init__(
            f"{class_name} could not be loaded from {path}: {why}; check the component's files."
        )


class NoSpace(RegistryError):
    """A disk without room for a model."""

    code = "no_space"

    def __init__(self, folder: Path, size: int, free: int) -> None:
        super().__init__(
            f"The model takes {size / 1e9:.2f} GB, and the disk of {folder} has "
            f"{free / 1e9:.2f} GB free; make room, or choose another home."
        )


class HubError(RegistryError):
    """The model hub refuses, or cannot be reached."""

    code = "hub"


class GatedModel(HubError):
    """A model whose owner wants its terms accepted on the hub first."""

    code = "gated_model"

    def __init__(self, repo: str, endpoint: str) -> None:
        super().__init__(
            f"The model {repo} is gated: accept its terms at {endpoint}/{repo}, then log in with "
            "`hf auth login` or set HF_TOKEN, and add it again."
        )


class HubBusy(HubError):
    """The hub has had too many requests."""

    code = "hub_busy"

    def __init__(self, repo: str, wait: str) -> None:
        super().__init__(
            f"The hub has had too many requests and asks to wait {wait}; add {repo} again then, "
            "what was transferred is kept."
        )


class LicenceNotAccepted(HubError):
    """A model whose licence nobody has accepted here."""

    code = "licence_not_accepted"

    def __init__(self, repo: str, licence: str) -> None:
        super().__init__(
            f"The model {repo} comes under {licence}; read it, and add the model again with "
            "--accept-license (accept_license=True)."
        )


class RevisionChanged(HubError):
    """The hub has another revision of a model than the one that was added."""

    code = "revision_changed"

    def __init__(self, name: str, repo: str, known: str, found: str) -> None:
        super().__init__(
            f"{repo} has changed on the hub, from revision {known[:8]} to {found[:8]}; model "
            f"{name!r} stays as it was added. Add it with --update (update=True) to let the name "
            "mean the new one, where the old one is kept as a version, or under another --name."
        )


class WrongHash(HubError):
    """A file that is not what the hub said it would be."""

    code = "wrong_hash"

    def __init__(self, repo: str, file: str) -> None:
        super().__init__(
            f"The file {file} of {repo} does not have the hash that the hub names; it was thrown "
            "away, and nothing was added. Add the model again."
        )


class UnknownBase(RegistryError):
    """A single file whose configs and missing parts nobody has named."""

    code = "unknown_base"

    def __init__(self, path: Path, kind: str | None, suited: Iterable[str]) -> None:
        names = ", ".join(suited)
        seems = f"seems to be a checkpoint of type {kind}" if kind else "has keys of no known type"
        choice = f"choose one of {names}" if names else "add the model that it was made from first"
        super().__init__(
            f"The file {path} {seems}; it has neither configs nor tokenizers, so {choice}, and "
            "name that with --base."
        )
