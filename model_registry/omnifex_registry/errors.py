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
            f"{name!r} is no name for a model; use up to 100 letters, digits, '.', '_' and '-', "
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

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The weight file {path} is a pickle, which can run code when it is loaded; convert it "
            "to safetensors (or delete it, if the same weights lie beside it as safetensors)."
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
