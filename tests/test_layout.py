"""The shape of the repository: where code may be, how long it may get, what it may import."""

import ast
import platform
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = ("platform", "model_registry", "jobs", "plugins")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
CEILINGS = SETTINGS["tool"]["omnifex"]["ceilings"]
PACKAGES = [path for root in SOURCE_ROOTS for path in (ROOT / root).iterdir() if path.is_dir()]
HEAVY = {"torch", "diffusers", "transformers", "av", "trimesh", "torchaudio", "skimage", "numpy"}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (ROOT / folder).rglob("*.py")


def loaded_by(code: str) -> set[str]:
    command = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_a_source_root_holds_packages_and_no_module(root: str) -> None:
    assert not list((ROOT / root).glob("*.py"))


def test_the_standard_library_keeps_its_platform() -> None:
    assert Path(platform.__file__).parent == Path(sysconfig.get_path("stdlib"))


def test_no_test_folder_is_named_like_a_source_root() -> None:
    assert not {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} & {*SOURCE_ROOTS}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_says_that_it_is_typed_and_is_in_the_wheel(package: Path) -> None:
    if package.name == "__pycache__":
        return
    assert (package / "py.typed").exists()
    wheel = SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert str(package.relative_to(ROOT)) in wheel


def test_files_and_functions_keep_to_their_ceilings() -> None:
    too_long = []
    for path in sources(*SOURCE_ROOTS, "recipes", "benchmarks", "examples"):
        name, text = str(path.relative_to(ROOT)), path.read_text()
        if text.count("\n") > CEILINGS["file"]:
            too_long.append(name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > CEILINGS["function"]:
                    too_long.append(f"{name}::{node.name}")
    assert sorted(too_long) == sorted(CEILINGS["exceptions"])


@pytest.mark.parametrize(
    "module",
    ["omnifex", "omnifex.cli", "omnifex_image", "omnifex_video", "omnifex_audio", "omnifex_mesh"],
)
def test_an_import_loads_nothing_heavy(module: str) -> None:
    assert not loaded_by(f"import {module}") & HEAVY


def test_opening_a_studio_that_only_submits_loads_no_torch(tmp_path: Path) -> None:
    code = f"from omnifex import Studio; Studio({str(tmp_path)!r}, workers=0).close()"
    assert "torch" not in loaded_by(code)


def test_jobs_never_import_torch() -> None:
    code = (
        "import pkgutil, importlib, omnifex_jobs as jobs; [importlib.import_module(m.name) for m "
    )
    code += "in pkgutil.walk_packages(jobs.__path__, 'omnifex_jobs.') if '.versions' not in m.name "
    code += "and not m.name.endswith('.env')]"
    assert "torch" not in loaded_by(code)


def test_the_public_names_are_few_and_all_there() -> None:
    import omnifex

    assert len(omnifex.__all__) <= 20
    assert all(getattr(omnifex, name) for name in omnifex.__all__)


def test_an_exception_from_a_ceiling_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in CEILINGS["exceptions"].values())
