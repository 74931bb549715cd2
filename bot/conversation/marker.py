"""The hidden first line of each of our answers: by it we know them, and which comment they answer."""

import re
from typing import Final

from billing.values import CommentId
from handlers.comment_text import ANSWER_MARK
from handlers.tolerant import LARGEST_ID

_FIRST_LINE: Final = re.compile(rf"\A{re.escape(ANSWER_MARK)}to=([0-9]{{1,19}}) -->")


def marked(text: str, comment_id: CommentId) -> str:
    """Return the answer's text with the line that says which comment it answers. GitHub shows no such line."""
    return f"{ANSWER_MARK}to={comment_id} -->\n{text}"


def answered_by(body: str) -> CommentId | None:
    """Return the comment that a body of ours answers; None if it isn't marked as an answer.

    Only the very first line counts: what stands further down may be somebody's name, or a quotation.
    """
    found = _FIRST_LINE.match(body)
    if found is None or int(found[1]) > LARGEST_ID:
        return None
    return CommentId(int(found[1]))
