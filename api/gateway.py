"""The way of a request through the server: chosen, let in, answered, accounted for.

Knows the order. Knows no wire format and no policy: each is handed in.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

from uuid_utils import uuid7

from api.access.allowance import Allowances, Settle
from api.access.keys import Key
from api.access.slots import Slots
from api.problem import BusyError
from api.rollouts.rollouts import Choice, Rollouts
from api.rollouts.state import Arm
from api.telemetry import metrics, spans
from rag.errors import ConfigurationError, GroundwireError, NotFoundError, UpstreamError
from rag.pipeline import Done, Event, Pipeline, drained
from rag.runtime import Runtime
from rag.trace import Channel, Origin, Trace
from rag.types import Filter, Message, Value
from rag.variant import Variant

SHADOWS = 4
"""Copies that are answered at once; a copy beyond them is left out, so that nobody waits for it."""


class Asked(Value):
    """One request, whatever wire format it came in."""

    question: str
    channel: Channel
    model: str | None = None
    """A variant or a rollout; the server's own where it is left out."""
    variant: Variant | None = None
    """A trace's, whole, to ask its question again: it answers in place of what `model` stands for by now."""
    collection: str | None = None
    """The server's own where it is left out."""
    history: tuple[Message, ...] = ()
    """What was said before, oldest first."""
    where: Filter = {}
    user: str | None = None
    """Whom a rollout assigns by: a user or a session, by whatever name the caller has for it."""
    traceparent: str | None = None
    """The W3C header of the caller's own trace, which the spans of this request then continue."""


class Gateway:
    """Answers by `collection` and `model` where a request names no other. Belongs to one event loop."""

    def __init__(
        self, runtime: Runtime, rollouts: Rollouts, slots: Slots, allowances: Allowances, *, collection: str, model: str
    ) -> None:
        self.runtime = runtime
        self.rollouts = rollouts
        self.slots = slots
        self.allowances = allowances
        self.collection = collection
        self.model = model
        self._shadows: set[asyncio.Task[None]] = set()

    async def answer(self, asked: Asked, key: Key | None) -> Trace:
        """`stream`, drained."""
        return await drained(self.stream(asked, key))

    async def pipeline(self) -> Pipeline:
        """What answers a request that names nothing."""
        return await self.runtime.pipeline(self.rollouts.mainstay(self.model), self.collection)

    async def close(self) -> None:
        """Leave the copies that are still being answered."""
        for task in self._shadows:
            task.cancel()
        await asyncio.gather(*self._shadows, return_exceptions=True)

    async def stream(self, asked: Asked, key: Key | None) -> AsyncGenerator[Event, None]:
        """The events of the answer; closing them early ends the request as disconnected.

        Raises `GroundwireError` before the first for what is refused: forbidden, too much at once, or asked wrongly.
        """
        model, collection = asked.model or self.model, asked.collection or self.collection
        came = time.perf_counter()
        if key:
            key.require(collection, model)
            self.allowances.require_token(key)
        unit = _unit(asked.user)
        async with metrics.held(self._let_in(asked, key, model, collection, unit)) as (choice, pipeline, settle):

            def ended(trace: Trace) -> None:
                settle(trace.cost_nanodollars)
                _observe(trace, asked.traceparent)

            events = pipeline.stream(
                asked.question,
                asked.channel,
                asked.where,
                history=asked.history,
                origin=Origin(key=key.id if key else None, unit=unit, experiment=choice.experiment, arm=choice.arm),
                # Requests are judged in the order of their ids: one that has waited must not come before those answered meanwhile.
                id=str(uuid7()),
                waited=time.perf_counter() - came,
                ended=ended,
            )
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Done):
                        self._follow(event.trace, choice)
                    yield event

    @asynccontextmanager
    async def _let_in(
        self, asked: Asked, key: Key | None, model: str, collection: str, unit: str | None
    ) -> AsyncIterator[tuple[Choice, Pipeline, Settle]]:
        """Hold a slot and the key's allowance. What the key may not do is refused before the slot is waited for, but from a place in
        the queue: what is looked at is bounded, too.
        """
        with self.slots.place(key.id if key else "") as place:
            # Drawn once: a share that has grown meanwhile must not be drawn from twice.
            unit = unit or str(uuid7())
            while True:
                choice, pipeline = await self._chosen(asked, model, collection, unit)
                with suppress(_OutdatedError):
                    async with self._admitted(key, str(uuid7()), pipeline, asked.question) as settle:
                        await place.turn(pipeline.variant.llm.total_seconds)
                        if choice != self._choice(asked, model, unit):
                            raise _OutdatedError("a rollout has changed", "ask again", retry_after=0)
                        yield choice, pipeline, settle
                    return

    async def _chosen(self, asked: Asked, model: str, collection: str, unit: str) -> tuple[Choice, Pipeline]:
        """What answers. A candidate that cannot even be asked leaves no trace by which it could be judged: it is taken back at once."""
        choice = self._choice(asked, model, unit)
        try:
            return choice, await self._pipeline(asked.variant or choice.variant, model, collection)
        except (ConfigurationError, UpstreamError) as error:
            if choice.arm is not Arm.CANDIDATE:
                raise
            with suppress(GroundwireError):  # another request has done it
                await asyncio.to_thread(self.rollouts.rollback, model, "gateway", f"the candidate cannot be used: {error}")
        choice = self.rollouts.choose(model, unit)
        return choice, await self._pipeline(choice.variant, model, collection)

    def _choice(self, asked: Asked, model: str, unit: str) -> Choice:
        return Choice(asked.variant.name) if asked.variant else self.rollouts.choose(model, unit)

    async def _pipeline(self, variant: Variant | str, model: str, collection: str) -> Pipeline:
        """A variant that `model` stands for and that is not there is no fault of who asked."""
        try:
            return await self.runtime.pipeline(variant, collection)
        except NotFoundError:
            if isinstance(variant, str):
                self.rollouts.require(model, variant)
            raise

    @asynccontextmanager
    async def _admitted(self, key: Key | None, id: str, pipeline: Pipeline, question: str) -> AsyncIterator[Settle]:
        if key is None:
            yield lambda _: None
            return
        ceiling = await asyncio.to_thread(pipeline.ceiling, question) if key.daily_nanodollars is not None else None
        async with self.allowances.admitted(key, id, ceiling) as settle:
            try:
                yield settle
            finally:
                # What was refused before its trace began has cost nothing; what has a trace is settled by it.
                settle(0)

    def _follow(self, trace: Trace, choice: Choice) -> None:
        """Have a copy of the question answered by the rollout's candidate, which the reader does not wait for."""
        if choice.shadow is None:
            return
        if len(self._shadows) >= SHADOWS:
            metrics.rejected("shadow")
            return
        task = asyncio.create_task(self._shadow(trace, choice.shadow))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _shadow(self, trace: Trace, variant: str) -> None:
        origin = trace.origin.model_copy(update={"arm": "candidate", "shadow_of": trace.id})
        try:
            pipeline = await self.runtime.pipeline(variant, trace.collection)
            await drained(
                pipeline.stream(trace.question, Channel.SHADOW, trace.where, history=trace.history, origin=origin, ended=_observe)
            )
        except GroundwireError as error:
            logging.getLogger("groundwire").warning("no shadow of %s: %s", trace.id, error)


class _OutdatedError(BusyError):
    """A rollout was switched or taken back while the slot was waited for: the key's allowance is given back, and asked for again."""


def _observe(trace: Trace, traceparent: str | None = None) -> None:
    metrics.observe(trace)
    spans.export(trace, traceparent)


def _unit(user: str | None) -> str | None:
    """A digest of whom the request is for, whatever key asks."""
    return hashlib.sha256(user.encode()).hexdigest()[:32] if user else None
