"""Quotes that can be checked, or an honest refusal."""

import pytest

from rag.llms.base import REFUSAL, Request, Usage
from rag.llms.extractive import Extractive, quotations
from rag.types import Passage
from tests.rag.llms.conftest import drained

PORTS = "# Serving\n\nThe server listens on port 8000. Which port is right for you?\nLogs go to the journal."
KEYS = "An API key is shown once. Keep the key in a vault.\n\n- Rotating a key\n  takes effect within one minute."


def passages(*texts: str) -> tuple[Passage, ...]:
    return tuple(
        Passage(number=n, chunk_id=f"{n}", document_id="d", source="s", title="t", text=text, start=0, end=len(text), score=1)
        for n, text in enumerate(texts, 1)
    )


async def answer(question: str, *texts: str) -> str:
    request = Request(model="local/extractive", messages=(), question=question, passages=passages(*texts))
    text, completion = await drained(Extractive().stream(request))
    assert completion.usage == Usage()
    assert completion.cost_nanodollars == 0
    return text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Which port does the server listen on?", '"The server listens on port 8000." [1]'),
        ("When does rotating a key take effect?", '"- Rotating a key takes effect within one minute." [2]'),
        ("Where do logs go, and what goes in a vault?", '"Logs go to the journal." [1] "Keep the key in a vault." [2]'),
        ("Quel temps fera-t-il?", REFUSAL),
    ],
)
async def test_quotes_what_answers(question: str, expected: str) -> None:
    assert await answer(question, PORTS, KEYS) == expected


@pytest.mark.anyio
async def test_without_passages_it_refuses() -> None:
    assert await answer("Which port?") == REFUSAL


def test_quotes_are_spans_of_the_passage_they_name() -> None:
    given = passages(PORTS, KEYS)
    found = quotations("Which key goes to the journal, and which port to the vault?", given)
    assert 1 < len(found) <= 3
    for quote in found:
        assert given[quote.passage - 1].text[quote.start : quote.end] == quote.quote


def test_other_languages() -> None:
    [quote] = quotations(
        "Auf welchem Port lauscht der Server?", passages("Der Server lauscht auf Port 8000. Das Protokoll steht im Journal.")
    )
    assert quote.quote == "Der Server lauscht auf Port 8000."
    [quote] = quotations("服务器监听哪个端口?", passages("日志写入文件。服务器监听端口八千。"))
    assert quote.quote == "服务器监听端口八千。"
