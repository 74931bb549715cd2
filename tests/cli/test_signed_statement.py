"""`credits statement --signed` and `credits check`: from the database to the customer, who has a file and a key."""

import asyncio
import base64
import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.arch.tree import ROOT
from tests.cli.conftest import Settings, settings_for
from tests.cli.running import Ended, invoke, run
from tests.cli.tampering import KEY, Owner, as_owner, fill_ledger, signer

PUBLIC = signer().public.record()["public_key"]


@pytest.fixture
def signed(settings: Settings) -> Settings:
    """A whole ledger on each engine, and the key."""
    fill_ledger(settings["DATABASE_URL"])
    return {**settings, "LEDGER_SIGNING_KEY": KEY}


@pytest.fixture
def signed_sqlite(sqlite_url: str) -> Settings:
    """The same in a SQLite file."""
    fill_ledger(sqlite_url)
    return {**settings_for(sqlite_url), "LEDGER_SIGNING_KEY": KEY}


def state(settings: Settings, *arguments: str, reference: str = "github:@acme") -> Ended:
    """A signed statement, or why there is none."""
    return invoke("credits", "statement", reference, "--signed", *arguments, settings=settings)


def check(file: str, *arguments: str, key: str = PUBLIC) -> Ended:
    """What the customer is told, who has no settings."""
    return invoke("credits", "check", file, "--key", key, *arguments, settings={})


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_statement_can_be_checked_by_file_and_key_alone(signed: Settings, tmp_path: Path, form: str) -> None:
    ended = state(signed, "--format", form, "--output", "statement")
    words = check("statement")
    as_json = check("statement", "--json")

    assert (ended.code, ended.stdout) == (0, "")
    assert f"signed with key {signer().key_id}" in ended.stderr
    assert (words.code, as_json.code) == (0, 0), words.stdout
    found = json.loads(as_json.stdout)
    shown = json.loads(invoke("credits", "statement", "github:@acme", "--json", settings=signed).stdout)
    assert (found["holds"], found["entries"], found["last_entry"]) == (True, len(shown), shown[-1]["entry"])
    assert found["balance"] == shown[-1]["balance_after"]
    assert words.stdout.startswith(f"The statement holds: {len(shown)} entries, from 1 to {len(shown)}.")
    assert re.search(r"Checkpoint 2:[0-9a-f]{64} vouches for the journal up to entry \d+\.", words.stdout)
    assert (tmp_path / "statement").read_bytes().isascii()


@pytest.mark.parametrize("form", ["json", "csv"])
def test_without_a_file_it_goes_to_stdout_byte_by_byte(signed_sqlite: Settings, tmp_path: Path, form: str) -> None:
    state(signed_sqlite, "--format", form, "--output", "statement")
    printed = state(signed_sqlite, "--format", form)

    (tmp_path / "printed").write_bytes(printed.stdout.encode())
    assert check("printed").code == 0
    # Only the moment, and with it the signature, differs.
    lines = (tmp_path / "statement").read_bytes().decode().split("\n")
    differing = [
        one for one, other in zip(lines, printed.stdout.split("\n"), strict=True) if one.strip() != other.strip()
    ]
    assert all("made_at" in line or "signature" in line for line in differing)


def test_it_may_begin_at_any_entry(signed_sqlite: Settings, tmp_path: Path) -> None:
    state(signed_sqlite, "--output", "whole.json")
    whole = json.loads((tmp_path / "whole.json").read_text())
    last = whole["closing_entry"]

    for first in (2, last):
        ended = state(signed_sqlite, "--from", str(first))
        part = json.loads(ended.stdout)
        (tmp_path / "part.json").write_text(ended.stdout)
        assert part["entries"] == whole["entries"][first - 1 :]
        assert part["opening_hash"] == whole["entries"][first - 2]["hash"]
        assert f"It follows entry {first - 1}, whose hash is {part['opening_hash']}." in check("part.json").stdout
    beyond = state(signed_sqlite, "--from", str(last + 1))
    assert (beyond.code, beyond.stdout) == (1, "")
    assert f"There is no entry {last + 1}" in beyond.stderr


def test_an_account_without_entries_has_a_statement_too(signed_sqlite: Settings, tmp_path: Path) -> None:
    def add(owner: Owner) -> None:
        owner.rows("INSERT INTO customers (id, github_account_id, source, created_at) VALUES (99, 99, 'x', 1)")
        owner.rows(
            "INSERT INTO credit_accounts (id, customer_id, unit, next_expiry, head)"
            " VALUES (98, 99, 'credit', 253402300799000, zeroblob(32))"
        )

    as_owner(signed_sqlite["DATABASE_URL"], add)

    (tmp_path / "empty.json").write_text(state(signed_sqlite, reference="99").stdout)

    assert json.loads((tmp_path / "empty.json").read_text())["checkpoint_number"] == 0
    assert check("empty.json").stdout.startswith("The statement holds: 0 entries, from 1 to 0.")


@pytest.mark.parametrize("shape", ["base64", "file", "pem", "json"])
def test_the_key_comes_in_each_shape(signed_sqlite: Settings, tmp_path: Path, shape: str) -> None:
    state(signed_sqlite, "--output", "statement.json")
    record = signer().public.record()
    (tmp_path / "key.base64").write_text(f"{PUBLIC}\n")
    (tmp_path / "key.pem").write_text(record["pem"])
    (tmp_path / "key.json").write_text(json.dumps({**record, "earlier": []}))
    key = {"base64": PUBLIC, "file": "key.base64", "pem": "key.pem", "json": "key.json"}[shape]

    assert check("statement.json", key=key).code == 0


def test_one_byte_is_enough_to_fail(signed_sqlite: Settings, tmp_path: Path) -> None:
    content = state(signed_sqlite).stdout
    (tmp_path / "changed.json").write_text(content.replace('"amount": -3', '"amount": -2'))
    (tmp_path / "richer.json").write_text(re.sub(r'"closing_debt": \d+', '"closing_debt": 12345', content))

    (tmp_path / "halved.json").write_text(content.replace('"unit": "credit"', '"unit": "\\ud800"'))

    changed, richer = check("changed.json"), check("richer.json", "--json")
    halved = check("halved.json")

    assert (halved.code, halved.stdout) == (1, "Broken: the statement has a malformed unit.\n")
    assert (changed.code, changed.stdout) == (1, "Broken: entry 3: was changed: its hash is another.\n")
    assert richer.code == 1
    assert "its entries come to" in json.loads(richer.stdout)["problem"]


def test_another_vendors_key_does_not_fit(signed_sqlite: Settings) -> None:
    other = {**signed_sqlite, "LEDGER_SIGNING_KEY": base64.b64encode(bytes(32)).decode()}
    state(other, "--output", "statement.json")

    ended = check("statement.json")

    assert ended.code == 1
    assert "as its signer; the key that was given is" in ended.stdout


def test_a_broken_journal_is_not_signed(signed: Settings, tmp_path: Path) -> None:
    as_owner(
        signed["DATABASE_URL"],
        lambda owner: _run(owner, "UPDATE credit_transactions SET reference = 'x' WHERE seq = 3"),
    )

    ended = state(signed, "--output", "statement.json")

    assert (ended.code, ended.stdout) == (1, "")
    assert "entry 3 was changed: its hash is another" in ended.stderr
    assert "tallyhook verify" in ended.stderr
    assert list(tmp_path.glob("*.json")) == []


def test_an_account_that_was_set_otherwise_is_not_signed(signed: Settings) -> None:
    as_owner(
        signed["DATABASE_URL"],
        lambda owner: _run(owner, "UPDATE credit_accounts SET posted = posted + 1 WHERE held > 0"),
    )

    ended = state(signed)

    assert (ended.code, ended.stdout) == (1, "")
    assert "its entries come to" in ended.stderr


def _run(owner: Owner, sql: str) -> None:
    owner.rows(sql)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--signed", "--json"), 2, "--format json"),
        (("--format", "csv"), 2, "Add --signed"),
        (("--output", "x"), 2, "Add --signed"),
        (("--from", "2"), 2, "Add --signed"),
        (("--signed", "--format", "xml"), 2, "There is no format 'xml'"),
        (("--signed", "--output", "there"), 1, "there can't be made: File exists"),
        (("--signed", "--output", "no/such/place"), 1, "can't be made: No such file"),
    ],
)
def test_what_cannot_be_is_refused(
    signed_sqlite: Settings, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "there").write_text("kept")

    ended = invoke("credits", "statement", "github:@acme", *arguments, settings=signed_sqlite)

    assert (ended.code, ended.stdout) == (code, "")
    assert words in ended.stderr
    assert (tmp_path / "there").read_text() == "kept"


def test_without_a_key_nothing_is_signed(signed_sqlite: Settings) -> None:
    ended = state({**signed_sqlite, "LEDGER_SIGNING_KEY": ""})

    assert (ended.code, ended.stdout) == (1, "")
    assert "openssl rand -base64 32" in ended.stderr


@pytest.mark.parametrize("name", ["absent.pem", "keys/absent"])
def test_a_key_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "statement.json").write_text("{}")

    ended = check("statement.json", key=name)

    assert (ended.code, ended.stdout) == (2, "")
    assert f"There is no file {name}, which --key names." in ended.stderr


@pytest.mark.parametrize("key", ["", "no key", "/" * 5000, "."])
def test_what_is_no_key_is_refused(tmp_path: Path, key: str) -> None:
    (tmp_path / "statement.json").write_text("{}")

    ended = check("statement.json", key=key)

    assert (ended.code, ended.stdout) == (2, "")
    assert "GET /api/v1/ledger/key" in ended.stderr


def test_what_is_no_statement_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")

    assert check("absent.json").code == 1
    assert "can't be read" in check("absent.json").stderr
    assert check("list.json").stdout.startswith("Broken: the statement has no row format")
    assert json.loads(check("list.json", "--json").stdout)["account_id"] is None


def test_checking_reads_no_settings(signed_sqlite: Settings, tmp_path: Path) -> None:
    """In a process of its own, whose settings could not be used."""
    state(signed_sqlite, "--output", "statement.csv", "--format", "csv")
    wrong = {"DATABASE_URL": "nonsense", "LEDGER_SIGNING_KEY": "nonsense"}

    ended = asyncio.run(run("credits", "check", "statement.csv", "--key", PUBLIC, directory=tmp_path, settings=wrong))

    assert (ended.code, ended.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir() if "db" not in path.name) == ["statement.csv"]


# ---------------------------------------------------------------- the documented format


@pytest.fixture
def documented_check(tmp_path: Path) -> Path:
    """The program that the documentation shows."""
    document = (ROOT / "docs/statement-format.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    path = tmp_path / "check_statement.py"
    path.write_text(program)
    return path


def by_the_document(program: Path, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, program, file, PUBLIC], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_documented_program_agrees(signed: Settings, tmp_path: Path, documented_check: Path) -> None:
    for reference in ("github:@acme", "github:@octocat"):
        content = state(signed, reference=reference).stdout
        (tmp_path / "statement.json").write_text(content)
        said = json.loads(content)

        ended = by_the_document(documented_check, tmp_path / "statement.json")

        assert ended.stderr == ""
        assert ended.stdout == f"holds: {len(said['entries'])} entries, balance {said['closing_balance']}\n"


def test_the_documented_program_finds_what_was_changed(
    signed_sqlite: Settings, tmp_path: Path, documented_check: Path
) -> None:
    said = json.loads(state(signed_sqlite).stdout)
    entries = said["entries"]
    tampered = {
        "its hash is another": said | {"entries": [entries[0], entries[1] | {"actor": "x"}, *entries[2:]]},
        "doesn't follow": said | {"entries": [entries[0], *entries[2:]]},
        "the end": said | {"entries": entries[:-1]},
        "InvalidSignature": said | {"customer_id": 77},
    }
    for words, document in tampered.items():
        (tmp_path / "statement.json").write_text(json.dumps(document))
        ended = by_the_document(documented_check, tmp_path / "statement.json")
        assert ended.returncode == 1
        assert words in ended.stderr


def test_the_document_has_the_names_in_their_order(signed_sqlite: Settings, tmp_path: Path) -> None:
    state(signed_sqlite, "--format", "csv", "--output", "statement.csv")
    rows = list(csv.reader((tmp_path / "statement.csv").read_bytes().decode().split("\r\n")))
    document = (ROOT / "docs/statement-format.md").read_text(encoding="utf-8")
    tables = [
        [name for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)]
        for table in re.findall(r"(?:^\|.*\n)+", document, re.MULTILINE)
    ]
    empty = rows.index([])

    assert tables[0] == [name for name, _ in rows[: empty - 1]]
    assert tables[1] == rows[empty + 1]
