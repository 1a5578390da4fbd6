"""What the shadow copies of a key's requests may cost: in each process, as much a day as the key itself may spend.

Knows keys with a budget, whose accounts the copies do not charge. Knows nothing of how a copy is answered.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from api.access.account import day_of
from api.access.keys import Key
from api.problem import BusyError

Settle = Callable[[int | None], None]


class Copies:
    """Belongs to one event loop. `clock` tells seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._day = ""
        self._spent: Counter[str] = Counter()

    @contextmanager
    def admitted(self, key: Key | None, ceiling: int | None) -> Iterator[Settle]:
        """Hold `ceiling` nano-dollars for a copy; what is yielded takes what it cost, null where that is not known.

        Raises `BusyError` where that is more than is left for the copies of this key today, or is not known.
        """
        if key is None or key.daily_nanodollars is None:
            yield lambda _: None
            return
        today = day_of(self._clock())
        if today != self._day:
            self._day, self._spent = today, Counter()
        if ceiling is None or self._spent[key.id] + ceiling > key.daily_nanodollars:
            raise BusyError("the copies of this key's requests may cost no more today", "", retry_after=0, reason="shadow")
        self._spent[key.id] += ceiling

        def settle(cost: int | None) -> None:
            if cost is not None and today == self._day:
                self._spent[key.id] += cost - ceiling

        yield settle
