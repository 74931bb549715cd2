"""The settings file: nothing in it is lost, what is written is read back, and only its owner reads it."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.environment_file import EnvironmentFile
from bot.cli.failures import CommandError

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)

# `${` would be an interpolation, which the settings offer and we never write.
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"], exclude_characters="$"))


def test_changes_keep_comments_order_and_other_values(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# head\n\nexport A=1 # why\nKEY='two\nlines'\nB=2\nA=3\nLAST=no newline")

    backup = EnvironmentFile.read(path).write({"A": "new", "C": "with space"}, now=NOON)

    assert path.read_text() == "# head\n\nA=new\nKEY='two\nlines'\nB=2\nLAST=no newline\nC='with space'\n"
    assert backup is not None
    assert backup.read_text() == "# head\n\nexport A=1 # why\nKEY='two\nlines'\nB=2\nA=3\nLAST=no newline"


def test_only_the_owner_reads_the_file_and_its_backup(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o644)

    backup = EnvironmentFile.read(path).write({"A": "2"}, now=NOON)

    assert backup is not None
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, backup)] == [0o600, 0o600]
    assert sorted(each.name for each in tmp_path.iterdir()) == [".env", backup.name]


def test_a_first_file_has_no_backup_and_a_link_stays_one(tmp_path: Path) -> None:
    link = tmp_path / ".env"
    link.symlink_to(tmp_path / "settings")

    assert EnvironmentFile.read(link).write({"A": "1"}, now=NOON) is None

    assert link.is_symlink()
    assert (tmp_path / "settings").read_text() == "A=1\n"


@given(value=VALUES, other=VALUES)
def test_what_is_written_is_read_back(value: str, other: str) -> None:
    empty = EnvironmentFile(path=Path("nowhere"), text="")

    text = empty.with_values({"A": value, "B": other})
    again = EnvironmentFile(path=Path("nowhere"), text=text)

    assert again.values() == {"A": value, "B": other}
    assert again.with_values({"B": value}) == empty.with_values({"A": value, "B": value})


def test_the_settings_read_it_alike(tmp_path: Path) -> None:
    path = tmp_path / ".env"

    EnvironmentFile.read(path).write({"A": 'a\'b\\c "d" #e', "B": "plain/1=="}, now=NOON)

    assert dotenv_values(path) == {"A": 'a\'b\\c "d" #e', "B": "plain/1=="}


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(CommandError, match="can't be read") as refused:
        EnvironmentFile.read(tmp_path / ".env")

    assert "--file" in refused.value.way_out
