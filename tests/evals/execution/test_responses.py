"""An answer is repeated to exactly the same request, whole, with what it cost and took."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, func, select

from evals.execution.pace import Pace
from evals.execution.responses import Remembering, Responses
from rag.errors import UpstreamError
from rag.ledger import schema
from rag.ledger.database import connect
from rag.ledger.writer import Writer
from rag.llms import open_llm
from rag.llms.base import Completion, Request, Usage
from rag.types import Message
from tests.servers.provider import Provider, Reply, failure

pytestmark = pytest.mark.anyio

OPENAI = "openai/gpt-4.1-mini"
ASKED = Request(model=OPENAI, messages=(Message(role="user", content="What is the answer?"),), seed=1)


class Ledger:
    """Where answers are kept."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.writer = Writer(engine)
        self.pace = Pace(8, 8)

    def llm(self, sample: int = 0, *, fresh: bool = False) -> Remembering:
        return Remembering(open_llm(OPENAI), Responses(self.engine, self.writer, fresh=fresh), sample, self.pace)

    def kept(self) -> int:
        self.writer.close()
        with self.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(schema.responses)).scalar_one())


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    made = Ledger(connect(ledger_url))
    yield made
    made.writer.close()
    made.engine.dispose()


async def asked(ledger: Ledger, llm: Remembering, request: Request = ASKED) -> tuple[list[str], Completion]:
    """The pieces, and the completion that came last; what is to be kept is kept afterwards."""
    pieces = [piece async for piece in llm.stream(request)]
    ledger.kept()
    assert isinstance(pieces[-1], Completion)
    return [piece for piece in pieces if isinstance(piece, str)], pieces[-1]


async def test_an_answer_is_repeated_with_what_it_cost_and_took(ledger: Ledger, provider: Provider) -> None:
    await asked(ledger, ledger.llm(7))
    provider.script(Reply(first=0.1, between=0.4))
    began = time.perf_counter()
    pieces, completion = await asked(ledger, ledger.llm())
    took_ms = 1000 * (time.perf_counter() - began)
    assert len(pieces) == 3
    assert completion.replayed is None
    began = time.perf_counter()
    [text], repeated = await asked(ledger, ledger.llm())
    assert 1000 * (time.perf_counter() - began) < took_ms
    assert text == "".join(pieces)
    timing = repeated.replayed
    assert timing is not None
    assert timing.first_token_ms is not None
    assert 100 <= timing.first_token_ms < timing.total_ms
    assert 900 <= timing.total_ms <= took_ms
    assert repeated == completion.model_copy(update={"replayed": timing})
    assert len(provider.calls) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"model": "openai/gpt-4.1"},
        {"messages": (Message(role="user", content="What is the answer? "),)},
        {"messages": (Message(role="system", content="What is the answer?"),)},
        {"temperature": 0.1},
        {"max_tokens": 13},
        {"seed": 2},
        {"seed": None},
        {"stop": ("\n",)},
    ],
    ids=str,
)
async def test_another_request_is_another_answer(ledger: Ledger, provider: Provider, change: dict[str, object]) -> None:
    await asked(ledger, ledger.llm())
    await asked(ledger, ledger.llm(), ASKED.model_copy(update=change))
    assert len(provider.calls) == 2


async def test_what_is_not_sent_does_not_make_it_another(ledger: Ledger, provider: Provider) -> None:
    await asked(ledger, ledger.llm())
    await asked(ledger, ledger.llm(), ASKED.model_copy(update={"question": "Why?", "refusal": "No."}))
    assert len(provider.calls) == 1


async def test_each_repeat_has_its_own(ledger: Ledger, provider: Provider) -> None:
    provider.script(Reply(pieces=("one",)), Reply(pieces=("two",)))
    assert [(await asked(ledger, ledger.llm(sample)))[0] for sample in (0, 1, 0, 1)] == [["one"], ["two"], ["one"], ["two"]]


async def test_another_server_is_another_answer(ledger: Ledger, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    await asked(ledger, ledger.llm())
    with Provider() as other:
        for name, value in other.environment.items():
            monkeypatch.setenv(name, value)
        llm = ledger.llm()
        await asked(ledger, llm)
        assert len(other.calls) == 1
        await llm.close()


async def test_fresh_forgets_what_was_before_it(ledger: Ledger, provider: Provider) -> None:
    await asked(ledger, ledger.llm())
    fresh = ledger.llm(fresh=True)
    await asked(ledger, fresh)
    await asked(ledger, fresh)
    await asked(ledger, ledger.llm())
    assert len(provider.calls) == 2
    assert ledger.kept() == 1


async def test_an_answer_without_text_is_repeated_without_text(ledger: Ledger, provider: Provider) -> None:
    provider.script(Reply(pieces=()))
    assert (await asked(ledger, ledger.llm()))[0] == []
    pieces, repeated = await asked(ledger, ledger.llm())
    assert pieces == []
    assert repeated.replayed is not None
    assert repeated.replayed.first_token_ms is None


@pytest.mark.parametrize("reply", [failure(500), Reply(end="cut"), Reply(end="drop")], ids=["refused", "cut", "dropped"])
async def test_what_failed_is_not_kept(ledger: Ledger, provider: Provider, reply: Reply) -> None:
    provider.script(reply)
    with pytest.raises(UpstreamError):
        await asked(ledger, ledger.llm())
    assert ledger.kept() == 0
    assert ledger.pace.slots == 8


async def test_half_an_answer_is_not_kept(ledger: Ledger, provider: Provider) -> None:
    provider.script(Reply(between=5))
    stream = ledger.llm().stream(ASKED)
    assert await anext(stream) == "It is "
    await stream.aclose()
    assert ledger.kept() == 0
    await provider.settled()
    assert provider.calls[0].disconnected


async def test_a_push_back_is_told_with_its_seconds(ledger: Ledger, provider: Provider) -> None:
    provider.script(failure(429, retry_after="7"), failure(429), failure(529))
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await asked(ledger, ledger.llm())
    assert ledger.pace.slots == 4
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ledger.pace.enter(), 0.05)


async def test_it_counts_and_prices_as_the_model_does(ledger: Ledger, provider: Provider) -> None:
    llm, plain = ledger.llm(), open_llm(OPENAI)
    usage = Usage(prompt=10, completion=3)
    assert await llm.count_tokens(["one two"]) == await plain.count_tokens(["one two"])
    assert (llm.window(), llm.cost(usage)) == (plain.window(), plain.cost(usage))
