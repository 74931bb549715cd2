"""What is logged of a conversation: ids, never what people or we said, and nobody's name."""

import io

import pytest

from sandbox.clock import VirtualClock
from tests.bot.conversation.talking import talking


@pytest.mark.parametrize("trouble", ["none", "failures", "a dead end"])
async def test_the_log_tells_ids_and_no_names_or_words(
    log_text: io.StringIO, sqlite_url: str, clock: VirtualClock, trouble: str
) -> None:
    async with talking(sqlite_url, clock) as talk:
        thread, faults = talk.thread("A-secret-title"), talk.github.faults
        if trouble == "failures":
            faults.fail(502, path="/repos/*/permission")
            faults.lose_answer(method="POST", path="/repos/*/reactions")
            faults.garble(method="POST", path="/repos/*/issues/*/comments")
        elif trouble == "a dead end":
            faults.fail(422, method="POST", path="/repos/*/issues/*/comments")
        question = talk.ask(thread, "A-secret-word\n\n/credits")
        talk.ask(talk.thread(), author=talk.reader)
        await talk.finish()
        names = [talk.account.login, talk.writer.login, talk.repository.full_name, "A-secret", "31 credits", "/repos/"]
    told = log_text.getvalue()
    assert f'"comment_id":{question.id}' in told.replace(" ", "") or trouble == "a dead end"
    assert '"event":"effect_' in told.replace(" ", "")
    assert [name for name in names if name in told] == []
