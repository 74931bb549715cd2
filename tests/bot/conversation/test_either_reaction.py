"""A comment can get either reaction once: confusion first, and an answer when its writer may have one."""

from tests.bot.conversation.talking import Talk


async def test_whoever_was_allowed_to_write_since_is_answered_by_a_replay(talk: Talk) -> None:
    thread = talk.thread()
    question = talk.ask(thread, author=talk.reader)
    await talk.finish()
    assert talk.reactions(question) == ["confused"]
    assert talk.answers(thread) == []

    talk.github.set_permission(talk.repository, talk.reader, "write")
    [delivery] = [each for each in await talk.at.deliveries() if each.event == "issue_comment"]
    for _ in range(2):
        assert await talk.at.database.inbox.replay([delivery.id]) == [delivery.id]
        await talk.at.advance(hours=1)
        await talk.finish()

    assert sorted(talk.reactions(question)) == ["confused", "eyes"]
    assert "31 credits" in talk.answer(thread).body
    assert len(talk.asked("POST", f"/issues/{thread.number}/comments")) == 1


async def test_confusion_that_cannot_be_shown_holds_up_no_answer_in_the_thread(talk: Talk) -> None:
    thread = talk.thread()
    confusing = talk.ask(thread, author=talk.reader)
    talk.github.faults.fail(502, method="POST", path=f"/repos/*/comments/{confusing.id}/reactions", times=None)
    await talk.settle()

    question = talk.ask(thread)
    while not talk.answers(thread):
        await talk.settle()
        talk.clock.advance(seconds=1)

    assert talk.reactions(question) == ["eyes"]
    [waiting, answered] = await talk.replies()
    assert (waiting.state.value, answered.state.value) == ("pending", "done")
