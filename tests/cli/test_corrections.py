"""Corrections by hand beside granting and revoking: balances set right, late usage, entries taken back, purchases."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from billing.commands import HoldCredits, ReleaseHold
from billing.values import Credits, HoldId
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.cli.conftest import Settings
from tests.cli.running import Ended, invoke
from tests.cli.seeding import OCTOCAT, Seeding

ADJUST = ("credits", "adjust", "github:@octocat")
WHY = ("--reason", "counted wrong", "--actor", "Ada", "--yes")


def answer(ended: Ended) -> Any:
    assert ended.code == 0, ended.stderr
    return json.loads(ended.stdout)


def entries(settings: Settings) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(invoke("credits", "statement", "github:@octocat", "--json", settings=settings))
    return found


def explained(settings: Settings, *options: str) -> Any:
    return answer(invoke("credits", "explain", "github:@octocat", *options, "--json", settings=settings))


def figures(record: Any) -> tuple[int, int, int]:
    return record["available"], record["held"], record["debt"]


def act(settings: Settings, what: Callable[[Seeding], Awaitable[None]]) -> None:
    """Let something happen as it does beside the commands."""

    async def run() -> None:
        database = Database.connect(settings["DATABASE_URL"], clock=VirtualClock())
        await database.open()
        await what(Seeding(database, VirtualClock(), count=100))
        await database.close()

    asyncio.run(run())


async def hold_three(seeding: Seeding) -> None:
    """Octocat's three credits are held for two hours."""
    await seeding.carry_out(
        HoldCredits(
            customer_id=await seeding.customer(OCTOCAT),
            amount=Credits(3),
            lasts=timedelta(hours=2),
            key="hold",
            actor="key:1",
            reference="repository:7#12",
        )
    )


async def release(seeding: Seeding, hold_id: int) -> None:
    """Octocat's hold is given up."""
    await seeding.carry_out(
        ReleaseHold(customer_id=await seeding.customer(OCTOCAT), hold_id=HoldId(hold_id), key="given up", actor="key:1")
    )


def test_a_balance_is_set_right_down_into_debt_and_up_out_of_it(seeded: Settings) -> None:
    down = answer(invoke(*ADJUST, "-7", *WHY, "--key", "first", "--json", settings=seeded))
    again = answer(invoke(*ADJUST, "-7", *WHY, "--key", "first", "--json", settings=seeded))
    up = answer(invoke(*ADJUST, "+3", *WHY, "--json", settings=seeded))

    assert figures(down) == (0, 0, 2)
    assert (down["amount"], down["replayed"], down["entries"]) == (-7, False, [2])
    assert again == down | {"replayed": True}
    assert figures(up) == (1, 0, 0)
    assert (down["repaid"], up["repaid"]) == (0, 2)
    booked = entries(seeded)
    assert [(each["kind"], each["balance_after"]) for each in booked[1:]] == [
        ("adjust", 0),
        ("adjust", 0),
        ("grant", 1),
    ]
    assert [(each["reason"], each["actor_name"]) for each in booked[1:3]] == [("counted wrong", "Ada")] * 2


def test_it_is_told_whom_it_is_about_and_what_will_happen(seeded_sqlite: Settings) -> None:
    refused = invoke(*ADJUST, "-7", "--reason", "x", settings=seeded_sqlite)
    done = invoke(*ADJUST, "-7", *WHY, settings=seeded_sqlite)

    assert refused.code == 2
    assert "octocat (User 583231 at GitHub)" in refused.stderr
    assert "plan Trial, 5 credits available" in refused.stderr
    assert "Take 7 credits away (what there isn't becomes debt)? Nobody is there to ask." in refused.stderr
    assert done.stdout.splitlines()[0] == "7 credits taken away."
    assert done.stdout.splitlines()[1].startswith("0 credits available, 2 owed now. The key was operator:")
    assert len(entries(seeded_sqlite)) == 2


@pytest.mark.parametrize(
    "change", ["3", "+0", "-0", "+", "+-3", "+3.5", "three", "+1234567890", "+\N{SUPERSCRIPT TWO}"]
)
def test_what_is_no_change_is_refused(seeded_sqlite: Settings, change: str) -> None:
    ended = invoke(*ADJUST, change, *WHY, settings=seeded_sqlite)

    assert ended.code == 2
    assert "is no change of a balance" in ended.stderr
    assert "at most 999999999" in ended.stderr
    assert len(entries(seeded_sqlite)) == 1


@pytest.mark.parametrize("change", ["+3", "-3"])
def test_an_unknown_option_is_no_change(seeded_sqlite: Settings, change: str) -> None:
    ended = invoke(*ADJUST, change, "--raeson", "x", "--reason", "y", "--yes", settings=seeded_sqlite)

    assert ended.code == 2
    assert "--raeson" in ended.stderr
    assert len(entries(seeded_sqlite)) == 1


def test_late_usage_is_booked_at_its_own_time_once(seeded: Settings) -> None:
    used_at = (VirtualClock().now() - timedelta(days=2)).isoformat()
    usage = ("credits", "usage", "github:@octocat", "2", "--at", used_at, "--reference", "repository:7#12")
    why = ("--reason", "we were away", "--actor", "Ada")

    done = answer(invoke(*usage, *why, "--key", "repository:7#12", "--yes", "--json", settings=seeded))
    again = answer(invoke(*usage, *why, "--key", "repository:7#12", "--yes", "--json", settings=seeded))

    # The credits were granted today, so that none of them could have paid for it then.
    assert figures(done) == (5, 0, 2)
    assert again == done | {"replayed": True}
    booked = entries(seeded)[-1]
    assert booked["occurred_at"] < booked["recorded_at"]
    assert (booked["reason"], booked["actor_name"]) == ("we were away", "Ada")
    (owed,) = explained(seeded)["debt_entries"]
    assert (owed["entry"], owed["debt_after"]) == (2, 2)
    assert owed["text"].endswith(", 2 owed then: 2 used and owed: we were away")


@pytest.mark.parametrize(
    ("at", "code", "words"),
    [
        ("yesterday", 2, "'yesterday' is no time."),
        ("2026-11-20T14:05", 2, "doesn't say in which zone"),
        ("0001-01-01T00:00+14:00", 2, "is no time"),
        ("2020-01-01", 1, "up to 30 days after it happened"),
        ("9000-01-01", 1, "before it has happened"),
    ],
)
def test_usage_at_no_time_or_long_ago_is_refused(seeded_sqlite: Settings, at: str, code: int, words: str) -> None:
    usage = ("credits", "usage", "github:@octocat", "1", "--reference", "repository:7#12", "--key", "k", *WHY)

    ended = invoke(*usage, "--at", at, settings=seeded_sqlite)

    assert ended.code == code
    assert words in ended.stderr
    assert "--at" in ended.stderr
    assert len(entries(seeded_sqlite)) == 1


def test_an_entry_is_taken_back_once(seeded: Settings) -> None:
    act(seeded, lambda seeding: seeding.spend(OCTOCAT, 4))
    customer_id = explained(seeded)["customer_id"]

    done = answer(invoke("credits", "reverse", f"{customer_id}:2", *WHY, "--json", settings=seeded))
    again = answer(invoke("credits", "reverse", "github:@octocat:2", *WHY, "--json", settings=seeded))
    other = invoke("credits", "reverse", f"{customer_id}:2", "--reason", "once more", "--yes", settings=seeded)
    of_a_reversal = invoke("credits", "reverse", f"{customer_id}:3", *WHY, settings=seeded)

    assert figures(done) == (5, 0, 0)
    assert (done["entry"], done["entries"], done["key"], done["replayed"]) == (2, [3], "reverse:2", False)
    assert again == done | {"replayed": True}
    assert (other.code, of_a_reversal.code) == (1, 1)
    assert "entry 3 has taken it back already" in other.stderr
    assert "Entry 3 can't be reversed" in of_a_reversal.stderr
    assert "tallyhook credits adjust" in of_a_reversal.stderr
    assert [each["kind"] for each in entries(seeded)] == ["grant", "spend", "reverse"]
    assert entries(seeded)[-1]["reason"] == "counted wrong"


def test_before_an_entry_is_taken_back_it_is_shown(seeded_sqlite: Settings) -> None:
    act(seeded_sqlite, lambda seeding: seeding.spend(OCTOCAT, 4))

    refused = invoke("credits", "reverse", "github:@octocat:2", "--reason", "x", settings=seeded_sqlite)
    done = invoke("credits", "reverse", "github:@octocat:2", *WHY, settings=seeded_sqlite)

    assert refused.code == 2
    assert "entry 2, -4: 4 used, of grant 1" in refused.stderr
    assert "Take entry 2 back? Nobody is there to ask." in refused.stderr
    assert done.stdout == "Entry 2 taken back.\n5 credits available now.\n"


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ("5", 2, "'5' names no entry."),
        ("github:@octocat", 2, "names no entry"),
        ("github:@octocat:0", 2, "names no entry"),
        ("github:583231", 1, "There is no customer github."),
        ("github:@octocat:99", 1, "There is no entry 99."),
        ("999999:1", 1, "There is no customer 999999."),
    ],
)
def test_what_names_no_entry_is_refused(seeded_sqlite: Settings, entry: str, code: int, words: str) -> None:
    ended = invoke("credits", "reverse", entry, *WHY, settings=seeded_sqlite)

    assert ended.code == code
    assert words in ended.stderr


def test_a_purchase_that_was_paid_some_other_way_makes_up_for_debt_first(seeded: Settings) -> None:
    invoke(*ADJUST, "-7", *WHY, settings=seeded)
    grant = ("credits", "grant", "github:@octocat", "20", "--reason", "by wire", "--origin", "purchase", "--yes")

    nameless = invoke(*grant, settings=seeded)
    done = answer(invoke(*grant, "--reference", "payment:2026-114", "--json", settings=seeded))

    assert nameless.code == 2
    assert "--reference" in nameless.stderr
    assert figures(done) == (18, 0, 0)
    assert done["repaid"] == 2
    booked = entries(seeded)[-2:]
    assert [each["kind"] for each in booked] == ["grant", "repay"]
    assert booked[0]["reference"].startswith("payment:2026-114 ")
    record = answer(invoke("customers", "show", "github:@octocat", "--json", settings=seeded))
    (bought,) = record["credits"]["grants"]
    assert (bought["origin"], bought["category"], bought["amount"], bought["remaining"]) == ("purchase", "paid", 20, 18)


def test_it_is_told_how_much_of_a_purchase_made_up_for_debt_also_when_it_is_repeated(
    seeded_sqlite: Settings,
) -> None:
    grant = ("credits", "grant", "github:@octocat", "20", "--reason", "by wire", "--origin", "purchase", "--yes")
    paid = ("--reference", "payment:2026-114", "--key", "wire")
    invoke(*ADJUST, "-7", *WHY, settings=seeded_sqlite)

    first = invoke(*grant, *paid, settings=seeded_sqlite)
    again = invoke(*grant, *paid, settings=seeded_sqlite)
    without_debt = invoke(*grant, "--reference", "payment:2026-115", settings=seeded_sqlite)

    assert first.stdout.splitlines()[0] == "20 credits granted. Of that, 2 made up for what was owed."
    assert again.stdout.splitlines()[0] == (
        "20 credits granted before, by the same key; nothing was done now. Of that, 2 made up for what was owed."
    )
    assert without_debt.stdout.splitlines()[0] == "20 credits granted."


@pytest.mark.parametrize(
    "reference", ["Jane Doe", "payment", "payment:a b", "jane@example.com", f"payment:{'1' * 300}"]
)
def test_no_name_gets_into_the_journal(seeded_sqlite: Settings, reference: str) -> None:
    grant = ("credits", "grant", "github:@octocat", "1", "--reason", "x", "--yes")

    ended = invoke(*grant, "--reference", reference, settings=seeded_sqlite)

    assert ended.code == 2
    assert "isn't an id" in ended.stderr
    assert len(entries(seeded_sqlite)) == 1


def test_a_statement_tells_what_is_held_and_owed(seeded: Settings) -> None:
    statement = ("credits", "statement", "github:@octocat")
    act(seeded, hold_three)
    held = invoke(*statement, settings=seeded).stdout.splitlines()
    invoke(*ADJUST, "-4", *WHY, settings=seeded)

    told = invoke(*statement, settings=seeded).stdout.splitlines()

    assert held[0].split()[:7] == ["ENTRY", "BOOKED", "KIND", "AMOUNT", "BALANCE", "HELD", "WHAT"]
    assert told[0].split()[:8] == ["ENTRY", "BOOKED", "KIND", "AMOUNT", "BALANCE", "HELD", "OWED", "WHAT"]
    (hold, adjusted) = entries(seeded)[1:]
    # Of the time there are two words, a day and a time.
    assert told[2].split()[3:8] == ["hold", "+0", "5", "3", "0"]
    assert f"  hold {hold['hold_id']}: 3 held, of grant 1  " in told[2]
    assert told[2].split()[-3:] == ["key:1", "repository:7#12", "-"]
    assert told[3].split()[3:8] == ["adjust", "-2", "3", "3", "2"]
    assert "  set right by hand: 2 taken back, of grant 1; 2 owed  " in told[3]
    assert (hold["held_after"], hold["debt_after"], hold["reverses"]) == (3, 0, None)
    assert hold["moves"] == [{"debit": "grant", "credit": "held", "grant": 1, "amount": 3}]
    assert " hold:" in hold["reference"]
    assert (adjusted["held_after"], adjusted["debt_after"], adjusted["hold_id"]) == (3, 2, None)
    assert adjusted["moves"][1] == {"debit": "debt", "credit": "lent", "grant": 0, "amount": 2}


def test_a_hold_is_not_reversed_and_the_refusal_names_a_way_that_there_is(seeded: Settings) -> None:
    act(seeded, hold_three)
    (held,) = answer(invoke("credits", "holds", "github:@octocat", "--json", settings=seeded))

    refused = invoke("credits", "reverse", "github:@octocat:2", *WHY, settings=seeded)
    again = invoke("credits", "reverse", "github:@octocat:2", *WHY, settings=seeded)
    act(seeded, lambda seeding: release(seeding, held["id"]))
    ended = invoke("credits", "reverse", "github:@octocat:2", *WHY, settings=seeded)
    of_the_release = invoke("credits", "reverse", "github:@octocat:3", *WHY, settings=seeded)

    until = f"{held['expires_at'][:10]} {held['expires_at'][11:19]}Z"
    assert refused.code == again.code == ended.code == of_the_release.code == 1
    assert refused.stderr == again.stderr
    assert (
        f"The App releases it, or it ends by itself at {until}; meanwhile: `tallyhook credits grant`" in refused.stderr
    )
    assert "The hold has ended, and what it held is back or was used" in ended.stderr
    assert "Entry 3 can't be reversed: what was held is back" in of_the_release.stderr
    assert "`tallyhook credits revoke`" in of_the_release.stderr


def test_holds_are_listed_and_shown_with_the_customer(seeded: Settings) -> None:
    none_open = invoke("credits", "holds", "github:@octocat", settings=seeded)
    none_at_all = invoke("credits", "holds", "github:@octocat", "--all", settings=seeded)
    assert (none_open.stdout, none_open.stderr) == ("", "None is open; --all tells those that have ended.\n")
    assert none_at_all.stderr == "None was ever made.\n"
    act(seeded, hold_three)

    (held,) = answer(invoke("credits", "holds", "github:@octocat", "--json", settings=seeded))
    record = answer(invoke("customers", "show", "github:@octocat", "--json", settings=seeded))
    table = invoke("credits", "holds", "github:@octocat", settings=seeded).stdout.splitlines()

    assert (held["state"], held["credits"], held["paid_units"], held["captured"]) == ("open", 3, 0, 0)
    assert held["reference"] == "repository:7#12"
    assert figures(record["credits"]) == (2, 3, 0)
    (grant,) = record["credits"]["grants"]
    assert (grant["amount"], grant["remaining"], grant["held"]) == (5, 2, 3)
    listed = answer(invoke("customers", "list", "--json", settings=seeded))
    assert next(each["credits"] for each in listed if each["github_login"] == "octocat") == {
        "available": 2,
        "held": 3,
        "debt": 0,
    }
    assert table[0].split() == ["HOLD", "MADE", "STATE", "CREDITS", "PAID", "WAIVED", "CAPTURED", "UNTIL", "REFERENCE"]
    assert table[1].split()[0] == str(held["id"])
    assert table[1].endswith("repository:7#12")


def test_a_balance_is_explained_as_it_was(seeded: Settings) -> None:
    act(seeded, lambda seeding: seeding.spend(OCTOCAT, 1))
    act(seeded, hold_three)
    invoke(*ADJUST, "-4", *WHY, settings=seeded)

    now = explained(seeded)
    assert figures(now) == (0, 3, 3)
    assert now["grants"][0]["text"].endswith("5 credits for signing up: 1 used, 1 taken back, 3 held")
    assert [figures(explained(seeded, "--seq", str(seq))) for seq in (1, 2, 3, 4)] == [
        (5, 0, 0),
        (4, 0, 0),
        (1, 3, 0),
        (0, 3, 3),
    ]
    behind_two = explained(seeded, "--seq", "2")
    assert (behind_two["entry"], behind_two["holds"], behind_two["plan"], behind_two["reasons"]) == (2, [], None, [])
    moment = entries(seeded)[2]["recorded_at"]
    assert figures(explained(seeded, "--at", moment)) == (1, 3, 0)
    long_ago = explained(seeded, "--at", "2020-01-01")
    assert (figures(long_ago), long_ago["entry"], long_ago["grants"]) == ((0, 0, 0), 0, [])


def test_a_balance_of_the_past_is_told_in_words(seeded_sqlite: Settings) -> None:
    act(seeded_sqlite, hold_three)
    invoke(*ADJUST, "-4", *WHY, settings=seeded_sqlite)

    now = invoke("credits", "explain", "github:@octocat", settings=seeded_sqlite).stdout
    then = invoke("credits", "explain", "github:@octocat", "--seq", "2", settings=seeded_sqlite).stdout
    before = invoke("credits", "explain", "github:@octocat", "--at", "2020-01-01", settings=seeded_sqlite).stdout

    assert "octocat has 0 credits to spend, 3 held, 2 owed, on the plan Trial." in now
    assert "Held, 3 credits in all:" in now
    assert ", for repository:7#12: 3 held, until 20" in now
    assert "Owed, 2 credits in all, since there last was no debt:" in now
    assert ", 2 owed then: set right by hand: 2 taken back, of grant 1; 2 owed: counted wrong" in now
    assert "octocat had 2 credits to spend, 3 held, at 20" in then
    assert "behind entry 2." in then
    assert "Owed" not in then
    assert "octocat had 0 credits to spend, at 2020-01-01 00:00:00Z, before the first entry." in before


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--at", "2020-01-01", "--seq", "1"), 2, "Give one of them."),
        (("--at", "9000-01-01"), 2, "is yet to come"),
        (("--at", "soon"), 2, "is no time"),
        (("--seq", "0"), 2, "greater than or equal to 1"),
        (("--seq", "99"), 1, "There is no entry 99."),
    ],
)
def test_no_moment_is_guessed_at(seeded_sqlite: Settings, options: tuple[str, ...], code: int, words: str) -> None:
    ended = invoke("credits", "explain", "github:@octocat", *options, settings=seeded_sqlite)

    assert ended.code == code
    assert words in ended.stderr
