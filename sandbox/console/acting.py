"""What the page's buttons can do, as one kind of thing: a command's JSON, and how it is carried out and answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.console.cast import Cast
from sandbox.console.faults import Switchboard
from sandbox.desk import Desk
from sandbox.github.control import Command
from sandbox.github.world import World
from sandbox.inspector import Inspector


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How something is taken back: a button's words, and the action and the values that it sends."""

    label: str
    action: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came of an action.

    Attributes:
        message: What the page says, in a sentence.
        undo: How it can be taken back, if that is natural.
        go: Where the page goes then, as the query of its address.
    """

    message: str
    undo: Undo | None = None
    go: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Whom the actions act on.

    Attributes:
        start_over: Has everything begin anew; it returns at once.
    """

    world: World
    inspector: Inspector
    desk: Desk
    cast: Cast
    switchboard: Switchboard
    start_over: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do.

    Attributes:
        kind: The command that its JSON must fit.
        run: Carries it out; raises `ActionError` where it can't be done.
    """

    kind: type[Command]
    run: Callable[[Scene, Any], Awaitable[Said]]
