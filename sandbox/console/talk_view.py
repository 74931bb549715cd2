"""Repositories and their threads as the page shows them: as GitHub would, with who may do what said besides."""

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sandbox.console.cast import LABELS, Cast, Person
from sandbox.console.focus import Focus, address
from sandbox.github.markdown import render
from sandbox.github.model import Account, Comment, Reaction, Repository, Thread
from sandbox.github.world import World

MOST_COMMENTS: Final = 60
"""Of a longer thread the newest are shown."""

EMOJI: Final = MappingProxyType(
    {
        "+1": "👍",
        "-1": "👎",
        "laugh": "😄",
        "confused": "😕",
        "heart": "💚",
        "hooray": "🎉",
        "rocket": "🚀",
        "eyes": "👀",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A repository or a thread that can be gone to."""

    label: str
    address: str
    is_chosen: bool
    is_private: bool = False
    is_pull_request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionLine:
    """Reactions of one kind: the picture, how many, and whose, in words."""

    emoji: str
    count: int
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A comment, or the text that a thread begins with.

    Attributes:
        id: The comment's; 0 for the beginning.
        label: What its author is here; "" for nobody in particular.
        stamp: Another one once its words have changed.
        is_edited: Whether its words were ever changed.
        is_ours: Whether the App wrote it.
        html: The words, rendered and safe.
        source: The words as they were written.
    """

    id: int
    author: Account
    label: str
    created_at: datetime
    stamp: int
    is_edited: bool
    is_bot: bool
    is_ours: bool
    html: str
    source: str
    reactions: tuple[ReactionLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What is shown of an account's conversations.

    Attributes:
        left_out: How many older comments aren't shown.
        people: Who can write.
        commands: What the quick buttons write.
        deafness: Why the App doesn't hear of what is written here; "" if it does.
    """

    repository: Repository | None
    thread: Thread | None
    repositories: tuple[Choice, ...]
    threads: tuple[Choice, ...]
    posts: tuple[Post, ...]
    left_out: int
    people: tuple[Person, ...]
    commands: tuple[str, ...]
    deafness: str


def talk_of(world: World, cast: Cast, focus: Focus) -> Talk:
    """Return what is shown of the conversations in focus."""
    account, repository, thread = focus.account, focus.repository, focus.thread
    comments = [] if thread is None else thread.comments
    return Talk(
        repository=repository,
        thread=thread,
        repositories=tuple(
            Choice(
                label=known.name,
                address=address(account, known),
                is_chosen=known is repository,
                is_private=known.private,
            )
            for known in account.repositories
        ),
        threads=() if repository is None else _threads(repository, thread),
        posts=() if thread is None else (_beginning(thread), *(_post(world, one) for one in comments[-MOST_COMMENTS:])),
        left_out=max(0, len(comments) - MOST_COMMENTS),
        people=() if repository is None else tuple(cast.people(repository)),
        commands=("/credits", "/credits plan", f"@{world.state.app.slug} help"),
        deafness=_deafness(world, account, repository),
    )


def has_answered(account: Account) -> bool:
    """Tell whether the App ever answered in one of an account's threads."""
    return any(
        comment.via_app
        for repository in account.repositories
        for thread in repository.threads.values()
        for comment in thread.comments
    )


def _deafness(world: World, account: Account, repository: Repository | None) -> str:
    """Say why the App doesn't hear of a repository, "" if it does."""
    installed = world.state.installation_of(account)
    if installed is None:
        return f"it isn't installed on {account.login}"
    if installed.suspended_at is not None:
        return f"its installation on {account.login} is suspended"
    return "" if repository in installed.repositories else "its installation doesn't see this repository"


def _threads(repository: Repository, chosen: Thread | None) -> tuple[Choice, ...]:
    """Return a repository's threads, the newest first."""
    living = [thread for thread in repository.threads.values() if thread.deleted_at is None]
    return tuple(
        Choice(
            label=f"#{thread.number} {thread.title}",
            address=address(repository.owner, thread=thread),
            is_chosen=thread is chosen,
            is_pull_request=thread.is_pull_request,
        )
        for thread in reversed(living)
    )


def _beginning(thread: Thread) -> Post:
    """Return what a thread begins with."""
    return Post(
        id=0,
        author=thread.author,
        label=_label(thread, thread.author),
        created_at=thread.created_at,
        stamp=0,
        is_edited=False,
        is_bot=thread.author.type == "Bot",
        is_ours=False,
        html=render(thread.body or "*No description provided.*"),
        source=thread.body,
        reactions=(),
    )


def _post(world: World, comment: Comment) -> Post:
    """Return a comment."""
    return Post(
        id=comment.id,
        author=comment.author,
        label=_label(comment.thread, comment.author),
        created_at=comment.created_at,
        stamp=zlib.crc32(comment.body.encode()),
        is_edited=comment.updated_at != comment.created_at,
        is_bot=comment.author.type == "Bot",
        is_ours=comment.author is world.app_bot,
        html=render(comment.body),
        source=comment.body,
        reactions=_reactions(comment.reactions),
    )


def _label(thread: Thread, author: Account) -> str:
    """Return what somebody is in a repository; the role, since GitHub's own label says nothing sure of it."""
    if author.type == "Bot":
        return ""
    role = thread.repository.role_of(author)
    if author.id in {thread.repository.owner.id, thread.repository.owner.owner_id, *thread.repository.roles}:
        return LABELS[role]
    return ""


def _reactions(reactions: Sequence[Reaction]) -> tuple[ReactionLine, ...]:
    """Return the reactions by kind."""
    counts = Counter(reaction.content for reaction in reactions)
    return tuple(
        ReactionLine(
            emoji=EMOJI[content],
            count=count,
            said=f"{' and '.join(one.author.login for one in reactions if one.content == content)} "
            f"reacted with {content}",
        )
        for content, count in counts.items()
    )
