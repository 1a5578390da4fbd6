"""One request through the server: choose the variant, admit it, run the pipeline, settle its cost.

Knows the order. Knows no wire format and no policy: they are passed in.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

from uuid_utils import uuid7

from api.access.allowance import Allowances, Settle
from api.access.copies import Copies
from api.access.keys import Key
from api.access.slots import Slots
from api.logs import trace_id
from api.problem import BusyError
from api.rollouts.rollouts import Choice, Rollouts
from api.rollouts.state import Arm
from api.telemetry import metrics, spans
from rag import variant as variants
from rag.errors import ConfigurationError, GroundwireError, NotFoundError, UpstreamError
from rag.events import Done, Event, drained
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.trace import Channel, Origin, Trace
from rag.types import Filter, Message, Value
from rag.variant import Variant

SHADOWS = 4
"""The most shadow copies that are answered at once. Any beyond that are dropped, so that no reader waits for them."""


class GatewayRequest(Value):
    """One request, in whatever wire format it came."""

    question: str
    channel: Channel
    model: str | None = None
    """A variant or a rollout."""
    variant: Variant | None = None
    """Answers instead of `model`: the variant of a trace whose question is asked again."""
    collection: str | None = None
    """Defaults to the key's only one, else to the server's own; so does `model`."""
    history: tuple[Message, ...] = ()
    """Earlier messages, oldest first."""
    where: Filter = {}
    user: str | None = None
    """The user or session id by which a rollout assigns."""
    traceparent: str | None = None
    """The W3C header of the caller's trace, which the spans of this request continue."""


class Gateway:
    """Answers requests; `collection` and `model` are the defaults of those that name none. Belongs to one event loop."""

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
        self._copies = Copies()

    async def answer(self, request: GatewayRequest, key: Key | None) -> Trace:
        """As `stream`, but wait for the end of the answer."""
        return await drained(self.stream(request, key))

    async def pipeline(self) -> Pipeline:
        """The pipeline of a request that names neither model nor collection."""
        return await self.runtime.pipeline(self.rollouts.fallback_variant(self.model), self.collection)

    async def close(self) -> None:
        """Cancel the shadow copies that are still being answered."""
        for task in self._shadows:
            task.cancel()
        await asyncio.gather(*self._shadows, return_exceptions=True)

    async def stream(self, request: GatewayRequest, key: Key | None) -> AsyncGenerator[Event, None]:
        """The events of the answer; closing the generator early ends the request as disconnected.

        Raises `GroundwireError` before the first event if the request is refused: forbidden, over a limit, or invalid.
        """
        model = request.model or _only(key.models if key else None) or self.model
        collection = request.collection or _only(key.collections if key else None) or self.collection
        arrived = time.perf_counter()
        if key:
            key.require(collection, model)
            self.allowances.require_token(key)
        unit = _unit(request.user)
        async with metrics.track(self._admit(request, key, model, collection, unit)) as (choice, pipeline, settle):
            # Guardrails look at requests in the order of their ids, so the id is made after the wait, not before.
            id = str(uuid7())
            trace_id.set(id)

            def ended(trace: Trace) -> None:
                settle(trace.cost_nanodollars)
                _observe(trace, request.traceparent)

            events = pipeline.stream(
                request.question,
                request.channel,
                request.where,
                history=request.history,
                origin=Origin(key=key.id if key else None, unit=unit, experiment=choice.experiment, arm=choice.arm),
                id=id,
                waited=time.perf_counter() - arrived,
                ended=ended,
            )
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Done):
                        self._start_shadow(event.trace, choice, key)
                    yield event

    @asynccontextmanager
    async def _admit(
        self, request: GatewayRequest, key: Key | None, model: str, collection: str, unit: str | None
    ) -> AsyncIterator[tuple[Choice, Pipeline, Settle]]:
        """Hold a slot and the key's allowance.

        The allowance is checked before the wait for a slot, so that a refusal comes at once; but only in the queue, so that the
        number of checks under way is bounded, too.
        """
        with self.slots.place(key.id if key else "") as place:
            # Chosen once: redrawing after the share grew would favour the candidate.
            unit = unit or str(uuid7())
            while True:
                try:
                    choice, pipeline = await self._choose(request, model, collection, unit)
                except NotFoundError as error:
                    raise await asyncio.to_thread(self._missing, error, key, model, collection) from error
                with suppress(_OutdatedError):
                    async with self._allowance(key, str(uuid7()), pipeline, request.question) as settle:
                        await place.turn(pipeline.variant.llm.total_seconds)
                        if choice != self._choice(request, model, unit):
                            raise _OutdatedError("a rollout has changed", "ask again", retry_after=0)
                        yield choice, pipeline, settle
                    return

    async def _choose(self, request: GatewayRequest, model: str, collection: str, unit: str) -> tuple[Choice, Pipeline]:
        """The variant and pipeline for this request.

        A candidate that cannot be built is rolled back at once: it would never produce traces for the guardrails.
        """
        choice = self._choice(request, model, unit)
        try:
            return choice, await self._pipeline(request.variant or choice.variant, model, collection)
        except (ConfigurationError, UpstreamError) as error:
            if choice.arm is not Arm.CANDIDATE:
                raise
            with suppress(GroundwireError):  # another request may have rolled it back first
                await asyncio.to_thread(self.rollouts.rollback, model, "gateway", f"the candidate cannot be used: {error}")
        choice = self.rollouts.choose(model, unit)
        return choice, await self._pipeline(choice.variant, model, collection)

    def _missing(self, error: NotFoundError, key: Key | None, model: str, collection: str) -> NotFoundError:
        """What does not exist, as far as the key may know what does."""
        if key is None or (key.collections is None and key.models is None):
            return error
        kind, name, allowed = "collection", collection, key.collections
        there = [known.name for known in self.runtime.corpus.collections()]
        if collection in there:
            kind, name, allowed = "model", model, key.models
            there = sorted({*variants.names(self.runtime.settings.variants), *self.rollouts.names()})
        seen = [known for known in there if allowed is None or known in allowed]
        return NotFoundError(f"{kind} {name} does not exist", f"there is {', '.join(seen) or 'none that the key may use'}")

    def _choice(self, request: GatewayRequest, model: str, unit: str) -> Choice:
        return Choice(request.variant.name) if request.variant else self.rollouts.choose(model, unit)

    async def _pipeline(self, variant: Variant | str, model: str, collection: str) -> Pipeline:
        """Raises `ConfigurationError`, not `NotFoundError`, if a rollout names a missing variant: the client is not at fault."""
        try:
            return await self.runtime.pipeline(variant, collection)
        except NotFoundError:
            if isinstance(variant, str):
                self.rollouts.require(model, variant)
            raise

    @asynccontextmanager
    async def _allowance(self, key: Key | None, id: str, pipeline: Pipeline, question: str) -> AsyncIterator[Settle]:
        """Reserve the most that the request may cost from the key's allowance."""
        if key is None:
            yield lambda _: None
            return
        ceiling = await asyncio.to_thread(pipeline.max_cost, question) if key.daily_nanodollars is not None else None
        async with self.allowances.admitted(key, id, ceiling) as settle:
            try:
                yield settle
            finally:
                # A request that was refused before its trace began cost nothing; any other is settled by its trace already.
                settle(0)

    def _start_shadow(self, trace: Trace, choice: Choice, key: Key | None) -> None:
        """Answer a copy of the question with the rollout's candidate, in the background."""
        if choice.shadow is None:
            return
        if len(self._shadows) >= SHADOWS:
            metrics.rejected("shadow")
            return
        task = asyncio.create_task(self._shadow(trace, choice.shadow, key))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _shadow(self, trace: Trace, variant: str, key: Key | None) -> None:
        origin = trace.origin.model_copy(update={"arm": "candidate", "shadow_of": trace.id})
        try:
            pipeline = await self.runtime.pipeline(variant, trace.collection)
            ceiling = (
                await asyncio.to_thread(pipeline.max_cost, trace.question) if key and key.daily_nanodollars is not None else None
            )
            with self._copies.admitted(key, ceiling) as settle:

                def ended(copy: Trace) -> None:
                    settle(copy.cost_nanodollars)
                    _observe(copy)

                await drained(
                    pipeline.stream(
                        trace.question, Channel.SHADOW, trace.where, history=trace.history, origin=origin, ended=ended
                    )
                )
        except BusyError:
            metrics.rejected("shadow")
        except GroundwireError as error:
            logging.getLogger("groundwire").warning("no shadow of %s: %s", trace.id, error)


class _OutdatedError(BusyError):
    """The rollout changed during the wait for a slot: the allowance is returned, and the request is admitted anew."""


def _only(allowed: tuple[str, ...] | None) -> str | None:
    """What a key means that may use one thing alone and names none."""
    return allowed[0] if allowed and len(allowed) == 1 else None


def _observe(trace: Trace, traceparent: str | None = None) -> None:
    metrics.observe(trace)
    spans.export(trace, traceparent)


def _unit(user: str | None) -> str | None:
    """A digest of the user's id. It does not depend on the key."""
    return hashlib.sha256(user.encode()).hexdigest()[:32] if user else None
