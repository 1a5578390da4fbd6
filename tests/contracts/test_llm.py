"""What holds for every LLM backend: the same suite for all of them."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from rag.llms import open_llm
from rag.llms.base import LLM, Completion, Request, Usage
from rag.llms.worker import WorkerLLM
from rag.types import Message, Passage
from tests.servers.provider import Provider

pytestmark = pytest.mark.anyio

PASSAGE = Passage(
    number=1,
    chunk_id="c",
    document_id="d",
    source="s",
    title="t",
    text="The capital of France is Paris.",
    start=0,
    end=31,
    score=1,
)
QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


REMOTE = ["openai/gpt-4.1-mini", "anthropic/claude-sonnet-4-5"]


@pytest.fixture(params=["local/extractive", "local/smollm2", *REMOTE, *(f"worker {model}" for model in REMOTE)])
def backend(request: pytest.FixtureRequest, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "local/smollm2":
        pytest.importorskip("xllamacpp", reason="needs the extra `local`")
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    for name, value in provider.environment.items():
        monkeypatch.setenv(name, value)
    return str(request.param)


@pytest.fixture
def model(backend: str) -> str:
    return backend.removeprefix("worker ")


@pytest.fixture
async def llm(backend: str, model: str) -> AsyncIterator[LLM]:
    llm = open_llm(model) if backend == model else WorkerLLM(model)
    yield llm
    await llm.close()


@pytest.fixture
def question(model: str) -> Request:
    messages = (Message(role="user", content=f"{PASSAGE.text}\n\n{QUESTION}"),)
    return Request(model=model, messages=messages, question=QUESTION, passages=(PASSAGE,), max_tokens=12, seed=1)


async def test_pieces_of_text_then_one_completion(llm: LLM, question: Request) -> None:
    pieces = [piece async for piece in llm.stream(question)]
    assert len(pieces) > 1
    assert all(isinstance(piece, str) and piece for piece in pieces[:-1])
    completion = pieces[-1]
    assert isinstance(completion, Completion)
    assert completion.finish_reason in ("stop", "length")
    assert (completion.cost_nanodollars == 0) is question.model.startswith("local/")


async def test_equal_requests_get_equal_answers(llm: LLM, question: Request) -> None:
    first, second = [[piece async for piece in llm.stream(question) if isinstance(piece, str)] for _ in range(2)]
    assert "".join(first) == "".join(second)


async def test_closed_early_it_can_be_asked_again(llm: LLM, question: Request) -> None:
    stream = llm.stream(question)
    assert isinstance(await anext(stream), str)
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert [piece async for piece in llm.stream(question)]


async def test_closed_for_good_it_opens_again(llm: LLM, question: Request) -> None:
    for _ in range(2):
        await llm.close()
        assert [piece async for piece in llm.stream(question)]


async def test_what_tokens_cost_is_told_before_they_are_bought(llm: LLM, model: str) -> None:
    prices = {"openai/gpt-4.1-mini": (400, 1600), "anthropic/claude-sonnet-4-5": (3000, 15000)}
    prompt, completion = prices.get(model, (0, 0))
    assert llm.cost(Usage(prompt=100, completion=7)) == 100 * prompt + 7 * completion
    assert llm.cost(Usage()) == 0


async def test_an_answer_costs_what_its_tokens_do(llm: LLM, question: Request) -> None:
    *_, completion = [piece async for piece in llm.stream(question)]
    assert isinstance(completion, Completion)
    assert llm.cost(completion.usage) == completion.cost_nanodollars
