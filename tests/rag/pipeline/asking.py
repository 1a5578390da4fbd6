"""A question about the shop, answers that are true, false and vague, and how they are asked for."""

from rag.answer.release import Policy
from rag.events import Delta, Done, Retrieved
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.trace import Channel, Trace
from rag.variant import Model, Release, Variant

QUESTION = "How long is the warranty on a kettle?"
TRUE = "Kettles are covered for 24 months [1]."
FALSE = "The warranty costs 99 dollars a year."
VAGUE = "Owners of kettles enjoy protection for a good while, month after month."
LIKELY = "The warranty of each kettle you purchase lasts for 24 months."


def variant(policy: Policy = Policy.FLAG, **llm: object) -> Variant:
    options = {"model": "openai/gpt-4.1-mini", "attempts": 1, **llm}
    return Variant(name="test", llm=Model.model_validate(options), release=Release(policy=policy))


def gated(model: str = "openai/gpt-4.1-mini") -> Variant:
    return Variant(name="test", llm=Model(model=model, attempts=1), release=Release(policy=Policy.QUOTE, gate="sentence"))


async def pipeline(runtime: Runtime, *arguments: Policy, **llm: object) -> Pipeline:
    return await runtime.pipeline(variant(*arguments, **llm), "shop")


async def text_and_trace(answering: Pipeline, question: str = QUESTION) -> tuple[str, Trace]:
    """What reached the reader, and the trace; checks that events come in their order."""
    events = [event async for event in answering.stream(question, Channel.ASK)]
    assert [type(event) for event in events] == [Retrieved, *[Delta] * (len(events) - 2), Done]
    assert isinstance(events[-1], Done)
    return "".join(event.text for event in events if isinstance(event, Delta)), events[-1].trace
