"""Threads of several pages: the one answer is found, and the one before it taken away, wherever they stand."""

from tests.bot.conversation.talking import Talk


async def test_the_old_answer_is_taken_away_even_if_it_stands_pages_before_the_new_one(talk: Talk) -> None:
    """Found by the simulation: the deletion waits for its turn, and by then the newest page held an answer of ours."""
    thread = talk.thread()
    talk.chat(thread, 150)
    talk.ask(thread)
    await talk.finish()
    talk.chat(thread, 100)
    await talk.at.advance(hours=1)
    question = talk.ask(thread)
    await talk.finish()
    assert f"to={question.id} " in talk.answer(thread).body


async def test_who_is_answered_in_a_long_thread_costs_no_more_pages_than_lead_to_the_last_answer(talk: Talk) -> None:
    thread = talk.thread()
    talk.chat(thread, 350)
    talk.ask(thread)
    await talk.finish()
    read = len(talk.asked("GET", "/comments"))
    talk.ask(thread)
    await talk.finish()
    assert len(talk.asked("GET", "/comments")) == read + 2
