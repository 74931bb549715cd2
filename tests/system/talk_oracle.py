"""What must have become of a conversation, worked out from GitHub's own records and from the rules, not from the code.

The rules in short. Whoever may write gets eyes on the comment, then one answer a thread: edited while it is among the
last ten comments or was changed within a minute before the command, else posted anew and the old one deleted. Others
get a confused face in a private repository, three an hour at most, and nothing in a public one. Never answered are
bots, ourselves, edits, and the same delivery twice. In public no figures are told unless the account chose so, nor can
they be seen in what an answer was before. Nobody is written for faster than two writes in two seconds, eighty a minute
and five hundred an hour.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from tests.system.our_side import Row
from tests.system.talk_cast import Where
from tests.system.talk_record import Record, Said, Sight, Standing, Write, reactions_of_ours

Due = Literal["answer", "confused", "nothing"]

MAY_WRITE: Final = frozenset({"admin", "maintain", "write"})

LAST: Final = 10
RECENT: Final = timedelta(minutes=1)
ROUGHLY: Final = timedelta(seconds=1)
"""GitHub tells times in whole seconds."""

CONFUSED_AN_HOUR: Final = 3
HOUR: Final = timedelta(hours=1)

UNSEEN: Final = frozenset({"dropped", "killed", "lands_late", "mixed"})
"""The troubles in which a wish may come to nothing before GitHub sees it. It counts with the product all the same."""

PACE: Final = ((2, timedelta(seconds=2)), (80, timedelta(seconds=60)), (500, HOUR))
"""So many writes in so long a time, for one installation."""

_HIDDEN: Final = re.compile(r"<!--.*?-->|\]\([^)]*\)|https?://\S+", re.DOTALL)
"""What a page shows of an answer is without this: remarks, and where links lead."""

_FIGURES: Final = re.compile(r"\d|\b(?:Pro|Trial|Team|Pay as you go)\b")

TELLING: Final = {
    "credits": re.compile(r"\b(?:credits|enough|low|used up)\b", re.IGNORECASE),
    "plan": re.compile(r"\bplan\b|\bno account\b", re.IGNORECASE),
    "help": re.compile(r"/credits plan"),
}
"""What an answer to each word has in it, whatever it can tell."""

TITLED: Final = {word: re.compile(rf"^#+ {word.capitalize()}$", re.MULTILINE) for word in TELLING}
"""What stands over each part of an answer to several words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All that the oracle looks at once everything has come to its end.

    Attributes:
        balances: what each account can spend, by login; of those that the product knows.
    """

    record: Record
    deliveries: Mapping[str, Row]
    effects: Sequence[Row]
    alarms: Sequence[Row]
    balances: Mapping[str, int]

    def complaints(self) -> Iterator[str]:
        """Everything that isn't as it must be."""
        yield from self._about_the_end()
        yield from self._about_records()
        allowed = self._allowed()
        for said in self.record.said.values():
            yield from self._about_reactions(said, allowed[said.comment.id])
        for write in self.record.writes:
            yield from self._about_write(write, allowed)
        yield from self._about_repeats()
        for where in {said.where for said in self.record.said.values()}:
            yield from self._about_thread(where, allowed)
        yield from self._about_confusion(allowed)
        yield from self._about_pace()

    # Deliveries and effects ------------------------------------------------------------------------------------------

    def _about_the_end(self) -> Iterator[str]:
        """Everything ends well: nothing is dead, refused, or pending."""
        for guid, row in self.deliveries.items():
            if row["state"] not in {"done", "ignored"}:
                yield f"delivery {guid} ended as {row['state']}: {row['error']}"
        for row in self.effects:
            if row["state"] not in {"done", "ignored"}:
                yield f"effect {row['dedupe_key']} ended as {row['state']}: {row['error']}"
        for row in self.alarms:
            yield f"there is an alarm: {row['kind']} {row['subject']}"

    def _about_records(self) -> Iterator[str]:
        """Other people's conversations are not recorded, nor are bots, edits and ourselves."""
        for guid, row in self.deliveries.items():
            if row["event"] != "issue_comment":
                continue
            comment_id, action = self.record.events[guid]
            said = self.record.said.get(comment_id)
            if action != "created" or said is None or not said.is_by_a_person:
                yield f"the {action} comment {comment_id} was recorded"
            elif "credits" not in said.step.text.lower() and "tallyhook" not in said.step.text.lower():
                yield f"{_named(said)} was recorded"

    # Who gets what ---------------------------------------------------------------------------------------------------

    def _allowed(self) -> Mapping[int, set[Due]]:
        heard = self.record.heard()
        return {number: self._due(said, is_heard=number in heard) for number, said in self.record.said.items()}

    def _due(self, said: Said, *, is_heard: bool) -> set[Due]:
        """What may become of a comment; more than one thing only if something changed while it was on its way."""
        is_pretended = "tallyhook:answer" in said.step.text
        if not (is_heard and said.is_by_a_person and said.step.asks) or is_pretended:
            return {"nothing"}
        dues: set[Due] = {"nothing"} if said.may_miss else set()
        for private in said.privates:
            refused: Due = "confused" if private else "nothing"
            dues |= {"answer" if role in MAY_WRITE else refused for role in said.roles}
            if said.may_stay_unknown:
                dues.add(refused)
        return dues

    def _about_reactions(self, said: Said, dues: set[Due]) -> Iterator[str]:
        """Eyes for whom an answer is due, a confused face for whom that is, and no other sign for anybody."""
        if said.comment.id not in self.record.stage.github.state.hosting.comments:
            return
        found = reactions_of_ours(self.record.stage, said.comment)
        if dues == {"answer"} and "eyes" not in found:
            yield f"no eyes on {_named(said)}"
        fitting = {"answer": {"eyes"}, "confused": {"confused"}, "nothing": set[str]()}
        for superfluous in found - {content for due in dues for content in fitting[due]}:
            yield f"{superfluous} on {_named(said)}"
        if len(found) > 1:
            yield f"several reactions, {found}, on {_named(said)}"

    # Each write ------------------------------------------------------------------------------------------------------

    def _about_write(self, write: Write, allowed: Mapping[int, set[Due]]) -> Iterator[str]:
        told = f"{write.kind} of {write.comment_id} in {write.where} at {write.at:%d %H:%M:%S.%f}"
        match write.kind:
            case "reaction":
                if write.comment_id not in self.record.said:
                    yield f"{told}: nobody said that"
            case "delete":
                if not write.is_ours:
                    yield f"{told}: that is no answer of ours"
                if len(write.before.own) < 2:
                    yield f"{told}: no newer answer stood there"
            case "post" | "edit":
                if write.kind == "edit" and not write.is_ours:
                    yield f"{told}: that was no answer of ours"
                if "answer" not in allowed.get(write.answers, set()):
                    yield f"{told}: it answers {self._name(write.answers)}, who is not to be answered"
                if not write.had_eyes:
                    yield f"{told}: {self._name(write.answers)} is answered before there were eyes"
                yield from (f"{told}: {complaint}" for complaint in self._about_place(write))
                yield from (f"{told}: {complaint}" for complaint in self._about_text(write))

    def _about_text(self, write: Write) -> Iterator[str]:
        """The words are answered, those of just before too; figures are told where they may be, and nowhere else."""
        said = self.record.said.get(write.answers)
        if said is None:
            return
        shown = _shown(write.text)
        words = self._words_due(said, write)
        signs = TELLING if len(words) == 1 else TITLED
        for word in words:
            if signs[word].search(shown) is None:
                yield f"{word} isn't answered: {shown!r}"
        if not write.may_tell:
            if _FIGURES.search(shown):
                yield f"figures are told in public: {shown!r}"
            return
        balance = self.balances.get(said.home.login)
        is_due = "credits" in said.step.asks and balance is not None
        if is_due and re.search(rf"\b{balance}\b", shown) is None:
            yield f"the balance of {balance} isn't told: {shown!r}"

    def _words_due(self, said: Said, write: Write) -> set[str]:
        """What was asked, and what was asked so shortly before that nobody had time to read the answer to it."""
        words = set(said.step.asks)
        if write.before.own:
            last = max(write.before.own.values(), key=lambda standing: standing.answers)
            former = self.record.said.get(last.answers)
            if former is not None and said.at - last.changed_at < RECENT - ROUGHLY:
                words |= set(former.step.asks)
        return words

    def _about_repeats(self) -> Iterator[str]:
        """No comment is answered twice, and no answer gives way to that of an older comment."""
        made = Counter(write.answers for write in self.record.writes if write.kind == "post")
        newest: dict[Where, int] = {}
        for write in self.record.writes:
            if write.kind in {"post", "edit"}:
                was_removed = self.record.removed.get(write.where, 0) >= write.answers
                if write.answers <= newest.get(write.where, 0) and not was_removed:
                    yield f"{self._name(write.answers)} was answered once more, or after a later one: {write.kind}"
                if made[write.answers] > 1 and not was_removed:
                    yield f"{self._name(write.answers)} was answered by {made[write.answers]} comments"
                newest[write.where] = max(newest.get(write.where, 0), write.answers)

    def _about_place(self, write: Write) -> Iterator[str]:
        """The answer went where it belongs, by how the thread stood then or when the product had last looked."""
        said = self.record.said.get(write.answers)
        sights = [write.before] if write.read is None else [write.before, write.read]
        asked_at = write.at if said is None else said.at
        wanted = {place for sight in sights for place in _places(sight, asked_at, may_tell=write.may_tell)}
        if (write.kind, write.comment_id if write.kind == "edit" else 0) not in wanted:
            yield f"it should have been one of {sorted(wanted)}: {_told(write.before)}"

    # Threads ---------------------------------------------------------------------------------------------------------

    def _about_thread(self, where: Where, allowed: Mapping[int, set[Due]]) -> Iterator[str]:
        """One answer of ours stands: to the newest comment that one is due to, or to a later one that may have one."""
        thread = self.record.stage.thread(where)
        if thread.deleted_at is not None:
            return
        due = [number for number in self._said_in(where) if allowed[number] == {"answer"}]
        sight = self.record.sight(thread)
        standing = [each.answers for each in sight.own.values()]
        if len(standing) > 1:
            yield f"{len(standing)} answers of ours stand in {where}: {_told(sight)}"
        newest = max(due, default=0)
        if newest > max([*standing, self.record.removed.get(where, 0)], default=0):
            yield f"{self._name(newest)} has no answer; those in {where} are to {standing}"

    def _said_in(self, where: Where) -> Iterator[int]:
        return (number for number, said in self.record.said.items() if said.where == where)

    def _about_confusion(self, allowed: Mapping[int, set[Due]]) -> Iterator[str]:
        """Three confused faces an hour in one repository, no more; and no fewer, if so many are confusing."""
        shown: defaultdict[int, list[datetime]] = defaultdict(list)
        for write in self.record.writes:
            if write.kind == "reaction" and write.text == "confused":
                shown[self.record.stage.thread(write.where).repository.id].append(write.at)
        for number, moments in shown.items():
            for earlier, later in zip(moments, moments[CONFUSED_AN_HOUR:], strict=False):
                if later - earlier < HOUR:
                    yield f"more than {CONFUSED_AN_HOUR} confused faces within an hour in repository {number}: {later}"
        for comment_id, said in self.record.said.items():
            if allowed[comment_id] == {"confused"} and not self._is_confused(said) and not self._may_be_full(said):
                yield f"no confused face on {_named(said)}"

    def _is_confused(self, said: Said) -> bool:
        was_deleted = said.comment.id not in self.record.stage.github.state.hosting.comments
        return was_deleted or "confused" in reactions_of_ours(self.record.stage, said.comment)

    def _may_be_full(self, said: Said) -> bool:
        """Whether at some moment from then on as many faces were wished for in the hour before as there may be."""
        if any(abs(other.at - said.at) < HOUR for other in self.record.said.values() if other.trouble in UNSEEN):
            return True
        faces = self.record.faces[said.comment.thread.repository.id]
        return any(
            later - earlier < HOUR and earlier + HOUR > said.at
            for earlier, later in zip(faces, faces[CONFUSED_AN_HOUR - 1 :], strict=False)
        )

    # Paces -----------------------------------------------------------------------------------------------------------

    def _about_pace(self) -> Iterator[str]:
        """Whatever became of it, each wish to write counts."""
        for installation_id, moments in self.record.attempts.items():
            for count, window in PACE:
                for earlier, later in zip(moments, moments[count:], strict=False):
                    if later - earlier < window:
                        yield f"installation {installation_id} wrote {count + 1} times from {earlier} to {later}"
                        break

    def _name(self, comment_id: int) -> str:
        said = self.record.said.get(comment_id)
        return f"comment {comment_id}" if said is None else _named(said)


def _named(said: Said) -> str:
    return f"{said.step.who}'s comment {said.comment.id} in {said.where} during {said.trouble}: {said.step.text!r}"


def _places(sight: Sight, asked_at: datetime, *, may_tell: bool) -> Iterator[tuple[str, int]]:
    """What is to be done, and with which comment; two things at the very border of a minute, or if nobody can know."""
    if not sight.own:
        yield "post", 0
        return
    last, standing = max(sight.own.items(), key=lambda each: (each[1].answers, each[0]))
    if not may_tell and standing.might_tell:
        # Everybody could see the figures that were edited away.
        yield "post", 0
        if any(_FIGURES.search(_shown(text)) for text in standing.texts):
            return
    is_in_sight = last in sight.comments[-LAST:]
    age = asked_at - standing.changed_at
    if is_in_sight or age <= RECENT + ROUGHLY:
        yield "edit", last
    if not is_in_sight and age >= RECENT - ROUGHLY:
        yield "post", 0


def _shown(text: str) -> str:
    """What a page shows of a text."""
    return _HIDDEN.sub("", text)


def _told(sight: Sight) -> str:
    def line(number: int, standing: Standing) -> str:
        behind = len(sight.comments) - 1 - sight.comments.index(number)
        return f"{number} answers {standing.answers} since {standing.changed_at}, {behind} comments before the end"

    return "; ".join(line(number, standing) for number, standing in sight.own.items()) or "none of ours stood there"
