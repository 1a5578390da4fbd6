"""Asking: every case of every arm through the pipeline, each exactly once, as many at a time as the providers take.

Knows order, pace and what is done already. Knows nothing of what scores mean or how runs are compared.
"""

from asyncio import Event, Lock, TaskGroup, create_task, sleep, to_thread
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from sys import maxsize
from typing import Protocol

from evals.cases import Case, fingerprint, gold_missing
from evals.execution.arms import Arm
from evals.execution.budget import Limits, Standing, dearest
from evals.execution.lookahead import Lookahead
from evals.execution.pace import FIRST, LONGEST_PAUSE, MOST, SHORTEST_PAUSE, Pace
from evals.execution.rescoring import scorable
from evals.execution.responses import Remembering, Responses
from evals.execution.runs import Result, Run, Runs
from evals.judge import CORRECT, Judge
from evals.scorers import score
from evals.scorers.base import Missing, Scorer
from prompts.library import Library
from rag.conversation.history import standalone
from rag.errors import GroundwireError
from rag.llms import OURS, open_llm, worker
from rag.llms.base import LLM, Attempt, CallPolicy
from rag.llms.breaker import Breaker
from rag.llms.extractive import NAME as EXTRACTIVE
from rag.llms.router import Router
from rag.llms.worker import WorkerLLM
from rag.pipeline import Pipeline
from rag.revision import revision
from rag.runtime import Runtime
from rag.text.characters import sound
from rag.trace import Channel, Outcome, Trace, dollars

AHEAD = 32
"""Cases that are retrieved together, while those before them are answered."""
PREPARED = 2
"""Requests that have begun, for each slot."""
LOCAL_SLOTS = 2
"""A model on this machine answers no sooner for being asked more at once."""
THROTTLED_TRIES = 10
"""A case that the provider had no room for is asked again: the pace was wrong, not the answer."""
FIRST_WAIT = 0.05
"""Seconds before it is asked again, doubled each time: the pace needs as long to find out what there is room for."""
HOPELESS = 20
"""Requests that failed in a row: the upstream is gone, and the rest would be lost the same way."""


class Watcher(Protocol):
    """Sees every result as it is known."""

    def see(self, side: int, result: Result) -> str | None:
        """A result of one of the arms; why enough is known, where it is."""
        ...


class Execution:
    """One run for each arm, over the same cases and the same generation of a collection."""

    def __init__(
        self,
        runtime: Runtime,
        arms: Sequence[Arm],
        cases: Sequence[Case],
        collection: str,
        *,
        source: str,
        scorers: Sequence[Scorer],
        repeats: int = 1,
        judge_model: str | None = None,
        limits: Limits | None = None,
        fresh: bool = False,
        stream: bool = False,
    ) -> None:
        self.arms = tuple(arms)
        self.cases = tuple(cases)
        self.repeats = repeats
        self.standing = Standing()
        self.runs = Runs(runtime.engine, runtime.writer)
        self._runtime = runtime
        self._scorers = tuple(scorers)
        self._limits = limits or Limits()
        if self._limits.budget:
            self._limits.budget.standings.append(self.standing)
        self._fresh = fresh
        self._stream = stream
        self._responses = Responses(runtime.engine, runtime.writer, fresh=fresh)
        self._paces: dict[str, Pace] = {}
        self._missing_keys: dict[str, str] = {}
        remote = any(not model.startswith(OURS) for model in self._models(judge_model))
        if remote:
            worker.prestart()
        self._retriever = Lookahead(runtime.retriever(collection))
        self._gone = gold_missing(cases, runtime.corpus.documents(collection))
        if remote:
            self._look_up(self.cases[:AHEAD], ())
        self._routers = [self._router(sample) for sample in range(repeats)]
        self.judge = self._open_judge(judge_model, Library(runtime.settings.prompts)) if judge_model else None
        self._judge_model = judge_model
        self._pipelines = [[self._pipeline(arm, router) for router in self._routers] for arm in self.arms]
        self.records = tuple(
            self._run(arm, pipelines[0], collection, source) for arm, pipelines in zip(self.arms, self._pipelines, strict=True)
        )
        if len({run.id for run in self.records}) < len(self.records):
            problem = f"{' and '.join(arm.name for arm in self.arms)} are the same prompt, model and settings"
            raise GroundwireError(problem, "name two that differ")
        self._settled = Event()
        self._showing = Lock()
        self._in_a_row = 0

    def _models(self, judge_model: str | None) -> set[str]:
        answering = {model for arm in self.arms for model in (arm.variant.llm.model, *arm.variant.llm.fallbacks)}
        judging = {arm.variant.validator.judge for arm in self.arms} | {judge_model}
        return answering | {model for model in judging if model}

    def _router(self, sample: int) -> Router:
        """Without a breaker: what waits its turn here must not fail for those before it."""
        return Router(partial(self._backend, sample), partial(Breaker, failures=maxsize))

    def _backend(self, sample: int, model: str) -> LLM:
        """Of a provider: in a process of its own, for litellm does as much for a call as all the rest that is done for a case."""
        if model == EXTRACTIVE:
            return open_llm(model)
        llm = open_llm(model) if model.startswith(OURS) else WorkerLLM(model)
        if isinstance(llm, WorkerLLM) and llm.missing_key:
            self._missing_keys[model] = llm.missing_key
        return Remembering(llm, self._responses, sample, self._pace(model))

    def _open_judge(self, model: str, library: Library) -> Judge:
        forget = partial(self._responses.forget, sample=0) if self._limits.retry_failed else None
        return Judge(self._routers[0], model, library, CallPolicy(), self._pace(model).turn, forget)

    def _pace(self, model: str) -> Pace:
        provider = model.partition("/")[0]
        if provider not in self._paces:
            wanted = self._limits.concurrency
            first, most = (wanted, wanted) if wanted else (FIRST, MOST)
            self._paces[provider] = Pace(first, min(most, LOCAL_SLOTS) if model.startswith(OURS) else most)
        return self._paces[provider]

    def _pipeline(self, arm: Arm, router: Router) -> Pipeline:
        return Pipeline(
            variant=arm.variant,
            prompt=arm.prompt,
            retriever=self._retriever,
            router=router,
            validator=self._runtime.validator(arm.variant.validator),
            rewriter=self._runtime.rewriter(arm.variant, router),
            judge=self._runtime.judge(arm.variant, router),
            traces=self._runtime.traces,
            whole=not self._stream,
            turn=self._pace(arm.variant.llm.model).turn,
        )

    def _run(self, arm: Arm, pipeline: Pipeline, collection: str, source: str) -> Run:
        generation = self._retriever.index.generation
        return Run(
            created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            name=arm.name,
            cases=source,
            variant=arm.variant,
            prompts=pipeline.versions.prompts,
            prompt_text=arm.prompt.text,
            collection=collection,
            generation=generation.id,
            embedder=generation.embedder,
            validator=pipeline.validated_by,
            judge=self.judge.identity if self.judge else None,
            fingerprint=fingerprint(self.cases),
            asked=len(self.cases),
            repeats=self.repeats,
            stream=self._stream,
            code=revision(),
        )

    @property
    def first_pipelines(self) -> list[Pipeline]:
        """Of each arm, the one that makes the first answers."""
        return [pipelines[0] for pipelines in self._pipelines]

    @property
    def slots(self) -> int:
        """Requests that would be under way at once in the beginning."""
        return sum(pace.slots for pace in {self._pace(arm.variant.llm.model) for arm in self.arms})

    async def carry_out(self, watcher: Watcher | None = None) -> None:
        """Ask what is not known yet. Ends early where the budget is used up, the upstream is gone, or the watcher has seen enough;
        `standing` says why.

        Everything that was answered is committed, whatever ends this. Raises `GroundwireError` where the ledger cannot be written, a
        key is missing, or a budget cannot be kept because a price is not known.
        """
        if self._limits.budget:
            self.standing.dearest = await dearest(self.first_pipelines, self.cases, self._judge_model)
        self.standing.planned = len(self.arms) * len(self.cases) * self.repeats
        known = [set() if self._fresh else await to_thread(self._known, side, watcher) for side in range(len(self.arms))]
        self.standing.found = sum(map(len, known))
        if self.standing.ended is None and self.standing.found < self.standing.planned:
            self._require_keys()
        for run in self.records:
            if self._fresh:
                await to_thread(self.runs.forget, run.id)
            await self.runs.begin(run)
        try:
            async with TaskGroup() as tasks, aclosing(self._unknown(known)) as unknown:
                async for case, repeat, side in unknown:
                    pace = self._pace(self.arms[side].variant.llm.model)
                    if not await self._may_ask(pace):
                        break
                    self.standing.under_way += 1
                    pace.begun += 1
                    tasks.create_task(self._one(side, case, repeat, pace, watcher))
        except* GroundwireError as group:
            raise _first(group) from None

    async def close(self) -> None:
        """Let go of connections and of the local model."""
        for router in self._routers:
            await router.close()

    def _require_keys(self) -> None:
        """Raises `GroundwireError` where all calls for something would fail for want of a key."""
        judges = {arm.variant.validator.judge for arm in self.arms} | {self._judge_model}
        for models in (*(pipeline.assembly.models for pipeline in self.first_pipelines), *([judge] for judge in judges if judge)):
            if all(model in self._missing_keys for model in models):
                raise GroundwireError(f"{models[0]} needs a key", f"set {self._missing_keys[models[0]]}")

    def _known(self, side: int, watcher: Watcher | None) -> set[tuple[str, int]]:
        """Cases and repeats that an earlier command has answered, and its judge has graded."""
        known = set()
        for result in self.runs.results(self.records[side].id):
            if self._limits.retry_failed and (
                not result.outcome.succeeded or isinstance(result.scores.get(CORRECT.name), Missing)
            ):
                continue
            known.add((result.case.id, result.repeat))
            self._show(side, result, watcher)
        return known

    async def _unknown(self, known: Sequence[set[tuple[str, int]]]) -> AsyncGenerator[tuple[Case, int, int], None]:
        """Case, repeat and arm, the arms of a case together, so that both meet the provider in the same mood; retrieved in advance."""
        batches = [self.cases[start : start + AHEAD] for start in range(0, len(self.cases), AHEAD)]
        looked_up = create_task(to_thread(self._look_up, batches[0], known))
        try:
            for number, batch in enumerate(batches, 1):
                await looked_up
                if number < len(batches):
                    looked_up = create_task(to_thread(self._look_up, batches[number], known))
                for case in batch:
                    for repeat in range(self.repeats):
                        for side in self._order(case, repeat):
                            if (case.id, repeat) not in known[side]:
                                yield case, repeat, side
        finally:
            looked_up.cancel()

    def _look_up(self, cases: Sequence[Case], known: Sequence[set[tuple[str, int]]]) -> None:
        asked = [
            case
            for case in cases
            if not case.where
            and not (known and all((case.id, repeat) in done for done in known for repeat in range(self.repeats)))
        ]
        questions = [standalone(sound(case.question.strip()), case.history) for case in asked]
        self._retriever.look_up(questions, [arm.variant.retriever for arm in self.arms])

    def _order(self, case: Case, repeat: int) -> Sequence[int]:
        """Of the arms: who is asked first is as good as drawn, and the same each time."""
        drawn = sha256(f"{case.id}:{repeat}".encode()).digest()[0] % len(self.arms)
        return [(drawn + side) % len(self.arms) for side in range(len(self.arms))]

    async def _may_ask(self, pace: Pace) -> bool:
        """Whether another request may begin; waits until there is work for it, and for what those under way will cost.

        More begin than the provider has slots for: what they need before the call is then ready when a slot is free.
        """
        standing = self.standing
        async with self._showing:
            pass  # what is being looked at may be enough
        while standing.ended is None:
            if self._closed(pace):
                return False
            if pace.begun < PREPARED * pace.slots and self.affordable():
                return True
            if standing.under_way == 0 and self._limits.budget:
                standing.ended = (
                    f"the next answer might cost more than what is left of {dollars(self._limits.budget.nanodollars)}"
                )
                return False
            self._settled.clear()
            await self._settled.wait()
        return False

    def _closed(self, pace: Pace) -> bool:
        """Whether the provider asks to wait for longer than a run can."""
        if pace.asked_to_wait > LONGEST_PAUSE:
            minutes = f"{pace.asked_to_wait / 60:,.0f} minutes"
            self.standing.ended = self.standing.ended or f"the provider asks to wait {minutes} (--retry-failed asks again)"
            return True
        return False

    def affordable(self, more: int = 1) -> bool:
        """Whether the budget bears so many more answers, each as dear as any."""
        budget = self._limits.budget
        return budget is None or budget.bears(more * (self.standing.dearest or 0))

    async def _one(self, side: int, case: Case, repeat: int, pace: Pace, watcher: Watcher | None) -> None:
        try:
            trace = await self._answered(side, case, repeat, pace)
            scores = await to_thread(score, trace, scorable(case, self._gone), self._scorers)
            attempts: tuple[Attempt, ...] = trace.attempts
            judge_nanodollars: int | None = 0
            if self.judge:
                judgement = await self.judge.grade(trace, case)
                scores |= judgement.scores
                attempts += judgement.attempts
                judge_nanodollars = judgement.cost_nanodollars
            result = Result(
                case=case,
                repeat=repeat,
                trace_id=trace.id,
                outcome=trace.outcome or Outcome.FAILED,
                failure=None if trace.succeeded else trace.reason,
                scores=scores,
                scorers=tuple(scorer.identity for scorer in self._scorers),
                cost_nanodollars=trace.cost_nanodollars,
                judge_nanodollars=judge_nanodollars,
                seconds=(trace.latency_ms or 0.0) / 1000,
                timed=self._timed(trace),
            )
            await self.runs.record(self.records[side].id, result)
            self._count(trace, attempts)
            if any(attempt.replayed is None for attempt in attempts):
                self.standing.at_once = max(self.standing.at_once, pace.under_way)
            if watcher:
                # Looking takes time now and then: not that of the answers under way.
                async with self._showing:
                    await to_thread(self._show, side, result, watcher)
        finally:
            self.standing.under_way -= 1
            pace.begun -= 1
            self._settled.set()

    def _timed(self, trace: Trace) -> tuple[str, ...]:
        """Which askings made its calls: a kept answer comes with what it took when it was made."""
        kept = {attempt.replayed.asking or "" for attempt in trace.attempts if attempt.replayed}
        made = not trace.attempts or any(attempt.replayed is None for attempt in trace.attempts)
        return tuple(sorted(kept | {self._responses.asking} if made else kept))

    async def _answered(self, side: int, case: Case, repeat: int, pace: Pace) -> Trace:
        """The trace of one request; where the provider had no room for it, of the next try."""
        for tries in range(THROTTLED_TRIES - 1):
            trace = await self._pipelines[side][repeat].answer(case.question, Channel.EVALS, case.where, history=case.history)
            throttled = not trace.succeeded and bool(trace.attempts) and trace.attempts[-1].throttled
            if not throttled or self._closed(pace) or self.standing.ended:
                return trace
            self.standing.pay(trace.attempts)
            await sleep(min(SHORTEST_PAUSE, FIRST_WAIT * 2**tries))
        return await self._pipelines[side][repeat].answer(case.question, Channel.EVALS, case.where, history=case.history)

    def _count(self, trace: Trace, attempts: Sequence[Attempt]) -> None:
        standing = self.standing
        standing.dearest = max(standing.dearest or 0, standing.pay(attempts))
        standing.answered += 1
        failed = not trace.succeeded
        standing.failed += failed
        self._in_a_row = self._in_a_row + 1 if failed else 0
        if self._in_a_row == HOPELESS:
            problem = f"{HOPELESS} requests in a row failed (--retry-failed asks them again), the last because {trace.reason}"
            standing.ended = standing.ended or problem

    def _show(self, side: int, result: Result, watcher: Watcher | None) -> None:
        if watcher and (reason := watcher.see(side, result)):
            self.standing.ended = self.standing.ended or reason


def _first(group: BaseExceptionGroup[GroundwireError]) -> GroundwireError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, GroundwireError)
    return error
