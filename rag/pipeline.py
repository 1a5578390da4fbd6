"""The one path from a question to its trace; everything that answers goes through here.

Knows the order of the stages, and which outcome a request ends with. Knows no backend: each stage is handed in.
"""

import time
from asyncio import CancelledError, to_thread, wrap_future
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta

from uuid_utils import uuid7

from prompts.prompt import Prompt
from rag.answer.echo import Echo
from rag.answer.gate import Gate, Stretch, after, finished
from rag.answer.release import Action, Mending, Policy, Released, is_refusal, release
from rag.assembly import Assembly
from rag.ceiling import max_cost
from rag.conversation.history import depends, standalone
from rag.conversation.rewriter import Rewriter
from rag.errors import GroundwireError, UpstreamError
from rag.events import Done, Event, Retrieved, drained
from rag.ledger.traces import Traces
from rag.llms.base import REFUSAL, Completion, Purpose, Request
from rag.llms.router import Router
from rag.recording import Recording
from rag.retriever import Found, Retriever
from rag.revision import revision
from rag.text.characters import sound
from rag.trace import NOBODY, Channel, Origin, Outcome, Trace, Versions
from rag.types import Claim, Filter, Message, Verdict
from rag.validators import languages
from rag.validators.base import Validator
from rag.validators.judge import Judge
from rag.variant import Variant

STOPS = 4
"""How many stop texts OpenAI accepts; other providers accept as many or more."""


class Pipeline:
    """One variant over one generation of a collection.

    `judge` is asked about the claims that the validator leaves uncertain. `whole` gets each answer in one piece, for callers that do
    not stream. `turn` is a context manager entered around each model call (a rate limiter); waiting for it does not count as the
    request's time.
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
        """The identities of the validator and of the judge, if there is one."""
        return " ".join(part.identity for part in (self.validator, self.judge) if part)

    @property
    def versions(self) -> Versions:
        """The versions of everything that decides an answer."""
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

    def max_cost(self, question: str) -> int | None:
        """Nano-dollars that a request with this question can cost at most; null if the price of a model is not known."""
        return max_cost(self.variant, self.router, self.assembly.tokens(question))

    async def answer(
        self, question: str, channel: Channel, where: Filter | None = None, *, history: Sequence[Message] = ()
    ) -> Trace:
        """Answer a question, and return its trace; see `stream`."""
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

        `history` is the conversation so far, oldest message first. `id` is the trace's, a UUIDv7; by default a new one. `waited` is
        how many seconds ago the request came; they become its stage `queue`. `ended` is called once with the finished trace, however
        the request ends.

        If a model fails, the request ends with an outcome that says so, and `Done`. Raises `GroundwireError` for an empty question,
        and any other error after it was recorded. Closing the iterator early ends the request as disconnected.
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
            self._close(recording, ended)
            raise
        except Exception as error:
            recording.end(Outcome.FAILED, f"{type(error).__name__}: {error}")
            await wrap_future(self._close(recording, ended))
            raise
        await wrap_future(self._close(recording, ended))
        yield Done(recording.trace)

    def _close(self, recording: Recording, ended: Callable[[Trace], None]) -> Future[None]:
        """Submit the trace of a request that has ended, and tell `ended`; the future is done once the trace is committed."""
        written = self.traces.submit(recording.trace)
        ended(recording.trace)
        return written

    async def _stages(self, recording: Recording, begun: Awaitable[None]) -> AsyncGenerator[Event, None]:
        retrieval = self.variant.retriever
        await self._note_query(recording, begun)
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
        """The released text, each sentence as soon as it is judged."""
        language = await to_thread(languages.read, recording.trace.passages)
        gate = Gate(language)
        mending = Mending(recording.trace.passages, self.refusal, self.variant.release.uncertain)
        async with aclosing(self._generate(recording, recording.trace.messages, Purpose.ANSWER)) as pieces:
            async for _ in pieces:
                # Nobody reads along if `whole`: then the draft is judged after the call, so that its turn ends sooner.
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
            recording.end(Outcome.REFUSED, _empty_reason(recording))
        elif released.action is not Action.QUOTED and is_refusal(released.text, self.refusal):
            recording.end(Outcome.REFUSED, "the answer is a refusal")
        else:
            recording.end(Outcome.ANSWERED)

    async def _note_query(self, recording: Recording, begun: Awaitable[None]) -> None:
        """Note what to search for, if the question depends on the conversation so far."""
        question, history = recording.trace.question, recording.trace.history
        if not depends(question, history):
            return
        if self.rewriter is None:
            recording.note(query=standalone(question, history))
            return
        with recording.stage("log"):
            await begun
        async with self._turn(recording, "rewrite"):
            query = await self.rewriter.rewrite(question, history, recording.calls)
        recording.note(query=query)

    async def _revise(self, recording: Recording, messages: tuple[Message, ...]) -> None:
        """Replace the draft by another one; if the call fails, the draft stays."""
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
            vector = await self.retriever.aembed(query)
        with recording.stage("retrieve"):
            return await self.retriever.asearch(query, vector, self.variant.retriever, trace.where)

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
            upstream = self.router.stream(request, model, purpose, recording.calls)
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
        """Time a stage that calls a model, within a turn; waiting for the turn does not count as the request's time.

        Nested calls share one turn: a request that held one and waited for a second could deadlock with others that do the same.
        """
        if recording.in_turn:
            with recording.stage(stage):
                yield
            return
        waiting = time.perf_counter()
        async with self.turn():
            recording.calls.started += time.perf_counter() - waiting
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
        return release(rules.policy, draft, claims, trace.passages, self.refusal, uncertain=rules.uncertain, retried=retried)

    async def _judged(self, recording: Recording, text: str, judged: int = 0) -> list[Claim]:
        """The claims of a text, without those that end within its first `judged` characters, which were judged before."""
        trace = recording.trace
        with recording.stage("validate"):
            found = await to_thread(self.validator.validate, trace.question, text, trace.passages)
        claims = [claim for claim in found if claim.end > judged]
        if self.judge is None or all(claim.verdict is not Verdict.UNCERTAIN for claim in claims):
            return claims
        async with self._turn(recording, "judge"):
            return await self.judge.judge(trace.question, text, claims, trace.passages, recording.calls)


def _empty_reason(recording: Recording) -> str:
    """Why nothing of the draft was released."""
    if not recording.trace.draft.strip():
        return "the model only repeated its prompt"
    if recording.cut_off and not recording.trace.withheld:
        return "the token limit cut the answer off within its first sentence"
    return "nothing the model said was supported"
