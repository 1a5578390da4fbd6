"""A model as the judge of answers: how correct one is, and which of two is better.

Knows what is asked, how a reply is read, and what needs no asking. Knows no provider, and nothing of how judgements are compared.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, NamedTuple

from evals.cases import Case
from evals.scorers.base import Metric, Missing, Scores
from prompts.fence import fence
from prompts.library import Library
from prompts.prompt import Prompt
from rag.errors import UpstreamError
from rag.llms.base import Attempt, CallLog, CallPolicy, Request
from rag.llms.pricing import total
from rag.llms.reply import UnreadableError, ask_until_readable, call_judge, json_object, one_line
from rag.llms.router import Router
from rag.trace import Outcome, Trace
from rag.types import Message, Value

CORRECT = Metric(name="correct", label="correct, by the judge", better="higher", unit="share")
PREFERRED = Metric(name="preferred", label="preferred by the judge", better="higher", unit="share")

GRADES: Mapping[str, float] = {"correct": 1.0, "partly": 0.5, "wrong": 0.0}
"""What a full, a partial and no match with the references is worth."""

MAX_TOKENS = 200
THROTTLED_TRIES = 10


class Judged(Value):
    """What every word of the judge comes with."""

    reason: str
    """The judge's sentence, or ours where a rule decides."""
    attempts: tuple[Attempt, ...] = ()
    """Empty where a rule decides."""

    @property
    def cost_nanodollars(self) -> int | None:
        """Of all attempts together; null as soon as the price of one is not known."""
        return total(attempt.cost_nanodollars for attempt in self.attempts)


class Judgement(Judged):
    """Of one answer."""

    scores: Scores
    """`correct`; nothing where there is neither a reference nor a passage to judge by."""


class Preference(Judged):
    """Of two answers, B against A."""

    won: float | Missing
    """The share of both orders that B won, a tie being half of one."""
    orders: tuple[float, float] | None = None
    """What B won with A first, and with B first; null where a rule decides, or an order is missing."""

    @property
    def consistent(self) -> bool | None:
        """Whether both orders said the same; null where they were not both asked."""
        return None if self.orders is None else self.orders[0] == self.orders[1]

    @property
    def noise(self) -> float:
        """The variance of `won` that the judge itself brings, estimated from its two words: 0 where a rule decides."""
        return 0.0 if self.orders is None else (self.orders[0] - self.orders[1]) ** 2 / 4

    @property
    def a(self) -> Scores:
        """`preferred`, of A."""
        return {PREFERRED.name: self.won if isinstance(self.won, Missing) else 1 - self.won}

    @property
    def b(self) -> Scores:
        """`preferred`, of B."""
        return {PREFERRED.name: self.won}


class _Rule(NamedTuple):
    """What needs no judge, and why."""

    value: float
    reason: str


class _Ruling(NamedTuple):
    """What the judge said, once asked."""

    value: float | Missing
    reason: str = ""
    attempts: tuple[Attempt, ...] = ()


class _Form(NamedTuple):
    """The object that the judge fills in: a reason, and one of these words in this field."""

    field: str
    words: Mapping[str, float]

    def read(self, text: str) -> _Ruling:
        """The ruling of a reply. Raises `UnreadableError`."""
        reply = json_object(text)
        word = str(reply.get(self.field)).strip().casefold()
        if word not in self.words:
            raise UnreadableError(f'its "{self.field}" was none of {", ".join(map(json.dumps, self.words))}')
        return _Ruling(self.words[word], one_line(reply.get("reason", "")))


_GRADE = _Form("verdict", GRADES)
_WINNER = _Form("winner", {"1": 1.0, "2": 0.0, "tie": 0.5})


class Judge:
    """One model with the newest `judge` and `preference` prompts of a library. Calls may overlap.

    Raises `GroundwireError` where the model or a prompt does not exist, before anything is asked. The policy's time is that of
    one call; its fallbacks are not used, for another model is another judge. `turn` is what each call is made
    within; a call that the provider had no room for is made again. With `forget`, a reply that was kept and cannot be read is
    forgotten by it, and asked for again.
    """

    metrics = (CORRECT, PREFERRED)

    def __init__(
        self,
        router: Router,
        model: str,
        library: Library,
        policy: CallPolicy,
        turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        forget: Callable[[Request], None] | None = None,
    ) -> None:
        router.available((model,))
        self._forget = forget
        self._turn = turn
        self._router = router
        self._model = model
        self._grading = library.get("judge")
        self._preferring = library.get("preference")
        self._policy = policy.model_copy(update={"fallbacks": ()})

    @property
    def identity(self) -> str:
        """Prompts, each with the beginning of its digest, and model: `judge@1:0f3a9c71 preference@1:77b2e4d0 openai/gpt-4.1-mini`."""
        prompts = (f"{prompt.reference}:{prompt.sha256[:8]}" for prompt in (self._grading, self._preferring))
        return f"{' '.join(prompts)} {self._model}"

    async def grade(self, trace: Trace, case: Case) -> Judgement:
        """How correct an answer is: 1, 0.5 or 0.

        Only an answer to an answerable question is shown to the judge. A request that failed is worth 0, a refusal 1 where the
        documents do not tell and 0 where they do, and an answer 0 where they do not: `Outcome.REFUSED` already covers answers that
        decline in words of their own.
        """
        if (rule := _grade_by_rule(trace, case)) is not None:
            return Judgement(scores={CORRECT.name: rule.value}, reason=rule.reason)
        if not (case.references or trace.passages):
            return Judgement(scores={}, reason="there is neither a reference nor a passage to judge by")
        ruling = await self._ask(self._grading, _GRADE, answer=trace.answer, **_quoted(case, (trace,)))
        return Judgement(scores={CORRECT.name: ruling.value}, reason=ruling.reason, attempts=ruling.attempts)

    async def prefer(self, a: Trace, b: Trace, case: Case) -> Preference:
        """Which answer is better, asked in both orders one after the other, for judges favour a place (Zheng et al., 2023).

        Not asked where rules grade both sides, the higher grade winning; where both read the same, a tie; nor where one request
        failed, which loses to any answer. A refusal is compared with an answer as it reads.
        """
        if (rule := _preference_by_rule(a, b, case)) is not None:
            return Preference(won=rule.value, reason=rule.reason)
        first = await self._compare(a, b, case)
        second = await self._compare(b, a, case)
        attempts = first.attempts + second.attempts
        if isinstance(first.value, Missing) or isinstance(second.value, Missing):
            missing = next(value for value in (first.value, second.value) if isinstance(value, Missing))
            return Preference(won=missing, reason="", attempts=attempts)
        return Preference(
            won=(1 - first.value + second.value) / 2,
            orders=(1 - first.value, second.value),
            reason=f"A first: {first.reason} B first: {second.reason}",
            attempts=attempts,
        )

    async def _compare(self, first: Trace, second: Trace, case: Case) -> _Ruling:
        """The share of this comparison that the first one won. All that is shown changes places with them."""
        quoted = _quoted(case, (first, second))
        return await self._ask(self._preferring, _WINNER, first=first.answer, second=second.answer, **quoted)

    async def _ask(self, prompt: Prompt, form: _Form, **values: Any) -> _Ruling:
        attempts: list[Attempt] = []
        requests: list[Request] = []

        async def reply(fault: str) -> str:
            requests.append(self._request(prompt, prompt.render(**values, fault=fault)))
            return await self._reply(requests[-1], attempts)

        try:
            try:
                ruling = await ask_until_readable(reply, form.read)
            except UnreadableError:
                if self._forget is None or not any(attempt.replayed for attempt in attempts):
                    raise
                for request in requests:
                    self._forget(request)
                ruling = await ask_until_readable(reply, form.read)
            return ruling._replace(attempts=tuple(attempts))
        except UnreadableError as unreadable:
            missing = Missing(reason=f"the judge gave no verdict, --retry-failed asks it again: {unreadable.said}")
        except UpstreamError as error:
            missing = Missing(reason=f"the judge failed, --retry-failed asks it again: {error}")
        return _Ruling(missing, attempts=tuple(attempts))

    def _request(self, prompt: Prompt, messages: Sequence[Mapping[str, str]]) -> Request:
        return Request(
            model=self._model,
            messages=tuple(Message(**message) for message in messages),
            max_tokens=MAX_TOKENS,
            seed=0,
            stop=prompt.stop,
            whole=True,
        )

    async def _reply(self, request: Request, attempts: list[Attempt]) -> str:
        for _ in range(THROTTLED_TRIES - 1):
            try:
                return await self._answer(request, attempts)
            except UpstreamError as error:
                if not error.throttled:
                    raise
        return await self._answer(request, attempts)

    async def _answer(self, request: Request, attempts: list[Attempt]) -> str:
        async with self._turn():
            return await call_judge(self._router, request, self._policy, CallLog(attempts=attempts))


def _grade_by_rule(trace: Trace, case: Case) -> _Rule | None:
    """The grade that needs no judge; None where one is needed."""
    match trace.outcome:
        case Outcome.ANSWERED if case.answerable:
            return None
        case Outcome.ANSWERED:
            return _Rule(0.0, "answered what the documents do not tell")
        case Outcome.REFUSED if case.answerable:
            return _Rule(0.0, "refused what the documents tell")
        case Outcome.REFUSED:
            return _Rule(1.0, "refused what the documents do not tell")
        case _:
            return _Rule(0.0, "gave no answer")


def _preference_by_rule(a: Trace, b: Trace, case: Case) -> _Rule | None:
    """The share that B wins where it needs no judge; None where one is needed."""
    of_a, of_b = _grade_by_rule(a, case), _grade_by_rule(b, case)
    if of_a is not None and of_b is not None:
        won = 0.5 if of_a.value == of_b.value else float(of_b.value > of_a.value)
        return _Rule(won, f"A {of_a.reason}, B {of_b.reason}")
    reached = [trace.succeeded for trace in (a, b)]
    if not all(reached):
        return _Rule(float(reached[1]), f"{'B' if reached[0] else 'A'} gave no answer")
    if a.answer == b.answer:
        return _Rule(0.5, "both read the same")
    return None


def _quoted(case: Case, traces: Sequence[Trace]) -> dict[str, Any]:
    """What the judge is shown beside the answers, each passage once, and the fence around all of it."""
    passages = list({passage.chunk_id: passage for trace in traces for passage in trace.passages}.values())
    texts = [
        *(message.content for message in case.history),
        *case.references,
        *(text for passage in passages for text in (passage.title, passage.text)),
        *(trace.answer for trace in traces),
    ]
    return {
        "question": case.question,
        "history": case.history,
        "references": case.references,
        "passages": passages,
        "fence": fence(texts, case.question),
    }
