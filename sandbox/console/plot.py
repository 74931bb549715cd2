"""Draws a balance over time as SVG: plain shapes with classes, which the page's own style colours.

Why it is drawn here and not by a library: docs/decisions/0060-the-plot-is-drawn-here.md.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Final

from sandbox.console.history import History, Step
from sandbox.console.words import write_date, write_moment, write_signed

LEFT: Final = 34
RIGHT: Final = 12
TOP: Final = 14
BOTTOM: Final = 26
ROWS: Final = 4
"""About so many lines across."""
LEAST_SPAN: Final = timedelta(minutes=10)
MARGIN_SHARE: Final = 0.04
"""How much of the time shown lies before the first step and behind the last one."""
PIXELS_A_LABEL: Final = 92

TICKS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)) + tuple(
    timedelta(days=days) for days in (1, 2, 5, 7, 14, 28, 56, 91, 182, 365, 730, 1826)
)
"""How far apart the times on the axis may be; the first that leaves room for them is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is shown, and where: a stretch of time and of balances on a sheet of so many units."""

    width: int
    height: int
    first: datetime
    last: datetime
    highest: int

    def x(self, moment: datetime) -> float:
        """Return where a moment lies."""
        share = (moment - self.first) / (self.last - self.first)
        return round(LEFT + share * (self.width - LEFT - RIGHT), 1)

    def y(self, balance: int) -> float:
        """Return where a balance lies."""
        share = balance / self.highest
        return round(self.height - BOTTOM - share * (self.height - TOP - BOTTOM), 1)


def draw(history: History, *, width: int, height: int, title: str) -> str:
    """Return the picture as SVG.

    Args:
        history: With at least one step.
        width: In units, which are pixels where the page shows it at its own size.
        height: Likewise.
        title: The picture's name for those who can't see it.
    """
    frame = _frame(history, width=width, height=height)
    parts = [
        *_grid(frame),
        *_times(frame),
        *_lines(frame, history),
        *(_mark(frame, step, "to-come") for step in history.future),
        *(_mark(frame, step, "was") for step in history.past if step.is_expiry),
        _now(frame, history),
    ]
    name = escape(title)
    return f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{name}">{"".join(parts)}</svg>'


def step_for(most: int) -> int:
    """Return how far apart the lines across are: 1, 2 or 5 times a power of ten."""
    step = 1
    while step * ROWS < most:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return step


def _frame(history: History, *, width: int, height: int) -> Frame:
    """Return what is shown: all steps, with some air around them."""
    first = history.past[0].at if history.past else history.now
    last = max([history.now, *(step.at for step in history.future)])
    span = max(last - first, LEAST_SPAN)
    balances = [history.before, *(step.balance for step in history.past)]
    step = step_for(max(*balances, 1))
    highest = -(-max(*balances, 1) // step) * step
    return Frame(
        width=width,
        height=height,
        first=first - span * MARGIN_SHARE,
        last=first + span + span * MARGIN_SHARE,
        highest=highest,
    )


def _grid(frame: Frame) -> list[str]:
    """Draw the lines across, with their balances."""
    parts = []
    for balance in range(0, frame.highest + 1, step_for(frame.highest)):
        y = frame.y(balance)
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{frame.width - RIGHT}"/>')
        parts.append(f'<text class="amount" x="{LEFT - 7}" y="{y + 4}" text-anchor="end">{balance}</text>')
    return parts


def _times(frame: Frame) -> list[str]:
    """Draw the times below the axis."""
    room = max(2, (frame.width - LEFT - RIGHT) // PIXELS_A_LABEL)
    span = frame.last - frame.first
    apart = next((tick for tick in TICKS if span / tick <= room), TICKS[-1])
    # Times of day are round ones: the axis counts from midnight; days count from the first one shown.
    midnight = frame.first.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight + min(apart, timedelta(days=1)) * ((frame.first - midnight) // apart + 1)
    parts = []
    while moment < frame.last:
        x, y = frame.x(moment), frame.height - BOTTOM
        # A label at the edge would be cut off.
        if LEFT <= x <= frame.width - PIXELS_A_LABEL / 3:
            label = _time_label(moment, apart)
            parts.append(f'<path class="tick" d="M{x} {y}v4"/>')
            parts.append(f'<text class="time" x="{x}" y="{y + 18}" text-anchor="middle">{label}</text>')
        moment += apart
    return parts


def _time_label(moment: datetime, apart: timedelta) -> str:
    """Write a time of the axis as exactly as the axis is fine."""
    if apart < timedelta(days=1):
        return f"{moment:%H:%M}" if moment.hour or moment.minute else f"{moment.day} {moment:%b}"
    return f"{moment.day} {moment:%b}" if apart < timedelta(days=182) else f"{moment:%b %Y}"


def _lines(frame: Frame, history: History) -> list[str]:
    """Draw the balance as steps: an area and a line for what was, a broken line for what is to come."""
    path = f"M{frame.x(frame.first)} {frame.y(history.before)}"
    for step in history.past:
        path += f"H{frame.x(step.at)}V{frame.y(step.balance)}"
    path += f"H{frame.x(history.now)}"
    base = frame.y(0)
    parts = [
        f'<path class="area" d="{path}V{base}H{frame.x(frame.first)}Z"/>',
        f'<path class="line" d="{path}"/>',
    ]
    ahead = f"M{frame.x(history.now)} {frame.y(history.balance)}"
    for step in history.future:
        ahead += f"H{frame.x(step.at)}V{frame.y(step.balance)}"
    parts.append(f'<path class="ahead" d="{ahead}H{frame.x(frame.last)}"/>')
    return parts


def _mark(frame: Frame, step: Step, kind: str) -> str:
    """Mark an expiry by a triangle that points down where the credits went, named when pointed at."""
    x, y = frame.x(step.at), frame.y(step.balance - step.amount)
    said = escape(f"{write_moment(step.at)}: {write_signed(step.amount)}, {step.what}")
    return f'<path class="expiry {kind}" d="M{x - 5} {y - 9}h10l-5 8z"><title>{said}</title></path>'


def _now(frame: Frame, history: History) -> str:
    """Mark where now is."""
    x, y = frame.x(history.now), frame.y(history.balance)
    said = escape(f"Now, {write_date(history.now)}: {history.balance}")
    line = f'<path class="now-line" d="M{x} {TOP}V{frame.height - BOTTOM}"/>'
    return f'{line}<circle class="now-dot" cx="{x}" cy="{y}" r="4.5"><title>{said}</title></circle>'
