"""What a person sees who opens the stand-in in a browser: what it is, its repositories, and what was written there."""

from collections import Counter
from html import escape
from pathlib import Path
from typing import Final

import jinja2
from aiohttp import web

from sandbox.github.markdown import render
from sandbox.github.model import Comment, ReactionContent, Repository, Thread
from sandbox.github.shapes import rest_time
from sandbox.github.state import GitHubState

_HERE: Final = Path(__file__).parent
_LOGIN: Final = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_HEADERS: Final = {
    # What people write is shown here, so nothing on the page may run, and nothing is loaded from elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

REACTION_PICTURES: Final[dict[ReactionContent, str]] = {
    "+1": "\N{THUMBS UP SIGN}",
    "-1": "\N{THUMBS DOWN SIGN}",
    "laugh": "\N{SMILING FACE WITH OPEN MOUTH AND SMILING EYES}",
    "confused": "\N{CONFUSED FACE}",
    "heart": "\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}",
    "hooray": "\N{PARTY POPPER}",
    "rocket": "\N{ROCKET}",
    "eyes": "\N{EYES}",
}
"""How reactions look."""

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<link rel="stylesheet" href="/_sandbox/front.css">
<main><h1>{title}</h1>
{text}</main>
</html>
"""

_AVATAR = """<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" viewBox="0 0 40 40">
<rect width="40" height="40" fill="hsl({hue} 45% 35%)"/>
<text x="20" y="27" font-family="sans-serif" font-size="20" fill="#fff" text-anchor="middle">{letter}</text></svg>
"""


def reaction_counts(comment: Comment) -> list[tuple[ReactionContent, int]]:
    """Return how many reactions of each kind a comment has, in GitHub's order; kinds without any are left out."""
    counts = Counter(reaction.content for reaction in comment.reactions)
    return [(content, counts[content]) for content in REACTION_PICTURES if counts[content]]


def thread_path(thread: Thread) -> str:
    """Return the path of a thread's page."""
    return f"/{thread.repository.full_name}/{'pull' if thread.is_pull_request else 'issues'}/{thread.number}"


def _templates() -> jinja2.Environment:
    """Return the pages' templates; they escape all but Markdown, whose renderer lets nothing unsafe pass."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "markdown": render,
        "page": thread_path,
        "picture": REACTION_PICTURES.__getitem__,
        "reactions": reaction_counts,
        "time": rest_time,
        "when": lambda moment: f"{moment.day} {moment:%B %Y, %H:%M}",
    }
    return made


class FrontPages:
    """The front page, the page of installations that apps link to, and those of accounts, repositories and threads.

    Nobody signs in here: what is private is marked so, and shown.
    """

    def __init__(self, state: GitHubState) -> None:
        """Remember the state."""
        self._state = state
        self._templates = _templates()

    def register(self, app: web.Application) -> None:
        """Add the routes, those of accounts and repositories last, because their names could be anything."""
        repository = f"/{{owner:{_LOGIN}}}/{{name}}"
        app.add_routes(
            [
                web.get("/", self.show),
                web.get("/settings/installations", self.show_installations),
                web.get("/_sandbox/front.css", self.style),
                web.get(r"/avatars/u/{id:\d+}", self.avatar),
                web.get(f"/{{owner:{_LOGIN}}}", self.show_account),
                web.get(repository, self.show_repository),
                web.get(repository + r"/{kind:issues|pull}/{number:\d+}", self.show_thread),
            ]
        )

    async def show(self, _request: web.Request) -> web.Response:
        """Say what this is."""
        rows = "".join(
            f'<li><a href="/{escape(known.full_name)}">{escape(known.full_name)}</a></li>'
            for known in self._state.repositories.values()
        )
        text = f"""<p>This is the sandbox's stand-in for GitHub. Its pages are few: act at the sandbox's console.</p>
<ul><li>The API is at <code>{escape(self._state.api_url)}</code> and wants the App's tokens.</li>
<li><a href="/_sandbox/state">Everything it knows</a>, as JSON.</li>
<li><a href="/settings/installations">Installations</a></li></ul>
<h2>Repositories</h2>
<ul>{rows or "<li>None yet.</li>"}</ul>"""
        return _page("A stand-in for GitHub", text)

    async def show_installations(self, _request: web.Request) -> web.Response:
        """List where the App is installed."""
        logins = sorted(installed.account.login for installed in self._state.live_installations())
        rows = "".join(f"<li>{escape(login)}</li>" for login in logins)
        text = f"<ul>{rows}</ul>" if rows else "<p>On no account yet. Install it at the sandbox's console.</p>"
        return _page(f"{self._state.app.name} is installed on", text)

    async def style(self, _request: web.Request) -> web.Response:
        """Return the pages' style sheet."""
        return web.Response(text=(_HERE / "static/front.css").read_text(encoding="utf-8"), content_type="text/css")

    async def avatar(self, request: web.Request) -> web.Response:
        """Draw an account's first letter."""
        account = self._state.find_id(int(request.match_info["id"]))
        if account is None:
            raise web.HTTPNotFound
        drawn = _AVATAR.format(hue=account.id * 67 % 360, letter=escape(account.login[0].upper()))
        return web.Response(text=drawn, content_type="image/svg+xml", headers=_HEADERS)

    async def show_account(self, request: web.Request) -> web.Response:
        """Show an account with its repositories."""
        account = self._state.find_login(request.match_info["owner"])
        if account is None:
            raise web.HTTPNotFound
        return self._rendered("account.html", title=account.login, account=account, repository=None)

    async def show_repository(self, request: web.Request) -> web.Response:
        """Show a repository's issues and pull requests, the newest first, and who may do what."""
        repository = self._repository(request)
        threads = [thread for thread in repository.threads.values() if thread.deleted_at is None][::-1]
        roles = sorted((self._state.account(person).login, role) for person, role in repository.roles.items())
        return self._rendered(
            "repository.html", title=repository.full_name, repository=repository, threads=threads, roles=roles
        )

    async def show_thread(self, request: web.Request) -> web.Response:
        """Show an issue or a pull request as GitHub would: rendered, with reactions."""
        repository = self._repository(request)
        thread = repository.threads.get(int(request.match_info["number"]))
        if thread is None or thread.deleted_at is not None:
            raise web.HTTPNotFound
        if request.path.lower() != thread_path(thread).lower():
            raise web.HTTPFound(thread_path(thread))
        title = f"{thread.title} · {thread.name}"
        return self._rendered("thread.html", title=title, repository=repository, thread=thread)

    def _repository(self, request: web.Request) -> Repository:
        """Return the repository of a path; a former address leads to it.

        Raises:
            HTTPNotFound: There is none.
            HTTPMovedPermanently: It has another address now.
        """
        owner, name = request.match_info["owner"], request.match_info["name"]
        found = self._state.hosting.find(owner, name)
        if found is not None:
            return found
        moved = self._state.hosting.find_moved(owner, name)
        if moved is None:
            raise web.HTTPNotFound
        raise web.HTTPMovedPermanently("/".join(["", moved.full_name, *request.path.split("/")[3:]]))

    def _rendered(self, template: str, **values: object) -> web.Response:
        """Return a page."""
        text = self._templates.get_template(template).render(**values)
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)


def _page(title: str, text: str) -> web.Response:
    """Return a page; the text is HTML."""
    return web.Response(text=_PAGE.format(title=escape(title), text=text), content_type="text/html", headers=_HEADERS)
