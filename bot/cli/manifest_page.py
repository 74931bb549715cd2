"""The pages that `setup` shows in the browser: they load nothing and send a form to GitHub only."""

import html
import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color: #1f2328 }
button { font: inherit; padding: .6rem 1.2rem; border: 0; border-radius: .4rem; background: #1f6feb; color: #fff }
button:hover { background: #1a5fcb; cursor: pointer }
details { margin-top: 2rem }
pre { overflow: auto; background: #f6f8fa; padding: 1rem; border-radius: .4rem }
"""


def registration_page(manifest: Mapping[str, Any], *, owner: str, form_url: str, form_origin: str) -> web.Response:
    """Show what will be registered, and the button that takes it to GitHub."""
    shown = html.escape(json.dumps(manifest, indent=2))
    return _page(
        "Register the GitHub App",
        f"""<p>GitHub will show what the App may do, and register it for <b>{html.escape(owner)}</b> once you confirm
there. You can change its name on that page.</p>
<form method="post" action="{html.escape(form_url)}">
<input type="hidden" name="manifest" value="{html.escape(json.dumps(manifest))}">
<button>Go on to GitHub</button>
</form>
<details><summary>What is registered</summary><pre>{shown}</pre></details>""",
        form_target=form_origin,
    )


def message_page(title: str, text: str, *, status: int = 200) -> web.Response:
    """Show a heading and a sentence."""
    return _page(title, f"<p>{html.escape(text)}</p>", status=status)


def _page(title: str, body: str, *, status: int = 200, form_target: str = "'none'") -> web.Response:
    """Put a page together."""
    return web.Response(
        text=f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{html.escape(title)} - Tallyhook</title>
<style>{_STYLE}</style>
<h1>{html.escape(title)}</h1>
{body}
</html>
""",
        content_type="text/html",
        status=status,
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": f"default-src 'none'; style-src 'unsafe-inline'; form-action {form_target}",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )
