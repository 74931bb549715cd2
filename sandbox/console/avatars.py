"""Draws everybody's picture, so that none has to come from elsewhere: a pattern of squares, as GitHub makes up."""

import hashlib
from typing import Final

from sandbox.github.model import Account

CELLS: Final = 5
HALF: Final = 3
HUES: Final = ("#2f6f5e", "#8a4b9e", "#b3541e", "#2b62a8", "#a8355c", "#57701d", "#6b5bc2", "#8a6512")
"""Readable on the pictures' ground, which is light in both schemes."""
GROUND: Final = "#f1efe9"


def draw_avatar(account: Account) -> str:
    """Return somebody's picture as SVG: the same for the same id for ever; a bot's has eyes."""
    digest = hashlib.sha256(str(account.id).encode()).digest()
    hue = HUES[digest[0] % len(HUES)]
    drawn = _robot() if account.type == "Bot" else _squares(digest)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 7"><rect width="7" height="7" fill="{GROUND}"/>'
        f'<g fill="{hue}">{drawn}</g></svg>'
    )


def _squares(digest: bytes) -> str:
    """Draw squares, the right half mirroring the left one."""
    parts = []
    for place in range(CELLS * HALF):
        row, column = divmod(place, HALF)
        if digest[1 + place] % 2:
            mirrored = CELLS - 1 - column
            parts += [f'<rect x="{1 + x}" y="{1 + row}" width="1" height="1"/>' for x in {column, mirrored}]
    return "".join(parts)


def _robot() -> str:
    """Draw a head with eyes and an antenna."""
    return (
        '<rect x="3.25" y="0.8" width="0.5" height="1.2"/><rect x="1.2" y="2" width="4.6" height="3.8" rx="0.8"/>'
        f'<g fill="{GROUND}"><circle cx="2.6" cy="3.7" r="0.6"/><circle cx="4.4" cy="3.7" r="0.6"/></g>'
    )
