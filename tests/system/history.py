"""What may happen around an App in a few weeks: what people do at GitHub, what becomes of its webhooks, what breaks.

A history is plain data: what a failing test prints can be pasted into `found.py` as it is, and is played first then.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from hypothesis import strategies as st

SHORTEST: Final = 6
LONGEST: Final = 20
"""How many steps a history has."""


Mail = Literal["prompt", "twice", "held", "lost"]
"""What becomes of the webhooks that a step causes."""


Act = Literal[
    "install",
    "uninstall",
    "suspend",
    "unsuspend",
    "add_repositories",
    "rename",
    "buy",
    "change",
    "cancel",
    "withdraw_change",
    "fail_upgrade",
    "fail_payment",
    "restore_payment",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """Somebody acts at GitHub; instead of what isn't possible just then, something like it.

    Attributes:
        plan: what is bought, or changed to.
        hours: how long a failed payment keeps the plan out of sight.
        meanwhile: what happens while GitHub's first answer about this one is on its way to the product.
        eve: whether it happens in the last second before something is due at GitHub, which then comes meanwhile.
        rest: whether the product may finish with it before the next step.
    """

    who: int
    act: Act
    plan: str = ""
    hours: int = 0
    mail: Mail = "prompt"
    meanwhile: "Do | None" = None
    eve: bool = False
    rest: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Time passes, and what is due in it happens: at GitHub, whose webhooks fare as `mail` says, and at the product."""

    hours: int
    mail: Mail = "prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bring:
    """The webhooks that were held come, in an order drawn from the seed."""

    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A webhook that was sent before comes once more, as when somebody presses "Redeliver"."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The product dies, as by `kill -9`, at a moment still to come.

    Attributes:
        at: before a statement, before a commit, right after one, or when GitHub has answered and nothing is applied.
        after: how many of those still go well.
    """

    at: Literal["statement", "commit", "committed", "read-back"]
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """GitHub's API fails so many times: with a `502`, without an answer, with nonsense, or by a rate limit."""

    kind: Literal["fail", "lose_answer", "garble", "limit"]
    times: int


Step = Do | Wait | Bring | Again | Cut | Trouble
History = list[Step]

_MAILS: Final[st.SearchStrategy[Mail]] = st.sampled_from(
    ("prompt", "prompt", "prompt", "twice", "held", "held", "lost")
)
_PURCHASE_ACTS: Final[tuple[Act, ...]] = (
    "buy",
    "buy",
    "change",
    "change",
    "cancel",
    "cancel",
    "withdraw_change",
    "fail_upgrade",
    "fail_payment",
    "restore_payment",
)
_INSTALLATION_ACTS: Final[tuple[Act, ...]] = (
    "install",
    "install",
    "uninstall",
    "suspend",
    "unsuspend",
    "add_repositories",
    "rename",
)
_SINGLE_ACTS: Final = st.builds(
    Do,
    who=st.sampled_from((0, 0, 0, 1, 2)),
    act=st.sampled_from(_PURCHASE_ACTS) | st.sampled_from(_INSTALLATION_ACTS),
    plan=st.sampled_from(["Pro", "Team", "Free", "Pro", "Team", "Unheard-of"]),
    hours=st.sampled_from([2, 30]),
    mail=_MAILS,
    rest=st.sampled_from([True, True, False]),
)
_WAITS: Final = st.builds(Wait, hours=st.sampled_from([1, 5, 26, 24 * 9, 24 * 23, 24 * 40]), mail=_MAILS)
_OVERLAPPING_ACTS: Final = st.builds(
    lambda first, second: replace(first, mail="prompt", meanwhile=replace(second, who=first.who)),
    _SINGLE_ACTS,
    _SINGLE_ACTS,
)
_ACTS_IN_THE_LAST_SECOND: Final = st.builds(lambda act: replace(act, mail="prompt", eve=True), _SINGLE_ACTS)
_MISHAPS: Final = st.one_of(
    st.builds(Bring, seed=st.integers(0, 9)),
    st.builds(Again, number=st.integers(0, 30)),
    st.builds(Cut, at=st.sampled_from(["statement", "commit", "committed", "read-back"]), after=st.integers(0, 40)),
    st.builds(Trouble, kind=st.sampled_from(["fail", "lose_answer", "garble", "limit"]), times=st.integers(1, 3)),
)
histories: Final[st.SearchStrategy[History]] = st.lists(
    st.one_of(
        _SINGLE_ACTS,
        _SINGLE_ACTS,
        _SINGLE_ACTS,
        _OVERLAPPING_ACTS,
        _ACTS_IN_THE_LAST_SECOND,
        _WAITS,
        _MISHAPS,
        _MISHAPS,
    ),
    min_size=SHORTEST,
    max_size=LONGEST,
)
"""Any history of a few accounts."""
