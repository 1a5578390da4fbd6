"""A finished trace as spans of OpenTelemetry's semantic conventions for generative AI, as of 2026.

Knows names, attributes and times: https://opentelemetry.io/docs/specs/semconv/gen-ai/. Knows nothing of how spans are exported.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rag.llms import OURS
from rag.llms.base import Attempt, Purpose
from rag.trace import Outcome, Trace
from rag.types import Message, Verdict

Attribute = str | bool | int | float | Sequence[str]

BEFORE_THE_MODEL = ("queue", "rewrite", "embed", "retrieve", "log", "pack")
"""The stages before the model is called, in the order in which they run."""
PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Names in the conventions that differ from litellm's."""
ANSWERING = (Purpose.ANSWER, Purpose.RETRY)
FAILURES = {Outcome.FAILED: "failed", Outcome.TIMED_OUT: "timeout"}
_STATUS = re.compile(r"\banswered (\d{3})\b")
_LATE = re.compile(r"\b(?:did not answer in time|gave no text within|did not finish)\b")


class Span(NamedTuple):
    """One operation of a request. Times are in milliseconds since the request began; `remote` if it is a call to a provider."""

    name: str
    start_ms: float
    end_ms: float
    attributes: Mapping[str, Attribute]
    remote: bool = False


def request(trace: Trace, *, content: bool) -> Span:
    """The span of the whole request; the variant is the agent. `content` decides whether texts are included."""
    provider, model = _model(trace.variant.llm.model)
    messages = (*trace.history, Message(role="user", content=trace.question))
    attributes: dict[str, Attribute | None] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": provider,
        "gen_ai.agent.name": trace.variant.name,
        "gen_ai.agent.version": trace.versions.variant[:12],
        "gen_ai.data_source.id": trace.collection,
        "gen_ai.request.model": model,
        "error.type": FAILURES.get(trace.outcome) if trace.outcome else None,
        "groundwire.trace_id": trace.id,
        "groundwire.channel": trace.channel,
        "groundwire.outcome": trace.outcome,
        "groundwire.released": trace.released,
        "groundwire.prompt": next(iter(trace.versions.prompts), None),
        "groundwire.generation": trace.versions.generation,
        "groundwire.experiment": trace.origin.experiment,
        "groundwire.arm": trace.origin.arm,
        "groundwire.shadow_of": trace.origin.shadow_of,
        "groundwire.cost_nanodollars": trace.cost_nanodollars,
        "groundwire.claims.withheld": len(trace.withheld),
        "groundwire.claims.ungrounded": trace.ungrounded,
        "groundwire.first_text_ms": trace.first_token_ms,
        "groundwire.held_ms": trace.held_ms,
        "gen_ai.input.messages": _messages(messages) if content else None,
        "gen_ai.output.messages": _messages([Message(role="assistant", content=trace.answer)]) if content else None,
    }
    verdicts = {f"groundwire.claims.{verdict}": sum(claim.verdict is verdict for claim in trace.claims) for verdict in Verdict}
    return Span(f"invoke_agent {trace.variant.name}", 0.0, trace.total_ms or 0.0, _without_null({**attributes, **verdicts}))


def operations(trace: Trace, *, content: bool) -> Iterator[Span]:
    """The spans within it: the stages, and each model call."""
    at = 0.0
    for stage in BEFORE_THE_MODEL:
        if stage in trace.stages:
            ends = at + trace.stages[stage]
            yield _stage(trace, stage, at, ends, content=content)
            at = ends
    for attempt in trace.attempts:
        yield _attempt(trace, attempt, content=content)
    if "validate" in trace.stages:
        yield _stage(trace, "validate", *_validation_times(trace, at), content=content)


def _stage(trace: Trace, name: str, start: float, end: float, *, content: bool) -> Span:
    attributes: dict[str, Attribute | None] = {"groundwire.stage": name, "groundwire.stage_ms": trace.stages[name]}
    match name:
        case "embed":
            model = trace.versions.embedder
            attributes |= {
                "gen_ai.operation.name": "embeddings",
                "gen_ai.provider.name": "groundwire",
                "gen_ai.request.model": model,
            }
            name = f"embeddings {model}"
        case "retrieve":
            found = [{"id": passage.chunk_id, "score": passage.score} for passage in trace.passages]
            attributes |= {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.data_source.id": trace.collection,
                "gen_ai.request.top_k": float(trace.variant.retriever.top_k),
                "groundwire.relevance": trace.relevance,
                "groundwire.passages": len(found),
                "gen_ai.retrieval.query.text": (trace.query or trace.question) if content else None,
                "gen_ai.retrieval.documents": json.dumps(found) if content else None,
            }
            name = f"retrieval {trace.collection}"
    return Span(name, start, end, _without_null(attributes))


def _validation_times(trace: Trace, otherwise: float) -> tuple[float, float]:
    """When claims were validated: from the first sentence on if each waits for its verdict, otherwise after the last call."""
    answers = [attempt for attempt in trace.attempts if attempt.purpose in ANSWERING]
    end = trace.total_ms or otherwise
    if trace.variant.release.gate == "sentence":
        texts = (attempt.started_ms + attempt.first_token_ms for attempt in answers if attempt.first_token_ms is not None)
        return min(next(texts, otherwise), end), end
    begins = max((attempt.started_ms + attempt.total_ms for attempt in answers), default=otherwise)
    return min(begins, end), min(begins + trace.stages["validate"], end)


def _attempt(trace: Trace, attempt: Attempt, *, content: bool) -> Span:
    provider, model = _model(attempt.model)
    usage, settings, first = attempt.usage, trace.variant.llm, attempt.first_token_ms
    answers = attempt.purpose in ANSWERING
    with_content = content and attempt is _final_attempt(trace)
    attributes: dict[str, Attribute | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.request.max_tokens": settings.max_tokens if answers else None,
        "gen_ai.request.temperature": settings.temperature if answers else None,
        "gen_ai.request.seed": settings.seed if answers else None,
        "gen_ai.request.stream": True if first is not None else None,
        "gen_ai.response.model": attempt.answered_by and _model(attempt.answered_by)[1],
        "gen_ai.response.finish_reasons": [attempt.finish_reason] if attempt.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": None if first is None else first / 1000,
        "gen_ai.usage.input_tokens": usage.prompt,
        "gen_ai.usage.output_tokens": usage.completion,
        "gen_ai.usage.cache_read.input_tokens": usage.cached or None,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_written or None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning or None,
        "error.type": _error_type(attempt),
        "groundwire.purpose": attempt.purpose,
        "groundwire.cost_nanodollars": attempt.cost_nanodollars,
        "groundwire.estimated": attempt.estimated or None,
        "gen_ai.input.messages": _messages(trace.messages) if with_content else None,
        "gen_ai.output.messages": _messages([Message(role="assistant", content=trace.draft)]) if with_content else None,
    }
    end = attempt.started_ms + attempt.total_ms
    return Span(f"chat {model}", attempt.started_ms, end, _without_null(attributes), remote=attempt.model != f"{OURS}extractive")


def _final_attempt(trace: Trace) -> Attempt | None:
    """The attempt whose messages and text are in the trace."""
    return next((attempt for attempt in reversed(trace.attempts) if attempt.purpose in ANSWERING and not attempt.error), None)


def _model(name: str) -> tuple[str, str]:
    """Provider and model of a name such as `openai/gpt-4.1-mini`; the provider is `_OTHER` if the name has none."""
    provider, _, model = name.rpartition("/") if name.count("/") < 2 else name.partition("/")
    return PROVIDERS.get(provider, provider or "_OTHER"), model


def _error_type(attempt: Attempt) -> str | None:
    """The provider's HTTP status, `timeout` or `_OTHER`. The message stays in the trace."""
    if attempt.error is None:
        return None
    if status := _STATUS.search(attempt.error):
        return status[1]
    return "timeout" if _LATE.search(attempt.error) else "_OTHER"


def _messages(messages: Sequence[Message]) -> str:
    parts = [{"role": message.role, "parts": [{"type": "text", "content": message.content}]} for message in messages]
    return json.dumps(parts, ensure_ascii=False)


def _without_null(attributes: Mapping[str, Attribute | None]) -> dict[str, Attribute]:
    return {name: value for name, value in attributes.items() if value is not None}
