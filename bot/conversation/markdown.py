"""Texts of others within our Markdown: shown as they are, and without any effect."""

import re
from typing import Final

from handlers.comment_text import ANSWER_MARK

LONGEST_NAME: Final = 100

_MARK: Final = ANSWER_MARK.split()[0]
_BACKTICKS: Final = re.compile("`+")


def as_code(name: str) -> str:
    """Return a name as a code span, the one place in Markdown where nothing means anything.

    In it GitHub makes no markup, no HTML, no mention, no link and no reference of whatever a login or the name of a
    plan holds. Nor can it begin a hidden line like those by which our answers are known.
    """
    line = "".join(character for character in " ".join(name.split()) if character.isprintable())
    shown = line.replace(_MARK, "<! --")
    if len(shown) > LONGEST_NAME:
        shown = f"{shown[: LONGEST_NAME - 1]}…"
    if not shown:
        return "*without a name*"
    runs = {len(run) for run in _BACKTICKS.findall(shown)}
    fence = "`" * next(length for length in range(1, len(shown) + 2) if length not in runs)
    # Markdown takes one space off both ends; without it a backtick there would lengthen the fence.
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"
