"""What can't be kept or looked up is refused before anything is looked up, and harms no other command."""

from collections import Counter
from dataclasses import fields, replace
from typing import Any, get_args

import pytest

from billing.batch import Result, run_batch
from billing.commands import Applied, BackfillGrants, Command, KeyedCommand, Refused, ShowFigures
from billing.decide.bounds import out_of_bounds
from billing.errors import BillingError, OutOfBoundsError
from billing.ports import Unit
from billing.values import CustomerId, HoldId
from tests.billing.builders import CUSTOMER_ID, PLANS, History, day, grant, note, revoke, spend
from tests.billing.office import Office, spending
from tests.billing.requests import adjust, buy, capture, extend, hold, refund, release, reverse, usage

MOST = 2**63 - 1
ZERO = "a character that can't be kept, U+0000"
NO_NUMBER = "must be from 0 to 9223372036854775807"
ONE_OF_EACH: list[KeyedCommand] = [
    grant(1, key="k"),
    revoke(1, key="k"),
    adjust(1, key="k"),
    spend(1, key="k"),
    usage(1, key="k", at=day(12, 1)),
    hold(1, key="k"),
    capture(HoldId(1), 1, key="k"),
    release(HoldId(1), key="k"),
    extend(HoldId(1), key="k"),
    refund(1, 1, key="k"),
    reverse(1),
]
FIELDS = {"key": ("the key", 200), "actor": ("the actor", 100), "reference": ("the reference", 500)}


@pytest.fixture
def office() -> Office:
    return Office()


def problem(command: Command) -> str:
    """What is said of the command."""
    assert isinstance(command, KeyedCommand | ShowFigures | BackfillGrants)
    error = out_of_bounds(command)
    assert isinstance(error, OutOfBoundsError)
    return str(error)


@pytest.mark.parametrize(
    ("command", "name"),
    # A reversal's key is of our own making.
    [(command, each.name) for command in ONE_OF_EACH for each in fields(command) if each.name in FIELDS],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_ids_are_one_short_line_of_what_can_be_seen(command: Any, name: str) -> None:
    what, longest = FIELDS[name]

    def with_text(text: str) -> Any:
        return replace(command, **{name: text})

    assert out_of_bounds(with_text("é" * longest)) is None
    assert problem(with_text("k" * (longest + 1))) == f"{what} is longer than {longest} characters"
    assert problem(with_text("k\0")) == f"{what} holds {ZERO}"
    for character, told in (
        ("\n", "U+000A"),
        ("\x7f", "U+007F"),
        ("\x85", "U+0085"),
        ("\u2028", "U+2028"),
        ("\ud800", "U+D800"),
        ("\udfff", "U+DFFF"),
    ):
        assert problem(with_text(f"a{character}b")) == f"{what} holds a character that can't be kept, {told}"
    for text in ("repository:7#12", "Größe 3", "鍵-1", "🔑"):
        assert out_of_bounds(with_text(text)) is None


@pytest.mark.parametrize(
    "command",
    [
        *(command for command in ONE_OF_EACH if getattr(command, "note", None)),
        BackfillGrants(customer_id=CUSTOMER_ID, is_dry_run=False, note=note("missed")),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_note_may_have_lines_and_says_what_it_likes(command: Any) -> None:
    def with_note(**change: str) -> Any:
        return replace(command, note=replace(command.note, **change))

    for name, what, longest in (("text", "the note's text", 2_000), ("actor_name", "the name beside the note", 200)):
        assert out_of_bounds(with_note(**{name: "é" * longest})) is None
        assert problem(with_note(**{name: "k" * (longest + 1)})) == f"{what} is longer than {longest} characters"
        for fine in ("first\r\n\tsecond", "~ \u00a0\u2028\ud7ff\ue000\U0010ffff", "👩‍🚀"):
            assert out_of_bounds(with_note(**{name: fine})) is None
        for code in (0x00, 0x08, 0x0B, 0x0C, 0x0E, 0x1B, 0x1F, 0x7F, 0x85, 0x9F, 0xD800, 0xDCFF, 0xDFFF):
            told = problem(with_note(**{name: f"a{chr(code)}b"}))
            assert told == f"{what} holds a character that can't be kept, U+{code:04X}"


def test_a_command_without_a_note_is_within_bounds() -> None:
    assert out_of_bounds(BackfillGrants(customer_id=CUSTOMER_ID, is_dry_run=True)) is None
    assert out_of_bounds(buy(1, key="k")) is None


def test_every_request_is_tried() -> None:
    assert {type(command) for command in ONE_OF_EACH} == set(get_args(KeyedCommand))


def test_who_makes_up_for_what_was_missed_is_an_id() -> None:
    assert problem(BackfillGrants(customer_id=CUSTOMER_ID, is_dry_run=True, actor="a\0")) == f"the actor holds {ZERO}"


@pytest.mark.parametrize("number", [-1, 2**63, pytest.param(10**5000, id="beyond print")])
def test_a_number_that_no_row_can_have_is_told_without_it(number: int) -> None:
    """Numbers may be longer than Python is ready to print."""
    for command in (
        *ONE_OF_EACH,
        BackfillGrants(customer_id=CUSTOMER_ID, is_dry_run=True),
        ShowFigures(customer_id=CUSTOMER_ID, shown=True),
    ):
        about_nobody = replace(command, customer_id=CustomerId(number))
        assert problem(about_nobody) == f"the number of the customer {NO_NUMBER}"
    for request in (
        capture(HoldId(number), 1, key="k"),
        release(HoldId(number), key="k"),
        extend(HoldId(number), key="k"),
    ):
        assert problem(request) == f"the number of the hold {NO_NUMBER}"
    assert problem(refund(number, 1, key="k")) == f"the number of the grant {NO_NUMBER}"
    assert problem(reverse(number)) == f"the number of the entry {NO_NUMBER}"


@pytest.mark.parametrize("number", [0, MOST])
def test_the_least_and_the_largest_number_are_looked_up(number: int) -> None:
    for command in (
        *(replace(command, customer_id=CustomerId(number)) for command in ONE_OF_EACH),
        ShowFigures(customer_id=CustomerId(number), shown=True),
        capture(HoldId(number), 1, key="k"),
        refund(number, 1, key="k"),
        reverse(number),
    ):
        assert out_of_bounds(command) is None


async def test_nothing_is_looked_up_for_it_and_its_neighbours_are_done(office: Office) -> None:
    (customer_id,) = await office.customers(1)
    sound = spending(customer_id, 1, "sound")
    wrong: list[KeyedCommand] = [
        spending(customer_id, 1, "key\0"),
        spending(CustomerId(2**63), 1, "k"),
        capture(HoldId(2**63), 1, key="c"),
        refund(2**63, 1, key="r"),
        reverse(2**63),
    ]
    asked: list[object] = []

    class Watched:
        """A unit that takes note of what is looked up."""

        def __init__(self, unit: Unit) -> None:
            self._unit = unit

        def __getattr__(self, name: str) -> Any:
            def called(*args: Any) -> Any:
                if name != "save":
                    asked.append(args)
                return getattr(self._unit, name)(*args)

            return called

    def batch(unit: Unit) -> list[Result]:
        watched: Any = Watched(unit)
        return run_batch(watched, [*wrong, sound, wrong[0]], office.clock.now(), PLANS)

    results = await office.store.transact(batch)
    kinds = Counter(type(result).__name__ for result in results)
    assert kinds == {"Refused": 6, "Applied": 1}
    assert all(isinstance(each.error, OutOfBoundsError) for each in results if isinstance(each, Refused))
    assert isinstance(results[5], Applied)
    told = repr(asked)
    assert "sound" in told
    assert "9223372036854775808" not in told
    assert "\\x00" not in told
    office.verify()


async def test_its_key_stays_free(office: Office) -> None:
    (customer_id,) = await office.customers(1)
    wrong = replace(spending(customer_id, 1, "k"), reference="a\nb")
    outcome = await office.service.handle(wrong)
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, BillingError)
    assert isinstance(await office.service.handle(replace(wrong, reference="a")), Applied)


async def test_figures_of_nobody_are_refused_too(office: Office) -> None:
    outcome = await office.service.handle(ShowFigures(customer_id=CustomerId(-1), shown=True))
    assert isinstance(outcome, Refused)
    assert str(outcome.error) == f"the number of the customer {NO_NUMBER}"


def test_what_is_within_bounds_is_done_to_the_last_character() -> None:
    history = History()
    history.install()
    command = replace(spend(1, key="k" * 200, reference="r" * 500), actor="a" * 100)
    assert out_of_bounds(command) is None
    assert isinstance(history.do(command).outcome, Applied)
