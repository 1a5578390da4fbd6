"""A trace becomes a case that claims no more than the trace can vouch for."""

from pathlib import Path

import pytest

from evals.cases import Case, append, read
from evals.execution.arms import Arm
from evals.promotion import distinct, promoted
from rag.errors import GroundwireError
from rag.runtime import Runtime
from rag.trace import Channel, Outcome, Trace, Versions
from rag.types import Claim, Evidence, Message, Passage, Verdict
from rag.variant import Model, Variant
from tests.evals.execution.conftest import carried_out, results
from tests.servers.provider import Provider, Reply

VERSIONS = Versions(code="c", variant="v", prompts={"answer@1": "p"}, generation="g", embedder="e", validator="x")


def passage(number: int, document: str) -> Passage:
    return Passage(
        number=number,
        chunk_id=f"{document}-{number}",
        document_id=document,
        source=document,
        title="",
        text="t",
        start=0,
        end=1,
        score=1,
    )


def claim(text: str, verdict: Verdict = Verdict.SUPPORTED, rests_on: int | None = 1) -> Claim:
    evidence = Evidence(passage=rests_on, start=0, end=1, quote="t") if rests_on else None
    return Claim(text=text, start=0, end=len(text), verdict=verdict, score=1, evidence=evidence, reason="")


def trace(*claims: Claim, outcome: Outcome | None = Outcome.ANSWERED) -> Trace:
    return Trace(
        id="0199-a",
        created_at="2026-01-01T00:00:00.000+00:00",
        channel=Channel.ASK,
        collection="shop",
        variant=Variant(name="careful"),
        versions=VERSIONS,
        question="How long is the warranty?",
        passages=(passage(1, "kettles.md"), passage(2, "returns.md"), passage(3, "kettles.md")),
        answer="Sure! " + " ".join(claim.text for claim in claims),
        claims=claims,
        outcome=outcome,
    )


def test_a_supported_answer_is_the_reference_without_its_citations() -> None:
    case = promoted(trace(claim("It is 24 months [1][3].", rests_on=3), claim("The shop pays postage [2].", rests_on=2)))
    assert case.id == "trace-0199-a"
    assert case.question == "How long is the warranty?"
    assert case.references == ("It is 24 months. The shop pays postage.",)
    assert case.gold_ids == ("kettles.md", "returns.md")
    assert case.answerable
    assert case.tags == {"source": "trace", "review": "needed", "variant": "careful", "outcome": "answered"}


@pytest.mark.parametrize("verdict", [Verdict.UNCERTAIN, Verdict.UNSUPPORTED, Verdict.CONTRADICTED])
def test_an_answer_that_is_not_all_supported_is_no_reference(verdict: Verdict) -> None:
    case = promoted(trace(claim("It is 24 months."), claim("It is free.", verdict, rests_on=2)))
    assert case.references == ()
    assert case.gold_ids == ("kettles.md",)


def test_an_answer_without_claims_is_no_reference() -> None:
    assert promoted(trace()).references == ()


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT, Outcome.DISCONNECTED])
def test_an_answer_that_was_cut_off_is_no_reference(outcome: Outcome) -> None:
    case = promoted(trace(claim("It is 24 months."), outcome=outcome))
    assert (case.references, case.answerable) == ((), True)
    assert case.tags["outcome"] == outcome.value


def test_a_refused_question_is_unanswerable_until_a_person_says_otherwise() -> None:
    case = promoted(trace(outcome=Outcome.REFUSED))
    assert not case.answerable
    assert case.tags["review"] == "needed"


def test_evidence_in_a_passage_that_was_not_sent_is_no_gold() -> None:
    assert promoted(trace(claim("It is 24 months.", rests_on=9), claim("So it is.", rests_on=None))).gold_ids == ()


def test_a_running_request_is_no_case() -> None:
    with pytest.raises(GroundwireError, match="0199-a is still running"):
        promoted(trace(outcome=None))


@pytest.mark.anyio
async def test_a_real_trace(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("Sure! Kettles are covered for 24 months [1].",)))
    answering = await runtime.pipeline(Variant(name="test", llm=Model(model="openai/gpt-4.1-mini")), "shop")
    ended = await answering.answer("How long is the warranty on a kettle?", Channel.ASK)
    case = promoted(ended)
    assert case.references == ("Kettles are covered for 24 months.",)
    assert case.gold_ids == (ended.passages[0].document_id,)
    assert case.gold_ids[0].endswith("kettles.md")


@pytest.mark.anyio
async def test_what_was_said_before_and_where_it_was_looked_for_is_asked_again(runtime: Runtime, tmp_path: Path) -> None:
    said = (Message(role="user", content="Do you sell kettles?"), Message(role="assistant", content="We do."))
    careful = Arm.named("default", runtime.settings, "default", "local/extractive")
    answering = await runtime.pipeline(careful.variant, "shop")
    (place,) = [id for id in runtime.corpus.documents("shop") if id.endswith("kettles.md")]
    ended = await answering.answer("How long is their warranty?", Channel.ASK, {"document_id": place}, history=said)
    append([promoted(ended)], tmp_path / "cases.jsonl")
    (case,) = read(tmp_path / "cases.jsonl")
    assert (case.history, case.where) == (said, {"document_id": place})
    (result,) = results(await carried_out(runtime, [careful], [case], fresh=True))
    again = runtime.traces.get(result.trace_id)
    assert (again.history, again.where, again.query) == (ended.history, ended.where, ended.query)


def test_a_trace_is_promoted_once(tmp_path: Path) -> None:
    case = promoted(trace(claim("It is 24 months.")))
    append([case], tmp_path / "cases.jsonl")
    assert read(tmp_path / "cases.jsonl") == [case]
    with pytest.raises(GroundwireError, match="case trace-0199-a is in .* already: nothing was added"):
        append([case], tmp_path / "cases.jsonl")


def test_what_was_asked_twice_is_one_case() -> None:
    first, again, other = (
        Case(id=str(number), question=asked) for number, asked in enumerate(["How long?", "how  long?", "How much?"])
    )
    assert distinct([first, again, other]) == [first, other]
    assert distinct([first, other, again]) == [first, other]
