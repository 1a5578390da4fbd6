"""The first request of each user in each arm, for guardrails that count users.

Knows users and the ids of requests. Knows nothing of what is measured.
"""

from collections.abc import Sequence

from api.rollouts.requests import Request
from api.rollouts.state import Arm


class FirstRequests:
    """Tells first requests from later ones.

    A user may come back at any time, so that every user's name is kept. The ids of first requests are kept only until all
    guardrails have looked at them.
    """

    def __init__(self) -> None:
        self._users: dict[Arm, set[str]] = {arm: set() for arm in Arm}
        """Users whose first request all guardrails have looked at."""
        self._ids: dict[tuple[Arm, str], str] = {}
        """The other users, each with the id of the first request."""
        self._last = ""

    def later(self, requests: Sequence[Request]) -> set[str]:
        """The ids of the requests whose user has asked the same arm before; `requests` in the order of their ids."""
        return {
            request.id
            for request in requests
            if request.unit is not None
            and (
                request.unit in self._users[request.arm]
                or self._ids.setdefault((request.arm, request.unit), request.id) != request.id
            )
        }

    def forget_ids(self, last: str) -> None:
        """Drop the ids up to `last`: all guardrails have looked at these requests."""
        if last == self._last:
            return
        for (arm, user), id in self._ids.items():
            if id <= last:
                self._users[arm].add(user)
        self._ids = {key: id for key, id in self._ids.items() if id > last}
        self._last = last
