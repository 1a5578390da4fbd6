import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.release import Action, Mending, Policy, is_refusal, release
from rag.types import Claim, Evidence, Passage, Verdict

REFUSAL = "The documents do not say."
TEXT = "The pool opens at nine. It closes at eight."
PASSAGES = (
    Passage(number=1, chunk_id="c", document_id="d", source="s", title="Pool", text=TEXT, start=0, end=len(TEXT), score=1.0),
)


def claims(answer: str, *judged: tuple[str, Verdict, str | None], cited: tuple[int, ...] = (7,)) -> tuple[Claim, ...]:
    """Claims of `answer` by their text and verdict, with the quotation of the passage that they rest on."""
    found = []
    position = 0
    for text, verdict, quote in judged:
        start = answer.index(text, position)
        position = start + len(text)
        evidence = (
            None
            if quote is None
            else Evidence(passage=1, start=TEXT.index(quote), end=TEXT.index(quote) + len(quote), quote=quote)
        )
        found.append(
            Claim(
                text=text,
                start=start,
                end=position,
                verdict=verdict,
                score=0.5,
                evidence=evidence,
                reason="because",
                citations=cited,
                miscited=cited,
            )
        )
    return tuple(found)


OPENS = ("It opens at nine.", Verdict.SUPPORTED, "The pool opens at nine.")
CLOSES = ("It closes at ten.", Verdict.CONTRADICTED, "It closes at eight.")
SHARKS = ("It has sharks.", Verdict.UNSUPPORTED, None)
MAYBE = ("It is large.", Verdict.UNCERTAIN, None)


def test_flag_changes_nothing() -> None:
    answer = "It opens at nine. It closes at ten."
    judged = claims(answer, OPENS, CLOSES)
    released = release(Policy.FLAG, answer, judged, PASSAGES, REFUSAL)
    assert (released.text, released.claims, released.action) == (answer, judged, Action.UNCHANGED)


@pytest.mark.parametrize("policy", list(Policy))
def test_a_grounded_answer_passes_every_policy(policy: Policy) -> None:
    answer = "  It opens at nine. It is large.\n"
    released = release(policy, answer, claims(answer, OPENS, MAYBE), PASSAGES, REFUSAL)
    assert (released.text, released.action, released.feedback) == (answer, Action.UNCHANGED, None)


def test_a_draft_without_text_is_released_by_quote_as_the_refusal() -> None:
    released = release(Policy.QUOTE, " \n", (), (), REFUSAL)
    assert (released.text, released.action) == (REFUSAL, Action.REFUSED)


@pytest.mark.parametrize(
    ("answer", "mended"),
    [
        ("## Pool\n\nIt opens at nine.", "## Pool\n\nIt opens at nine."),
        ("## Pool\n\n## Eight\n\nIt opens at nine.", "## Eight\n\nIt opens at nine."),
        ("# Pool\n\n## Eight\n\nIt opens at nine.", "# Pool\n\n## Eight\n\nIt opens at nine."),
        ("## Free of charge\n\nIt opens at nine.", "It opens at nine."),
        ("Free of charge:\n\nIt opens at nine.", "It opens at nine."),
        ("It opens at nine.\n\n## Pool\n\nIt has sharks.", "It opens at nine.\n\n"),
        ("Sure!\n\n**Pool**\n\nIt has sharks.\n\nIt opens at nine.", "**Pool**\n\nIt opens at nine."),
        ("Yes. It closes at ten.", "“It closes at eight.” [1]"),
        (
            "Here is what I found:\n\n1. **Pool**\n   - It opens at nine.",
            "Here is what I found:\n\n1. **Pool**\n   - It opens at nine.",
        ),
        ("| pool | eight |\n|---|---|\n| It opens at nine. | |", "| pool | eight |\n|---|---|\n| It opens at nine. | |"),
        ("It opens at nine. Do you mean 5 a.m.?", "It opens at nine. "),
        ("It opens at nine. Do you mean the pool?", "It opens at nine. Do you mean the pool?"),
        ("It opens at nine.\n\n```\nrm -r pool\n```", "It opens at nine.\n\n"),
        ("It opens at nine.\n\n```\nopens at  nine\n```", "It opens at nine.\n\n```\nopens at  nine\n```"),
    ],
)
def test_quote_releases_what_is_not_judged_only_with_what_is(answer: str, mended: str) -> None:
    judged = sorted((said for said in (SHARKS, CLOSES, OPENS) if said[0] in answer), key=lambda said: answer.index(said[0]))
    released = release(Policy.QUOTE, answer, claims(answer, *judged), PASSAGES, REFUSAL)
    assert released.text == mended
    mending = Mending(PASSAGES, REFUSAL)
    mending.add(answer, claims(answer, *judged))
    assert mending.next() + mending.rest() == mended


@pytest.mark.parametrize(
    "answer", ["## Pool\n\n", "It opens at nine.\n\n", "## Pool\n\nIt opens at nine.\n\n", "Have you been there often?\n"]
)
def test_quote_releases_a_loop_once(answer: str) -> None:
    looped = f"It opens at nine. It closes at eight.\n\n{answer * 8}"
    said = [OPENS, ("It closes at eight.", Verdict.SUPPORTED, "It closes at eight."), *[OPENS] * (8 * answer.count(OPENS[0]))]
    text = release(Policy.QUOTE, looped, claims(looped, *said), PASSAGES, REFUSAL).text
    assert all(text.count(line) <= 1 + (line == OPENS[0]) for line in answer.splitlines() if line)


def test_what_is_said_below_another_label_is_no_repetition() -> None:
    answer = "## Pool\n\nIt opens at nine in the morning.\n\n## Eight\n\nIt opens at nine in the morning."
    said = ("It opens at nine in the morning.", Verdict.SUPPORTED, "The pool opens at nine.")
    assert release(Policy.QUOTE, answer, claims(answer, said, said), PASSAGES, REFUSAL).text == answer
    looped = f"{answer}\n\n{answer}"
    assert release(Policy.QUOTE, looped, claims(looped, *[said] * 4), PASSAGES, REFUSAL).text.rstrip() == answer


def test_what_is_short_may_be_said_of_something_else_too() -> None:
    answer = "**Pool**\n- Nine.\n\n**Eight**\n- Nine."
    nine = ("Nine.", Verdict.SUPPORTED, "The pool opens at nine.")
    assert release(Policy.QUOTE, answer, claims(answer, nine, nine), PASSAGES, REFUSAL).text == answer


@pytest.mark.parametrize("policy", [Policy.QUOTE, Policy.REFUSE, Policy.RETRY])
def test_a_refusal_is_released_in_the_words_of_the_refusal_sentence(policy: Policy) -> None:
    answer = "## Pool\n\n" + "I don't know why it costs 99 euros.\n\n" * 5
    released = release(policy, answer, (), PASSAGES, REFUSAL)
    assert (released.text, released.action) == (REFUSAL, Action.DECLINED)
    assert release(Policy.FLAG, answer, (), PASSAGES, REFUSAL).text == answer


def test_a_quotation_says_nothing_that_was_said_before_it() -> None:
    answer = "The pool opens at nine. It closes at ten."
    judged = [
        ("The pool opens at nine.", Verdict.SUPPORTED, "The pool opens at nine."),
        ("It closes at ten.", Verdict.CONTRADICTED, TEXT),
    ]
    released = release(Policy.QUOTE, answer, claims(answer, *judged), PASSAGES, REFUSAL)
    assert released.text == "The pool opens at nine. “It closes at eight.” [1]"
    evidence = released.claims[1].evidence
    assert evidence is not None
    assert evidence.quote == TEXT[evidence.start : evidence.end] == "It closes at eight."


def test_quote_cites_the_evidence_of_what_cites_nothing() -> None:
    answer = "It opens at nine. It is large."
    released = release(Policy.QUOTE, answer, claims(answer, OPENS, MAYBE, cited=()), PASSAGES, REFUSAL)
    assert released.text == "It opens at nine. [1] It is large."
    assert released.action is Action.CITED
    assert [claim.citations for claim in released.claims] == [(1,), ()]
    assert [claim.text for claim in released.claims] == ["It opens at nine. [1]", "It is large."]


@pytest.mark.parametrize("policy", [Policy.FLAG, Policy.REFUSE, Policy.RETRY])
def test_other_policies_add_no_citation(policy: Policy) -> None:
    answer = "It opens at nine."
    assert release(policy, answer, claims(answer, OPENS, cited=()), PASSAGES, REFUSAL).text == answer


def test_quote_replaces_a_contradicted_claim_and_moves_the_rest() -> None:
    answer = "Well:\n- It closes at ten.\n- It opens at nine.\nBye!"
    released = release(Policy.QUOTE, answer, claims(answer, CLOSES, OPENS), PASSAGES, REFUSAL)
    assert released.text == "Well:\n- “It closes at eight.” [1]\n- It opens at nine.\nBye!"
    assert released.action is Action.QUOTED
    quoted, kept = released.claims
    assert (quoted.verdict, quoted.citations, quoted.miscited) == (Verdict.SUPPORTED, (1,), ())
    assert kept.text == "It opens at nine."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("It opens at nine. It has sharks. Bye!", "It opens at nine. Bye!"),
        ("It opens at nine.\n\nIt has sharks. Bye!", "It opens at nine.\n\nBye!"),
        ("- It opens at nine.\n- It has sharks.\n- Bye!", "- It opens at nine.\n- Bye!"),
        ("It opens at nine.\n1. It has sharks.", "It opens at nine.\n"),
    ],
)
def test_quote_leaves_out_what_has_no_evidence(answer: str, expected: str) -> None:
    assert release(Policy.QUOTE, answer, claims(answer, OPENS, SHARKS), PASSAGES, REFUSAL).text == expected


def test_quote_leaves_no_empty_item_where_a_whole_item_falls() -> None:
    answer = "- It has sharks. It has sharks.\n- It opens at nine."
    assert release(Policy.QUOTE, answer, claims(answer, SHARKS, SHARKS, OPENS), PASSAGES, REFUSAL).text == "- It opens at nine."


@pytest.mark.parametrize(
    ("item", "mended"),
    [
        (("- It is free. ", "It closes at eight.\n"), "- It closes at eight.\n"),
        (("- It is free. ", "It closes at eight."), "- It closes at eight."),
        (("- It is free.\n", "- It closes at eight."), "- It closes at eight."),
        (("- It is free. ", "It is free."), ""),
        (("- It is free. ",), ""),
        (("- It is free.\n",), ""),
    ],
)
def test_a_list_item_keeps_its_marker_while_any_of_it_stands_also_in_stretches(item: tuple[str, ...], mended: str) -> None:
    verdicts = {"It is free.": Verdict.UNSUPPORTED}
    stretches = ("It opens at nine.\n", *item)
    judged = [(said, verdicts.get(said, Verdict.SUPPORTED), None) for said in (part.strip(" -\n") for part in stretches)]
    answer = "".join(stretches)
    whole = release(Policy.QUOTE, answer, claims(answer, *judged), PASSAGES, REFUSAL)
    mending = Mending(PASSAGES, REFUSAL)
    for stretch, found in zip(stretches, judged, strict=True):
        mending.add(stretch, claims(stretch, found))
    assert mending.end() == whole
    assert whole.text == f"It opens at nine.\n{mended}"


def test_quote_says_nothing_twice() -> None:
    answer = "It closes at ten. It closes at ten. It closes at eight."
    same = ("It closes at eight.", Verdict.SUPPORTED, "It closes at eight.")
    assert (
        release(Policy.QUOTE, answer, claims(answer, CLOSES, CLOSES, same), PASSAGES, REFUSAL).text.strip()
        == "“It closes at eight.” [1]"
    )


def test_quote_does_not_cite_a_passage_that_is_not_there() -> None:
    answer = "It opens at nine. It closes at ten."
    assert release(Policy.QUOTE, answer, claims(answer, OPENS, CLOSES), (), REFUSAL).text == "It opens at nine."


def test_quote_refuses_where_nothing_is_left() -> None:
    released = release(Policy.QUOTE, "Hello! It has sharks.", claims("Hello! It has sharks.", SHARKS), PASSAGES, REFUSAL)
    assert (released.text, released.claims, released.action) == (REFUSAL, (), Action.REFUSED)


def test_refuse() -> None:
    answer = "It opens at nine. It has sharks."
    released = release(Policy.REFUSE, answer, claims(answer, OPENS, SHARKS), PASSAGES, REFUSAL)
    assert (released.text, released.claims, released.action) == (REFUSAL, (), Action.REFUSED)


def test_retry_names_the_faults_once_then_quotes() -> None:
    answer = "It opens at nine. It has sharks."
    judged = claims(answer, OPENS, SHARKS)
    first = release(Policy.RETRY, answer, judged, PASSAGES, REFUSAL)
    assert first.action is Action.RETRY
    assert first.feedback is not None
    assert '- "It has sharks." (because)' in first.feedback
    assert "opens" not in first.feedback
    second = release(Policy.RETRY, answer, judged, PASSAGES, REFUSAL, retried=True)
    assert (second.text, second.action) == ("It opens at nine.", Action.QUOTED)


@pytest.mark.parametrize(
    "text",
    [
        REFUSAL,
        f'  "{REFUSAL}" [1]',
        "the documents do not say",
        "I don't know.",
        "I'm sorry, but the passages do not mention the price. Let me know if you need more.",
        "Unfortunately, there is no information about ferrets in the provided context.",
    ],
)
def test_refusals(text: str) -> None:
    assert is_refusal(text, REFUSAL)


@pytest.mark.parametrize(
    "text", ["", "It opens at nine.", "The passages do not mention sharks. The pool is 50 metres long.", "Hello!"]
)
def test_no_refusals(text: str) -> None:
    assert not is_refusal(text, REFUSAL)


@given(
    st.lists(
        st.tuples(st.sampled_from([OPENS, CLOSES, SHARKS, MAYBE]), st.sampled_from([" ", "\n", "\n- ", " So: ", ""])), max_size=8
    ),
    st.sampled_from(Policy),
    st.booleans(),
    st.sampled_from([(), (7,)]),
)
def test_claims_stay_anchored(
    drawn: list[tuple[tuple[str, Verdict, str | None], str]], policy: Policy, retried: bool, cited: tuple[int, ...]
) -> None:
    answer = "".join(gap + judged[0] for judged, gap in drawn)
    judged = claims(answer, *(judged for judged, _ in drawn), cited=cited)
    released = release(policy, answer, judged, PASSAGES, REFUSAL, retried=retried)
    assert all(claim.text == released.text[claim.start : claim.end] for claim in released.claims)
    if released.action is Action.QUOTED:
        assert {claim.verdict for claim in released.claims} <= {Verdict.SUPPORTED, Verdict.UNCERTAIN}
        assert "sharks" not in released.text
