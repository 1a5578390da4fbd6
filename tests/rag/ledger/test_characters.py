"""Whatever people and files contain is kept, found and ordered alike on every database."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select

from rag.ledger.corpus import Change, Collection, Corpus, Quarantined
from rag.ledger.database import opened
from rag.ledger.feedback import Feedback, FeedbackFields
from rag.ledger.schema import results
from rag.ledger.schema import traces as table
from rag.ledger.traces import Selection, Traces
from rag.ledger.writer import Writer
from rag.trace import Origin
from rag.types import Chunk, Document, Message
from tests.rag.ledger.test_traces import trace

NASTY = "nul \0 quote ' \" back \\ percent % under _ colon :x dollar $1 %s {} \u2028 \U0001f600 \ufffe e\u0301"


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    with opened(ledger_url) as engine:
        yield engine


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    opened = Writer(engine)
    yield opened
    opened.close()


def document(id: str, text: str = "Words.", **metadata: str) -> tuple[Document, list[Chunk]]:
    whole = Document(id=id, source=id, title=id, text=text, media_type="m", language="en", metadata=metadata, sha256="x")
    ends = range(0, len(text), 5)
    situated = {"document_id": id, "source": id, "title": id, "tokens": 1, "language": "en", "metadata": metadata}
    pieces = [
        Chunk.model_validate({**situated, "id": str(at), "start": at, "end": at + 5, "text": text[at : at + 5]}) for at in ends
    ]
    return whole, pieces


def fill(engine: Engine, *documents: tuple[Document, list[Chunk]], quarantined: str = "") -> Corpus:
    corpus = Corpus(engine)
    flaws = [Quarantined("s", "r", quarantined)]
    after = Collection("c", "hash", "g")
    corpus.replace(None, after, Change(documents, read={id.id: "x" for id, _ in documents}, quarantined=flaws))
    return corpus


def test_a_trace_of_odd_text_is_kept_and_found_by_it(engine: Engine, writer: Writer) -> None:
    log = Traces(engine, writer)
    odd = trace(NASTY, history=(Message(role="user", content=NASTY),), answer=NASTY, origin=Origin(unit="u"))
    log.submit(odd).result(30)
    log.submit(trace("nothing of that")).result(30)
    assert log.get(odd.id) == odd
    for words in ("nul", "\0", "%", "_", "\\", "'", "%s", "NUL QUOTE", "\U0001f600", "e\u0301", "nul \0"):
        found = [summary.id for summary in log.page(Selection(q=words)).summaries]
        assert found == [odd.id], words
    assert log.page(Selection(q="n%l")).summaries == []
    assert log.page(Selection(variant="\0")).summaries == []


def test_names_longer_than_their_columns_cost_no_trace(engine: Engine, writer: Writer) -> None:
    log = Traces(engine, writer)
    long = trace(variant=trace().variant.model_copy(update={"name": "v" * 200}))
    log.submit(long).result(30)
    assert log.get(long.id) == long
    with engine.connect() as connection:
        assert connection.execute(select(table.c.variant)).scalar() == "v" * 64


def test_very_long_text_is_kept(engine: Engine, writer: Writer) -> None:
    log = Traces(engine, writer)
    long = trace("why " * 500_000, answer="because " * 500_000)
    log.submit(long).result(30)
    assert log.get(long.id) == long
    assert len(log.page(Selection(q="why")).summaries[0].question) == 300


def test_what_people_say_and_what_cases_are_called(engine: Engine, writer: Writer) -> None:
    said = trace()
    Traces(engine, writer).submit(said).result(30)
    entry = Feedback(engine).give(said.id, "a", FeedbackFields(comment=NASTY + "\ud800", outcome="ok"))
    assert entry.comment == NASTY.replace("\0", "\ufffd") + "\ufffd"
    for _ in range(2):
        writer.submit(results, {"run_id": "r", "case_id": NASTY, "repeat": 0, "trace_id": "t", "body": NASTY}).result(30)
    with engine.connect() as connection:
        (case,) = connection.execute(select(results.c.case_id)).scalars()
    assert case.replace("\0", "\ufffd") == NASTY.replace("\0", "\ufffd")


def test_documents_of_odd_text_give_their_chunks_back(engine: Engine) -> None:
    text = NASTY.replace("\0", "\ufffd")
    odd, pieces = document("a", text, note="half \ud800 nul \0 %s", other=text)
    corpus = fill(engine, (odd, pieces), quarantined=NASTY)
    found = list(corpus.chunks("c"))
    assert [chunk.text for chunk in found] == [piece.text for piece in pieces]
    assert json.dumps(dict(found[0].metadata)) == json.dumps(dict(odd.metadata))
    assert corpus.quarantined("c")[0].detail.replace("\0", "\ufffd") == NASTY.replace("\0", "\ufffd")


def test_chunks_come_in_the_order_python_gives_their_documents(engine: Engine) -> None:
    names = [
        "b",
        "a-b",
        "ab",
        "a b",
        "B",
        "_",
        "\xe4",
        "Z",
        "\U0001f600",
        "\ufb01",
        "a/1",
        "a/10",
        "a/2",
        "A",
        "~",
        "\xe9",
        "e\u0301",
    ]
    corpus = fill(engine, *(document(name) for name in names))
    found = [chunk.document_id for chunk in corpus.chunks("c")]
    assert found == sorted(found)
    assert list(dict.fromkeys(found)) == sorted(names)
