"""What a person sees who opens the stand-in in a browser: what it is, and where everything else is."""

from html import escape

from aiohttp import web

from sandbox.github.state import GitHubState

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<h1>{title}</h1>
{text}
</html>
"""


class FrontPages:
    """The front page, and the page of installations that apps link to."""

    def __init__(self, state: GitHubState) -> None:
        """Remember the state."""
        self._state = state

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        app.add_routes([web.get("/", self.show), web.get("/settings/installations", self.show_installations)])

    async def show(self, _request: web.Request) -> web.Response:
        """Say what this is."""
        text = f"""<p>This is the sandbox's stand-in for GitHub. Its pages are few: act at the sandbox's console.</p>
<ul><li>The API is at <code>{escape(self._state.api_url)}</code> and wants the App's tokens.</li>
<li><a href="/_sandbox/state">Everything it knows</a>, as JSON.</li>
<li><a href="/settings/installations">Installations</a></li></ul>"""
        return _page("A stand-in for GitHub", text)

    async def show_installations(self, _request: web.Request) -> web.Response:
        """List where the App is installed."""
        logins = sorted(installed.account.login for installed in self._state.live_installations())
        rows = "".join(f"<li>{escape(login)}</li>" for login in logins)
        text = f"<ul>{rows}</ul>" if rows else "<p>On no account yet. Install it at the sandbox's console.</p>"
        return _page(f"{self._state.app.name} is installed on", text)


def _page(title: str, text: str) -> web.Response:
    """Return a page; the text is HTML."""
    return web.Response(text=_PAGE.format(title=escape(title), text=text), content_type="text/html")
