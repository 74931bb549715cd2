"""Markdown as GitHub shows it, and nothing that an author could do harm with."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from sandbox.github.markdown import render

HARMLESS = {
    *("p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "hr", "a"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
    *("sub", "sup", "details", "summary"),
}
ATTRIBUTES = {"href", "rel", "align", "class", "open", "start", "title"}


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo", "<p>one<br>\ntwo</p>\n"),
        ("**5** ~~6~~ `7`", "<p><strong>5</strong> <s>6</s> <code>7</code></p>\n"),
        ("a <sub>small</sub> word<br/>more", "<p>a <sub>small</sub> word<br>more</p>\n"),
        ("<!-- tallyhook:answer to=5 -->\nHello", "<p>Hello</p>"),
        ("seen <!-- hidden --> seen", "<p>seen  seen</p>\n"),
        ("<!-- never ends", ""),
        (
            "<details open>\n<summary>More</summary>\n\n**5**\n\n</details>",
            "<details open>\n<summary>More</summary>\n<p><strong>5</strong></p>\n</details>",
        ),
        ("</details> 5 <sub>", "&lt;/details&gt; 5 <sub></sub>"),
        (
            "ask @tally-hook[bot], a@b.example or `@code`",
            '<p>ask <strong class="mention">@tally-hook[bot]</strong>, a@b.example or <code>@code</code></p>\n',
        ),
        (
            "https://x.example/a?b=1&c. [@me](https://y.example)",
            (
                '<p><a href="https://x.example/a?b=1&amp;c" rel="nofollow noopener">https://x.example/a?b=1&amp;c</a>. '
                '<a href="https://y.example" rel="nofollow noopener">@me</a></p>\n'
            ),
        ),
        (
            "![a cat](https://x.example/cat.png)",
            '<p><a href="https://x.example/cat.png" rel="nofollow noopener">a cat</a></p>\n',
        ),
        (
            "| a | b |\n|---|--:|\n| 1 | 2 |",
            (
                '<table>\n<thead>\n<tr>\n<th>a</th>\n<th align="right">b</th>\n</tr>\n</thead>\n'
                '<tbody>\n<tr>\n<td>1</td>\n<td align="right">2</td>\n</tr>\n</tbody>\n</table>\n'
            ),
        ),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ('<sub onclick="x">5', "<p>&lt;sub onclick=&quot;x&quot;&gt;5</p>"),
    ],
)
def test_it_looks_as_at_github(text: str, html: str) -> None:
    assert render(text).strip() == html.strip()


class Tags(HTMLParser):
    """Remembers the tags of a page and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.addresses += [value or "" for name, value in attrs if name == "href"]


PIECES = st.sampled_from(
    [
        *("<", ">", "/", "!--", "-->", "script", "img src=x onerror=alert(1)", "sub", "details", " open", "br", "a"),
        *("<sub>", "</sub>", "<details>", "<b>", "[x](", ")", "javascript:", "https://", "x.example", "@me", "`", "\n"),
        *("```", "\n\n", "    ", "* ", "> ", "| a | b |\n|--|--|\n", "![", "](", '"', "'", "&lt;", "\\", "~~", "**"),
        *("data:text/html,x", "<style>", 'onclick="x"', "<a href=javascript:x>", "<!--"),
    ]
)


@given(st.lists(PIECES | st.text(max_size=4), max_size=25).map("".join))
def test_nothing_but_formatting_is_left(text: str) -> None:
    seen = Tags()
    seen.feed(render(text))
    seen.close()
    assert seen.tags <= HARMLESS
    assert seen.attributes <= ATTRIBUTES
    assert not [each for each in seen.addresses if each.lower().startswith(("javascript:", "vbscript:", "data:"))]
