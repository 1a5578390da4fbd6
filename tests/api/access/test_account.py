"""The rules of one account: a bucket that refills, places, a budget a day, and how long a refusal lasts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access.account import Account, day_of
from api.access.keys import Key
from rag.errors import GroundwireError

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()


def key(per_minute: int | None = None, concurrent: int | None = None, budget: int | None = None) -> Key:
    return Key(id="k", name="website", per_minute=per_minute, concurrent=concurrent, daily_nanodollars=budget, created_at="")


def account() -> Account:
    opened = Account("k", "", 0, 0.0, 0.0)
    opened.begin(day_of(NOON))
    return opened


def admitted(account: Account, key: Key, now: float, ceiling: int = 0) -> bool:
    if account.refusal(key, ceiling, now):
        return False
    account.admit(key, ceiling, now)
    return True


@pytest.mark.parametrize(("per_minute", "burst"), [(1, 1), (6, 1), (60, 10), (600, 100)])
def test_a_key_that_rested_may_send_what_ten_seconds_allow_and_at_least_one(per_minute: int, burst: int) -> None:
    opened, limited = account(), key(per_minute)
    assert sum(admitted(opened, limited, NOON) for _ in range(1000)) == burst


def test_the_bucket_refills_continuously_and_the_refusal_says_when() -> None:
    opened, limited = account(), key(per_minute=30)
    while admitted(opened, limited, NOON):
        pass
    refusal = opened.refusal(limited, 0, NOON + 0.5)
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(1.5)
    assert str(refusal) == "the key website may send 30 requests a minute: ask again in 2 seconds"
    assert not admitted(opened, limited, NOON + 1.99)
    assert admitted(opened, limited, NOON + 2.0001)
    assert not admitted(opened, limited, NOON + 2.0001)


@given(st.integers(1, 600), st.lists(st.floats(0, 3), max_size=80))
def test_in_no_stretch_of_time_are_more_admitted_than_burst_and_rate_allow(per_minute: int, pauses: list[float]) -> None:
    opened, limited, now, times = account(), key(per_minute), NOON, []
    for pause in pauses:
        now += pause
        if admitted(opened, limited, now):
            times.append(now)
    burst = max(1.0, per_minute / 6)
    for first, began in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + (times[last] - began) * per_minute / 60 + 1e-3


def test_a_clock_that_goes_back_neither_gives_nor_takes_tokens() -> None:
    opened, limited = account(), key(per_minute=60)
    while admitted(opened, limited, NOON):
        pass
    refusal = opened.refusal(limited, 0, NOON - 3600)
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(1)
    assert admitted(opened, limited, NOON + 1.001)
    assert not admitted(opened, limited, NOON + 1.001)


def test_a_token_that_is_given_back_can_be_taken_again_and_fills_no_bucket_over() -> None:
    opened, limited = account(), key(per_minute=60)
    while admitted(opened, limited, NOON):
        pass
    opened.give_back()
    assert admitted(opened, limited, NOON)
    assert not admitted(opened, limited, NOON)
    opened.give_back()
    assert sum(admitted(opened, limited, NOON + 3600) for _ in range(20)) == 10


def test_one_request_is_told_as_one() -> None:
    opened, limited = account(), key(per_minute=1)
    assert admitted(opened, limited, NOON)
    refusal = opened.refusal(limited, 0, NOON + 59.5)
    assert str(refusal) == "the key website may send 1 request a minute: ask again in 1 second"


def test_places_are_refused_for_a_moment() -> None:
    opened, limited = account(), key(concurrent=2)
    assert admitted(opened, limited, NOON)
    assert admitted(opened, limited, NOON)
    refusal = opened.refusal(limited, 0, NOON)
    assert refusal is not None
    assert refusal.retry_after == 1.0
    opened.hold(opened.day, -1, 0)
    assert admitted(opened, limited, NOON)


def test_a_budget_counts_what_is_reserved_and_says_which_wait_helps() -> None:
    opened, limited = account(), key(budget=1_000_000_000)
    assert admitted(opened, limited, NOON, 600_000_000)
    held = opened.refusal(limited, 600_000_000, NOON)
    assert held is not None
    assert held.retry_after == 1.0
    assert held.problem == "this request may cost $0.60, and the key website has $0.40 left of $1.00 a day"
    assert held.mend == "wait for its requests under way to end"
    opened.hold(opened.day, -1, -600_000_000)
    opened.charge(opened.day, 600_000_000)
    spent = opened.refusal(limited, 600_000_000, NOON)
    assert spent is not None
    assert spent.retry_after == 12 * 3600
    assert spent.mend == "ask again after midnight UTC"
    assert admitted(opened, limited, NOON, 400_000_000)
    assert not admitted(opened, limited, NOON, 1)


def test_of_all_reasons_the_one_that_lasts_longest_is_told() -> None:
    opened, limited = account(), key(per_minute=1, concurrent=1, budget=10)
    assert admitted(opened, limited, NOON, 10)
    refusal = opened.refusal(limited, 1, NOON)
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(60)
    opened.charge(opened.day, 10)
    refusal = opened.refusal(limited, 1, NOON)
    assert isinstance(refusal, GroundwireError)
    assert refusal.retry_after == 12 * 3600


def test_another_day_has_another_budget_and_yesterdays_costs_are_yesterdays() -> None:
    opened, limited = account(), key(budget=10)
    today, tomorrow = opened.day, day_of(NOON + 86_400)
    assert admitted(opened, limited, NOON, 10)
    opened.charge(today, 10)
    opened.reserved = 0
    opened.begin(tomorrow)
    opened.charge(today, 10)
    assert opened.spent == 0
    assert admitted(opened, limited, NOON + 86_400, 10)
    opened.begin(today)
    assert opened.day == tomorrow


def test_a_clock_that_was_far_ahead_once_shuts_no_key_out() -> None:
    limited, ahead = key(per_minute=60, budget=10), NOON + 40 * 86_400
    opened = account()
    opened.begin(day_of(ahead))
    while admitted(opened, limited, ahead, 1):
        pass
    opened.correct(NOON)
    assert opened.day == day_of(NOON)
    assert not admitted(opened, limited, NOON, 1)
    opened.begin(day_of(NOON + 86_400))
    assert (opened.day, opened.spent) == (day_of(NOON + 86_400), 0)
    opened.hold(opened.day, -opened.requests, -opened.reserved)
    assert admitted(opened, limited, NOON + 86_400, 1)


def test_clocks_that_differ_by_seconds_earn_a_key_nothing() -> None:
    opened, limited = account(), key(per_minute=60)
    while admitted(opened, limited, NOON + 5):
        pass
    for now in (NOON, NOON + 5) * 5:
        opened.correct(now)
        assert not admitted(opened, limited, now)
