"""No revision locks a big PostgreSQL table for long: squawk reads what each one really executes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event

from storage.migrating import upgrade
from tests.arch.tree import ROOT

SQUAWK = Path(sys.executable).parent / "squawk"
CHANGES = ("ALTER", "CREATE", "DROP", "TRUNCATE", "UPDATE")
OLDEST_POSTGRES = "14.0"
LEFT_OUT = "require-lock-timeout,require-statement-timeout,ban-drop-constraint"
"""Time-outs are a setting of the connection that migrates, not of a revision. A constraint is dropped where a wider one
takes its place, which locks no longer than that."""


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Every statement that any engine executes meanwhile."""
    statements: list[str] = []

    def record(*arguments: object) -> None:
        statements.append(str(arguments[2]).strip())

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)


def complaints(file: Path) -> str:
    """What squawk finds in a file that a migration runs in one transaction; nothing if all is well."""
    command = [str(SQUAWK), "--assume-in-transaction", "--pg-version", OLDEST_POSTGRES, "--exclude", LEFT_OUT]
    done = subprocess.run(
        [*command, "--reporter", "gcc", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_no_revision_locks_a_table_for_long(postgres_url: str, tmp_path: Path) -> None:
    scripts = ScriptDirectory(str(ROOT / "storage" / "migrations"))
    revisions = [script.revision for script in scripts.walk_revisions()][::-1]
    found = ""
    for revision in revisions:
        with recorded() as statements:
            upgrade(postgres_url, revision)
        # Alembic's own table of one row isn't ours to shape.
        changes = [one for one in statements if one.upper().startswith(CHANGES) and "alembic_version" not in one]
        assert changes, revision
        file = tmp_path / f"{revision}.sql"
        file.write_text(";\n".join([*changes, ""]), encoding="utf-8")
        found += complaints(file)

    assert revisions
    assert found == ""


def test_squawk_sees_a_rewrite_of_a_table(tmp_path: Path) -> None:
    file = tmp_path / "rewrite.sql"
    file.write_text("ALTER TABLE customers ALTER COLUMN id TYPE bigint;\n", encoding="utf-8")

    assert "changing-column-type" in complaints(file)
