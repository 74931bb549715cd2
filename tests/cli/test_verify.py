"""`verify`: a whole ledger passes, and the first offence in a broken one is told, on both engines."""

import asyncio
import base64
import json

import pytest

from bot.cli.verifying import Report, Verification
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.arch.tree import ROOT
from tests.cli.conftest import Settings
from tests.cli.running import invoke
from tests.cli.seeding import ACME, Seeding, user
from tests.cli.tampering import Owner, as_owner


def tamper(url: str, *statements: str) -> None:
    """Change the ledger behind the program's back, past all that would refuse it."""

    def change(owner: Owner) -> None:
        for statement in statements:
            owner.rows(statement)

    as_owner(url, change)


def test_a_whole_ledger_passes(seeded: Settings) -> None:
    as_json = invoke("verify", "--json", settings=seeded)
    words = invoke("verify", settings=seeded)

    assert (as_json.code, words.code) == (0, 0)
    assert json.loads(as_json.stdout) == {
        "accounts": 2,
        "entries": 4,
        "checkpoints": 0,
        "signatures_checked": False,
        "newest_checkpoint": None,
        "offence": None,
    }
    assert words.stdout.splitlines() == [
        "2 accounts with 4 entries, 0 checkpoints: everything holds.",
        "No checkpoint was made yet: entries that were cut off the end of a journal would not be missed.",
    ]


def test_what_its_page_quotes_is_what_it_prints(seeded_sqlite: Settings) -> None:
    page = (ROOT / "docs" / "verify.md").read_text()
    key, other = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
    none_yet = invoke("verify", settings=seeded_sqlite).stdout.splitlines()[1]
    assert invoke("checkpoint", settings={**seeded_sqlite, "LEDGER_SIGNING_KEY": key}).code == 0

    unchecked = invoke("verify", settings=seeded_sqlite).stdout.splitlines()
    missing = invoke("verify", "--expect", f"1377:{'0' * 64}", settings=seeded_sqlite).stdout.splitlines()
    unknown = invoke("verify", settings={**seeded_sqlite, "LEDGER_SIGNING_KEY": other}).stdout.splitlines()[0]
    tamper(seeded_sqlite["DATABASE_URL"], "UPDATE credit_transactions SET actor = 'x' WHERE seq = 3")
    broken = invoke("verify", settings=seeded_sqlite).stdout.splitlines()

    assert f"`{none_yet}`" in page
    assert f"`{unchecked[2]}`" in page
    assert missing[0].replace("the last one is 1.", "the last one is 1376.") in page
    assert missing[1] in page
    assert unknown[unknown.index("which is none of ours") : -1] in page
    assert broken[0].split("entry 3: ")[1] in page
    assert broken[1] in page


OF_ACME = "(SELECT a.id FROM credit_accounts a JOIN customers c ON c.id = a.customer_id WHERE c.github_login = 'acme')"


@pytest.mark.parametrize(
    ("statement", "entry", "problem"),
    [
        (f"UPDATE credit_transactions SET actor = 'x' WHERE seq = 3 AND account_id = {OF_ACME}", 3, "was changed"),
        (f"UPDATE credit_moves SET amount = 2 WHERE seq = 3 AND account_id = {OF_ACME}", 3, "was changed"),
        (f"UPDATE credit_accounts SET posted = posted + 1 WHERE id = {OF_ACME}", None, "posted"),
        (
            f"UPDATE credit_grants SET remaining = remaining - 1 WHERE number = 1 AND account_id = {OF_ACME}",
            None,
            "grant 1 has remaining: 4, 5 by the journal",
        ),
        (f"UPDATE credit_accounts SET version = 2 WHERE id = {OF_ACME}", None, "head"),
    ],
)
def test_the_first_offence_is_told(seeded: Settings, statement: str, entry: int | None, problem: str) -> None:
    tamper(seeded["DATABASE_URL"], statement)

    as_json = invoke("verify", "--json", settings=seeded)
    words = invoke("verify", settings=seeded)

    customer = json.loads(invoke("customers", "show", "github:@acme", "--json", settings=seeded).stdout)["id"]
    offence = json.loads(as_json.stdout)["offence"]
    assert (as_json.code, words.code) == (1, 1)
    assert (offence["customer_id"], offence["entry"]) == (customer, entry)
    assert problem in offence["problem"]
    assert f"Broken: customer {customer}," in words.stdout


def test_a_cut_off_entry_is_missed(seeded_sqlite: Settings) -> None:
    tamper(
        seeded_sqlite["DATABASE_URL"],
        "DELETE FROM credit_moves WHERE seq = 3",
        "DELETE FROM credit_transactions WHERE seq = 3",
    )

    offence = json.loads(invoke("verify", "--json", settings=seeded_sqlite).stdout)["offence"]

    assert "has 3 entries by its head, 2 in fact" in offence["problem"]


async def test_entries_that_are_written_meanwhile_are_no_offence(database: Database, clock: VirtualClock) -> None:
    seeding = Seeding(database, clock)
    await seeding.install(ACME)
    for number in range(3):
        await seeding.install(user(number + 1, f"u{number}"), installation_id=number + 1)
    seen: list[int] = []
    spends: list[asyncio.Task[None]] = []

    async with asyncio.TaskGroup() as tasks:

        def spend_meanwhile(report: Report) -> None:
            seen.append(report.entries)
            spends.append(tasks.create_task(seeding.spend(ACME, 1)))

        report = await Verification(database.reads, database.audits, on_progress=spend_meanwhile).run()

    assert report.offence is None
    assert (report.accounts, len(spends)) == (4, 4)
    assert seen == sorted(seen)


def test_an_entry_beyond_the_head_is_an_offence(seeded_sqlite: Settings) -> None:
    # Everything of the account is wound back to its first entry but the journal.
    tamper(
        seeded_sqlite["DATABASE_URL"],
        f"""UPDATE credit_accounts SET version = 1, posted = 5, grants_made = 1,
        head = (SELECT hash FROM credit_transactions t WHERE t.account_id = credit_accounts.id AND t.seq = 1),
        booked_at = (SELECT recorded_at FROM credit_transactions t
                     WHERE t.account_id = credit_accounts.id AND t.seq = 1),
        next_expiry = (SELECT expires_at FROM credit_grants g WHERE g.account_id = credit_accounts.id AND g.number = 1)
        WHERE id = {OF_ACME}""",
        f"DELETE FROM credit_grants WHERE number = 2 AND account_id = {OF_ACME}",
    )

    offence = json.loads(invoke("verify", "--json", settings=seeded_sqlite).stdout)["offence"]

    assert (offence["entry"], offence["problem"]) == (2, "lies beyond the account's head")
