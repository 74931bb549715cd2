"""What the page does at the pretended GitHub in repositories: adding, opening, commenting, editing, locking."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sandbox.console.acting import Action, Said, Scene, Undo
from sandbox.console.focus import address
from sandbox.github.control import Command
from sandbox.github.model import Thread


class AddRepository(Command, kw_only=True):
    """Create a repository."""

    account: int
    name: str
    private: bool = False


class SetVisibility(Command, kw_only=True):
    """Make a repository private or public."""

    repository: int
    private: bool


class OpenThread(Command, kw_only=True):
    """Open an issue or a pull request."""

    repository: int
    author: int
    title: str
    body: str = ""
    pull_request: bool = False


class WriteComment(Command, kw_only=True):
    """Write a comment in a thread."""

    repository: int
    number: int
    author: int
    body: str


class EditComment(Command, kw_only=True):
    """Change a comment's words."""

    comment: int
    body: str


class DeleteComment(Command, kw_only=True):
    """Delete a comment."""

    comment: int


class SetLock(Command, kw_only=True):
    """Lock or unlock a conversation."""

    repository: int
    number: int
    locked: bool


async def add_repository(scene: Scene, command: AddRepository) -> Said:
    """Add a repository, with people in it, and go there."""
    account = scene.world.state.account(command.account)
    repository = scene.cast.add_repository(account, command.name, private=command.private)
    kind = "private" if command.private else "public"
    return Said(message=f"{repository.full_name} is there, {kind}.", go=address(account, repository))


async def set_visibility(scene: Scene, command: SetVisibility) -> Said:
    """Make a repository private or public."""
    repository = scene.world.set_visibility(command.repository, private=command.private)
    kind, values = ("private" if command.private else "public"), {"repository": repository.id}
    return Said(
        message=f"{repository.full_name} is {kind} now.",
        undo=Undo(label="Undo", action="set_visibility", values={**values, "private": not command.private}),
    )


async def open_thread(scene: Scene, command: OpenThread) -> Said:
    """Open an issue or a pull request, and go there."""
    thread = scene.world.open_issue(
        command.repository, command.author, command.title, command.body, pull_request=command.pull_request
    )
    kind = "Pull request" if command.pull_request else "Issue"
    return Said(message=f"{kind} {thread.name} is open.", go=address(thread.repository.owner, thread=thread))


async def comment(scene: Scene, command: WriteComment) -> Said:
    """Write a comment."""
    made = scene.world.comment(_thread(scene, command.repository, command.number), command.author, command.body)
    return Said(message=f"{made.author.login} has commented in {made.thread.name}.")


async def edit_comment(scene: Scene, command: EditComment) -> Said:
    """Change a comment's words."""
    edited = scene.world.edit_comment(command.comment, command.body)
    return Said(message=f"{edited.author.login} has edited the comment.")


async def delete_comment(scene: Scene, command: DeleteComment) -> Said:
    """Delete a comment."""
    deleted = scene.world.delete_comment(command.comment)
    return Said(message=f"The comment of {deleted.author.login} is deleted.")


async def set_lock(scene: Scene, command: SetLock) -> Said:
    """Lock or unlock a conversation."""
    thread = _thread(scene, command.repository, command.number)
    undo = Undo(
        label="Unlock" if command.locked else "Lock",
        action="set_lock",
        values={"repository": command.repository, "number": command.number, "locked": not command.locked},
    )
    if command.locked:
        scene.world.lock(thread)
        return Said(message=f"{thread.name} is locked: only those who may write go on.", undo=undo)
    scene.world.unlock(thread)
    return Said(message=f"{thread.name} is open to everybody again.", undo=undo)


def _thread(scene: Scene, repository: int, number: int) -> Thread:
    """Return a thread by its numbers.

    Raises:
        ActionError: There is none.
    """
    found = scene.world.state.hosting.repository(repository)
    return scene.world.state.hosting.thread(f"{found.full_name}#{number}")


TALK_ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "add_repository": Action(kind=AddRepository, run=add_repository),
        "set_visibility": Action(kind=SetVisibility, run=set_visibility),
        "open_thread": Action(kind=OpenThread, run=open_thread),
        "comment": Action(kind=WriteComment, run=comment),
        "edit_comment": Action(kind=EditComment, run=edit_comment),
        "delete_comment": Action(kind=DeleteComment, run=delete_comment),
        "set_lock": Action(kind=SetLock, run=set_lock),
    }
)
"""The actions by their names."""
