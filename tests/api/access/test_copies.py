"""What shadow copies may cost: as much as the key itself may spend in a day, and not more."""

import pytest

from api.access.copies import Copies
from api.access.keys import Key
from api.problem import BusyError

NOON = 1_750_000_000.0


def key(budget: int | None) -> Key:
    return Key(id="k", name="website", daily_nanodollars=budget, created_at="")


def test_copies_cost_no_more_than_the_budget_until_the_next_day() -> None:
    now = [NOON]
    copies = Copies(lambda: now[0])
    with copies.admitted(key(10), 6) as settle:
        with pytest.raises(BusyError), copies.admitted(key(10), 6):
            pass
        settle(2)
    with copies.admitted(key(10), 6) as settle:
        settle(None)
    with pytest.raises(BusyError), copies.admitted(key(10), 6):
        pass
    now[0] += 86_400
    with copies.admitted(key(10), 10):
        pass


def test_a_price_that_is_not_known_is_too_much_for_a_budget() -> None:
    with pytest.raises(BusyError), Copies().admitted(key(10), None):
        pass


@pytest.mark.parametrize("who", [None, key(None)])
def test_without_a_budget_nothing_is_counted(who: Key | None) -> None:
    copies = Copies()
    for _ in range(3):
        with copies.admitted(who, None) as settle:
            settle(10**12)
