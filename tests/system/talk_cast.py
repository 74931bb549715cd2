"""Who takes part in the conversation and where: accounts, repositories, threads and people, as plain data.

No name holds a digit or the name of a plan, so that whatever figure an answer shows is one that the product told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.github.model import Role

Where = str
"""A thread by its repository's first name and its number, such as `bark#2`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """An account with its repositories.

    Attributes:
        owner: the person who owns it: itself, or an organization's owner.
        repositories: names, and whether each is private at first.
        plan: what it buys; "" for nothing.
        is_known: whether the product ever hears that the App was installed.
        shows_figures: whether it chose to have figures shown everywhere.
    """

    login: str
    owner: str
    repositories: Mapping[str, bool]
    plan: str = ""
    is_known: bool = True
    shows_figures: bool = False

    @property
    def is_organization(self) -> bool:
        """Whether other people own it."""
        return self.owner != self.login


BUSY: Final = "birch-org"
"""Where so much is asked at once that GitHub lets nobody write it at once."""

HOMES: Final = (
    Home(login="amelia", owner="amelia", repositories={"apple": False, "almond": True}),
    Home(login=BUSY, owner="olga", repositories={"bark": True, "bamboo": False}, plan="Pro"),
    Home(login="cedar-org", owner="olga", repositories={"cone": False}, plan="Pro", shows_figures=True),
    Home(login="dune-org", owner="olga", repositories={"dahlia": True}),
    Home(login="echo", owner="echo", repositories={"ember": True, "elm": False}, plan="Pro"),
    Home(login="fjord-org", owner="olga", repositories={"fir": True, "fern": False}, is_known=False),
    Home(login="gale-org", owner="olga", repositories={"grove": True}, plan="Pro"),
)

ROLES: Final[Mapping[str, Role]] = {
    "adam": "admin",
    "mona": "maintain",
    "wanda": "write",
    "tess": "triage",
    "rio": "read",
    "oskar": "none",
}
"""People who own nothing, and what each may do in every repository at first."""

OWNERS: Final = ("amelia", "olga", "echo")
BOTS: Final = ("dependabot", "tallyhook-sandbox-too")

THREADS: Final = 3
"""In each repository; the last one is a pull request."""

LONG_THREAD: Final[Where] = "bark#1"
LONG_COMMENTS: Final = 250
"""So many comments has the long thread at first."""

PAGE: Final = 100
"""So many comments GitHub lists at once."""


def home_of(repository: str) -> Home:
    """Whose repository this is."""
    return next(home for home in HOMES if repository in home.repositories)


def repository_of(where: Where) -> str:
    """The repository of a thread."""
    return where.partition("#")[0]


def threads() -> Iterator[Where]:
    """Every thread that there is at first."""
    for home in HOMES:
        for repository in home.repositories:
            yield from (f"{repository}#{number}" for number in range(1, THREADS + 1))
