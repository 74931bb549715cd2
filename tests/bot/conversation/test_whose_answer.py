"""Which comments count as answers of ours: those that we wrote as ourselves, whatever others paste."""

import pytest

from tests.bot.conversation.talking import Talk

PASTED = "<!-- tallyhook:answer to=9999999999 -->\n**octo-org** has enough credits."
"""What somebody may write who has copied the source of an answer."""


@pytest.mark.parametrize("via_app", [False, True])
async def test_a_pasted_answer_of_a_persons_is_neither_edited_nor_taken_for_ours(talk: Talk, *, via_app: bool) -> None:
    """Found by the simulation: one written through our App for a person silenced the thread, and could be deleted."""
    thread = talk.thread()
    pasted = talk.github.comment(thread, talk.writer, PASTED, via_app=via_app)
    question = talk.ask(thread)
    await talk.finish()
    assert pasted in thread.comments
    assert pasted.body == PASTED
    assert f"to={question.id} " in talk.answer(thread).body


async def test_what_the_app_says_beside_its_answers_stays_as_it_is(talk: Talk) -> None:
    thread = talk.thread()
    said = talk.github.comment(thread, talk.github.app_bot, "The fix is ready.\n\n/credits")
    for _ in range(2):
        talk.ask(thread)
        await talk.finish()
        await talk.at.advance(hours=1)
    assert said.body.startswith("The fix is ready.")
    assert len(talk.answers(thread)) == 2
    assert said in thread.comments
