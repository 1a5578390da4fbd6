"""The one path from a question to its trace; everything that answers goes through here.

Knows the order of the stages, and what the end of a request is called. Knows no backend: each stage is handed in.
"""

import time
from asyncio import CancelledError, to_thread, wrap_future
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from uuid_utils import uuid7

from prompts.prompt import Prompt
from rag.answer.echo import Echo
from rag.answer.gate import Gate, Stretch, after, finished
from rag.answer.release import Action, Mending, Policy, Released, is_refusal, release
from rag.assembly import Assembly
from rag.ceiling import ceiling
from rag.conversation.history import depends, standalone
from rag.conversation.rewriter import Rewriter
from rag.errors import GroundwireError, UpstreamError
from rag.ledger.traces import Traces
from rag.llms.base import REFUSAL, Attempt, Completion, Purpose, Request
from rag.llms.router import Router
from rag.retriever import Found, Retriever
from rag.revision import revision
from rag.text.characters import sound
from rag.trace import NOBODY, Channel, Origin, Outcome, Trace, Versions
from rag.types import Claim, Filter, Message, Passage, Verdict
from rag.validators import languages
from rag.validators.base import Validator
from rag.validators.judge import Judge
from rag.variant import Variant

STOPS = 4
"""Texts to stop at that OpenAI takes; others take as many or more."""


class Retrieved(NamedTuple):
    """The passages that the answer will rest on; comes before the first text."""

    trace_id: str
    passages: tuple[Passage, ...]


class Delta(NamedTuple):
    """The next piece of the answer, as released."""

    text: str


class Done(NamedTuple):
    """The end; the trace is committed by now."""

    trace: Trace


Event = Retrieved | Delta | Done


async def drained(events: AsyncGenerator[Event, None]) -> Trace:
    """The trace of a request whose events nobody watches."""
    last: Event | None = None
    async with aclosing(events):
        async for event in events:
            last = event
    assert isinstance(last, Done)
    return last.trace


class Recording:
    """The trace of a request while it runs."""

    def __init__(self, trace: Trace, waited: float = 0.0) -> None:
        self.trace = trace
        self.attempts: list[Attempt] = []
        self.in_turn = False
        """Whether a model is being called."""
        self.fence = ""
        """What stands around the passages in the messages."""
        self.cut_off = False
        """Whether the draft ended at its token limit."""
        self.started = time.perf_counter() - waited

    def elapsed_ms(self) -> float:
        """Since the request began."""
        return (time.perf_counter() - self.started) * 1000

    def note(self, **fields: Any) -> None:
        """Set fields of the trace."""
        self.trace = self.trace.model_copy(update=fields)

    def end(self, outcome: Outcome, reason: str | None = None) -> None:
        """Close the record; what was written into it so far stays."""
        self.note(outcome=outcome, reason=reason, attempts=tuple(self.attempts), total_ms=self.elapsed_ms())

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a stage, but for that of stages within."""
        entered, others = time.perf_counter(), sum(self.trace.stages.values())
        try:
            yield
        finally:
            spent = (time.perf_counter() - entered) * 1000 - (sum(self.trace.stages.values()) - others)
            self.note(stages={**self.trace.stages, name: self.trace.stages.get(name, 0.0) + spent})

    def delta(self, text: str) -> Delta:
        """A piece of the answer, on its way to the reader."""
        if self.trace.first_token_ms is None:
            self.note(first_token_ms=self.elapsed_ms())
        self.note(answer=self.trace.answer + text)
        return Delta(text)


class Pipeline:
    """One variant over one generation of a collection. `judge` is asked about the claims that the validator cannot tell.

    `whole`: have each answer sent in one piece, for nobody watches it arrive. `turn`: what a model is called within; the clock of a
    request stands still until it is entered.
    """

    def __init__(
        self,
        variant: Variant,
        prompt: Prompt,
        retriever: Retriever,
        router: Router,
        validator: Validator,
        traces: Traces,
        *,
        rewriter: Rewriter | None = None,
        judge: Judge | None = None,
        whole: bool = False,
        turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        self.variant = variant
        self.prompt = prompt
        self.retriever = retriever
        self.router = router
        self.validator = validator
        self.rewriter = rewriter
        self.judge = judge
        self.traces = traces
        self.whole = whole
        self.turn = turn
        self.refusal = prompt.refusal or REFUSAL
        self.assembly = Assembly(variant, prompt, router)

    @property
    def validated_by(self) -> str:
        """The identity of all that judges the claims."""
        return " ".join(part.identity for part in (self.validator, self.judge) if part)

    @property
    def versions(self) -> Versions:
        """The identity of everything that decides an answer."""
        generation = self.retriever.index.generation
        prompts = (self.prompt, *([self.rewriter.prompt] if self.rewriter else []), *([self.judge.prompt] if self.judge else []))
        return Versions(
            code=revision(),
            variant=self.variant.sha256,
            prompts={prompt.reference: prompt.sha256 for prompt in prompts},
            generation=generation.id,
            embedder=generation.embedder,
            validator=self.validated_by,
        )

    async def answer(
        self, question: str, channel: Channel, where: Filter | None = None, *, history: Sequence[Message] = ()
    ) -> Trace:
        """`stream`, drained: the trace of the whole request."""
        return await drained(self.stream(question, channel, where, history=history))

    async def stream(
        self,
        question: str,
        channel: Channel,
        where: Filter | None = None,
        *,
        history: Sequence[Message] = (),
        origin: Origin = NOBODY,
        id: str | None = None,
        waited: float = 0.0,
        ended: Callable[[Trace], None] = lambda _: None,
    ) -> AsyncGenerator[Event, None]:
        """Answer a question: `Retrieved` once, `Delta` as text is released, `Done` last.

        `history` is what was said before, oldest first. `id` is the trace's, a UUIDv7, where the caller has given one. `waited` are
        the seconds since the request came, which are its stage `queue`. `ended` is called once, with the trace as it is closed, in
        whatever way the request ends.

        A failure upstream is an outcome, told by the trace in `Done`. Raises `GroundwireError` where the question is empty, and
        whatever is no fault of the upstream's, after it is recorded. Closing the iterator early ends the request as disconnected.
        """
        if not question.strip():
            raise GroundwireError("the question is empty", "ask something")
        recording = Recording(
            Trace(
                id=id or str(uuid7()),
                created_at=(datetime.now(UTC) - timedelta(seconds=waited)).isoformat(timespec="milliseconds"),
                channel=channel,
                collection=self.retriever.index.generation.collection,
                variant=self.variant,
                versions=self.versions,
                origin=origin,
                question=sound(question.strip()),
                history=tuple(history),
                where=where or {},
                stages={"queue": waited * 1000} if waited else {},
            ),
            waited,
        )
        begun = wrap_future(self.traces.submit(recording.trace))
        try:
            async with aclosing(self._stages(recording, begun)) as events:
                async for event in events:
                    yield event
        except UpstreamError as error:
            recording.end(Outcome.TIMED_OUT if error.timed_out else Outcome.FAILED, str(error))
        except (CancelledError, GeneratorExit):
            recording.end(Outcome.DISCONNECTED, "the client left before the answer was complete")
            self.traces.submit(recording.trace)
            ended(recording.trace)
            raise
        except Exception as error:
            recording.end(Outcome.FAILED, f"{type(error).__name__}: {error}")
            written = self.traces.submit(recording.trace)
            ended(recording.trace)
            await wrap_future(written)
            raise
        written = self.traces.submit(recording.trace)
        ended(recording.trace)
        await wrap_future(written)
        yield Done(recording.trace)

    async def _stages(self, recording: Recording, begun: Awaitable[None]) -> AsyncGenerator[Event, None]:
        retrieval = self.variant.retriever
        await self._follow(recording, begun)
        found = await self._find(recording)
        with recording.stage("log"):
            await begun
        recording.note(relevance=found.relevance)
        if not found.passages or (retrieval.abstain and not found.relevant):
            yield Retrieved(recording.trace.id, ())
            recording.note(released="abstained")
            yield recording.delta(self.refusal)
            recording.end(Outcome.REFUSED, "nothing relevant to the question was found")
            return

        with recording.stage("pack"):
            trace = recording.trace
            context = await self.assembly.packed(trace.question, found.passages, trace.history if trace.query else ())
        recording.fence = context.fence
        recording.note(passages=context.passages, left_out=context.left_out, messages=context.messages)
        yield Retrieved(recording.trace.id, context.passages)

        if self.variant.release.gate == "sentence":
            async with aclosing(self._gated(recording)) as texts:
                async for text in texts:
                    yield recording.delta(text)
            return
        policy = self.variant.release.policy
        async with aclosing(self._generate(recording, context.messages, Purpose.ANSWER)) as pieces:
            async for piece in pieces:
                if policy is Policy.FLAG:
                    yield recording.delta(piece)
        released = await self._released(recording)
        if released.action is Action.RETRY:
            revised = (
                *context.messages,
                Message(role="assistant", content=recording.trace.draft),
                Message(role="user", content=released.feedback or ""),
            )
            await self._revise(recording, revised)
            released = await self._released(recording, retried=True)
        if policy is not Policy.FLAG:
            yield recording.delta(released.text)
        self._end(recording, released)

    async def _gated(self, recording: Recording) -> AsyncGenerator[str, None]:
        """The answer as it is mended, each sentence as soon as it is judged."""
        language = await to_thread(languages.read, recording.trace.passages)
        gate = Gate(language)
        mending = Mending(recording.trace.passages, self.refusal, self.variant.release.withheld)
        async with aclosing(self._generate(recording, recording.trace.messages, Purpose.ANSWER)) as pieces:
            async for _ in pieces:
                # Where nobody watches it arrive, the model's turn is not kept waiting for the judgement.
                for stretch in () if self.whole else gate.complete(recording.trace.draft):
                    await self._mend(recording, mending, stretch)
                    text = mending.next()
                    recording.note(claims=mending.claims, withheld=mending.withheld)
                    if text:
                        yield text
        draft = recording.trace.draft
        for stretch in gate.rest(finished(draft, language) if recording.cut_off else draft):
            await self._mend(recording, mending, stretch)
        yield mending.rest()
        self._end(recording, mending.end())

    async def _mend(self, recording: Recording, mending: Mending, stretch: Stretch) -> None:
        draft = recording.trace.draft
        judged = stretch.start - stretch.before
        claims = await self._judged(recording, draft[stretch.before : stretch.end], judged)
        mending.add(draft[stretch.start : stretch.end], after(claims, judged))

    def _end(self, recording: Recording, released: Released) -> None:
        recording.note(claims=released.claims, withheld=released.withheld, released=released.action)
        if released.action is Action.REFUSED:
            recording.end(Outcome.REFUSED, _nothing(recording))
        elif released.action is not Action.QUOTED and is_refusal(released.text, self.refusal):
            recording.end(Outcome.REFUSED, "the answer is a refusal")
        else:
            recording.end(Outcome.ANSWERED)

    async def _follow(self, recording: Recording, begun: Awaitable[None]) -> None:
        """Note what to search for, where the question rests on what was said before."""
        question, history = recording.trace.question, recording.trace.history
        if not depends(question, history):
            return
        if self.rewriter is None:
            recording.note(query=standalone(question, history))
            return
        with recording.stage("log"):
            await begun
        async with self._turn(recording, "rewrite"):
            query = await self.rewriter.rewrite(question, history, recording.started, recording.attempts)
        recording.note(query=query)

    def ceiling(self, question: str) -> int | None:
        """Nano-dollars that one request can cost at most; null where the price of a model is not known."""
        return ceiling(self.variant, self.router, self.assembly.tokens(question))

    async def _revise(self, recording: Recording, messages: tuple[Message, ...]) -> None:
        """Another draft, in place of the one there is; where the call fails, that one stays."""
        before = recording.trace
        recording.note(messages=messages, draft="")
        try:
            async with aclosing(self._generate(recording, messages, Purpose.RETRY)) as pieces:
                async for _ in pieces:
                    pass
        except UpstreamError:
            recording.note(messages=before.messages, draft=before.draft)

    async def _find(self, recording: Recording) -> Found:
        trace = recording.trace
        query = trace.query or trace.question
        with recording.stage("embed"):
            vector = await self.retriever.embedded(query)
        with recording.stage("retrieve"):
            return await self.retriever.searched(query, vector, self.variant.retriever, trace.where)

    async def _generate(self, recording: Recording, messages: tuple[Message, ...], purpose: Purpose) -> AsyncGenerator[str, None]:
        model = self.variant.llm
        echo = Echo(messages, recording.fence)
        recording.cut_off = False
        request = Request(
            model=model.model,
            messages=messages,
            temperature=model.temperature,
            max_tokens=model.max_tokens,
            seed=model.seed,
            stop=(*self.prompt.stop, *echo.stops)[: max(STOPS, len(self.prompt.stop))],
            whole=self.whole,
            question=recording.trace.query or recording.trace.question,
            passages=recording.trace.passages,
            refusal=self.refusal,
        )
        async with self._turn(recording, "generate"):
            upstream = self.router.stream(request, model, purpose, recording.started, recording.attempts)
            async with aclosing(upstream) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Completion):
                        recording.cut_off = piece.finish_reason == "length"
                    text = echo.rest() if isinstance(piece, Completion) else echo.passed(sound(piece))
                    recording.note(draft=recording.trace.draft + text)
                    if text:
                        yield text

    @asynccontextmanager
    async def _turn(self, recording: Recording, stage: str) -> AsyncIterator[None]:
        """Within a turn at the model; what it was waited for is not the request's time.

        A request takes no second turn within one: those that wait for it might have all turns between them.
        """
        if recording.in_turn:
            with recording.stage(stage):
                yield
            return
        waiting = time.perf_counter()
        async with self.turn():
            recording.started += time.perf_counter() - waiting
            recording.in_turn = True
            try:
                with recording.stage(stage):
                    yield
            finally:
                recording.in_turn = False

    async def _released(self, recording: Recording, *, retried: bool = False) -> Released:
        trace, rules = recording.trace, self.variant.release
        draft = trace.draft
        if recording.cut_off and rules.policy is not Policy.FLAG:
            draft = finished(draft, await to_thread(languages.read, trace.passages))
        claims = await self._judged(recording, draft)
        return release(rules.policy, draft, claims, trace.passages, self.refusal, withheld=rules.withheld, retried=retried)

    async def _judged(self, recording: Recording, text: str, judged: int = 0) -> list[Claim]:
        """The claims of a draft, or of a stretch of it; what ends within its first `judged` characters was judged before."""
        trace = recording.trace
        with recording.stage("validate"):
            found = await to_thread(self.validator.validate, trace.question, text, trace.passages)
        claims = [claim for claim in found if claim.end > judged]
        if self.judge is None or all(claim.verdict is not Verdict.UNCERTAIN for claim in claims):
            return claims
        async with self._turn(recording, "judge"):
            return await self.judge.judge(trace.question, text, claims, trace.passages, recording.started, recording.attempts)


def _nothing(recording: Recording) -> str:
    """Why nothing of a draft was released."""
    if not recording.trace.draft.strip():
        return "the model only repeated its prompt"
    if recording.cut_off and not recording.trace.withheld:
        return "the token limit cut the answer off within its first sentence"
    return "nothing the model said was supported"
