"""Runs and results in the ledger, and as columns."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from evals.cases import Case
from evals.execution.runs import Result, Run, Runs, Totals
from evals.scorers.base import Missing
from rag.errors import NotFoundError
from rag.ledger.database import connect
from rag.ledger.writer import Writer
from rag.trace import Outcome
from rag.types import Message
from rag.variant import Variant

pytestmark = pytest.mark.anyio


@pytest.fixture
def runs(ledger_url: str) -> Iterator[Runs]:
    engine = connect(ledger_url)
    writer = Writer(engine)
    yield Runs(engine, writer)
    writer.close()
    engine.dispose()


def run(**fields: object) -> Run:
    return Run(
        created_at="2026-01-01T00:00:00.000+00:00",
        name="answer@1",
        cases="shop.jsonl",
        variant=Variant(name="default"),
        prompts={"answer@1": "0a"},
        prompt_text="Answer.",
        collection="shop",
        generation="g",
        embedder="e",
        validator="v",
        fingerprint="f",
        asked=2,
        repeats=1,
        code="c",
    ).model_copy(update=fields)


def result(case: str, repeat: int = 0, **fields: object) -> Result:
    return Result(
        case=Case(id=case, question="Why?", history=(Message(role="user", content="Hello."),), tags={"topic": "t"}),
        repeat=repeat,
        trace_id=f"trace-{case}-{repeat}",
        outcome=Outcome.ANSWERED,
        scores={},
        scorers=("overlap@1",),
        cost_nanodollars=5,
        seconds=1.5,
    ).model_copy(update=fields)


DECISIVE = {
    "prompts": {"answer@1": "0b"},
    "collection": "other",
    "generation": "h",
    "embedder": "o",
    "validator": "w",
    "judge": "j",
    "fingerprint": "g",
    "asked": 3,
    "repeats": 2,
    "stream": True,
    "code": "d",
    "variant": Variant(name="default").answered_by("local/extractive"),
}


def test_the_same_command_is_the_same_run() -> None:
    assert run(created_at="later", name="answer", cases="here/shop.jsonl", variant=Variant(name="other")).id == run().id
    ids = {run(**{name: value}).id for name, value in DECISIVE.items()}
    assert len({*ids, run().id}) == len(DECISIVE) + 1
    assert set(DECISIVE) == set(Run.model_fields) - {"created_at", "name", "cases", "prompt_text"}


async def test_a_run_is_written_once(runs: Runs) -> None:
    first = run()
    await runs.begin(first)
    await runs.begin(run(created_at="later"))
    assert runs.get(first.id) == first
    assert runs.latest(5) == [(first, 0)]


async def test_a_run_is_found_by_the_beginning_of_its_id(runs: Runs) -> None:
    first, second = run(), run(code="d")
    await runs.begin(first)
    await runs.begin(second)
    assert runs.get(second.id[:12]) == second
    with pytest.raises(NotFoundError, match="more than one run id begins with"):
        runs.get("")
    for id in ("nothing", "%", "_" * 16):
        with pytest.raises(NotFoundError, match=f"no run has the id {id}: `evals runs` lists them"):
            runs.get(id)


async def test_the_latest_come_first_with_how_much_they_have(runs: Runs) -> None:
    old, new = run(), run(code="d", created_at="2026-02-01T00:00:00.000+00:00")
    for one in (old, new):
        await runs.begin(one)
    await runs.record(old.id, result("a"))
    await runs.record(old.id, result("b"))
    assert runs.latest(5) == [(new, 0), (old, 2)]
    assert runs.latest(1) == [(new, 0)]


async def test_results_come_back_as_they_were_by_case_and_repeat(runs: Runs) -> None:
    scores = {"f1": 0.1 + 0.2, "recall": 1.0, "cost": Missing(reason="unpriced")}
    written = [result("b", scores=scores), result("a", 1), result("a", 0, outcome=Outcome.FAILED, cost_nanodollars=None)]
    for one in written:
        await runs.record("r", one)
    await runs.record("s", result("z"))
    assert list(runs.results("r")) == [written[2], written[1], written[0]]


async def test_a_result_replaces_the_one_of_the_same_case_and_repeat(runs: Runs) -> None:
    await runs.record("r", result("a", outcome=Outcome.FAILED))
    await runs.record("r", result("a", 1))
    mended = result("a", trace_id="another")
    await runs.record("r", mended)
    assert list(runs.results("r")) == [mended, result("a", 1)]


async def test_a_run_can_be_forgotten(runs: Runs) -> None:
    await runs.record("r", result("a"))
    await runs.record("s", result("a"))
    runs.forget("r")
    assert list(runs.results("r")) == []
    assert len(list(runs.results("s"))) == 1


async def test_a_table_tells_missing_from_not_applicable_from_not_asked(runs: Runs) -> None:
    lost = Missing(reason="the judge failed: no answer")
    await runs.record("r", result("a", 0, scores={"f1": 0.5, "correct": 1.0}))
    await runs.record("r", result("a", 1, scores={"f1": 0.0, "correct": lost}))
    await runs.record("r", result("b", 1, scores={"correct": lost, "f1": Missing(reason="odd")}, outcome=Outcome.TIMED_OUT))
    table = runs.table("r")
    assert table.case_ids == ("a", "b")
    assert table.repeats == 2
    assert table.trace_ids.tolist() == [["trace-a-0", "trace-a-1"], ["", "trace-b-1"]]
    assert table.outcomes == {"answered": 2, "timed_out": 1}
    f1, correct = table.columns["f1"], table.columns["correct"]
    assert np.array_equal(f1.values, [[0.5, 0.0], [math.nan, math.nan]], equal_nan=True)
    assert f1.missing.tolist() == [[False, False], [False, True]]
    assert f1.reasons == Counter({"odd": 1})
    assert np.array_equal(correct.values, [[1.0, math.nan], [math.nan, math.nan]], equal_nan=True)
    assert correct.missing.tolist() == [[False, True], [False, True]]
    assert correct.reasons == Counter({"the judge failed": 2})


async def test_a_run_without_results_is_an_empty_table(runs: Runs) -> None:
    table = runs.table("r")
    assert (table.case_ids, dict(table.columns), table.trace_ids.shape) == ((), {}, (0, 1))


async def test_what_a_run_cost_is_not_known_where_one_answer_is_not(runs: Runs) -> None:
    await runs.record("r", result("a", judge_nanodollars=2))
    await runs.record("r", result("b", judge_nanodollars=None))
    assert runs.totals("r") == Totals(10, None, 3.0)
    await runs.record("r", result("c", cost_nanodollars=None))
    assert runs.totals("r").cost_nanodollars is None
    assert runs.totals("none") == Totals(0, 0, 0.0)
