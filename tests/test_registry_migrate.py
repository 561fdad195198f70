import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from omnifex_registry import DatabaseNewer, errors, migrate
from omnifex_registry.migration import VERSION_TABLE
from omnifex_registry.schema import metadata

MIGRATE = """
import sys
from sqlalchemy import create_engine
from omnifex_registry import migrate

migrate(create_engine(sys.argv[1], connect_args={"timeout": 30}))
"""


def test_the_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'home.db'}")
    migrate(engine)
    with engine.connect() as db:
        context = MigrationContext.configure(db, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'home.db'}")
    migrate(engine)
    before = (tmp_path / "home.db").read_bytes()
    migrate(engine)
    assert (tmp_path / "home.db").read_bytes() == before
    engine.dispose()


def test_several_processes_migrate_one_new_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'home.db'}"
    command = [sys.executable, "-c", MIGRATE, url]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    engine = create_engine(url)
    assert {"model", "component"} <= set(inspect(engine).get_table_names())
    engine.dispose()


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'home.db'}")
    migrate(engine)
    with engine.begin() as db:
        db.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'r9999'"))
    before = (tmp_path / "home.db").read_bytes()
    with pytest.raises(DatabaseNewer, match=r"newer Omnifex .*'r9999'.*upgrade") as caught:
        migrate(engine)
    assert caught.value.code == "database_newer"
    assert (tmp_path / "home.db").read_bytes() == before
    engine.dispose()


def test_importing_the_registry_imports_neither_torch_nor_diffusers() -> None:
    code = (
        "import sys, omnifex_registry; "
        "print([name for name in ('torch', 'diffusers', 'alembic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    import omnifex_registry

    with pytest.raises(AttributeError, match="no attribute 'load_everything'"):
        _ = omnifex_registry.load_everything


def test_every_error_code_is_in_the_docs() -> None:
    page = (Path(__file__).parent.parent / "docs" / "registry.md").read_text()
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    codes = {error.code for error in classes if issubclass(error, errors.RegistryError)}
    assert {code for code in codes - {"registry"} if f"| `{code}` |" not in page} == set()
