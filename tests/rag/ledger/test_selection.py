"""Traces are found by what is known of them, a page at a time, by those who may see them."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import update

from rag.errors import NotFoundError
from rag.ledger.database import connect
from rag.ledger.feedback import Feedback, FeedbackFields
from rag.ledger.schema import traces as table
from rag.ledger.traces import LONGEST_SEARCH, Page, Selection, Traces
from rag.ledger.writer import Writer
from rag.trace import Channel, Origin, Outcome, Trace
from rag.types import Claim, Verdict
from rag.variant import Variant
from tests.rag.ledger.test_traces import VERSIONS, trace

FALSE = Claim(text="It flies.", start=0, end=9, verdict=Verdict.UNSUPPORTED, score=0, reason="nothing says so")


@pytest.fixture
def traces(ledger_url: str) -> Iterator[Traces]:
    engine = connect(ledger_url)
    writer = Writer(engine)
    yield Traces(engine, writer)
    writer.close()
    engine.dispose()


def keep(traces: Traces, *kept: Trace) -> None:
    for written in [traces.submit(one) for one in kept]:
        written.result()


def ids(page: Page) -> list[str]:
    return [summary.id for summary in page.summaries]


def test_a_summary_tells_a_trace_without_its_body(traces: Traces) -> None:
    origin = Origin(key="k1", experiment="tone", arm="candidate")
    kept = trace("Why " * 200, outcome=Outcome.ANSWERED, origin=origin, withheld=(FALSE,), total_ms=12.5)
    keep(traces, kept)
    Feedback(traces.engine).give(kept.id, "a", FeedbackFields(thumb="down"))
    with traces.engine.begin() as connection:
        connection.execute(update(table).values(body="not read"))
    summary = traces.page(Selection()).summaries[0]
    assert summary.question == ("Why " * 200)[:300]
    assert (summary.outcome, summary.prompt, summary.ungrounded, summary.total_ms) == (Outcome.ANSWERED, "answer@1", 1, 12.5)
    assert (summary.key, summary.experiment, summary.arm) == ("k1", "tone", "candidate")
    assert (summary.up, summary.down) == (0, 1)


@pytest.mark.parametrize(
    "wanted",
    [
        {"outcome": "failed"},
        {"variant": "other"},
        {"experiment": "tone"},
        {"experiment": "tone", "arm": "candidate"},
        {"channel": "openai"},
        {"collection": "shop"},
        {"prompt": "answer@2"},
        {"thumb": "up"},
        {"business_outcome": "escalated"},
        {"ungrounded": True},
        {"q": "KETTLE 100%"},
        {"key": "k1"},
        {"since": "2026-02-01T00:00:00Z"},
        {"since": "2026-02-01T01:00:00+01:00", "until": "2026-03-01T00:00:00"},
    ],
    ids=str,
)
def test_each_filter_finds_the_one_that_fits(traces: Traces, wanted: dict[str, object]) -> None:
    fitting = trace(
        "Is the kettle 100% steel?",
        created_at="2026-02-01T00:00:00.000+00:00",
        outcome=Outcome.FAILED,
        variant=Variant(name="other"),
        versions=VERSIONS.model_copy(update={"prompts": {"answer@2": "p", "grounding@1": "p"}}),
        origin=Origin(key="k1", experiment="tone", arm="candidate"),
        channel=Channel.OPENAI,
        collection="shop",
        claims=(FALSE,),
    )
    plain = trace("Is the kettle 100 years old?", outcome=Outcome.ANSWERED, created_at="2026-01-31T23:59:59.999+00:00")
    keep(traces, fitting, plain)
    Feedback(traces.engine).give(fitting.id, "a", FeedbackFields(thumb="up", outcome="escalated"))
    Feedback(traces.engine).give(plain.id, "a", FeedbackFields(thumb="down", outcome="resolved"))
    assert ids(traces.page(Selection.model_validate(wanted))) == [fitting.id]


def test_until_leaves_out_its_own_moment(traces: Traces) -> None:
    keep(traces, trace(created_at="2026-02-01T00:00:00.000+00:00"))
    assert ids(traces.page(Selection.model_validate({"until": "2026-02-01T00:00:00Z"}))) == []
    assert len(ids(traces.page(Selection.model_validate({"until": "2026-02-01T00:00:00.001Z"})))) == 1


def test_pages_follow_each_other_without_a_gap_or_a_repetition(traces: Traces) -> None:
    """Many begin in the same millisecond, and more come while somebody reads."""
    many = [trace(str(number), created_at=f"2026-01-01T00:00:00.00{number % 3}+00:00") for number in range(25)]
    keep(traces, *many)
    expected = [one.id for one in sorted(many, key=lambda one: (one.created_at, one.id), reverse=True)]
    read, after = [], None
    while True:
        page = traces.page(Selection(), limit=7, after=after)
        read += ids(page)
        keep(traces, trace("later", created_at="2026-01-02T00:00:00.000+00:00"))
        if (after := page.next) is None:
            break
    assert read == expected
    with pytest.raises(NotFoundError, match="begin with the first page"):
        traces.page(Selection(), after="nothing")


def test_no_page_begins_after_what_the_key_does_not_see(traces: Traces) -> None:
    mine, theirs = trace(origin=Origin(key="mine")), trace(origin=Origin(key="theirs"))
    copied = trace(origin=Origin(key="mine", shadow_of=mine.id))
    keep(traces, mine, theirs, copied)
    assert ids(traces.page(Selection(), key="mine")) == [mine.id]
    for unseen in (theirs, copied):
        with pytest.raises(NotFoundError):
            traces.page(Selection(), key="mine", after=unseen.id)


def test_a_time_without_a_zone_is_in_utc_wherever_the_server_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        try:
            since = Selection(since=datetime(2026, 1, 1, 12)).since  # noqa: DTZ001
        finally:
            elsewhere.undo()
            time.tzset()
    assert since == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_last_page_says_that_it_is_the_last(traces: Traces) -> None:
    keep(traces, trace(), trace())
    assert traces.page(Selection(), limit=2).next is None
    assert traces.page(Selection(), limit=1).next is not None


def test_a_key_sees_its_own_and_no_shadow(traces: Traces) -> None:
    own = trace(origin=Origin(key="k1"))
    shadow = trace(origin=Origin(key="k1", shadow_of=own.id), channel=Channel.SHADOW)
    other, none = trace(origin=Origin(key="k2")), trace()
    keep(traces, own, shadow, other, none)
    assert ids(traces.page(Selection(), key="k1")) == [own.id]
    assert ids(traces.page(Selection(key="k2"), key="k1")) == []
    assert len(ids(traces.page(Selection()))) == 4
    assert traces.get(own.id, key="k1") == own
    for hidden in (shadow, other, none):
        with pytest.raises(NotFoundError):
            traces.get(hidden.id, key="k1")
        with pytest.raises(NotFoundError):
            traces.require(hidden.id, key="k1")
    traces.require(own.id, key="k1")
    traces.require(other.id)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_outside_of_the_calendar_is_refused(moment: str) -> None:
    with pytest.raises(ValidationError, match="before the first year"):
        Selection.model_validate({"since": moment})


@given(words=st.text(max_size=LONGEST_SEARCH))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words_can_be_looked_for(words: str, traces: Traces) -> None:
    assert traces.page(Selection(q=words)).summaries == []


def test_feedback_is_kept_field_by_field_for_each_author(traces: Traces) -> None:
    kept = trace()
    keep(traces, kept)
    feedback = Feedback(traces.engine)
    feedback.give(kept.id, "a", FeedbackFields(thumb="up", comment="good"))
    feedback.give(kept.id, "b", FeedbackFields(score=0.5))
    entry = feedback.give(kept.id, "a", FeedbackFields(thumb="down", comment=None, outcome="resolved"))
    assert (entry.thumb, entry.comment, entry.outcome) == ("down", None, "resolved")
    assert {one.author: (one.thumb, one.score) for one in feedback.of(kept.id)} == {"a": ("down", None), "b": (None, 0.5)}
    with pytest.raises(NotFoundError):
        feedback.give("nothing", "a", FeedbackFields(thumb="up"))


@pytest.mark.anyio
async def test_first_words_of_one_author_at_the_same_time_are_all_kept(traces: Traces) -> None:
    kept = trace()
    keep(traces, kept)
    feedback = Feedback(traces.engine)
    opinions = [
        FeedbackFields(thumb="up"),
        FeedbackFields(score=1.0),
        FeedbackFields(comment="good"),
        FeedbackFields(outcome="resolved"),
    ] * 4
    await asyncio.gather(*(asyncio.to_thread(feedback.give, kept.id, "a", opinion) for opinion in opinions))
    entry = feedback.of(kept.id)[0]
    assert (entry.thumb, entry.score, entry.comment, entry.outcome) == ("up", 1.0, "good", "resolved")
