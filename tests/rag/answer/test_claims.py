import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.claims import declines, statements, states

CASES = [json.loads(line) for line in (Path(__file__).parent / "claims.jsonl").read_text(encoding="utf-8").splitlines()]
"""Answers as language models write them: `claims` as they stand there, `no_claims` the rest, and of some what their pronouns mean."""
UNREAD = {
    "claims-174": "the guide does not cover: what a refusal says of its sources, a statement may say as well",
    "claims-235": "emphasis that ends behind the full stop is left behind",
    "claims-249": "a refusal that only says what the passages are about",
}
UNRESOLVED = {
    "resolved-022": "`blind to` reads like `important to`",
    "resolved-038": "two things joined, before a verb in the plural",
    "resolved-050": "the mayor is not known to be a person",
    "resolved-051": "the teacher is not known to be a person",
}

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
        "Question: what does it cost",
        '<passage number="1" title="The pool">',
        "Das weiß ich leider nicht.",
        "Je ne sais pas.",
        "К сожалению, я не могу ответить.",
        "文档中没有提到价格。",
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


def test_claims_of_answers() -> None:
    """Precision and recall of their spans; a case that is newly read, or no longer, is named."""
    found = expected = right = 0
    wrong: dict[str, str] = {}
    for case in CASES:
        spans = [(statement.start, statement.end) for statement in statements(case["answer"], case["language"])]
        meant = spans_of(case["answer"], case["claims"])
        found, expected, right = found + len(spans), expected + len(meant), right + len({*spans} & {*meant})
        if spans != meant:
            wrong[case["id"]] = f"{case['answer']!r}: found {[case['answer'][slice(*span)] for span in spans]}"
    assert wrong.keys() == UNREAD.keys(), "\n".join(wrong.values())
    assert right / found >= 0.99, f"precision {right / found:.3f} of {found}"
    assert right / expected >= 0.99, f"recall {right / expected:.3f} of {expected}"


def test_pronouns_of_answers() -> None:
    """What they are resolved to: a wrong resolution is worse than none."""
    made = meant = right = 0
    wrong: dict[str, str] = {}
    for case in (case for case in CASES if "resolved" in case):
        read = statements(case["answer"], case["language"])
        for statement, resolved in zip(read, case["resolved"], strict=True):
            made += statement.resolved != statement.text
            meant += resolved != statement.text
            right += resolved != statement.text and statement.resolved == resolved
            if statement.resolved != resolved:
                wrong[case["id"]] = f"{case['answer']!r}: {statement.resolved}"
    assert wrong.keys() == UNRESOLVED.keys(), "\n".join(wrong.values())
    assert right / made >= 0.99, f"precision {right / made:.3f} of {made}"
    assert right / meant >= 0.85, f"recall {right / meant:.3f} of {meant}"


def test_a_resolved_claim_stays_where_it_is_written() -> None:
    answer = "The pool opens at nine [1]. It closes at eight [2]."
    second = statements(answer)[1]
    assert (answer[second.start : second.end], second.resolved) == ("It closes at eight [2].", "The pool closes at eight.")


def test_a_refusal_that_goes_over_into_a_statement() -> None:
    answer = "The passages do not mention the price, but the pool opens at nine [1]."
    (statement,) = statements(answer)
    assert (statement.text, statement.citations) == ("the pool opens at nine.", (1,))
    assert answer[statement.start : statement.end] == "the pool opens at nine [1]."
    assert declines(answer)


def test_a_refusal_that_goes_on_refusing() -> None:
    assert statements("I don't know the price, but the passages do not mention the hours either.") == []


def spans_of(answer: str, claims: list[str]) -> list[tuple[int, int]]:
    """Where claims stand in an answer, one after the other."""
    spans = []
    position = 0
    for claim in claims:
        start = answer.index(claim, position)
        position = start + len(claim)
        spans.append((start, position))
    return spans


@given(st.text(max_size=200))
def test_any_text(answer: str) -> None:
    position = 0
    for statement in statements(answer):
        assert position <= statement.start < statement.end <= len(answer)
        position = statement.end


def test_a_bold_line_is_a_heading_and_a_bold_sentence_is_none() -> None:
    assert not states("**Opening hours**")
    assert states("**The pool opens at nine.**")


@pytest.mark.parametrize(
    "sentence",
    [
        "Kettles are covered for 36 months (the documents do not say why).",
        "The documents don't mention Windows, so it is not supported.",
        "The documents do not mention Windows; therefore it cannot run there.",
        "The documents do not mention Windows; it is insecure.",
        "Since the passages don't mention a limit, kettles are covered for life.",
        "Kettles are covered for life because the warranty document does not state an end.",
        "Kettles are free even when the documents do not say so.",
        "The warranty lasts forever and the documents do not say otherwise.",
        "The guide does not list Windows and it is insecure.",
        "In the first year kettles are free, which the documents do not mention.",
        "I believe that kettles are free, and the documents don't say otherwise.",
        "The documents don't mention Windows, so it is not supported, but toasters are covered.",
        "Kettles are free - the documents do not say why.",
        "The documents do not mention a fee - entry is free for owners.",
        "The documents do not mention a fee -- entry is free for owners.",
        "The documents do not mention a fee... entry is free for owners.",
        "The documents do not mention a fee\u2026 entry is free for owners.",
        "The documents do not mention a fee - so entry is free.",
        "The documents do not mention a fee, suggesting entry is free.",
        "The documents do not mention a fee, implying that entry is free.",
        "The documents do not mention a fee, indicating that entry is free.",
        "The documents do not mention a fee, i.e. entry is free.",
        "The documents do not mention a fee, except that entry is free for owners.",
        "The documents do not mention a fee other than that entry is free for owners.",
        "The documents do not mention a fee beyond saying entry is free for owners.",
        "Apart from the fact that entry is free for owners, the documents do not mention fees.",
        "Besides the fact that entry is free for owners, the documents do not mention fees.",
    ],
)
def test_a_refusal_excuses_no_statement_beside_it(sentence: str) -> None:
    assert declines(sentence)
    assert [statement.text for statement in statements(sentence)] == [sentence]


@pytest.mark.parametrize(
    "sentence",
    [
        "The passages do not mention whether or when batteries are covered.",
        "The price and the colour are not mentioned in the passages.",
        "The year (and month) is not stated in the passages.",
        "I don't know, because the passages do not mention it.",
        "I cannot answer this, because the passages are about something else.",
        "My knowledge ends in 2023, so I can't say.",
        "As far as I can tell, the documents do not mention it.",
        "If you are asking about kettles, I don't know.",
        "Since the passages do not mention it, I cannot say.",
        "The passages do not mention it, so you may want to check the manual.",
        "The passages do not mention it, so the answer is unknown.",
        "You asked about the price, which the documents do not mention.",
        "The documents do not mention the following: price, whether it is sold, weight.",
        "I looked through the passages, and I couldn't find it.",
        "The answer is: The document does not answer this question.",
        "The documents do not contain any information suggesting that entry is free.",
        "The documents do not mention a fee - only the opening times.",
        "The documents do not mention that -- please ask the desk.",
        "I don't know... sorry.",
        "I do not know anything besides that.",
        "The passages do not mention it, i.e. it is not specified.",
        "Apart from the opening hours, the documents do not mention anything.",
        "I'm sorry to say the documents do not mention a fee.",
        "Please refer to the documentation - I do not know.",
    ],
)
def test_a_refusal_may_say_of_itself_what_it_will(sentence: str) -> None:
    assert declines(sentence)
    assert statements(sentence) == []


@pytest.mark.parametrize(
    ("talk", "stated"),
    [
        ("I'm happy to say entry is free.", "entry is free."),
        ("I'm happy to confirm that entry is free.", "entry is free."),
        ("I'm sorry to say entry costs 9 dollars.", "entry costs 9 dollars."),
        ("Please refer to the desk since entry is free.", "entry is free."),
        ("Feel free to come early because entry is free.", "entry is free."),
        ("Feel free to come early - entry is free.", "entry is free."),
    ],
)
def test_talk_that_goes_over_into_a_statement(talk: str, stated: str) -> None:
    assert [statement.text for statement in statements(talk)] == [stated]


@pytest.mark.parametrize(
    "talk",
    [
        "I'm happy to help with your question.",
        "I'm happy to say more if you have questions.",
        "Feel free to ask because I am here to help.",
        "Let me know - I am happy to help.",
    ],
)
def test_talk_that_goes_on_talking(talk: str) -> None:
    assert statements(talk) == []


@pytest.mark.parametrize("lead", ["Unused goods are returned by post [1]:", "Unused goods cannot be returned:"])
def test_a_lead_in_that_cites_or_denies_is_a_statement(lead: str) -> None:
    assert [statement.text for statement in statements(f"{lead}\n\n- Refunds are paid. [1]")][:1] == [lead.replace(" [1]", "")]


@pytest.mark.parametrize(
    "lead", ["There are four verdicts [1]:", "The reasons are the following [1]:", "For the other planets [1]:"]
)
def test_a_lead_in_that_only_announces_is_none(lead: str) -> None:
    assert [statement.text for statement in statements(f"{lead}\n\n- Refunds are paid. [1]")] == ["Refunds are paid."]


@pytest.mark.parametrize(
    ("reply", "resolved"),
    [
        ("It appears so.", "Is the pool open"),
        ("Most likely.", "Is the pool open"),
        ("Yes, probably.", "Is the pool open"),
        ("Probably not.", "Is not the pool open"),
        ("I don't think so.", "Is not the pool open"),
        ("Unlikely.", "Is not the pool open"),
    ],
)
def test_a_hedge_replies(reply: str, resolved: str) -> None:
    (alone,) = statements(reply, question="Is the pool open?")
    assert (alone.resolved, alone.reply) == (resolved, True)
    assert [statement.text for statement in statements(f"{reply} The pool opens at nine.")] == ["The pool opens at nine."]
