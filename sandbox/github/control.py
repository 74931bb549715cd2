"""What can be done by JSON under `/_sandbox/act`: each act's fields, and what is told of what came of it."""

from typing import Any, Literal

import msgspec
from aiohttp import web

from sandbox.github.model import (
    Account,
    Comment,
    Installation,
    Plan,
    Purchase,
    Reaction,
    ReactionContent,
    Repository,
    Role,
    Thread,
)

Json = dict[str, Any]
Reference = int | str


class Command(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A command's JSON; unknown fields are refused, because a misspelt one would be a silent nothing."""


class AddUser(Command, kw_only=True):
    """Sign a user up."""

    login: str
    email: str | None = None
    billing_day: int = 1
    id: int | None = None


class AddOrganization(AddUser, kw_only=True):
    """Found an organization."""

    owner: Reference | None = None


class ByAccount(Command, kw_only=True):
    """An act on an account."""

    account: Reference


class BySender(ByAccount, kw_only=True):
    """An act on an account by a person."""

    sender: Reference | None = None


class Install(BySender, kw_only=True):
    """Install the App."""

    repositories: list[str] | None = None
    requester: Reference | None = None


class AcceptPermissions(BySender, kw_only=True):
    """Accept permissions."""

    permissions: dict[str, str]


class Repositories(BySender, kw_only=True):
    """Choose repositories."""

    names: list[str]


class NewRepositories(Repositories, kw_only=True):
    """Choose repositories, made as private or public ones where there are none yet."""

    private: bool = False


class Rename(BySender, kw_only=True):
    """Give another login."""

    login: str


class Buy(BySender, kw_only=True):
    """Buy a plan."""

    plan: Reference
    units: int = 1
    cycle: Literal["monthly", "yearly"] = "monthly"
    trial: bool | None = None


class Change(BySender, kw_only=True):
    """Change a plan."""

    plan: Reference | None = None
    units: int | None = None
    cycle: Literal["monthly", "yearly"] | None = None


class FailPayment(ByAccount, kw_only=True):
    """Let a payment fail."""

    hours: float


class RetirePlan(Command, kw_only=True):
    """Take a plan off sale."""

    plan: Reference


class AddBot(Command, kw_only=True):
    """Let there be another App's bot."""

    login: str


class AddRepository(ByAccount, kw_only=True):
    """Create a repository."""

    name: str
    private: bool = False


class ByRepository(Command, kw_only=True):
    """An act on a repository: its id, or `owner/name`."""

    repository: Reference


class SetPermission(ByRepository, kw_only=True):
    """Let a person do this much in a repository."""

    account: Reference
    role: Role


class RenameRepository(ByRepository, kw_only=True):
    """Give a repository another name."""

    name: str
    sender: Reference | None = None


class SetVisibility(ByRepository, kw_only=True):
    """Make a repository private or public."""

    private: bool
    sender: Reference | None = None


class Archive(ByRepository, kw_only=True):
    """Make a repository read-only, or undo that."""

    archived: bool = True


class OpenIssue(ByRepository, kw_only=True):
    """Open an issue or a pull request."""

    author: Reference
    title: str
    body: str = ""
    pull_request: bool = False


class ByThread(Command, kw_only=True):
    """An act on an issue or pull request: `owner/name#number`."""

    thread: str


class WriteComment(ByThread, kw_only=True):
    """Write a comment."""

    author: Reference
    body: str
    via_app: bool = False


class ByComment(Command, kw_only=True):
    """An act on a comment, by its id; the sender is its author unless another is named."""

    comment: int
    sender: Reference | None = None


class EditComment(ByComment, kw_only=True):
    """Change a comment's words."""

    body: str


class React(Command, kw_only=True):
    """Leave a reaction."""

    comment: int
    author: Reference
    content: ReactionContent


ACTS: dict[str, type[Command]] = {
    "add_user": AddUser,
    "add_organization": AddOrganization,
    "add_bot": AddBot,
    "add_repository": AddRepository,
    "set_permission": SetPermission,
    "rename_repository": RenameRepository,
    "set_visibility": SetVisibility,
    "archive": Archive,
    "open_issue": OpenIssue,
    "delete_issue": ByThread,
    "lock": ByThread,
    "unlock": ByThread,
    "comment": WriteComment,
    "edit_comment": EditComment,
    "delete_comment": ByComment,
    "react": React,
    "install": Install,
    "uninstall": BySender,
    "suspend": BySender,
    "unsuspend": BySender,
    "accept_permissions": AcceptPermissions,
    "add_repositories": NewRepositories,
    "remove_repositories": Repositories,
    "rename": Rename,
    "buy": Buy,
    "change": Change,
    "cancel": BySender,
    "withdraw_change": BySender,
    "fail_upgrade": ByAccount,
    "fail_payment": FailPayment,
    "restore_payment": ByAccount,
    "retire_plan": RetirePlan,
}
"""What can be done by `POST /_sandbox/act/{name}`; each is the stand-in's method of that name."""


def what_came_of_it(made: object) -> Json:
    """Return the ids of what an act made or changed, by which it is found again."""
    match made:
        case Account():
            return {"account": made.id, "login": made.login}
        case Installation():
            return {"installation": made.id}
        case Purchase():
            return {"account": made.account.id, "plan": made.terms.plan.id}
        case Plan():
            return {"plan": made.id}
        case Repository():
            return {"repository": made.id, "full_name": made.full_name}
        case Thread():
            return {"thread": made.name, "number": made.number}
        case Comment():
            return {"comment": made.id}
        case Reaction():
            return {"reaction": made.id}
        case list():
            return {"repositories": [each.id for each in made if isinstance(each, Repository)]}
        case _:
            raise TypeError(f"an act returned {made!r}")


async def read_command(request: web.Request, kind: type[Command]) -> Any:  # noqa: ANN401 -- the struct that was asked for
    """Return a request's JSON as a command.

    Raises:
        HTTPUnsupportedMediaType: It isn't declared as JSON, which also keeps other sites' forms out.
        HTTPUnprocessableEntity: It doesn't fit the command.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="Send application/json.\n")
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=kind)
    except msgspec.MsgspecError as error:
        raise web.HTTPUnprocessableEntity(text=f"{error}\n") from error
