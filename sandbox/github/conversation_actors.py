"""What people and bots do at GitHub in issues and pull requests."""

from sandbox.github import payloads_conversation
from sandbox.github.errors import ActionError
from sandbox.github.hosting import CommentReference, RepositoryReference, ThreadReference
from sandbox.github.model import Account, Comment, Reaction, ReactionContent, Thread
from sandbox.github.repository_actors import RepositoryActors
from sandbox.github.state import AccountReference

LONGEST_BODY = 65_536
"""Characters of a comment, an issue or a pull request that GitHub takes."""
_WRITERS = frozenset({"admin", "maintain", "write"})


class ConversationActors(RepositoryActors):
    """Opening, commenting, editing, deleting, reacting, locking.

    A thread is given by itself or `owner/name#number`, a comment by itself or its id. The App hears of comments of
    repositories that it sees, its own included, as at GitHub.
    """

    @property
    def app_bot(self) -> Account:
        """The account that the App itself acts as."""
        return self.state.app_bot

    def add_bot(self, login: str) -> Account:
        """Return another App's bot, made if there is none of this login yet; `[bot]` is appended if missing."""
        return self.state.add_bot(login)

    def open_issue(
        self,
        repository: RepositoryReference,
        author: AccountReference,
        title: str,
        body: str = "",
        *,
        pull_request: bool = False,
    ) -> Thread:
        """Open an issue, or a pull request, of which the App hears.

        Raises:
            ActionError: The author can't see the repository, it is archived, or there is no title.
        """
        self.catch_up()
        known, person = self.state.hosting.repository(repository), self._person(author)
        if not title.strip() or len(body) > LONGEST_BODY:
            raise ActionError("an issue has a title, and a body that isn't too long")
        if person.type == "User" and known.role_of(person) == "none":
            raise ActionError(f"{person.login} can't see {known.full_name}")
        if known.archived:
            raise ActionError(f"{known.full_name} is archived")
        now = self.state.clock.now()
        thread = Thread(
            id=self.state.next_id("issue"),
            repository=known,
            number=len(known.threads) + 1,
            title=title,
            body=body,
            author=person,
            is_pull_request=pull_request,
            created_at=now,
            updated_at=now,
        )
        known.threads[thread.number] = thread
        self.state.changed()
        if pull_request:
            self._tell_of(known, "pull_request", payloads_conversation.pull_request_event(self.state, thread))
        return thread

    def comment(
        self, thread: ThreadReference, author: AccountReference, body: str, *, via_app: bool = False
    ) -> Comment:
        """Write a comment.

        Args:
            thread: Where.
            author: A person or a bot.
            body: Markdown, not blank.
            via_app: Whether our App writes it for the author. What the App's own bot writes always counts as such.

        Raises:
            ActionError: The author may not write there, or the body is blank or too long.
        """
        self.catch_up()
        found, person = self.state.hosting.thread(thread), self._person(author)
        self._check_may_write(found, person)
        _check_body(body)
        now = self.state.clock.now()
        made = Comment(
            id=self.state.next_id("comment"),
            thread=found,
            author=person,
            body=body,
            created_at=now,
            updated_at=now,
            via_app=via_app or person is self.app_bot,
        )
        found.comments.append(made)
        found.updated_at = now
        self.state.hosting.comments[made.id] = made
        self._tell_comment(made, "created", person)
        return made

    def edit_comment(self, comment: CommentReference, body: str, sender: AccountReference | None = None) -> Comment:
        """Change a comment's words; by its author unless another is named."""
        self.catch_up()
        found = self.state.hosting.comment(comment)
        _check_body(body)
        former, found.body = found.body, body
        found.updated_at = found.thread.updated_at = self.state.clock.now()
        changes = {"body": {"from": former}}
        self._tell_comment(found, "edited", self._writer(found, sender), changes=changes)
        return found

    def delete_comment(self, comment: CommentReference, sender: AccountReference | None = None) -> Comment:
        """Delete a comment; by its author unless another is named."""
        self.catch_up()
        found = self.state.hosting.comment(comment)
        found.thread.comments.remove(found)
        del self.state.hosting.comments[found.id]
        self._tell_comment(found, "deleted", self._writer(found, sender))
        return found

    def react(self, comment: CommentReference, author: AccountReference, content: ReactionContent) -> Reaction:
        """Leave a reaction; one that is there already stays as it is. No hook is told of it, as at GitHub."""
        found, person = self.state.hosting.comment(comment), self._person(author)
        for known in found.reactions:
            if known.author is person and known.content == content:
                return known
        made = Reaction(
            id=self.state.next_id("reaction"), author=person, content=content, created_at=self.state.clock.now()
        )
        found.reactions.append(made)
        self.state.changed()
        return made

    def take_back(self, comment: CommentReference, reaction: Reaction) -> None:
        """Take a reaction away again.

        Raises:
            ActionError: It isn't there.
        """
        found = self.state.hosting.comment(comment)
        if reaction not in found.reactions:
            raise ActionError("there is no such reaction")
        found.reactions.remove(reaction)
        self.state.changed()

    def lock(self, thread: ThreadReference) -> Thread:
        """Lock a conversation: only those who may write in the repository can go on."""
        return self._set_locked(thread, locked=True)

    def unlock(self, thread: ThreadReference) -> Thread:
        """Let everybody comment again."""
        return self._set_locked(thread, locked=False)

    def delete_issue(self, thread: ThreadReference) -> Thread:
        """Delete an issue with its comments; its number stays taken. A pull request can't be deleted, as at GitHub."""
        found = self.state.hosting.thread(thread)
        if found.is_pull_request:
            raise ActionError("a pull request can't be deleted")
        found.deleted_at = self.state.clock.now()
        self.state.changed()
        return found

    def _set_locked(self, thread: ThreadReference, *, locked: bool) -> Thread:
        """Lock or unlock."""
        found = self.state.hosting.thread(thread)
        found.locked = locked
        self.state.changed()
        return found

    def _writer(self, comment: Comment, sender: AccountReference | None) -> Account:
        """Return who acts on a comment."""
        return comment.author if sender is None else self._person(sender)

    def _check_may_write(self, thread: Thread, person: Account) -> None:
        """Refuse whom GitHub's page would offer no box to write in. Bots write by the API, which has its own rules."""
        repository = thread.repository
        if repository.archived:
            raise ActionError(f"{repository.full_name} is archived")
        if person.type == "Bot":
            return
        role = repository.role_of(person)
        if role == "none":
            raise ActionError(f"{person.login} can't see {repository.full_name}")
        if thread.locked and role not in _WRITERS:
            raise ActionError(f"{thread.name} is locked")

    def _tell_comment(
        self,
        comment: Comment,
        action: payloads_conversation.CommentAction,
        sender: Account,
        *,
        changes: payloads_conversation.Json | None = None,
    ) -> None:
        """Send `issue_comment` to the App's hook."""
        body = payloads_conversation.issue_comment_event(self.state, action, comment, sender=sender, changes=changes)
        self._tell_of(comment.thread.repository, "issue_comment", body)


def _check_body(body: str) -> None:
    """Refuse what GitHub doesn't take as a comment's words."""
    if not body.strip():
        raise ActionError("a comment can't be blank")
    if len(body) > LONGEST_BODY:
        raise ActionError(f"a comment has at most {LONGEST_BODY} characters")
