"""What every scorer must do, whatever it measures: be sound over the oddest traces and cases."""

import math
import re

import pytest

from evals.scorers import open_scorers
from evals.scorers.base import Metric, Missing, Scorer
from rag.trace import Outcome, Trace
from rag.types import Message, Verdict
from tests.evals.scorers.examples import answered, attempt, case, claim, failed, passages, refused

SCORERS = {scorer.identity: scorer for scorer in open_scorers()}
CLAIMS = (claim(Verdict.SUPPORTED, [1, 2], [2]), claim(Verdict.CONTRADICTED, [9], [9]), claim(Verdict.UNCERTAIN))
SENT = passages("pool.md", "pool.md", "prices.md")
TIMES = {"first_token_ms": 120.5, "total_ms": 950.0}
TRACES = {
    "answered": answered("It opens at nine [1].", passages=SENT, claims=CLAIMS, attempts=(attempt(),), **TIMES),
    "answered without claims": answered("Hello!", passages=SENT, attempts=(attempt(),), **TIMES),
    "refused": refused(passages=SENT, attempts=(attempt(),), **TIMES),
    "refused in words that claim": refused(passages=SENT, claims=CLAIMS, **TIMES),
    "abstained": refused(released="abstained", reason="nothing relevant to the question was found", **TIMES),
    "failed": failed(
        reason="overloaded", passages=SENT, attempts=(attempt(error="overloaded", cost_nanodollars=None),), total_ms=9.0
    ),
    "failed before anything": failed(total_ms=0.0),
    "timed out": failed(Outcome.TIMED_OUT, answer="It ope", passages=SENT, attempts=(attempt(error="late"),), **TIMES),
    "disconnected": failed(Outcome.DISCONNECTED, answer="It", passages=SENT, **TIMES),
    "still running": failed(None),
    "price not known": answered("At nine.", attempts=(attempt(cost_nanodollars=None),), **TIMES),
    "empty": answered("", passages=SENT, **TIMES),
    "blank": answered(" \n\t", passages=SENT, **TIMES),
    "punctuation": answered("... !? —", passages=SENT, **TIMES),
    "long": answered("The pool opens at nine [1]. " * 1_786, passages=SENT, claims=CLAIMS * 500, **TIMES),
    "emoji": answered("👍🏽 9️⃣ 👩‍👩‍👧", passages=SENT, **TIMES),
    "right to left": answered("\u200fيفتح المسبح في التاسعة [1].\u200e", passages=SENT, claims=CLAIMS, **TIMES),
    "Chinese": answered("游泳池每天早上九点开门。", passages=SENT, claims=CLAIMS, **TIMES),
    "only citations": answered("[1][2, 3] [1-3]", passages=SENT, **TIMES),
    "markup": answered("&amp;lt; <skipped> -\n `code [1]` \x00 \u2028", passages=SENT, **TIMES),
}
CASES = {
    "plain": case(references=("At nine.", "It opens at 9."), gold_ids=("pool.md",)),
    "in Chinese": case(references=("早上九点开门。",), gold_ids=("pool.md", "hours.md")),
    "no references": case(gold_ids=("pool.md",)),
    "no gold": case(references=("At nine.",)),
    "nothing known": case(),
    "unanswerable": case(answerable=False),
    "unanswerable, though more is known": case(answerable=False, references=("At nine.",), gold_ids=("pool.md",)),
    "history": case(references=("At nine.",), history=(Message(role="user", content="Is there a pool?"),)),
    "the same twice": case(references=("At nine.", "At nine."), gold_ids=("pool.md", "pool.md")),
    "empty references": case(references=("", " "), gold_ids=("",)),
}


@pytest.fixture(params=SCORERS)
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return SCORERS[request.param]


def test_what_is_said_of_it_is_complete(scorer: Scorer) -> None:
    assert re.fullmatch(r"[a-z]+@[1-9]\d*", scorer.identity)
    names = [metric.name for metric in scorer.metrics]
    assert len(set(names)) == len(names) > 0
    assert all(metric.label for metric in scorer.metrics)


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES)
def test_scores_are_sound_and_a_stored_trace_has_the_same(scorer: Scorer, trace: Trace) -> None:
    stored = Trace.model_validate_json(trace.model_dump_json())
    metrics = {metric.name: metric for metric in scorer.metrics}
    for asked in CASES.values():
        scores = scorer.score(trace, asked)
        assert set(scores) <= set(metrics)
        assert scorer.score(stored, asked) == scores
        for name, value in scores.items():
            if isinstance(value, Missing):
                assert value.reason
            else:
                check(metrics[name], value)


def check(metric: Metric, value: float) -> None:
    assert 0 <= value < math.inf
    assert value <= 1 or not metric.bounded
    assert value in (0, 1) or metric.unit != "binary"


def test_no_metric_is_declared_in_vain(scorer: Scorer) -> None:
    given = {name for asked in CASES.values() for name in scorer.score(TRACES["answered"], asked)}
    assert given == {metric.name for metric in scorer.metrics}
