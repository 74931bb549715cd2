"""Markdown as GitHub shows it in comments, as HTML that is safe in any page and loads nothing from elsewhere."""

import re
from collections.abc import MutableMapping, Sequence
from html import escape
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from typing_extensions import override

_Environment = MutableMapping[str, Any]

_HTML: Final = re.compile(
    r"(?P<comment><!--.*?(?:-->|\Z))|(?P<empty><br ?/?>)|<(?P<end>/?)(?P<tag>sub|sup|details|summary)(?P<open> open)?>",
    re.DOTALL | re.IGNORECASE,
)
"""What passes of raw HTML, without attributes; comments are hidden, as at GitHub, and all else is shown as text."""

_NAMED: Final = re.compile(
    r"(?<![\w/.@`-])@(?P<login>[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:\[bot\])?)"
    r"|(?P<url>https?://[^\s<>\"]*[^\s<>\".,:;!?')*_~])"
)
"""Mentions and bare addresses within a text."""


class _SafeRenderer(RendererHTML):
    """Renders tokens; what isn't made by Markdown itself is escaped."""

    @override
    def html_inline(self, tokens: Sequence[Token], idx: int, _options: OptionsDict, env: _Environment) -> str:
        """Render raw HTML within a paragraph."""
        return _pass_html(tokens[idx].content, env.setdefault("open_tags", []))

    @override
    def html_block(self, tokens: Sequence[Token], idx: int, _options: OptionsDict, env: _Environment) -> str:
        """Render raw HTML that stands by itself."""
        return _pass_html(tokens[idx].content, env.setdefault("open_tags", []))

    @override
    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: _Environment) -> str:
        """Render an image as a link to it, because a page here loads nothing from elsewhere."""
        token = tokens[idx]
        words = self.renderInlineAsText(token.children, options, env) if token.children else ""
        address = str(token.attrGet("src") or "")
        return f'<a href="{escape(address)}" rel="nofollow noopener">{escape(words or address)}</a>'


def _pass_html(text: str, open_tags: list[str]) -> str:
    """Return raw HTML with all but the harmless tags escaped. An end without a beginning is text, too."""
    passed, rest = "", 0
    for found in _HTML.finditer(text):
        passed += escape(text[rest : found.start()])
        rest = found.end()
        tag = (found["tag"] or "").lower()
        if found["comment"] is not None:
            continue
        if found["empty"] is not None:
            passed += "<br>"
        elif not found["end"] and (found["open"] is None or tag == "details"):
            open_tags.append(tag)
            passed += f"<{tag}{' open' if found['open'] else ''}>"
        elif found["end"] and found["open"] is None and open_tags[-1:] == [tag]:
            open_tags.pop()
            passed += f"</{tag}>"
        else:
            passed += escape(found[0])
    return passed + escape(text[rest:])


def _point_out_names(state: StateCore) -> None:
    """Make mentions bold and bare addresses links, but in links and code."""
    for block in state.tokens:
        if block.type != "inline" or block.children is None:
            continue
        children: list[Token] = []
        links = 0
        for token in block.children:
            links += {"link_open": 1, "link_close": -1}.get(token.type, 0)
            if token.type == "text" and links == 0:
                children += _named(token, state.md)
            else:
                children.append(token)
        block.children = children


def _named(token: Token, parser: MarkdownIt) -> list[Token]:
    """Return a text's tokens, with its mentions and addresses in tokens of their own."""
    text, rest = token.content, 0
    made: list[Token] = []
    for found in _NAMED.finditer(text):
        made.append(_text(text[rest : found.start()]))
        rest = found.end()
        if found["url"] is None:
            mention = Token("strong_open", "strong", 1, attrs={"class": "mention"})
            made += [mention, _text(found[0]), Token("strong_close", "strong", -1)]
        else:
            link = Token("link_open", "a", 1, attrs={"href": parser.normalizeLink(found["url"])})
            made += [link, _text(found["url"]), Token("link_close", "a", -1)]
    return [*made, _text(text[rest:])]


def _text(content: str) -> Token:
    """Return a token of plain text."""
    return Token("text", "", 0, content=content)


def _harden(state: StateCore) -> None:
    """Say of links that they vouch for nothing, and align cells without inline styles, which a page may forbid."""
    for block in state.tokens:
        for token in [block, *(block.children or ())]:
            if token.type == "link_open":
                token.attrSet("rel", "nofollow noopener")
            style = token.attrs.pop("style", None)
            if style is not None:
                token.attrSet("align", str(style).removeprefix("text-align:"))


def _parser() -> MarkdownIt:
    """Return a parser of GitHub's dialect: a single line break counts, tables, strikethrough."""
    parser = MarkdownIt("commonmark", {"breaks": True, "html": True, "xhtmlOut": False}, renderer_cls=_SafeRenderer)
    parser.enable(["table", "strikethrough"])
    parser.core.ruler.push("names", _point_out_names)
    parser.core.ruler.push("harden", _harden)
    return parser


_PARSER: Final = _parser()


def render(text: str) -> str:
    """Return Markdown as HTML in which nothing but formatting is left of what its author wrote.

    Raw HTML is shown as text but for `sub`, `sup`, `br`, `details` and `summary`; HTML comments are hidden; images
    become links; scripts, styles and attributes never pass.
    """
    environment: dict[str, Any] = {}
    shown: str = _PARSER.render(text, environment)
    return shown + "".join(f"</{tag}>" for tag in reversed(environment.get("open_tags", [])))
