import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.claims import declines, statements, states

ANSWER = """Sure! Here is the answer:

# Hours
The pool opens at 5 p.m. [1]. It closes at **9** [2][3]. [4] Dogs are not allowed.
- Cats are fine. [5]
1. [6] Birds sing.

| animal | price |
|---|---|
| dog | 2 [1] |

```
pool.open()
```
The passages do not mention ferrets. Are they allowed? I hope this helps!"""


def test_statements_of_an_answer_with_their_citations() -> None:
    assert [(statement.text, statement.citations) for statement in statements(ANSWER)] == [
        ("The pool opens at 5 p.m..", (1,)),
        ("It closes at **9**.", (2, 3, 4)),
        ("Dogs are not allowed.", ()),
        ("Cats are fine.", (5,)),
        ("Birds sing.", (6,)),
        ("| dog | 2 |", (1,)),
    ]


def test_spans_count_in_the_answer_and_hold_the_citations() -> None:
    spans = [ANSWER[statement.start : statement.end] for statement in statements(ANSWER)]
    assert spans[:4] == [
        "The pool opens at 5 p.m. [1].",
        "It closes at **9** [2][3]. [4]",
        "Dogs are not allowed.",
        "Cats are fine. [5]",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "Hello there!",
        "Great question.",
        "Is it open?",
        "它开门吗？",
        "The steps are:",
        "Here is a summary",
        "Based on the provided passages:",
        "Let me know if you need anything else.",
        "**Opening hours**",
        "## Prices",
        "---",
        "</>",
        "I'm sorry, but I cannot find that.",
        "I don\u2019t know.",
        "The provided context doesn't contain enough information.",
        "There is no mention of a price in the given documents.",
        "The price is not stated in the passages.",
    ],
)
def test_what_states_nothing(sentence: str) -> None:
    assert not states(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Paris.",
        "It closes at 9.",
        "Dogs are not allowed.",
        "Das Bad öffnet um neun.",
        "它九点开门。",
        "You cannot provide a key twice.",
    ],
)
def test_what_states_something(sentence: str) -> None:
    assert states(sentence)
    assert not declines(sentence)


@given(st.text(max_size=200))
def test_any_text(answer: str) -> None:
    position = 0
    for statement in statements(answer):
        assert position <= statement.start < statement.end <= len(answer)
        position = statement.end
