import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.echo import Echo
from rag.types import Message

FENCE = "07d9accc3e4bcfc9"
PROMPT = [
    Message(
        role="user", content=f'<passage-{FENCE} number="1" title="Parking">\nParking is free.\n</passage-{FENCE}>\nIs it free?'
    )
]


def bare(*pieces: str, fence: str = FENCE) -> str:
    echo = Echo(PROMPT, fence)
    return "".join([*(echo.passed(piece) for piece in pieces), echo.rest()])


@pytest.mark.parametrize(
    ("draft", "said"),
    [
        (f'<passage-{FENCE} number="1" title="Parking">\nParking is free.\n</passage-{FENCE}>', "Parking is free.\n"),
        (f"The documents do not tell. </passage-{FENCE}>\nNext.", "The documents do not tell. \nNext."),
        (f"The passage-{FENCE} says so.", "The  says so."),
        (f"It is free. <passage-{FENCE} number=", "It is free. "),
        ("It is free. </pass", "It is free. "),
        ("If a < b and p > q, <br> it is a pass", "If a < b and p > q, <br> it is a pass"),
    ],
)
def test_fences_are_taken_out_however_they_arrive(draft: str, said: str) -> None:
    assert bare(draft) == bare(*draft) == said


@given(st.text(alphabet="<>/ pas-07d", max_size=40), st.integers(1, 5))
def test_what_is_no_fence_stays(text: str, size: int) -> None:
    begun = text.rfind("<")
    expected = text[:begun] if 0 <= begun < len(text) - 1 and f"</passage-{FENCE}".startswith(text[begun:]) else text
    expected = text[:begun] if 0 <= begun < len(text) - 1 and f"<passage-{FENCE}".startswith(text[begun:]) else expected
    assert bare(*(text[start : start + size] for start in range(0, len(text), size))) == expected


def test_the_draft_stops_where_a_passage_would_end() -> None:
    assert Echo(PROMPT, FENCE).stops == (f"</passage-{FENCE}",)
    assert Echo(PROMPT, "").stops == ()
    assert bare(f"<passage-{FENCE}>", fence="") == f"<passage-{FENCE}>"


@pytest.mark.timeout(20)
def test_a_message_that_is_one_long_word_takes_no_time() -> None:
    """From within the word, each of its characters would be a beginning: 300,000 of them took minutes."""
    echo = Echo([*PROMPT, Message(role="user", content="9" * 300_000 + " a-" * 100_000)], FENCE)
    assert echo.stops == (f"</passage-{FENCE}>"[:-1],)
