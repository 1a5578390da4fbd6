"""What is counted, read back from the text that Prometheus gets."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api.problem import BusyError, ClosingError, ForbiddenError, LateError, UnreadyError
from api.telemetry import metrics
from rag.errors import GroundwireError, NotFoundError
from rag.llms.base import Attempt, Purpose
from rag.trace import Channel, Origin, Outcome, Trace

ROOT = Path(__file__).parents[3]


class Counted:
    """By how much each sample has grown since this was made."""

    def __init__(self) -> None:
        self._before = self._read()

    def __call__(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name whose labels these are among."""
        return self._sum(self._read(), name, labels) - self._sum(self._before, name, labels)

    def _read(self) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
        families = text_string_to_metric_families(generate_latest(metrics.REGISTRY).decode())
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def _sum(self, read: Mapping[tuple[str, frozenset[tuple[str, str]]], float], name: str, labels: Mapping[str, str]) -> float:
        return sum(value for (sample, its), value in read.items() if sample == name and labels.items() <= set(its))


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_a_request_is_counted_once_with_what_decided_it(counted: Counted, trace: Trace) -> None:
    metrics.observe(trace)
    decided = {"channel": "chat", "variant": "careful", "experiment": "greeting", "arm": "candidate", "outcome": "answered"}
    assert counted("groundwire_requests_total", **decided) == 1
    assert counted("groundwire_requests_total") == 1


def test_times_are_seconds(counted: Counted, trace: Trace) -> None:
    metrics.observe(trace)
    for name, seconds in (("request_duration", 0.5), ("first_text", 0.46), ("held", 0.31)):
        assert counted(f"groundwire_{name}_seconds_sum", variant="careful", traffic="live") == pytest.approx(seconds)
        assert counted(f"groundwire_{name}_seconds_count") == 1
    assert counted("groundwire_request_duration_seconds_bucket", le="0.25") == 0
    assert counted("groundwire_request_duration_seconds_bucket", le="0.5") == 1


def test_attempts_tokens_and_cost_are_each_models_own(counted: Counted, trace: Trace) -> None:
    unpriced = Attempt(purpose=Purpose.JUDGE, model="openai/unheard-of", started_ms=450, total_ms=10, error="answered 500")
    metrics.observe(trace.model_copy(update={"attempts": (*trace.attempts, unpriced)}))
    model = "openai/gpt-4.1-mini"
    results = {
        result: counted("groundwire_attempts_total", model=model, result=result) for result in ("ok", "failed", "throttled")
    }
    assert results == {"ok": 1, "failed": 0, "throttled": 1}
    assert counted("groundwire_attempts_total", model="openai/unheard-of", result="failed") == 1
    tokens = {kind: counted("groundwire_tokens_total", model=model, kind=kind) for kind in ("prompt", "completion", "cached")}
    assert tokens == {"prompt": 50, "completion": 9, "cached": 20}
    assert counted("groundwire_cost_dollars_total", model=model, variant="careful") == pytest.approx(0.000123456, abs=1e-12)
    assert counted("groundwire_unpriced_attempts_total", model="openai/unheard-of") == 1
    assert counted("groundwire_unpriced_attempts_total") == 1


def test_claims_are_counted_whether_the_reader_got_them_or_not(counted: Counted, trace: Trace) -> None:
    metrics.observe(trace)
    assert counted("groundwire_claims_total", verdict="supported", fate="released") == 1
    assert counted("groundwire_claims_total", verdict="contradicted", fate="withheld") == 1
    assert counted("groundwire_claims_total") == 3


def test_shadows_are_apart(counted: Counted, trace: Trace) -> None:
    metrics.observe(trace.model_copy(update={"channel": Channel.SHADOW}))
    assert counted("groundwire_requests_total", channel="shadow") == 1
    for name in ("attempts", "tokens", "cost_dollars", "claims"):
        assert counted(f"groundwire_{name}_total", traffic="live") == 0
        assert counted(f"groundwire_{name}_total", traffic="shadow") > 0
    assert counted("groundwire_request_duration_seconds_count", traffic="live") == 0


@pytest.mark.parametrize(
    ("released", "cause"), [("abstained", "abstained"), ("refused", "withheld"), ("unchanged", "declined"), (None, "declined")]
)
def test_a_refusal_has_a_cause(counted: Counted, trace: Trace, released: str | None, cause: str) -> None:
    metrics.observe(trace.model_copy(update={"outcome": Outcome.REFUSED, "released": released}))
    assert counted("groundwire_refusals_total", variant="careful", cause=cause) == counted("groundwire_refusals_total") == 1


def test_a_call_that_was_cut_off_is_no_failure_of_the_model(counted: Counted, trace: Trace) -> None:
    cut = trace.attempts[1].model_copy(update={"error": "the caller left"})
    metrics.observe(trace.model_copy(update={"attempts": (cut,), "outcome": Outcome.DISCONNECTED}))
    assert counted("groundwire_attempts_total", result="cancelled") == counted("groundwire_attempts_total") == 1


def test_nothing_that_a_client_chooses_becomes_a_label(counted: Counted, trace: Trace) -> None:
    for number in range(50):
        asked = {"question": f"question {number}", "collection": f"collection-{number}", "id": str(number)}
        origin = Origin(key=f"key-{number}", unit=f"unit-{number}")
        metrics.observe(trace.model_copy(update={**asked, "origin": origin}))
    text = generate_latest(metrics.REGISTRY).decode()
    assert not any(word in text for word in ("question", "collection-", "key-", "unit-", "kettle"))
    assert counted("groundwire_requests_total", experiment="", arm="") == 50


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BusyError("full", "wait", retry_after=1), "busy"),
        (BusyError("spent", "wait", retry_after=1, reason="budget"), "budget"),
        (ClosingError("ending", "wait", retry_after=1), "closing"),
        (UnreadyError("no ledger", "see the log", retry_after=5), "unready"),
        (LateError("waited", "wait", retry_after=1, reason="late"), "late"),
        (ForbiddenError("not yours", "ask"), "forbidden"),
    ],
)
def test_what_was_turned_away_has_its_reason(counted: Counted, error: GroundwireError, reason: str) -> None:
    metrics.observe_refusal(error)
    metrics.observe_refusal(NotFoundError("not there", "look"))
    assert counted("groundwire_rejected_total", reason=reason) == counted("groundwire_rejected_total") == 1


@pytest.mark.anyio
async def test_a_slot_is_waited_for_and_then_held(counted: Counted) -> None:
    free = asyncio.Event()

    @asynccontextmanager
    async def slot():  # type: ignore[no-untyped-def]
        await free.wait()
        yield

    leave = asyncio.Event()

    async def request() -> None:
        async with metrics.track(slot()):
            await leave.wait()

    def now() -> tuple[float, float]:
        return counted("groundwire_requests_queued"), counted("groundwire_requests_under_way")

    running = asyncio.create_task(request())
    await asyncio.sleep(0)
    assert now() == (1, 0)
    free.set()
    while now()[1] == 0:
        await asyncio.sleep(0)
    assert now() == (0, 1)
    leave.set()
    await running
    assert now() == (0, 0)


def test_the_build_is_told() -> None:
    assert 'groundwire_build_info{revision="' in generate_latest(metrics.REGISTRY).decode()


@pytest.mark.parametrize("module", ["api.cli", "rag.cli", "evals.cli"])
def test_a_command_loads_no_client_of_prometheus(module: str) -> None:
    program = f"import sys, {module}\nprint('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
