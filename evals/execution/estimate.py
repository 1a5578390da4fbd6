"""What an answer will cost, before one is made.

Knows that the passages of a few questions tell the length of all prompts. Calls no model.
"""

from asyncio import to_thread
from collections.abc import Sequence
from statistics import fmean

from evals.cases import Case
from rag.llms.base import Usage
from rag.pipeline import Pipeline

SAMPLED = 10
"""Cases whose prompts are measured."""


async def price(pipeline: Pipeline, cases: Sequence[Case]) -> tuple[float, float] | None:
    """Nano-dollars of one answer, on average: with an empty answer, and with the longest. Null where the price is not known."""
    model = pipeline.models[0]
    llm = pipeline.router.llm(model)
    tokens = [sum(await llm.count_tokens(model, await _texts(pipeline, case.question))) for case in cases[:SAMPLED]]
    prompt = round(fmean(tokens))
    bounds = [llm.cost(model, Usage(prompt=prompt, completion=completion)) for completion in (0, pipeline.variant.llm.max_tokens)]
    low, high = bounds
    return None if low is None or high is None else (low, high)


async def _texts(pipeline: Pipeline, question: str) -> list[str]:
    """What would be sent."""
    retrieval = pipeline.variant.retriever
    vector = await to_thread(pipeline.retriever.embed, question)
    found = await to_thread(
        pipeline.retriever.search,
        question,
        vector,
        mode=retrieval.mode,
        top_k=retrieval.top_k,
        candidates=retrieval.candidates,
        where={},
    )
    context = await pipeline.packed(question, found.passages)
    return [message.content for message in context.messages]
