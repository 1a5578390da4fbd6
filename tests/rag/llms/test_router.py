"""Attempts, deadlines, fallbacks and breakers against a real server that misbehaves as told."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest

from rag.errors import GroundwireError, UpstreamError
from rag.llms.base import Attempt, CallLog, CallPolicy, Completion, Purpose, Request, Timing, Usage
from rag.llms.breaker import Breaker
from rag.llms.router import Router
from tests.rag.llms.conftest import asking, drained
from tests.servers.provider import Provider, Reply, failure

pytestmark = pytest.mark.anyio

OPENAI, ANTHROPIC = "openai/gpt-4.1-mini", "anthropic/claude-sonnet-4-5"
TEXT = "It is forty-two [1]."
COST = 100 * 400 + 7 * 1600
PROMPT = 12
"""Tokens of `asking`, by OpenAI's own count: 5 of the message, 4 around it, 3 that begin the answer."""


@pytest.fixture
async def router(provider: Provider) -> AsyncIterator[Router]:
    router = Router()
    await drained(router.llm(OPENAI).stream(asking(OPENAI)))
    provider.script()
    yield router
    await router.close()


async def routed(router: Router, policy: CallPolicy, model: str = OPENAI) -> tuple[str, Completion, list[Attempt]]:
    log = CallLog()
    text, completion = await drained(router.stream(asking(model), policy, Purpose.ANSWER, log))
    return text, completion, log.attempts


async def failing(router: Router, policy: CallPolicy, model: str = OPENAI) -> tuple[UpstreamError, list[Attempt]]:
    log = CallLog()
    with pytest.raises(UpstreamError) as caught:
        await drained(router.stream(asking(model), policy, Purpose.ANSWER, log))
    return caught.value, log.attempts


async def test_the_first_attempt_succeeds(router: Router, provider: Provider) -> None:
    provider.script(Reply(first=0.05))
    began = time.perf_counter()
    text, completion, [attempt] = await routed(router, CallPolicy())
    assert text == TEXT
    assert attempt.purpose is Purpose.ANSWER
    assert (attempt.model, attempt.answered_by, attempt.finish_reason) == (OPENAI, "gpt-4.1-mini", "stop")
    assert (attempt.usage, attempt.cost_nanodollars, attempt.error) == (completion.usage, COST, None)
    assert attempt.first_token_ms is not None
    assert 50 <= attempt.first_token_ms <= attempt.total_ms
    assert 0 <= attempt.started_ms <= attempt.started_ms + attempt.total_ms <= 1000 * (time.perf_counter() - began)


async def test_a_retry_waits_as_long_as_it_is_asked_to(router: Router, provider: Provider) -> None:
    provider.script(failure(429, "slow down", retry_after="0.6"), Reply())
    text, _, [refused, answered] = await routed(router, CallPolicy())
    assert text == TEXT
    assert refused.error == f"{OPENAI} answered 429: slow down"
    assert (refused.cost_nanodollars, answered.cost_nanodollars) == (0, COST)
    assert not refused.estimated
    assert not answered.estimated
    first, second = provider.calls
    assert second.at - first.at >= 0.6


@pytest.mark.parametrize("end", ["cut", "drop", "malformed", "error"])
async def test_a_stream_that_breaks_before_its_first_text_is_tried_again(router: Router, provider: Provider, end: str) -> None:
    provider.script(Reply(pieces=(), end=end), Reply())  # type: ignore[arg-type]
    text, _, attempts = await routed(router, CallPolicy())
    assert text == TEXT
    assert [(attempt.cost_nanodollars, attempt.estimated) for attempt in attempts] == [(PROMPT * 400, True), (COST, False)]


async def test_once_text_was_shown_there_is_no_other_try(router: Router, provider: Provider) -> None:
    provider.script(Reply(end="cut"), Reply())
    _, [attempt] = await failing(router, CallPolicy(fallbacks=(ANTHROPIC,)))
    assert len(provider.calls) == 1
    assert attempt.first_token_ms is not None
    assert attempt.error


@pytest.mark.parametrize("pieces", [(), ("\n", " ")])
async def test_an_answer_without_text_is_a_failure_that_is_billed(
    router: Router, provider: Provider, pieces: tuple[str, ...]
) -> None:
    provider.script(Reply(pieces=pieces, finish_reason="length"), Reply())
    text, _, [empty, answered] = await routed(router, CallPolicy(fallbacks=(ANTHROPIC,)))
    assert (text, answered.model) == (TEXT, ANTHROPIC)
    assert empty.error == f"{OPENAI} gave no text (length)"
    assert (empty.usage.completion, empty.cost_nanodollars, empty.estimated) == (7, COST, False)


async def test_white_space_before_the_first_text_is_part_of_it(router: Router, provider: Provider) -> None:
    provider.script(Reply(pieces=("\n", " ", "So", "\n")))
    text, _, _ = await routed(router, CallPolicy())
    assert text == "\n So\n"


async def test_gives_up_after_its_attempts(router: Router, provider: Provider) -> None:
    provider.script(failure(500, "boom"))
    error, attempts = await failing(router, CallPolicy(attempts=2))
    assert error.problem == f"{OPENAI} answered 500: boom"
    assert not error.timed_out
    assert len(provider.calls) == len(attempts) == 2


async def test_what_will_not_pass_is_not_tried_again(router: Router, provider: Provider) -> None:
    provider.script(failure(400))
    await failing(router, CallPolicy())
    assert len(provider.calls) == 1


async def test_fallbacks_in_order_and_every_failure_named(router: Router, provider: Provider) -> None:
    provider.script(failure(401, "bad key"), failure(404, "no such model"), failure(400, "no"))
    error, attempts = await failing(router, CallPolicy(fallbacks=(ANTHROPIC, "openai/gpt-4o")))
    assert [attempt.model for attempt in attempts] == [OPENAI, ANTHROPIC, "openai/gpt-4o"]
    for attempt in attempts:
        assert attempt.error
        assert attempt.error in error.problem


async def test_a_fallback_answers(router: Router, provider: Provider) -> None:
    provider.script(failure(429, retry_after="30"), Reply())
    text, completion, attempts = await routed(router, CallPolicy(fallbacks=(ANTHROPIC,)))
    assert text == TEXT
    assert completion.model == "claude-sonnet-4-5"
    assert [call.path for call in provider.calls] == ["/v1/chat/completions", "/v1/messages"]
    assert [bool(attempt.error) for attempt in attempts] == [True, False]


async def test_the_extractive_fallback_needs_nothing(router: Router, provider: Provider) -> None:
    provider.script(failure(500))
    _, completion, attempts = await routed(router, CallPolicy(attempts=1, fallbacks=("local/extractive",)))
    assert completion.model == attempts[-1].answered_by == "local/extractive"


async def test_an_unknown_fallback_is_told_before_anything_is_called(router: Router, provider: Provider) -> None:
    with pytest.raises(GroundwireError, match="local/nothing"):
        await routed(router, CallPolicy(fallbacks=("local/nothing",)))
    assert not provider.calls


async def test_a_late_first_token_is_another_try(router: Router, provider: Provider) -> None:
    provider.script(Reply(first=600), Reply(before=600), Reply())
    text, _, attempts = await routed(router, CallPolicy(first_token_seconds=0.5, attempts=20, total_seconds=120))
    assert text == TEXT
    errors = [attempt.error for attempt in attempts]
    assert errors[:2] == [f"{OPENAI} gave no text within 0.5 s"] * 2
    assert errors[-1] is None
    await provider.settled()
    assert [call.disconnected for call in provider.calls][:2] == [True, True]


async def test_the_total_deadline_cuts_a_slow_drip(router: Router, provider: Provider) -> None:
    provider.script(Reply(pieces=("word ",) * 100, between=0.05))
    error, [attempt] = await failing(router, CallPolicy(total_seconds=0.5, fallbacks=(ANTHROPIC,)))
    assert error.timed_out
    assert attempt.total_ms >= 450
    await provider.settled()
    assert provider.calls[0].disconnected


async def test_never_sleeps_past_the_deadline(router: Router, provider: Provider) -> None:
    provider.script(failure(429, retry_after="20"))
    async with asyncio.timeout(10):
        error, attempts = await failing(router, CallPolicy(total_seconds=15))
    assert error.retry_after == 20
    assert len(attempts) == 1


async def test_a_deadline_that_passed_calls_nobody_else(router: Router, provider: Provider) -> None:
    provider.script(Reply(held=True))
    error, attempts = await failing(router, CallPolicy(total_seconds=0.3, fallbacks=(ANTHROPIC,)))
    assert error.timed_out
    assert [attempt.model for attempt in attempts] == [OPENAI]
    assert not any(call.path == "/v1/messages" for call in provider.calls)


@pytest.mark.parametrize("leave", ["close", "cancel"])
async def test_a_caller_that_leaves_ends_the_call_and_leaves_a_record(router: Router, provider: Provider, leave: str) -> None:
    provider.script(Reply(pieces=("word ",) * 2000, between=0.02))
    log = CallLog()
    stream = router.stream(asking(OPENAI), CallPolicy(), Purpose.ANSWER, log)
    assert await anext(stream) == "word "
    if leave == "close":
        await stream.aclose()
    else:
        reading = asyncio.create_task(drained(stream))
        await asyncio.sleep(0.1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    [attempt] = log.attempts
    assert attempt.error == "the caller left"
    assert attempt.first_token_ms is not None
    await provider.settled()
    assert provider.calls[0].disconnected
    assert attempt.estimated
    words, after_the_last = attempt.usage.completion - 1, 1
    assert 1 <= words <= provider.calls[0].sent < 2000
    assert attempt.usage == Usage(prompt=PROMPT, completion=words + after_the_last)
    assert attempt.cost_nanodollars == PROMPT * 400 + (words + after_the_last) * 1600


async def test_a_deadline_ends_a_call_that_is_billed_all_the_same(router: Router, provider: Provider) -> None:
    provider.script(Reply(held=True))
    _, [attempt] = await failing(router, CallPolicy(attempts=1, total_seconds=0.3))
    assert (attempt.usage, attempt.cost_nanodollars, attempt.estimated) == (Usage(prompt=PROMPT), PROMPT * 400, True)


async def test_what_runs_here_is_free_even_when_nobody_waits_for_it(provider: Provider) -> None:
    router = Router()
    log = CallLog()
    request = Request(model="local/extractive", messages=(), question="What?")
    stream = router.stream(request, CallPolicy(), Purpose.ANSWER, log)
    await anext(stream)
    await stream.aclose()
    assert [(attempt.error, attempt.cost_nanodollars) for attempt in log.attempts] == [("the caller left", 0)]


async def test_a_model_that_keeps_failing_is_left_alone_and_then_probed(provider: Provider) -> None:
    now = 100.0
    router = Router(breaker=lambda: Breaker(failures=2, seconds=30, clock=lambda: now))
    policy = CallPolicy(attempts=1)
    provider.script(failure(500), failure(500), Reply())
    await failing(router, policy)
    await failing(router, policy)
    error, [attempt] = await failing(router, policy)
    assert "left alone" in error.problem
    assert attempt.cost_nanodollars == 0
    assert len(provider.calls) == 2
    now += 30
    assert (await routed(router, policy))[0] == TEXT
    assert (await routed(router, policy))[0] == TEXT
    await router.close()


async def test_a_caller_mistake_does_not_open_the_breaker(provider: Provider) -> None:
    router = Router(breaker=lambda: Breaker(failures=1))
    provider.script(failure(400), Reply())
    await failing(router, CallPolicy(attempts=1))
    assert (await routed(router, CallPolicy(attempts=1)))[0] == TEXT
    await router.close()


async def test_requests_overlap(router: Router, provider: Provider) -> None:
    provider.script(Reply(held=True))
    asked = [asyncio.create_task(routed(router, CallPolicy())) for _ in range(10)]
    await provider.holds(10)
    provider.let_go()
    assert {text for text, _, _ in await asyncio.gather(*asked)} == {TEXT}


@pytest.mark.usefixtures("without_llama")
async def test_a_model_that_is_not_installed_is_a_failed_attempt(router: Router) -> None:
    _, completion, attempts = await routed(router, CallPolicy(fallbacks=("local/extractive",)), "local/smollm2")
    assert completion.model == "local/extractive"
    assert attempts[0].error
    assert "not installed" in attempts[0].error
    assert attempts[0].cost_nanodollars == 0
    with pytest.raises(UpstreamError, match=r"pip install 'groundwire\[local\]'"):
        router.available(["local/smollm2"])


async def test_a_push_back_is_marked_as_one(router: Router, provider: Provider) -> None:
    provider.script(failure(429), failure(529), failure(500), Reply())
    _, _, attempts = await routed(router, CallPolicy(attempts=4))
    assert [attempt.throttled for attempt in attempts] == [True, True, False, False]


@pytest.mark.parametrize(("last", "throttled"), [(failure(429), True), (failure(503), False)], ids=["429", "503"])
async def test_an_error_says_whether_its_last_call_was_pushed_back(
    router: Router, provider: Provider, last: Reply, throttled: bool
) -> None:
    provider.script(failure(429 if not throttled else 500), last)
    error, _ = await failing(router, CallPolicy(attempts=2))
    assert error.throttled is throttled


class Repeating:
    """A backend whose answer is that of an earlier call."""

    timing = Timing(first_token_ms=120_000.0, total_ms=450_000.0)

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        yield TEXT
        yield Completion(model="gpt", usage=Usage(prompt=1), cost_nanodollars=COST, finish_reason="stop", replayed=self.timing)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [1] * len(texts)

    def window(self) -> None:
        return None

    def cost(self, usage: Usage) -> int:
        return COST

    def estimate(self, request: Request, text: str) -> Usage:
        return Usage()

    async def close(self) -> None:
        return None


async def test_an_answer_that_is_a_repetition_is_marked_with_what_it_took() -> None:
    _, _, [attempt] = await routed(Router(lambda _: Repeating()), CallPolicy())
    assert attempt.replayed == Repeating.timing
    assert attempt.cost_nanodollars == COST
    assert attempt.total_ms < Repeating.timing.total_ms


async def test_a_whole_answer_may_take_until_the_end(router: Router, provider: Provider) -> None:
    provider.script(Reply(before=0.4))
    request, policy = asking(OPENAI, whole=True), CallPolicy(first_token_seconds=0.1, total_seconds=60)
    log = CallLog()
    text, _ = await drained(router.stream(request, policy, Purpose.ANSWER, log))
    assert text == TEXT
    assert [attempt.first_token_ms for attempt in log.attempts] == [None]
