"""The overview's sums: who is counted, in which slot, and without reading a body."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, event, insert, text

from api.pages.overview import WINDOWS, Overview, overview, uses
from api.rollouts.measures import hallucination
from api.rollouts.requests import first_id, read
from rag.ledger.database import connect
from rag.ledger.schema import feedback, traces

NOW = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    engine = connect(ledger_url)
    yield engine
    engine.dispose()


def add(engine: Engine, minutes_ago: float, **columns: Any) -> str:
    with engine.begin() as connection:
        id = f"id-{connection.execute(text('SELECT count(*) FROM traces')).scalar_one():04d}"
        row = {
            "id": id,
            "created_at": ago(minutes_ago),
            "owner": "here:1:x",
            "outcome": "answered",
            "channel": "chat",
            "collection": "shop",
            "variant": "default",
            "variant_sha256": "0" * 64,
            "model": "m",
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "cost_nanodollars": 7,
            "first_token_ms": 50.0,
            "held_ms": None,
            "total_ms": 100.0,
            "body": "no JSON: nobody may read it",
            "prompt": "answer@2",
            "ungrounded": 0,
        }
        connection.execute(insert(traces), row | columns)
    return id


def ago(minutes: float) -> str:
    return (NOW - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def last(engine: Engine, window: str = "hour", key: str | None = None) -> Overview:
    return overview(engine, WINDOWS[window], key=key, now=NOW)


def test_nothing_asked_is_nothing_counted(engine: Engine) -> None:
    found = last(engine)
    assert (found.requests, found.rate, found.total.p50, found.variants) == (0, None, None, [])
    assert len(found.slots) == 30


def test_requests_of_the_window_are_counted_by_how_they_ended(engine: Engine) -> None:
    for minutes, outcome in ((1, "answered"), (2, "answered"), (3, "failed"), (4, None), (61, "answered"), (-1, "answered")):
        add(engine, minutes, outcome=outcome)
    found = last(engine)
    assert found.outcomes == {"answered": 2, "failed": 1, "running": 1}
    assert sum(sum(slot.outcomes.values()) for slot in found.slots) == 4
    assert last(engine, "day").requests == 5


def test_a_slot_has_what_began_in_it(engine: Engine) -> None:
    add(engine, 0.25)
    add(engine, 2.4, outcome="refused")
    add(engine, 2.6, outcome="refused")
    newest, before, earlier = reversed(last(engine).slots[-3:])
    assert newest.begins == NOW.replace(second=0)
    assert [slot.outcomes["answered"] + slot.outcomes["refused"] for slot in (newest, before, earlier)] == [1, 1, 1]


def test_quantiles_are_of_values_that_were_there(engine: Engine) -> None:
    for n in range(1, 101):
        add(engine, 1, total_ms=float(n), first_token_ms=None)
    found = last(engine)
    assert found.total == (50.0, 95.0, 99.0, 100)
    assert found.first_text.p50 is None
    assert not found.known("first_text")
    assert found.slots[-2].total == found.total


def test_a_rate_over_time_is_of_enough_answers_that_one_does_not_decide_it(engine: Engine) -> None:
    for minutes, judged, ungrounded in ((51, 1, 1), (43, 3, 0), (41, 1, 0), (31, 20, 5), (3, 2, 2)):
        for number in range(judged):
            add(engine, minutes, ungrounded=int(number < ungrounded))
    rates = last(engine).rates()
    told = [(slot, rate.ungrounded, rate.judged) for slot, rate in enumerate(rates) if rate]
    assert told == [*((slot, 1, 5) for slot in range(3, 9)), *((slot, 7, 22) for slot in range(13, 28))]
    assert {rate.value for rate in rates if rate} == {0.2, 7 / 22}


ENDS = (
    *((0, "answered"), (2, "answered"), (None, "answered"), (3, "refused"), (0, "refused"), (1, "refused")),
    *((1, "failed"), (1, "timed_out"), (1, "disconnected"), (0, None)),
)
"""Claims that were not grounded, and the outcome."""


def test_the_hallucination_rate_is_of_answers_and_refusals_that_were_judged(engine: Engine) -> None:
    for ungrounded, outcome in ENDS:
        add(engine, 1, ungrounded=ungrounded, outcome=outcome)
    add(engine, 1, ungrounded=5, channel="shadow")
    found = last(engine)
    assert (found.sum("ungrounded"), found.sum("judged"), found.rate) == (3, 5, 0.6)
    (variant,), (prompt,) = found.variants, found.prompts
    assert (variant.ungrounded, variant.judged, variant.rate) == (prompt.ungrounded, prompt.judged, prompt.rate) == (3, 5, 0.6)


def test_an_experiment_and_the_pages_tell_the_same_rate(engine: Engine) -> None:
    for number, (ungrounded, outcome) in enumerate((*ENDS, (1, "refused"))):
        if ungrounded is not None:
            id = f"{first_id(ago(1))}-7000-8000-{number:012d}"
            add(engine, 1, id=id, ungrounded=ungrounded, outcome=outcome, experiment="trial", arm="candidate")
    requests = [request for portion in read(engine, "trial", "", NOW.timestamp()) for request in portion]
    measured = [value for value in (hallucination(request, 0) for request in requests) if value is not None]
    assert np.nanmean(measured) == last(engine).rate == last(engine).variants[0].rate == 4 / 6


def test_copies_are_counted_apart_and_evaluations_not_at_all(engine: Engine) -> None:
    add(engine, 1, cost_nanodollars=1_000)
    add(engine, 1, cost_nanodollars=None)
    add(engine, 1, channel="shadow", cost_nanodollars=500)
    add(engine, 1, channel="evals", cost_nanodollars=9_000)
    add(engine, 1, channel="ask", cost_nanodollars=9_000)
    found = last(engine)
    (use,) = found.variants
    assert (found.requests, found.sum("nanodollars")) == (2, 1_000)
    assert (use.requests, use.nanodollars, use.unpriced, use.each) == (2, 1_000, 1, 1_000)
    assert (use.shadows, use.shadow_nanodollars, use.prompt_tokens) == (1, 500, 200)


def test_use_is_told_by_prompt_the_most_used_first(engine: Engine) -> None:
    for prompt, cost in (("answer@1", 1), ("answer@2", 2), ("answer@2", 4), (None, 8)):
        add(engine, 1, prompt=prompt, cost_nanodollars=cost)
    found = uses(engine, "prompt", ago(60))
    assert [(use.name, use.nanodollars) for use in found] == [("answer@2", 6), ("answer@1", 1), ("unknown", 8)]


def test_a_key_is_told_of_itself_alone(engine: Engine) -> None:
    for key in ("mine", "mine", "other"):
        id = add(engine, 1, key_id=key)
        thumb(engine, id, "up")
    add(engine, 1, key_id="mine", channel="shadow")
    found = last(engine, key="mine")
    assert (found.requests, found.sum("up"), found.variants[0].requests, found.variants[0].shadows) == (2, 2, 2, 0)
    assert (last(engine).requests, last(engine).sum("up")) == (3, 3)


def thumb(engine: Engine, id: str, way: str | None, minutes_ago: float = 1, author: str = "a") -> None:
    give(engine, id, author=author, created_at=ago(minutes_ago), thumb=way)


def give(engine: Engine, id: str, **said: Any) -> None:
    with engine.begin() as connection:
        connection.execute(insert(feedback), {"trace_id": id, "author": "a", "created_at": ago(1)} | said)


def test_thumbs_count_when_they_are_given(engine: Engine) -> None:
    id = add(engine, 600)
    thumb(engine, id, "up", 3)
    thumb(engine, id, "down", 0.1, "b")
    thumb(engine, id, None, 0.1, "c")
    thumb(engine, id, "up", 61, "d")
    found = last(engine)
    assert (found.sum("up"), found.sum("down"), found.slots[-1].down) == (1, 1, 1)


def test_what_became_of_the_readers_business_is_counted(engine: Engine) -> None:
    said = [("resolved", 1.0), ("escalated", None), ("resolved", None), (None, 0.5), (None, None)]
    for number, (outcome, score) in enumerate(said):
        give(engine, add(engine, 1, key_id="mine"), outcome=outcome, score=score, author=str(number))
    give(engine, add(engine, 1), outcome="escalated", created_at=ago(61))
    give(engine, add(engine, 1, key_id="other"), outcome="resolved", score=0.0)
    found = last(engine)
    assert [*found.business_outcomes.items()] == [("resolved", 3), ("escalated", 1)]
    assert (found.score, found.sum("up"), found.sum("down")) == (0.5, 0, 0)
    mine = last(engine, key="mine")
    assert (mine.business_outcomes, mine.score) == ({"resolved": 2, "escalated": 1}, 0.75)


def test_no_statement_reads_the_bodies(engine: Engine) -> None:
    """The index has all that is read: the rows, which hold the bodies, are left alone."""
    plans: list[str] = []
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"

    def explained(_connection: Any, cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT") and "traces" in statement:
            cursor.connection.execute("SET enable_seqscan = off") if explain == "EXPLAIN" else None
            plans.extend(row[-1] for row in cursor.connection.execute(f"{explain} {statement}", parameters))

    event.listen(engine, "before_cursor_execute", explained)
    last(engine, "week")
    reading = [plan for plan in plans if re.search("(SCAN|SEARCH|Scan.* on) traces", plan)]
    assert len(reading) >= 3
    assert all(re.search("USING COVERING INDEX traces_by_time|Index Only Scan", plan) for plan in reading)
