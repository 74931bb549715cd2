"""What happens in one run, as plain data drawn from a seed: phases, each with one trouble and a few people talking.

Everything that can be drawn twice comes out the same: whoever has the seed has the run.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from sandbox.github.model import Role
from tests.system.talk_cast import (
    BOTS,
    BUSY,
    HOMES,
    LONG_COMMENTS,
    LONG_THREAD,
    OWNERS,
    PAGE,
    ROLES,
    THREADS,
    Home,
    Where,
    home_of,
    repository_of,
    threads,
)
from tests.system.talk_spellings import COMMANDS, NEAR_COMMANDS, PASTED_ANSWER

OURSELVES: Final = "ourselves"
"""Stands for the App's own bot."""

Trouble = Literal[
    "none",
    "server_error",
    "slow",
    "lost_answer",
    "lands_late",
    "dropped",
    "garbled",
    "limit_forbidden",
    "limit_too_many",
    "limit_unnamed",
    "exhausted",
    "moved",
    "young_token",
    "revoked_tokens",
    "duplicated",
    "held",
    "late",
    "failed_webhook",
    "lost_webhook",
    "altered",
    "killed",
    "mixed",
]
"""What goes wrong, one kind at a time; `mixed` has all that happens by chance."""

SCENES_OF_A_PHASE: Final = 8

WAITS_SECONDS: Final = (0.0, 0.0, 0.4, 1.0, 5.0, 40.0, 70.0, 900.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Somebody comments.

    Attributes:
        who: a person, a bot, or `OURSELVES`.
        asks: the words that the text asks of us, were it a person's who may.
        via_app: whether our App writes it for the person.
        rest: whether the product may finish with it before the next step.
    """

    where: Where
    who: str
    text: str
    asks: tuple[str, ...] = ()
    via_app: bool = False
    rest: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Chatter:
    """Bots and people talk about other things, a comment each."""

    where: Where
    texts: tuple[str, ...]


ChangeKind = Literal[
    "edit",
    "remove",
    "remove_answer",
    "lock",
    "unlock",
    "delete_thread",
    "suspend",
    "unsuspend",
    "uninstall",
    "install",
    "rename_repository",
    "publish",
    "privatize",
    "role",
    "swap_logins",
    "show_figures",
    "hide_figures",
    "again",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something else happens than talk; what can't happen just then, doesn't.

    Attributes:
        of: a thread, a repository, an account or a person, as the kind has it.
        to: the new text, role or person.
    """

    kind: ChangeKind
    of: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Time passes, and what is due in it happens."""

    seconds: float


Step = Say | Chatter | Change | Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A trouble that begins, people who talk meanwhile, and the trouble's end."""

    trouble: Trouble
    before: Sequence[Step] = ()
    steps: Sequence[Step] = field(default_factory=list)


CALM_CHANGES: Final[tuple[tuple[Change, ...], ...]] = (
    (Change(kind="suspend", of="dune-org"),),
    (Change(kind="lock", of="almond#2"), Change(kind="delete_thread", of="apple#1")),
    (Change(kind="unsuspend", of="dune-org"),),
    (Change(kind="rename_repository", of="cone", to="cone-renamed"),),
    (Change(kind="publish", of="grove"),),
    (Change(kind="role", of="wanda", to="read"),),
    (Change(kind="uninstall", of="echo"),),
    (Change(kind="role", of="wanda", to="write"), Change(kind="unlock", of="almond#2")),
    (Change(kind="privatize", of="grove"), Change(kind="rename_repository", of="grove", to="grove-renamed")),
    (Change(kind="install", of="echo"),),
    (Change(kind="show_figures", of="amelia"), Change(kind="role", of="tess", to="maintain")),
    (Change(kind="hide_figures", of="cedar-org"), Change(kind="swap_logins", of="rio", to="mona")),
)
"""What changes between the phases while nobody talks; each run has all of it, in this order."""


ELSEWHERE: Final[tuple[Where, ...]] = ("cone#1", "almond#1", "elm#2", "fern#3")
"""Threads of accounts that have nothing to do with the busy one, nor with each other."""


def script(seed: int, troubles: Sequence[Trouble]) -> Sequence[Phase]:
    """Draw a run with these troubles, in this order."""
    return list(_Author(random.Random(seed)).phases(troubles))


class _Author:
    """Draws what people do."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._threads = list(threads())
        self._commands = list(COMMANDS)
        self._near = list(NEAR_COMMANDS)
        chance.shuffle(self._commands)
        chance.shuffle(self._near)
        self._commands_drawn = self._near_drawn = 0

    def phases(self, troubles: Sequence[Trouble]) -> Iterator[Phase]:
        """Draw one phase after another."""
        for number, trouble in enumerate(troubles):
            calm = CALM_CHANGES[number] if number < len(CALM_CHANGES) else ()
            opening = () if number else self._opening()
            yield Phase(trouble=trouble, before=calm, steps=[*opening, *self._steps()])

    def _opening(self) -> Iterator[Step]:
        """An answer in the long thread is so soon out of sight that the next one stands on another page."""
        yield self._asks(LONG_THREAD, "adam")
        yield self._chatter(LONG_THREAD, PAGE - LONG_COMMENTS % PAGE)
        yield Wait(seconds=70)
        yield self._asks(LONG_THREAD, "adam")

    def _steps(self) -> Iterator[Step]:
        """A phase's steps: most in a few threads, so that there is something to edit and to move."""
        here = self._chance.sample(self._threads, 4)
        # A crowd in one private repository, and one thread that is spoken in by somebody who is answered.
        here += [self._chance.choice(("bark#2", "almond#1", "fir#1", "ember#1")), LONG_THREAD]
        for _ in range(SCENES_OF_A_PHASE):
            yield from self._scene(self._chance.choice(here))
            yield Wait(seconds=self._chance.choice(WAITS_SECONDS))

    def _scene(self, where: Where) -> Iterator[Step]:
        chance = self._chance
        match chance.randrange(18):
            case 0 | 1 | 2 | 3 | 4 | 5 | 6:
                yield self._asks(where, self._who_is_answered(where))
            case 7:
                yield self._asks(where, self._who_is_not(where))
            case 8:
                yield from self._crowd()
            case 9:
                yield self._asks(where, chance.choice((*BOTS, OURSELVES)))
            case 10:
                yield self._near_command(where)
                yield self._near_command(where)
            case 11:
                yield self._chatter(where, chance.choice((2, 9, 12)))
                yield self._asks(where, self._who_is_answered(where))
            case 12:
                yield from self._quick_ones(where)
            case 13:
                yield from self._pretence(where)
            case 14:
                yield from self._impostor(where)
            case 15:
                yield from self._interruption(where)
            case 16:
                yield Change(kind="again")
                yield Change(kind="edit", of=where, to=self._next_command()[0])
            case _:
                yield from self._disturbance(where)

    def _asks(self, where: Where, who: str, *, rest: bool = True) -> Say:
        text, asks = self._next_command()
        return Say(where=where, who=who, text=text, asks=asks, rest=rest)

    def _chatter(self, where: Where, count: int) -> Chatter:
        return Chatter(where=where, texts=tuple(self._next_near() for _ in range(count)))

    def _near_command(self, where: Where) -> Say:
        return Say(where=where, who=self._who_is_answered(where), text=self._next_near())

    def _crowd(self) -> Iterator[Step]:
        """More ask in a private repository than are shown within an hour that they may not."""
        private = self._chance.choice(("bark", "almond"))
        for number in range(1, THREADS + 1):
            for who in ("tess", "rio"):
                yield self._asks(f"{private}#{number}", who)

    def _quick_ones(self, where: Where) -> Iterator[Step]:
        """Several ask in one thread before anybody is answered, and in another one at the same time."""
        for _ in range(self._chance.choice((2, 3))):
            yield self._asks(where, self._who_is_answered(where), rest=False)
        elsewhere = self._chance.choice(self._threads)
        yield self._asks(elsewhere, self._who_is_answered(elsewhere))

    def _pretence(self, where: Where) -> Iterator[Step]:
        """Somebody writes what looks like ours; somebody else asks after it."""
        who = self._who_is_answered(where)
        pasted = PASTED_ANSWER.format(last=9_999_999_999)
        yield Say(where=where, who=self._chance.choice((who, *BOTS)), text=pasted)
        yield Say(where=where, who=who, text=self._chance.choice((pasted, "/credits")), via_app=True)
        yield Say(where=where, who=OURSELVES, text="Your fix is ready. What is left?\n\n/credits")
        yield self._asks(where, who)

    def _impostor(self, where: Where) -> Iterator[Step]:
        """Somebody who may not asks, and by the time that GitHub is asked the login is that of somebody who may."""
        yield self._asks(where, "oskar", rest=False)
        yield Change(kind="swap_logins", of="oskar", to="wanda")
        yield Wait(seconds=1)
        yield Change(kind="swap_logins", of="oskar", to="wanda")

    def _interruption(self, where: Where) -> Iterator[Step]:
        """More is asked than can be written at once, and then the App may not write any more for a while."""
        name, home = repository_of(where), home_of(repository_of(where))
        for number in range(1, THREADS + 1):
            yield self._asks(f"{name}#{number}", self._who_is_answered(where), rest=False)
        yield Wait(seconds=0)
        ends_for_good = self._chance.choice((False, True))
        yield Change(kind="uninstall" if ends_for_good else "suspend", of=home.login)
        yield Wait(seconds=self._chance.choice((1.0, 70.0)))
        yield Change(kind="install" if ends_for_good else "unsuspend", of=home.login)

    def _disturbance(self, where: Where) -> Iterator[Step]:
        """Something changes while a question is under way."""
        chance, home = self._chance, home_of(repository_of(where))
        yield self._asks(where, self._who_is_answered(where), rest=False)
        person = chance.choice(list(ROLES))
        role: Role = chance.choice(("admin", "write", "triage", "read", "none"))
        yield chance.choice(
            (
                Change(kind="remove", of=where),
                Change(kind="remove_answer", of=where),
                Change(kind="role", of=person, to=role),
                Change(kind="publish", of=repository_of(where)),
                Change(kind="privatize", of=repository_of(where)),
                Change(kind="rename_repository", of=repository_of(where), to=f"{repository_of(where)}-again"),
                Change(kind="swap_logins", of="oskar", to="wanda"),
                *_for_a_while(home, where),
            )
        )
        yield Wait(seconds=chance.choice(WAITS_SECONDS))
        yield Change(kind="unlock", of=where)
        yield Change(kind="unsuspend", of=home.login)
        yield self._asks(where, self._who_is_answered(where))

    def _who_is_answered(self, where: Where) -> str:
        """Most likely; roles change meanwhile."""
        owner = home_of(repository_of(where)).owner
        return self._chance.choice(("adam", "mona", "wanda", "wanda", owner))

    def _who_is_not(self, where: Where) -> str:
        owner = home_of(repository_of(where)).owner
        return self._chance.choice(("tess", "rio", "oskar", *(each for each in OWNERS if each != owner)))

    def _next_command(self) -> tuple[str, tuple[str, ...]]:
        """Each spelling once before any comes twice."""
        self._commands_drawn += 1
        return self._commands[self._commands_drawn % len(self._commands)]

    def _next_near(self) -> str:
        self._near_drawn += 1
        return self._near[self._near_drawn % len(self._near)]


def _for_a_while(home: Home, where: Where) -> tuple[Change, ...]:
    """What is undone soon after."""
    return (Change(kind="lock", of=where), Change(kind="suspend", of=home.login))


def burst(seed: int, *, questions: int) -> Phase:
    """Very many ask at one account at the same time, and in the midst of them one at each of some others."""
    chance = random.Random(seed)
    busy = next(home for home in HOMES if home.login == BUSY)
    places = [f"{name}#{number}" for name in busy.repositories for number in range(1, THREADS + 1)]
    spelled = [chance.choice(COMMANDS) for _ in range(questions)]
    steps = [Say(where=chance.choice(places), who="adam", text=text, asks=asks, rest=False) for text, asks in spelled]
    for where in ELSEWHERE:
        said = Say(where=where, who="adam", text="/credits", asks=("credits",), rest=False)
        steps.insert(chance.randrange(questions // 2, len(steps)), said)
    return Phase(trouble="none", steps=steps)
