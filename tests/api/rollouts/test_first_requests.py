"""First requests: of each user in each arm one, whatever is forgotten meanwhile."""

from collections.abc import Sequence

from api.rollouts.first_requests import FirstRequests
from api.rollouts.requests import Request
from api.rollouts.state import Arm
from rag.trace import Outcome
from tests.api.rollouts.traffic import START


def requests(first: int, *units: tuple[str, str | None]) -> Sequence[Request]:
    """Of an arm and a user each, with ids from `first` on."""
    return [
        Request(f"{number:04d}", START, Arm(arm), Outcome.ANSWERED, 0, 1e3, 1, unit, None)
        for number, (arm, unit) in enumerate(units, first)
    ]


def test_later_requests_are_found_per_user_and_arm() -> None:
    found = FirstRequests()
    portion = requests(1, ("control", "ann"), ("candidate", "ann"), ("control", "bob"), ("control", "ann"), ("control", None))
    assert found.later(portion) == {"0004"}
    assert found.later(portion) == {"0004"}, "a first request stays one when it is seen again"
    assert found.later(requests(6, ("control", None), ("candidate", "ann"))) == {"0007"}


def test_a_user_stays_known_when_ids_are_forgotten() -> None:
    found = FirstRequests()
    found.later(requests(1, ("control", "ann"), ("control", "bob")))
    found.forget_ids("0001")
    assert found.later(requests(2, ("control", "bob"), ("control", "ann"), ("candidate", "ann"))) == {"0003"}
