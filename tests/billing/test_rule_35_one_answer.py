"""Rule 35, and rule 33's last sentence: one answer of ours in a thread, edited while it can be seen, else moved."""

import itertools
import random
from datetime import timedelta

import pytest

from billing.conversation import Edit, NothingToSay, OwnAnswer, Placement, PostAnew, place
from billing.values import CommentId, Word
from tests.billing.builders import asked, day

ASKED_AT = day(12, 1, 9)

NOT_EVEN_A_MINUTE = 0.9


def own(
    comment: int,
    *,
    to: int,
    minutes_ago: float = 60,
    is_among_last_ten: bool = True,
    words: tuple[Word, ...] = (Word.CREDITS,),
    has_figures: bool = False,
) -> OwnAnswer:
    """One of our answers, changed so long before the next question was asked."""
    return OwnAnswer(
        comment_id=CommentId(comment),
        answers_to=CommentId(to),
        words=words,
        has_figures=has_figures,
        changed_at=ASKED_AT - timedelta(minutes=minutes_ago),
        is_among_last_ten=is_among_last_ten,
    )


def placed(
    question: int, *answers: OwnAnswer, words: tuple[Word, ...] = (Word.CREDITS,), shows_figures: bool = True
) -> Placement:
    """Where the answer to this comment goes."""
    return place(answers, asked(comment=question, words=words, asked_at=ASKED_AT).question, shows_figures=shows_figures)


def test_rule_33_the_first_answer_of_a_thread_is_posted() -> None:
    assert placed(100) == PostAnew()


def test_rule_33_an_answer_among_the_last_ten_is_edited() -> None:
    assert placed(200, own(101, to=100)) == Edit(comment_id=CommentId(101))


def test_rule_33_an_answer_out_of_sight_is_posted_anew_and_the_old_one_deleted() -> None:
    answer = own(101, to=100, is_among_last_ten=False)
    assert placed(200, answer) == PostAnew(outdated=(CommentId(101),))


@pytest.mark.parametrize("minutes_ago", [0, 0.5, 1, -0.5])
def test_rule_35_within_a_minute_of_the_last_answer_it_is_edited_wherever_it_stands(minutes_ago: float) -> None:
    answer = own(101, to=100, minutes_ago=minutes_ago, is_among_last_ten=False)
    assert placed(200, answer) == Edit(comment_id=CommentId(101))


def test_rule_35_after_a_minute_it_is_not() -> None:
    answer = own(101, to=100, minutes_ago=1.001, is_among_last_ten=False)
    assert placed(200, answer) == PostAnew(outdated=(CommentId(101),))


def test_rule_35_the_minute_ends_when_the_command_is_written_however_late_it_is_answered() -> None:
    # Both moments are GitHub's. When we come to answer isn't even known here.
    answer = own(101, to=100, is_among_last_ten=False)
    for seconds, placement in ((60, Edit(comment_id=CommentId(101))), (61, PostAnew(outdated=(CommentId(101),)))):
        question = asked(comment=200, asked_at=answer.changed_at + timedelta(seconds=seconds)).question
        assert place([answer], question, shows_figures=True) == placement


@pytest.mark.parametrize("is_among_last_ten", [True, False])
@pytest.mark.parametrize(
    ("before", "words", "keeping"),
    [
        ((Word.CREDITS,), (Word.PLAN,), (Word.CREDITS,)),
        ((Word.CREDITS,), (Word.CREDITS,), ()),
        ((Word.PLAN, Word.CREDITS), (Word.HELP,), (Word.PLAN, Word.CREDITS)),
        ((Word.HELP, Word.PLAN, Word.CREDITS), (Word.PLAN,), (Word.HELP, Word.CREDITS)),
        ((), (Word.PLAN,), ()),
    ],
)
def test_rule_35_what_was_answered_within_the_minute_stays_answered(
    before: tuple[Word, ...], words: tuple[Word, ...], keeping: tuple[Word, ...], *, is_among_last_ten: bool
) -> None:
    answer = own(101, to=100, words=before, minutes_ago=NOT_EVEN_A_MINUTE, is_among_last_ten=is_among_last_ten)
    assert placed(200, answer, words=words) == Edit(comment_id=CommentId(101), keeping=keeping)


def test_rule_35_what_was_answered_earlier_gives_way() -> None:
    seen = own(101, to=100, words=(Word.PLAN,), minutes_ago=1.1)
    assert placed(200, seen) == Edit(comment_id=CommentId(101))
    out_of_sight = own(101, to=100, words=(Word.PLAN,), minutes_ago=1.1, is_among_last_ten=False)
    assert placed(200, out_of_sight) == PostAnew(outdated=(CommentId(101),))


@pytest.mark.parametrize("is_among_last_ten", [True, False])
@pytest.mark.parametrize(("minutes_ago", "keeping"), [(NOT_EVEN_A_MINUTE, (Word.PLAN,)), (60, ())])
def test_rule_34_an_answer_with_figures_goes_where_figures_may_not_be_shown(
    minutes_ago: float, keeping: tuple[Word, ...], *, is_among_last_ten: bool
) -> None:
    # To edit them away wouldn't help: GitHub shows a comment's former texts to everybody.
    figures = own(
        201,
        to=200,
        words=(Word.PLAN,),
        has_figures=True,
        minutes_ago=minutes_ago,
        is_among_last_ten=is_among_last_ten,
    )
    older = own(101, to=100)
    gone = PostAnew(keeping=keeping, outdated=(CommentId(101), CommentId(201)))
    assert placed(300, older, figures, shows_figures=False) == gone


def test_rule_34_an_answer_with_figures_is_edited_where_figures_may_be_shown_and_counts_as_having_them() -> None:
    answer = own(101, to=100, has_figures=True)
    assert placed(200, answer, shows_figures=True) == Edit(comment_id=CommentId(101), had_figures=True)


def test_rule_34_an_answer_without_figures_is_edited_whether_they_may_be_shown_or_not() -> None:
    for shows_figures in (True, False):
        assert placed(200, own(101, to=100), shows_figures=shows_figures) == Edit(comment_id=CommentId(101))


def test_rule_35_the_same_comment_is_never_answered_twice() -> None:
    assert placed(100, own(101, to=100)) == NothingToSay()
    assert placed(100, own(101, to=100, is_among_last_ten=False)) == NothingToSay()


def test_rule_35_an_answer_to_a_later_comment_stands() -> None:
    assert placed(100, own(101, to=200)) == NothingToSay()


def test_older_answers_of_ours_are_outdated() -> None:
    answers = (own(300, to=299), own(101, to=100), own(201, to=200))
    old = (CommentId(101), CommentId(201))
    assert placed(400, *answers) == Edit(comment_id=CommentId(300), outdated=old)
    assert placed(299, *answers) == NothingToSay(outdated=old)
    assert placed(400, own(300, to=299, is_among_last_ten=False), own(101, to=100)) == PostAnew(
        outdated=(CommentId(101), CommentId(300))
    )


def test_of_two_answers_to_one_comment_the_later_stands() -> None:
    assert placed(100, own(101, to=100), own(102, to=100)) == NothingToSay(outdated=(CommentId(101),))


def test_the_answer_to_the_latest_comment_counts_even_if_it_was_posted_first() -> None:
    edited, orphan = own(101, to=300), own(201, to=200)
    assert placed(250, edited, orphan) == NothingToSay(outdated=(CommentId(201),))
    assert placed(400, edited, orphan) == Edit(comment_id=CommentId(101), outdated=(CommentId(201),))


@pytest.mark.parametrize("seed", range(50))
def test_rule_35_whatever_was_lost_a_repeat_comes_to_rest_with_one_answer(seed: int) -> None:
    chance = random.Random(seed)
    numbers = itertools.count(1000)
    thread: list[OwnAnswer] = []
    for question in sorted(chance.sample(range(1, 900), 20)):
        # Up to three times, as if we hadn't learnt what became of it; and not every deletion comes through.
        for _ in range(chance.randint(1, 3)):
            chance.shuffle(thread)
            where = placed(question, *thread)
            deleted = {each for each in where.outdated if chance.random() < 0.7}
            thread = [each for each in thread if each.comment_id not in deleted]
            if isinstance(where, Edit):
                thread = [each for each in thread if each.comment_id != where.comment_id]
            if not isinstance(where, NothingToSay):
                written = where.comment_id if isinstance(where, Edit) else next(numbers)
                thread.append(own(written, to=question, is_among_last_ten=chance.random() < 0.5))
        assert sum(each.answers_to == question for each in thread) == 1
        last = placed(question, *thread)
        assert isinstance(last, NothingToSay)
        assert len(last.outdated) == len(thread) - 1
