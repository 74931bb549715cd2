"""Commands in comments: which lines of a comment's Markdown ask us something (docs/decisions/0023-reading-comments.md).

A command stands at a line's start, in letters of either case: `@slug credits`, whatever follows it, since nobody else
answers to that name; or `/credits` or `/credits plan` and nothing else but `?`, `!` or `.`, since other bots own slash
commands too. It counts where it is the writer's own text: outside quotes, code and HTML. What lies where is told by a
Markdown parser, not by rules of ours.
"""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from billing.values import Word

ANSWER_MARK: Final = "<!-- tallyhook:answer "
"""How the hidden line in each of our own answers begins."""

LONGEST_COMMENT: Final = 65_536
"""In characters. GitHub takes no longer comment."""

MOST_LINES: Final = 2_000
"""A comment of more lines holds no command. Each line costs as often as quotes lie in quotes, so lines are bounded."""

_LINE_END: Final = re.compile(r"\r\n?|\n")

WORDS_OF_HELP: Final = ("usage", "upgrade")
"""Words of ours that have no answer to themselves. Help says what there is."""

_COMMAND: Final = r"""
    [ ]{{0,3}}
    (?: @{slug} [ \t]++ (?P<mentioned>{words}) (?! (?u:[\w-]) ) (?P<behind>.*+)
      | / (?P<slashed>{slashed}) (?:(?<=/credits) [ \t]++ (?P<asked>[\w-]++))?+ [ \t?!.]*+
    )
"""

_ANYBODY: Final = r"[^\s@]{1,100}+"

_UNSEEN: Final = "\0"
"""Stands around a command's line while the text is read. Comments never have it: it is replaced, as Markdown says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """What a line asks that looks like a command. `behind` is what follows in it: code may begin there."""

    word: Word
    behind: str


def _parser() -> MarkdownIt:
    """Make a parser that reads just what can hide a line, or can end what does.

    Links, tables and underlined headings are left out: whoever writes a command line there means it.
    """
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["block"])
    parser.block.ruler.enableOnly(["code", "fence", "blockquote", "hr", "list", "html_block", "heading", "paragraph"])
    # Code and HTML within a paragraph go on over a line's end.
    parser.inline.ruler.enableOnly(["text", "newline", "escape", "backticks", "html_inline"])
    parser.inline.ruler2.enableOnly([])
    return parser


_MARKDOWN: Final = _parser()


def might_command(text: str, slug: str | None, slash_words: frozenset[str]) -> bool:
    """Whether a line of the text looks like a command, in whatever it lies. Reads no Markdown, so it is cheap.

    It is true of every text in which `commands_in` finds something. Without a `slug` a mention of anybody will do.
    """
    return bool(_asked(_lines(text), slug, slash_words))


def commands_in(text: str, slug: str, slash_words: frozenset[str]) -> tuple[Word, ...]:
    """What the text asks, each word once, in its order.

    Args:
        text: a comment's Markdown.
        slug: the App's own, by which it is mentioned.
        slash_words: the words that are commands by themselves behind a slash. The others can follow `/credits`.
    """
    lines = _lines(text)
    asked = _asked(lines, slug, slash_words)
    if not asked:
        return ()
    return tuple(dict.fromkeys(asked[number].word for number in _own_text(lines, asked)))


def _lines(text: str) -> Sequence[str]:
    """The text's lines as Markdown counts them; none of a text that is too long to be read."""
    if len(text) > LONGEST_COMMENT:
        return ()
    lines = _LINE_END.split(text.replace(_UNSEEN, "\ufffd"))
    return lines if len(lines) <= MOST_LINES else ()


def _asked(lines: Sequence[str], slug: str | None, slash_words: frozenset[str]) -> Mapping[int, _Command]:
    """What the lines ask that look like commands, by their numbers."""
    pattern = _pattern(slug, slash_words)
    found = ((number, pattern.fullmatch(line)) for number, line in enumerate(lines))
    return {
        number: _Command(word=_word(match), behind=match["behind"] or "")
        for number, match in found
        if match is not None
    }


@functools.lru_cache(maxsize=8)
def _pattern(slug: str | None, slash_words: frozenset[str]) -> re.Pattern[str]:
    pattern = _COMMAND.format(
        slug=_ANYBODY if slug is None else re.escape(slug),
        words="|".join((*Word, *WORDS_OF_HELP)),
        slashed="|".join(sorted(slash_words & set(Word))) or "(?!)",
    )
    return re.compile(pattern, re.ASCII | re.IGNORECASE | re.VERBOSE)


def _word(command: re.Match[str]) -> Word:
    """The word that is meant; whoever asks for one that there isn't gets help."""
    asked = (command["mentioned"] or command["asked"] or command["slashed"]).lower()
    return Word(asked) if asked in set(Word) else Word.HELP


def _own_text(lines: Sequence[str], asked: Mapping[int, _Command]) -> Iterator[int]:
    """Those of the asked lines that are their writer's own text."""
    quotes = 0
    for token in _MARKDOWN.parse("\n".join(lines)):
        if token.tag == "blockquote":
            quotes += token.nesting
        elif token.type == "inline" and token.map is not None and not quotes:
            yield from _shown(lines, range(*token.map), asked)


def _shown(lines: Sequence[str], paragraph: range, asked: Mapping[int, _Command]) -> Iterator[int]:
    """Those of the paragraph's asked lines that no code and no HTML swallows."""
    if not any(number in asked for number in paragraph):
        return
    text = "\n".join(
        f"{_UNSEEN}{number}{_UNSEEN}{asked[number].behind}" if number in asked else lines[number]
        for number in paragraph
    )
    parts: list[Token] = []
    _MARKDOWN.inline.parse(text, _MARKDOWN, {}, parts)
    for part in parts:
        # Code that holds nothing but a command begins with it too.
        if part.type == "text" and part.content.startswith(_UNSEEN):
            yield int(part.content.split(_UNSEEN, 2)[1])
