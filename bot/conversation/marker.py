"""The hidden first line of each of our answers: by it we know them, which comment they answer, and what they tell."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from billing.values import CommentId, Word
from handlers.comment_text import ANSWER_MARK
from handlers.tolerant import LARGEST_ID

_FIRST_LINE: Final = re.compile(
    rf"\A{re.escape(ANSWER_MARK)}to=([0-9]{{1,19}})(?: words=([a-z,]{{0,100}}))?(?: figures=(yes|no))? -->"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the hidden line says of an answer.

    Attributes:
        answers_to: The comment that it answers.
        words: What it answers, in its order.
        has_figures: Whether figures stand in it, or stood there before it was edited.
    """

    answers_to: CommentId
    words: tuple[Word, ...]
    has_figures: bool


def marked(text: str, mark: Mark) -> str:
    """Return the answer's text with the line that says what it is. GitHub shows no such line."""
    figures = "yes" if mark.has_figures else "no"
    return f"{ANSWER_MARK}to={mark.answers_to} words={','.join(mark.words)} figures={figures} -->\n{text}"


def mark_of(body: str) -> Mark | None:
    """Return what a body of ours says of itself; None if it isn't marked as an answer.

    Only the very first line counts: what stands further down may be somebody's name, or a quotation. Words that aren't
    known are passed over, and where nothing is said of figures there may be some.
    """
    found = _FIRST_LINE.match(body)
    if found is None or int(found[1]) > LARGEST_ID:
        return None
    return Mark(
        answers_to=CommentId(int(found[1])), words=_known((found[2] or "").split(",")), has_figures=found[3] != "no"
    )


def _known(words: Sequence[str]) -> tuple[Word, ...]:
    """Those of the words that are ours, each once."""
    return tuple(dict.fromkeys(Word(word) for word in words if word in list(Word)))
