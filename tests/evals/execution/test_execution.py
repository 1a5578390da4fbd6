"""Every case of every arm is asked exactly once, and what was answered is never paid for again."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import prompts
from evals.analysis.pairing import case_means
from evals.cases import Case
from evals.execution.budget import Budget, Limits
from evals.execution.execution import AHEAD, HOPELESS, Execution
from evals.execution.pace import FIRST
from evals.execution.runs import Result
from evals.scorers.base import Missing
from rag.errors import GroundwireError
from rag.runtime import Runtime
from rag.trace import Channel, Outcome
from rag.types import Message
from tests.evals.execution.conftest import COST, OPENAI, VARIANTS, arm, arms, carried_out, place, results, some
from tests.servers.provider import Call, Provider, Reply, failure

pytestmark = pytest.mark.anyio


async def test_every_case_of_every_arm_is_asked_once_and_kept(runtime: Runtime, provider: Provider) -> None:
    asking = await carried_out(runtime, arms(runtime), some(AHEAD + 3))
    assert Counter(Counter(place(call) for call in provider.calls).values()) == {2: AHEAD + 3}
    assert (asking.standing.planned, asking.standing.done, asking.standing.failed) == (70, 70, 0)
    assert asking.standing.spent == 70 * COST
    assert asking.standing.ended is None
    for side in range(2):
        found = results(asking, side)
        assert [result.case for result in found] == some(AHEAD + 3)
        assert {result.outcome for result in found} == {Outcome.ANSWERED}
        assert {result.cost_nanodollars for result in found} == {COST}
        kept = runtime.traces.get(found[0].trace_id)
        assert (kept.channel, kept.question) == (Channel.EVALS, found[0].case.question)
        assert kept.versions.prompts == asking.records[side].prompts


async def test_what_was_answered_is_not_asked_again_and_counts_with_what_it_took(runtime: Runtime, provider: Provider) -> None:
    provider.play(lambda _: Reply(first=0.1, between=0.3))
    first = await carried_out(runtime, arms(runtime), some(5), stream=True)
    provider.script()
    again = await carried_out(runtime, arms(runtime), some(5), stream=True)
    assert not provider.calls
    assert (again.standing.found, again.standing.answered, again.standing.spent) == (10, 0, 0)
    assert [results(again, side) for side in range(2)] == [results(first, side) for side in range(2)]

    more = await carried_out(runtime, arms(runtime), some(8), stream=True)
    assert Counter(place(call) for call in provider.calls) == {5: 2, 6: 2, 7: 2}
    assert more.standing.spent == 6 * COST
    old, new = results(more)[:5], results(more)[5:]
    for before, repeated in zip(results(first), old, strict=True):
        assert repeated.trace_id != before.trace_id
        [attempt] = runtime.traces.get(repeated.trace_id).attempts
        assert attempt.replayed is not None
        assert attempt.replayed.total_ms >= 700
        assert attempt.total_ms < attempt.replayed.total_ms
        assert repeated.scores["cost"] == before.scores["cost"] == COST / 1e9
        assert isinstance(latency := repeated.scores["latency"], float)
        assert isinstance(first_token := repeated.scores["first_token"], float)
        assert 0.1 <= first_token < latency
        assert latency >= 0.7
        assert repeated.seconds == latency
    for result in new:
        trace = runtime.traces.get(result.trace_id)
        assert trace.attempts[0].replayed is None
        assert trace.total_ms == pytest.approx(result.seconds * 1000)

    provider.script()
    await carried_out(runtime, arms(runtime), some(8), fresh=True, stream=True)
    assert len(provider.calls) == 16
    provider.script()
    await carried_out(runtime, arms(runtime), some(8), stream=True)
    assert not provider.calls


async def test_repeats_are_other_samples_and_another_run_shares_them(runtime: Runtime, provider: Provider) -> None:
    left = iter(range(100))
    provider.play(lambda _: Reply(pieces=(f"Answer {next(left)} [1].",)))
    asking = await carried_out(runtime, [arm(runtime)], some(3), repeats=2)
    assert len(provider.calls) == 6
    assert [(result.case.id, result.repeat) for result in results(asking)] == [
        (case.id, repeat) for case in some(3) for repeat in (0, 1)
    ]
    drafts = [runtime.traces.get(result.trace_id).draft for result in results(asking)]
    assert len(set(drafts)) == 6
    other = await carried_out(runtime, [arm(runtime, variant="quoting")], some(3), repeats=2)
    assert other.records[0].id != asking.records[0].id
    assert len(provider.calls) == 6
    assert [runtime.traces.get(result.trace_id).draft for result in results(other)] == drafts


async def test_failures_are_results_and_can_be_asked_again(runtime: Runtime, provider: Provider) -> None:
    def broken(call: Call) -> Reply:
        return failure(500, "boom") if place(call) % 4 == 0 else Reply()

    provider.play(broken)
    asking = await carried_out(runtime, [arm(runtime)], some(12))
    failed = [result for result in results(asking) if not result.outcome.succeeded]
    assert [result.case.id for result in failed] == ["case-0000", "case-0004", "case-0008"]
    assert asking.standing.failed == 3
    assert all((result.scores["failed"], result.scores["f1"]) == (1.0, 0.0) for result in failed)
    table = asking.runs.table(asking.records[0].id)
    assert table.outcomes == {"answered": 9, "failed": 3}
    assert case_means(table.columns["failed"].values).sum() == 3

    provider.script()
    await carried_out(runtime, [arm(runtime)], some(12))
    assert not provider.calls
    mended = await carried_out(runtime, [arm(runtime)], some(12), limits=Limits(retry_failed=True))
    assert sorted(place(call) for call in provider.calls) == [0, 4, 8]
    assert {result.outcome for result in results(mended)} == {Outcome.ANSWERED}
    assert len(results(mended)) == 12


async def test_a_judge_that_talked_nonsense_is_asked_again_where_that_is_wanted(runtime: Runtime, provider: Provider) -> None:
    def judged(words: str) -> Callable[[Call], Reply]:
        return lambda call: Reply(pieces=(words,)) if call.body["model"] == "gpt-4.1" else Reply()

    provider.play(judged("I like both."))
    asking = await carried_out(runtime, [arm(runtime)], some(3), judge="openai/gpt-4.1")
    assert all(isinstance(result.scores["correct"], Missing) for result in results(asking))
    provider.play(judged('{"reason": "It fits.", "verdict": "correct"}'))
    await carried_out(runtime, [arm(runtime)], some(3), judge="openai/gpt-4.1")
    assert not provider.calls
    mended = await carried_out(runtime, [arm(runtime)], some(3), judge="openai/gpt-4.1", limits=Limits(retry_failed=True))
    assert {call.body["model"] for call in provider.calls} == {"gpt-4.1"}
    assert [result.scores["correct"] for result in results(mended)] == [1.0] * 3
    again = await carried_out(runtime, [arm(runtime)], some(4), judge="openai/gpt-4.1")
    assert [result.scores["correct"] for result in results(again)] == [1.0] * 4
    assert len(provider.calls) == 5


async def test_an_upstream_that_is_gone_ends_the_run_and_it_goes_on_later(runtime: Runtime, provider: Provider) -> None:
    provider.script(failure(500, "boom"))
    asking = await carried_out(runtime, arms(runtime), some(60))
    assert asking.standing.ended
    assert asking.standing.ended.startswith(f"{HOPELESS} requests in a row failed")
    assert "boom" in asking.standing.ended
    assert HOPELESS <= len(provider.calls) < 3 * HOPELESS
    provider.script()
    again = await carried_out(runtime, arms(runtime), some(60), limits=Limits(retry_failed=True))
    assert len(provider.calls) == again.standing.done == 120
    assert again.standing.ended is None


async def test_a_provider_with_little_room_answers_every_case(runtime: Runtime, provider: Provider) -> None:
    provider.play(lambda _: Reply(before=0.1, held=True), at_once=3)
    running = asyncio.create_task(carried_out(runtime, arms(runtime), some(40)))
    await provider.holds(3)
    async with asyncio.timeout(60):
        while len(provider.calls) == 3:
            await asyncio.sleep(0.005)
    provider.let_go()
    asking = await running
    assert asking.standing.done == 80
    assert asking.standing.failed == 0
    assert {result.outcome for side in range(2) for result in results(asking, side)} == {Outcome.ANSWERED}
    assert len(provider.calls) > 80
    assert asking.slots < FIRST


async def test_a_wanted_concurrency_is_kept(runtime: Runtime, provider: Provider) -> None:
    most = 0

    def watched(_: Call) -> Reply:
        nonlocal most
        most = max(most, sum(call.under_way for call in provider.calls))
        return Reply(before=0.03, held=True)

    provider.play(watched)
    running = asyncio.create_task(carried_out(runtime, [arm(runtime)], some(20), limits=Limits(concurrency=3)))
    await provider.holds(3)
    provider.let_go()
    await running
    assert most == 3


async def test_concurrency_grows_where_nothing_pushes_back(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(before=0.1))
    asking = await carried_out(runtime, arms(runtime), some(40))
    assert asking.slots > FIRST


async def test_replays_say_nothing_of_what_the_provider_takes(runtime: Runtime, provider: Provider) -> None:
    await carried_out(runtime, [arm(runtime)], some(40), limits=Limits(concurrency=8))
    asking = await carried_out(runtime, [arm(runtime, variant="quoting")], some(40))
    assert len(provider.calls) == 40
    assert asking.slots == FIRST
    assert asking.standing.at_once == 0


async def test_a_budget_is_never_exceeded_though_answers_become_dearer(runtime: Runtime, provider: Provider) -> None:
    def dearer(call: Call) -> Reply:
        return Reply(before=0.02, prompt=100, completion=min(256, 10 * len(provider.calls)))

    provider.play(dearer)
    budget = 8_000_000
    asking = await carried_out(runtime, arms(runtime), some(60), limits=Limits(budget=Budget(budget)))
    spent = sum(result.cost_nanodollars or 0 for side in range(2) for result in results(asking, side))
    assert asking.standing.spent == spent <= budget
    assert spent > 0.8 * budget
    assert asking.standing.ended == "the next answer might cost more than what is left of $0.008"
    calls = len(provider.calls)
    assert calls == asking.standing.answered < 120
    provider.script()
    again = await carried_out(runtime, arms(runtime), some(60))
    assert len(provider.calls) == 120 - calls
    assert again.standing.done == 120


async def test_a_budget_is_not_exceeded_though_the_first_questions_are_short(runtime: Runtime, provider: Provider) -> None:
    provider.play(lambda call: Reply(before=0.02, prompt=len(call.text) // 3, completion=20))
    long = [
        case.model_copy(update={"question": f"{case.question} {'Please tell me all of it. ' * 400}"}) for case in some(60)[12:]
    ]
    budget = 30_000_000
    asking = await carried_out(runtime, arms(runtime), [*some(12), *long], limits=Limits(budget=Budget(budget)))
    assert 0.7 * budget < asking.standing.spent <= budget
    assert asking.standing.ended


async def test_a_budget_is_shared_by_all_that_draw_on_it(runtime: Runtime, provider: Provider) -> None:
    provider.play(lambda _: Reply(usage=False))
    limits = Limits(budget=Budget(4_000_000))
    first = await carried_out(runtime, [arm(runtime, "answer@1")], some(3), limits=limits)
    assert (first.standing.ended, first.standing.unpriced) == (None, 3)
    provider.script()
    second = await carried_out(runtime, [arm(runtime, "answer@2")], some(60), limits=limits)
    assert second.standing.ended == "the next answer might cost more than what is left of $0.004"
    assert 0 < second.standing.spent <= 4_000_000 - 3 * 256 * 1600
    third = await carried_out(runtime, [arm(runtime, "answer@2", "quoting")], some(70)[60:], limits=limits)
    assert (third.standing.spent, third.standing.answered) == (0, 0)


async def test_a_budget_covers_the_judge(runtime: Runtime, provider: Provider) -> None:
    def judged(call: Call) -> Reply:
        grading = "verdict" in call.text
        verdict = '{"reason": "so", "verdict": "correct"}'
        return Reply(
            before=0.02, pieces=(verdict,) if grading else ("24 months [1].",), prompt=600 if grading else 100, completion=190
        )

    provider.play(judged)
    budget = 8_000_000
    asking = await carried_out(runtime, arms(runtime), some(60), limits=Limits(budget=Budget(budget)), judge="openai/gpt-4.1")
    assert 0 < asking.standing.spent <= budget
    assert asking.standing.ended
    assert any("verdict" in call.text for call in provider.calls)


async def test_an_equal_call_that_is_under_way_is_waited_for(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(before=0.1))
    sides = [arm(runtime, "answer@2"), arm(runtime, "answer@2", "quoting")]
    asking = await carried_out(runtime, sides, some(10), limits=Limits(concurrency=20))
    assert len(provider.calls) == 10
    assert asking.standing.spent == 10 * COST
    assert asking.standing.answered == 20


async def test_a_provider_that_has_closed_for_the_day_ends_the_run(runtime: Runtime, provider: Provider) -> None:
    provider.script(failure(429, retry_after="86400"))
    asking = await carried_out(runtime, [arm(runtime)], some(3))
    assert asking.standing.ended == "the provider asks to wait 1,440 minutes (--retry-failed asks again)"
    assert len(provider.calls) <= 3


async def test_a_budget_for_less_than_one_answer_buys_none(runtime: Runtime, provider: Provider) -> None:
    asking = await carried_out(runtime, [arm(runtime)], some(3), limits=Limits(budget=Budget(1000)))
    assert not provider.calls
    assert asking.standing.ended


async def test_calls_whose_cost_is_not_known_count_as_dear_as_any(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(usage=False))
    asking = await carried_out(runtime, [arm(runtime)], some(30), limits=Limits(budget=Budget(3_000_000)))
    assert asking.standing.ended
    assert 0 < asking.standing.unpriced == len(provider.calls) <= 3_000_000 // (256 * 1600)


async def test_a_budget_without_a_price_is_refused_before_anything_is_asked(runtime: Runtime, provider: Provider) -> None:
    side = arm(runtime)
    unpriced = side._replace(variant=side.variant.answered_by("openai/nobody-knows"))
    with pytest.raises(GroundwireError, match="the price of openai/nobody-knows is not known, so --max-cost cannot be enforced"):
        await carried_out(runtime, [unpriced], some(3), limits=Limits(budget=Budget(10**9)))
    with pytest.raises(GroundwireError, match="the price of openai/nobody-knows is not known"):
        await carried_out(runtime, [side], some(3), limits=Limits(budget=Budget(10**9)), judge="openai/nobody-knows")
    assert not provider.calls


def said(call: Call) -> str:
    """All that decides the answer: not whether it comes in pieces."""
    return str(sorted((name, value) for name, value in call.body.items() if not name.startswith("stream")))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "in pieces"])
async def test_what_is_sent_is_what_would_be_served(runtime: Runtime, provider: Provider, stream: bool) -> None:
    sides = [arm(runtime, "answer@1"), arm(runtime, "answer@2", "quoting")]
    cases = [*some(3), Case(id="spaced", question="  May broken goods be returned?\n", references=("Yes.",))]
    asking = await carried_out(runtime, sides, cases, stream=stream)
    evaluated = Counter(map(said, provider.calls))
    for side, one in enumerate(sides):
        serving = await runtime.pipeline(one.variant, "shop")
        for result in results(asking, side):
            served = await serving.answer(result.case.question, Channel.ASK)
            kept = runtime.traces.get(result.trace_id)
            timed = {"id", "created_at", "channel", "attempts", "stages", "first_token_ms", "total_ms"}
            assert kept.model_dump(exclude=timed) == served.model_dump(exclude=timed)
    await runtime.router.close()
    assert len(provider.calls) == 16
    assert Counter(map(said, provider.calls[8:])) == evaluated
    assert len({call.body.get("stream", False) for call in provider.calls}) == (1 if stream else 2)


async def test_gold_that_the_collection_lacks_is_no_miss(runtime: Runtime, provider: Provider) -> None:
    there = next(id for id in runtime.corpus.documents("shop") if "kettles" in id)
    cases = [
        some(1, there)[0],
        some(2, "gone.md")[1],
        some(3, there, "gone.md")[2],
    ]
    asking = await carried_out(runtime, [arm(runtime)], cases)
    recalls = [result.scores.get("recall") for result in results(asking)]
    assert recalls == [1.0, None, 1.0]
    assert [result.case for result in results(asking)] == cases


async def test_both_sides_alike_are_refused(runtime: Runtime) -> None:
    with pytest.raises(GroundwireError, match="answer@2 and answer are the same prompt, model and settings"):
        await carried_out(runtime, [arm(runtime, "answer@2"), arm(runtime, "answer")], some(2))


class Stops:
    """Has seen enough after so many results."""

    def __init__(self, after: int) -> None:
        self.seen: list[tuple[int, Result]] = []
        self.tasks = 0
        self._after = after
        self._loop = asyncio.get_running_loop()

    def see(self, side: int, result: Result) -> str | None:
        self.seen.append((side, result))
        self.tasks = max(self.tasks, len(asyncio.all_tasks(self._loop)))
        return "enough" if len(self.seen) >= self._after else None


async def test_another_text_of_any_prompt_is_another_run(runtime: Runtime, provider: Provider, tmp_path: Path) -> None:
    """The one that makes a question stand alone decides what is found."""
    library = tmp_path / "library"
    for name in ("answer", "rewrite"):
        shutil.copytree(Path(prompts.__file__).parent / name, library / name)
    (runtime.settings.variants / "rewriting.toml").write_text(VARIANTS["default"] + '[prompts]\nrewrite = "rewrite"\n')
    settings = runtime.settings.model_copy(update={"prompts": library})
    talked = [
        case.model_copy(update={"question": "And for how long?", "history": (Message(role="user", content=case.question),)})
        for case in some(3)
    ]

    async def asked() -> Execution:
        with Runtime(settings) as one:
            return await carried_out(one, [arm(one, variant="rewriting")], talked)

    first = await asked()
    assert first.records[0].prompts.keys() == {"answer@2", "rewrite@1"}
    assert (await asked()).standing.found == 3
    text = (library / "rewrite" / "v1.prompty").read_text()
    (library / "rewrite" / "v2.prompty").write_text(text.replace("user:\n", "user:\nBe brief.\n"))
    again = await asked()
    assert again.standing.found == 0
    assert again.records[0].prompts.keys() == {"answer@2", "rewrite@2"}


async def test_a_watcher_that_has_seen_enough_ends_it(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(before=0.02))
    watcher = Stops(10)
    asking = await carried_out(runtime, arms(runtime), some(50), watcher=watcher, limits=Limits(concurrency=4))
    assert asking.standing.ended == "enough"
    assert len(provider.calls) == len(watcher.seen) == asking.standing.done
    assert 10 <= asking.standing.done < 10 + 2 * 4
    assert asking.standing.under_way == 0
    again = Stops(10)
    await carried_out(runtime, arms(runtime), some(50), watcher=again)
    assert len(again.seen) == len(watcher.seen) == len(provider.calls)


async def test_memory_does_not_grow_with_the_cases(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.execution.lookahead.KEPT", 100)
    monkeypatch.setattr("evals.execution.execution.MOST", 16)
    watcher = Stops(10**9)
    asking = await carried_out(runtime, [arm(runtime, "extractive")], some(300), watcher=watcher)
    assert asking.standing.done == 300
    held = asking._retriever
    assert len(held._vectors) == len(held._found) == 100
    assert watcher.tasks <= 2 * 16 + 5


async def test_a_ledger_that_cannot_be_written_ends_it_with_its_name(runtime: Runtime, provider: Provider) -> None:
    with runtime.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE results")
        connection.exec_driver_sql("CREATE TABLE results (run_id, case_id, repeat, trace_id, body CHECK (body = ''))")
    with pytest.raises(GroundwireError, match=r"ledger\.db cannot be used"):
        await carried_out(runtime, [arm(runtime)], some(5))
    assert OPENAI.endswith(provider.calls[0].body["model"])
