import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.release import Action, Mending, Policy, is_refusal, release
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


@pytest.mark.parametrize("policy", list(Policy))
def test_an_answer_without_claims_passes_every_policy(policy: Policy) -> None:
    assert release(policy, "", (), (), REFUSAL).text == ""


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
