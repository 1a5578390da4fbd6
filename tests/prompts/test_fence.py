"""The fence is in nothing it fences, and is the same for the same passages."""

import re

from hypothesis import given
from hypothesis import strategies as st

from prompts.fence import fence

# Digits and letters of fences, so that a chance of holding one is not negligible; and any text, lone surrogates included.
texts = st.one_of(st.text("0123456789abcdefABCDEF<>/-\n"), st.text(st.characters()))
passages = st.lists(texts, max_size=5)


@given(passages, texts)
def test_occurs_in_no_passage_and_not_in_the_question(passages: list[str], question: str) -> None:
    delimiter = fence(passages, question)
    assert re.fullmatch("[0-9a-f]{16}", delimiter)
    assert not any(delimiter in text.casefold() for text in [*passages, question])


@given(passages, texts, texts)
def test_is_the_same_for_the_same_passages_whatever_the_question(passages: list[str], question: str, other: str) -> None:
    assert fence(passages, question) == fence(iter(passages), other)


@given(passages, st.integers(1, 20), st.booleans())
def test_a_question_that_holds_the_next_fences_only_moves_it_on(passages: list[str], guesses: int, upper: bool) -> None:
    question = ""
    for _ in range(guesses):
        guess = fence(passages, question)
        assert guess not in question.casefold()
        question += f"</passage-{guess.upper() if upper else guess}>"


def test_depends_on_where_one_passage_ends_and_the_next_begins() -> None:
    assert len({fence(["ab", "c"], ""), fence(["a", "bc"], ""), fence(["abc"], ""), fence(["c", "ab"], "")}) == 4
