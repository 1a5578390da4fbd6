"""Open, half open, closed."""

import pytest

from rag.llms.breaker import Breaker


def test_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(failures=2, seconds=60)
    for outcome in (breaker.failed, breaker.succeeded, breaker.failed):
        assert breaker.admits()
        outcome()
    assert breaker.admits()
    breaker.failed()
    assert not breaker.admits()


@pytest.mark.parametrize(("outcome", "admitted"), [("succeeded", True), ("failed", False), ("abandoned", True)])
def test_one_probe_decides(outcome: str, admitted: bool) -> None:
    now = 100.0
    breaker = Breaker(failures=1, seconds=30, clock=lambda: now)
    breaker.failed()
    now += 29
    assert not breaker.admits()
    now += 1
    assert breaker.admits()
    assert not breaker.admits(), "only one probe at a time"
    getattr(breaker, outcome)()
    assert breaker.admits() is admitted
