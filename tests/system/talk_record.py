"""What was said at GitHub, what the product wrote there, and how the thread stood at that moment."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from sandbox.github.exchange import Exchange
from sandbox.github.model import Comment, Event, Repository, Role, Thread
from tests.system.talk_cast import Home, Where
from tests.system.talk_script import Say
from tests.system.talk_stage import Stage, home_of_thread

WriteKind = Literal["reaction", "post", "edit", "delete"]

_PATH: Final = re.compile(
    r"/(?:repos/(?P<owner>[^/]+)/(?P<name>[^/]+)|repositories/(?P<id>\d+))"
    r"/issues/(?:(?P<number>\d+)/comments|comments/(?P<comment>\d+)(?P<reactions>/reactions)?)"
)
_MINTING: Final = re.compile(r"/app/installations/(\d+)/access_tokens")
_ANSWERS_TO: Final = re.compile(r"\A<!-- tallyhook:answer to=(\d+)\b[^\n]* -->\n")
"""By this first line an answer says which comment it answers."""


@dataclass(slots=True, kw_only=True)
class Said:
    """A comment of somebody's, with all that held while its answer may have been on the way.

    Attributes:
        roles: what its author was allowed to do, at one moment or another.
        privates: whether the repository was private.
        may_miss: whether something came in between, after which it needn't be answered.
        may_stay_unknown: whether its author had another login by then, so that GitHub can't be asked of them.
        is_open: whether its answer may still be on the way.
    """

    comment: Comment
    where: Where
    step: Say
    at: datetime
    trouble: str
    roles: set[Role]
    privates: set[bool]
    may_miss: bool = False
    may_stay_unknown: bool = False
    is_open: bool = True

    @property
    def is_by_a_person(self) -> bool:
        """Whether a person wrote it, and nothing else did."""
        return self.comment.author.type == "User" and not self.comment.via_app

    @property
    def home(self) -> Home:
        """Whose credits it is about."""
        return home_of_thread(self.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An answer of ours as it stands.

    Attributes:
        answers: to which comment.
        texts: what it says, and before that what it said before it was edited: its readers may see both.
        might_tell: whether figures might be told when one of the texts was written.
    """

    answers: int
    changed_at: datetime
    texts: tuple[str, ...]
    might_tell: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A thread at a moment: its comments in order, and which of them are answers of ours."""

    comments: tuple[int, ...]
    own: Mapping[int, Standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Something that the product changed at GitHub.

    Attributes:
        comment_id: which comment was written, changed, deleted or reacted to.
        answers: the comment that its text says it answers; 0 if none.
        text: the text, or the reaction.
        before: the thread just before.
        read: the thread when the product last looked at it; None if it never did.
        may_tell: whether figures might be told: not everybody could read it, or the account had chosen so.
        had_eyes: whether the comment that is answered had our eyes, or was gone.
        is_ours: whether the comment that was changed or deleted was an answer of ours.
    """

    at: datetime
    kind: WriteKind
    where: Where
    comment_id: int
    answers: int
    text: str
    before: Sight
    read: Sight | None
    may_tell: bool
    had_eyes: bool
    is_ours: bool


@dataclass(slots=True)
class Record:
    """All that happened, for the oracle.

    Attributes:
        attempts: when the product wanted to write for each installation, whatever became of it, by GitHub's number.
        faces: when it wanted to leave a confused face in each repository, likewise.
        removed: of each thread, up to which comment an answer was taken away by somebody else.
        showing: the accounts that have chosen to have figures shown.
        events: which comment's webhook has which id, and its action.
        tell: writes down what a failure is to tell.
    """

    stage: Stage
    said: dict[int, Said] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    attempts: defaultdict[int, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    faces: defaultdict[int, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    removed: dict[Where, int] = field(default_factory=dict)
    showing: set[str] = field(default_factory=set)
    events: dict[str, tuple[int, str]] = field(default_factory=dict)
    tell: Callable[[str], None] = print
    _answers: dict[int, Standing] = field(default_factory=dict)
    _threads: dict[int, Thread] = field(default_factory=dict)
    _last_read: dict[Where, Sight] = field(default_factory=dict)
    _tokens: dict[str, int] = field(default_factory=dict)
    _unanswered: tuple[datetime, str] | None = None

    # What people do --------------------------------------------------------------------------------------------------

    def say(self, comment: Comment, where: Where, step: Say, trouble: str) -> Said:
        """Note what somebody said."""
        repository, github = comment.thread.repository, self.stage.github
        installed = github.state.installation_of(repository.owner)
        said = Said(
            comment=comment,
            where=where,
            step=step,
            at=github.clock.now(),
            trouble=trouble,
            roles={repository.role_of(comment.author)},
            privates={repository.private},
            may_miss=comment.thread.locked or installed is None or installed.suspended_at is not None,
        )
        self.said[comment.id] = said
        return said

    def disturb(self, is_concerned: Callable[[Said], bool], *, may_miss: bool = False, unknown: bool = False) -> None:
        """Something has changed: whatever is still on the way may meet how it was, or how it is now."""
        for said in self.said.values():
            if said.is_open and is_concerned(said):
                repository = said.comment.thread.repository
                said.roles.add(repository.role_of(said.comment.author))
                said.privates.add(repository.private)
                said.may_miss = said.may_miss or may_miss
                said.may_stay_unknown = said.may_stay_unknown or unknown

    def remove(self, comment: Comment) -> None:
        """Note that somebody deleted a comment."""
        standing = self._answers.pop(comment.id, None)
        if standing is not None:
            where = self.stage.where(comment.thread)
            self.removed[where] = max(self.removed.get(where, 0), standing.answers)

    def close(self) -> None:
        """Nothing is on the way any more."""
        for said in self.said.values():
            said.is_open = False

    def heard(self) -> set[int]:
        """The comments whose webhooks the product said that it has."""
        successes = [each.event.guid for each in self.stage.github.state.deliveries["app"] if each.succeeded]
        return {self.events[guid][0] for guid in successes if self.events.get(guid, (0, ""))[1] == "created"}

    def waited(self, *places: Where) -> Iterator[tuple[Where, timedelta]]:
        """How long the first to ask in each of these threads waited for the answer."""
        for where in places:
            asked = next(said for said in self.said.values() if said.where == where)
            answered = next(write for write in self.writes if write.answers == asked.comment.id)
            yield where, answered.at - asked.at

    def sight(self, thread: Thread) -> Sight:
        """The thread as it stands."""
        ids = tuple(comment.id for comment in thread.comments)
        return Sight(comments=ids, own={number: self._answers[number] for number in ids if number in self._answers})

    # What crosses the wire -------------------------------------------------------------------------------------------

    def see_event(self, event: Event, _headers: Mapping[str, str]) -> None:
        """Note which webhook is about which comment."""
        if event.name == "issue_comment":
            self.events[event.guid] = (event.payload["comment"]["id"], str(event.action))

    def see_exchange(self, exchange: Exchange) -> None:
        """Note what the product did at GitHub, whether or not it hears of its success."""
        minting = _MINTING.fullmatch(exchange.path)
        if minting is not None and exchange.status == 201:
            self._tokens[json.loads(exchange.response_body)["token"]] = int(minting[1])
        found = _PATH.fullmatch(exchange.path)
        if found is None:
            return
        repository = self._repository(found)
        if exchange.method != "GET":
            self._note_attempt(exchange)
            if repository is not None and b"confused" in exchange.body:
                self.faces[repository.id].append(self.stage.clock.now())
        thread = None if repository is None else self._thread(repository, found)
        if thread is None or exchange.status >= 300 or exchange.fault == "garbled":
            return
        if exchange.method == "GET":
            if found["number"]:
                self._last_read[self.stage.where(thread)] = self.sight(thread)
        else:
            self._note_write(exchange, thread, found)

    def _note_attempt(self, exchange: Exchange) -> None:
        """Note a wish to write, unless GitHub says when it was fulfilled, not when it was made.

        A redirect fulfils none, and HTTP itself repeats a DELETE that nobody answered.
        """
        now = self.stage.clock.now()
        told = f"{exchange.method} {exchange.path} {exchange.body[:60].decode()}"
        self.tell(f"   we: {told} {exchange.status} {exchange.fault or ''}")
        repeat = (now, exchange.path) if exchange.method == "DELETE" else None
        is_late = exchange.fault == "lands_late"
        if not (is_late or 300 <= exchange.status < 400) and (repeat is None or repeat != self._unanswered):
            token = exchange.headers["authorization"].partition(" ")[2]
            self.attempts[self._tokens[token]].append(now)
        self._unanswered = repeat if exchange.fault == "lost_answer" else None

    def _note_write(self, exchange: Exchange, thread: Thread, found: re.Match[str]) -> None:
        kind: WriteKind = "reaction" if found["reactions"] else "edit" if exchange.method == "PATCH" else "delete"
        kind = "post" if found["number"] else kind
        sent = json.loads(exchange.body) if exchange.body else {}
        made = json.loads(exchange.response_body)["id"] if kind == "post" else 0
        comment_id = made or int(found["comment"])
        text = str(sent.get("body", sent.get("content", "")))
        match = _ANSWERS_TO.match(text)
        answers = 0 if match is None else int(match[1])
        where, now = self.stage.where(thread), self.stage.clock.now()
        may_tell = thread.repository.private or home_of_thread(where).login in self.showing
        before = self._before(thread, made, comment_id if kind == "delete" else 0)
        self.writes.append(
            Write(
                at=now,
                kind=kind,
                where=where,
                comment_id=comment_id,
                answers=answers,
                text=text,
                before=before,
                read=self._last_read.get(where),
                may_tell=may_tell,
                had_eyes=self._has_eyes(answers),
                is_ours=comment_id in before.own,
            )
        )
        self._threads[comment_id] = thread
        if kind == "delete":
            self._answers.pop(comment_id, None)
        elif kind in {"post", "edit"} and answers:
            former = self._answers.get(comment_id)
            self._answers[comment_id] = Standing(
                answers=answers,
                changed_at=now,
                texts=(text,) if former is None else (*former.texts, text),
                might_tell=may_tell or (former is not None and former.might_tell),
            )

    def _before(self, thread: Thread, made: int, deleted: int) -> Sight:
        """The thread before a write that has happened: without what it made, with what it deleted."""
        sight = self.sight(thread)
        own = dict(sight.own)
        ids = tuple(number for number in sight.comments if number != made)
        if deleted and deleted in self._answers:
            own[deleted] = self._answers[deleted]
        return Sight(comments=(*ids, deleted) if deleted else ids, own=own)

    def _has_eyes(self, comment_id: int) -> bool:
        comment = self.stage.github.state.hosting.comments.get(comment_id)
        return comment is None or "eyes" in reactions_of_ours(self.stage, comment)

    def _repository(self, found: re.Match[str]) -> Repository | None:
        hosting = self.stage.github.state.hosting
        if found["id"]:
            return hosting.repositories.get(int(found["id"]))
        return hosting.find(found["owner"], found["name"])

    def _thread(self, repository: Repository, found: re.Match[str]) -> Thread | None:
        if found["number"]:
            return repository.threads.get(int(found["number"]))
        number = int(found["comment"])
        comment = self.stage.github.state.hosting.comments.get(number)
        return self._threads.get(number) if comment is None else comment.thread


def reactions_of_ours(stage: Stage, comment: Comment) -> set[str]:
    """How the App reacted to a comment."""
    return {each.content for each in comment.reactions if each.author is stage.github.app_bot}
