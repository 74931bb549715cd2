"""The balance over time: what its steps are, and that its picture is true to them."""

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.console.history import History, Step, history_of
from sandbox.console.plot import draw, step_for
from sandbox.inspector import ExpiryView
from tests.sandbox.inspecting import customer

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
WIDTH, HEIGHT = 640, 230


def step(at: datetime, balance: int, amount: int, *, is_expiry: bool = False) -> Step:
    return Step(at=at, balance=balance, amount=amount, what="a step", is_expiry=is_expiry)


def points(path: str) -> list[tuple[float, float]]:
    """The corners of a path of horizontal and vertical lines."""
    x = y = 0.0
    found = []
    for command, first, second in re.findall(r"([MHV])(-?[\d.]+)(?: (-?[\d.]+))?", path):
        if command == "M":
            x, y = float(first), float(second)
        elif command == "H":
            x = float(first)
        else:
            y = float(first)
        found.append((x, y))
    return found


def drawn(history: History) -> ET.Element:
    return ET.fromstring(draw(history, width=WIDTH, height=HEIGHT, title="A balance"))  # noqa: S314 -- our own


def path_of(picture: ET.Element, kind: str) -> str:
    [found] = [path for path in picture.iter("path") if path.get("class") == kind]
    return found.get("d", "")


def test_steps_are_where_they_happened_and_end_in_what_is() -> None:
    whole = replace(customer(now=NOW, available=47), expired=(ExpiryView(amount=42, at=NOW - timedelta(hours=1)),))
    whole = replace(whole, grants=whole.grants[1:])
    history = history_of(whole, NOW)
    assert [each.balance for each in history.past] == [5, 65, 64, 47, 5]
    assert [each.at for each in history.past[-2:]] == [NOW - timedelta(days=2), NOW - timedelta(hours=1)]
    assert [each.is_expiry for each in history.past] == [False, False, False, True, True]
    assert (history.before, history.balance, history.future) == (0, 5, ())


def test_what_will_expire_is_foreseen_in_its_order() -> None:
    whole = customer(now=NOW)
    soon = replace(whole.grants[1], expires_at=NOW + timedelta(days=3))
    history = history_of(replace(whole, grants=(whole.grants[0], soon)), NOW)
    assert [(each.at, each.balance) for each in history.future] == [
        (NOW + timedelta(days=3), 42),
        (NOW + timedelta(days=10), 0),
    ]


def test_a_cut_history_begins_where_the_shown_part_does() -> None:
    whole = customer(now=NOW)
    assert history_of(replace(whole, entries=whole.entries[:2]), NOW).before == 65


moments = st.integers(min_value=0, max_value=3 * 365 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))


@st.composite
def histories(draw_one: st.DrawFn) -> History:
    times = sorted(draw_one(st.lists(moments, min_size=2, max_size=30)))
    balances = draw_one(st.lists(st.integers(0, 5000), min_size=len(times), max_size=len(times)))
    cut = draw_one(st.integers(1, len(times)))
    steps = [step(at, balance, 0, is_expiry=balance % 3 == 0) for at, balance in zip(times, balances, strict=True)]
    return History(before=0, past=tuple(steps[:cut]), future=tuple(steps[cut:]), now=times[cut - 1])


@given(history=histories())
def test_the_picture_is_true_to_the_steps(history: History) -> None:
    picture = drawn(history)
    corners = points(path_of(picture, "line"))
    # Time goes on to the right, and everything lies on the sheet.
    assert [x for x, _ in corners] == sorted(x for x, _ in corners)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in corners)
    # Each balance is where its amount belongs: more is higher, the same is as high.
    heights = dict(zip((each.balance for each in history.past), (y for _, y in corners[2::2]), strict=True))
    for balance, y in heights.items():
        assert all(y < other for lower, other in heights.items() if lower < balance - 40)
    # What is to come begins where what was ends.
    assert points(path_of(picture, "ahead"))[0] == corners[-1]
    marks = [path for path in picture.iter("path") if "expiry" in path.get("class", "").split()]
    assert len(marks) == sum(each.is_expiry for each in history.past) + len(history.future)


@given(history=histories())
def test_its_labels_do_not_crowd(history: History) -> None:
    picture = drawn(history)
    times = [float(text.get("x", "")) for text in picture.iter("text") if text.get("class") == "time"]
    assert len(times) <= 8
    assert all(later - earlier > 50 for earlier, later in itertools.pairwise(times))
    amounts = [int(text.text or "") for text in picture.iter("text") if text.get("class") == "amount"]
    assert amounts[0] == 0
    assert amounts[-1] >= max(each.balance for each in history.past)
    assert 2 <= len(amounts) <= 6


def test_the_axis_names_hours_days_or_months() -> None:
    def labels(span: timedelta) -> list[str]:
        history = History(before=0, past=(step(NOW, 5, 5), step(NOW + span, 4, -1)), future=(), now=NOW + span)
        return [text.text or "" for text in drawn(history).iter("text") if text.get("class") == "time"]

    assert labels(timedelta(hours=5)) == ["12:00", "13:00", "14:00", "15:00", "16:00", "17:00"]
    assert labels(timedelta(days=12))[:2] == ["11 Jan", "16 Jan"]
    assert all(re.fullmatch(r"[A-Z][a-z]{2} 20\d\d", label) for label in labels(timedelta(days=4 * 365)))


def test_a_first_moment_has_a_picture_too() -> None:
    history = History(before=0, past=(step(NOW, 5, 5),), future=(), now=NOW)
    assert points(path_of(drawn(history), "line"))


def test_it_carries_nothing_but_shapes_and_words() -> None:
    text = draw(history_of(customer(now=NOW, note="<script>"), NOW), width=340, height=210, title='a "title" <b>')
    assert not re.search(r"style|script|href|url\(|http|<b>", text)
    assert 'role="img" aria-label="a &quot;title&quot; &lt;b&gt;"' in text


@pytest.mark.parametrize(("most", "apart"), [(1, 1), (5, 2), (9, 5), (60, 20), (65, 20), (450, 200), (5000, 2000)])
def test_lines_across_are_round_numbers_apart(most: int, apart: int) -> None:
    assert step_for(most) == apart
