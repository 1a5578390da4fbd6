"""What every store must do, whichever engine it has."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag.embedders.hashing import HashingEmbedder
from rag.errors import GroundwireError
from rag.fusion import Fusion
from rag.relevance import Relevance
from rag.stores import open_store
from rag.stores.base import Generation, Index, Learnt, Store
from rag.types import Chunk, Metadata

EMBEDDER = HashingEmbedder()
TEXTS = (
    "The pump starts when the tank is full.",
    "Der Behälter wird mit Wasser gefüllt.",
    "黑豹队的防守只丢了 308分，在联赛中排名第六。",
    "Насос запускается автоматически.",
    "The valve closes when the pump stops; the pump then cools.",
    "Émile's café 🦊 opens at nine.",
)
LANGUAGES = ("en", "de", "zh", "ru", "en", "en")


def chunk(position: int, text: str, language: str = "en", metadata: Metadata | None = None) -> Chunk:
    return Chunk(
        id=f"{position:032x}",
        document_id=f"document-{position // 2}",
        source="guide.md",
        title="",
        text=text,
        start=0,
        end=len(text),
        tokens=len(text.split()) + 2,
        language=language,
        metadata=metadata or {},
    )


def nothing(_: Index) -> Learnt:
    return Learnt()


def build(
    store: Store,
    chunks: Sequence[Chunk],
    collection: str = "guide",
    learn: Callable[[Index], Learnt] = nothing,
    block: int = 4,
) -> Generation:
    blocks = (EMBEDDER.embed([each.embedded for each in chunks[start : start + block]]) for start in range(0, len(chunks), block))
    return store.build(collection, EMBEDDER.identity, iter(chunks), blocks, learn)


def dense(index: Index, question: str, k: int = 3, **where: object) -> list[int]:
    return [hit.position for hit in index.dense(EMBEDDER.embed([question])[0], k, where)]  # type: ignore[arg-type]


def lexical(index: Index, question: str, k: int = 3, **where: object) -> list[int]:
    return [hit.position for hit in index.lexical(question, k, where)]  # type: ignore[arg-type]


@pytest.fixture(params=["faiss"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return {"faiss": lambda: open_store(tmp_path / "index")}[request.param]()


@pytest.fixture
def guide() -> list[Chunk]:
    years = (2019, 2020, 2020, 2021, 2021, 2021)
    return [
        chunk(position, text, language, {"year": year, "draft": position % 2 == 1, "lang": language})
        for position, (text, language, year) in enumerate(zip(TEXTS, LANGUAGES, years, strict=True))
    ]


@pytest.fixture
def index(store: Store, guide: list[Chunk]) -> Iterator[Index]:
    index = store.open("guide", build(store, guide).id)
    yield index
    index.close()


def test_a_generation_says_what_it_holds(store: Store, guide: list[Chunk]) -> None:
    generation = build(store, guide)
    assert (generation.collection, generation.embedder) == ("guide", EMBEDDER.identity)
    assert (generation.chunks, generation.documents, generation.dimensions) == (6, 3, 256)
    assert generation.languages[0] == "en"
    assert set(generation.languages) == {"en", "de", "zh", "ru"}
    assert list(store.generations("guide")) == [generation]
    assert store.open("guide", generation.id).generation == generation


@pytest.mark.parametrize("position", range(len(TEXTS)))
def test_each_text_is_found_by_itself_on_both_legs(index: Index, position: int) -> None:
    assert dense(index, TEXTS[position], 1) == [position]
    assert lexical(index, TEXTS[position], 1) == [position]


def test_scores_are_cosines_and_fall(index: Index) -> None:
    hits = index.dense(EMBEDDER.embed([TEXTS[0]])[0], 6, {})
    assert hits[0].score == pytest.approx(1, abs=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.position for hit in hits}) == 6


@pytest.mark.parametrize(
    ("question", "found"),
    [("pumps starting", 0), ("GEFÜLLTER Behälter", 1), ("防守", 2), ("насосы", 3), ("cafe", 5), ("🦊", None)],
)
def test_lexical_search_knows_each_language(index: Index, question: str, found: int | None) -> None:
    assert lexical(index, question, 1) == ([] if found is None else [found])


def test_lexical_search_returns_only_what_shares_a_term(index: Index) -> None:
    assert sorted(lexical(index, "pump", 6)) == [0, 4]
    assert lexical(index, "zeppelin", 6) == []
    assert lexical(index, "", 6) == []


@pytest.mark.parametrize(
    "question", ['"', "pump AND (", "terms:pump", "-pump", "pump^9", "pump\x00", "*", "/.*/", "\\", "\ud83d"]
)
def test_a_question_is_never_syntax(index: Index, question: str) -> None:
    assert set(lexical(index, question, 6)) <= {0, 4}


def test_chunks_come_back_whole_in_the_order_asked(index: Index, guide: list[Chunk]) -> None:
    assert index.chunks([4, 2, 4]) == [guide[4], guide[2], guide[4]]
    assert index.chunks([]) == []


@pytest.mark.parametrize(
    ("where", "matching"),
    [
        ({}, {0, 1, 2, 3, 4, 5}),
        ({"year": 2021}, {3, 4, 5}),
        ({"year": 2021.0}, {3, 4, 5}),
        ({"year": "2021"}, set()),
        ({"year": [2019, 2020]}, {0, 1, 2}),
        ({"year": []}, set()),
        ({"year": 2021, "draft": False}, {4}),
        ({"draft": True}, {1, 3, 5}),
        ({"draft": 1}, set()),
        ({"year": 1999}, set()),
        ({"nobody": "has this"}, set()),
    ],
)
def test_a_filter_leaves_the_same_chunks_to_both_legs(index: Index, where: dict[str, object], matching: set[int]) -> None:
    assert set(dense(index, "pump", 10, **where)) == matching
    question = " ".join(TEXTS)
    assert set(lexical(index, question, 10, **where)) == matching


def test_a_filter_does_not_change_scores(index: Index) -> None:
    unfiltered = {hit.position: hit.score for hit in index.lexical("the pump", 6, {})}
    assert {hit.position: hit.score for hit in index.lexical("the pump", 6, {"year": 2021})} == {4: unfiltered[4]}


@pytest.mark.parametrize("k", [0, 1, 6, 7, 1000])
def test_k_may_be_anything(index: Index, k: int) -> None:
    assert len(dense(index, "pump", k)) == min(k, 6)
    assert len(lexical(index, "pump", k)) == min(k, 2)


@pytest.mark.parametrize("k", [1, 3, 7, 20, 30])
def test_ties_go_to_the_lowest_position(store: Store, k: int) -> None:
    same = [chunk(position, "one and the same" if position % 3 else "another thing") for position in range(30)]
    index = store.open("guide", build(store, same).id)
    equal = [position for position in range(30) if position % 3]
    assert dense(index, "one and the same", k)[: len(equal)] == equal[:k]
    assert lexical(index, "same", k) == equal[:k]
    index.close()


def test_an_empty_collection_is_searched_in_vain(store: Store) -> None:
    generation = build(store, [])
    index = store.open("guide", generation.id)
    assert (generation.chunks, dense(index, "pump"), lexical(index, "pump"), index.chunks([])) == (0, [], [], [])
    index.close()


def test_the_same_input_gives_the_same_digest_and_results(store: Store, guide: list[Chunk]) -> None:
    first, second = build(store, guide), build(store, guide, block=1)
    assert first.id < second.id
    assert first.id.split("-")[-1] == second.id.split("-")[-1]
    assert build(store, guide[:-1]).id.split("-")[-1] != first.id.split("-")[-1]
    one, two = store.open("guide", first.id), store.open("guide", second.id)
    for text in TEXTS:
        assert one.lexical(text, 6, {}) == two.lexical(text, 6, {})
        assert one.dense(EMBEDDER.embed([text])[0], 6, {}) == two.dense(EMBEDDER.embed([text])[0], 6, {})
    one.close()
    two.close()


def test_what_is_learnt_from_the_index_is_sealed_with_it(store: Store, guide: list[Chunk]) -> None:
    seen: list[list[int]] = []
    learnt = Learnt(fusion=Fusion(dense_weight=0.25), relevance=Relevance(threshold=0.5))

    def learn(index: Index) -> Learnt:
        seen.append(lexical(index, "pump", 6) + dense(index, TEXTS[2], 1))
        return learnt

    generation = build(store, guide, learn=learn)
    assert [sorted(found) for found in seen] == [[0, 2, 4]]
    assert (generation.fusion, generation.relevance) == (learnt.fusion, learnt.relevance)
    assert store.open("guide", generation.id).generation == generation


def test_a_build_that_fails_leaves_nothing(store: Store, guide: list[Chunk]) -> None:
    def fail(_: Index) -> Learnt:
        raise RuntimeError("the fusion cannot be learnt")

    with pytest.raises(RuntimeError, match="cannot be learnt"):
        build(store, guide, learn=fail)
    assert list(store.generations("guide")) == []


@pytest.mark.parametrize("extra", [-1, 1])
def test_chunks_and_vectors_must_pair(store: Store, guide: list[Chunk], extra: int) -> None:
    vectors = np.ones((len(guide) + extra, 256), np.float32)
    with pytest.raises(ValueError, match="more"):
        store.build("guide", EMBEDDER.identity, guide, [vectors], nothing)
    assert list(store.generations("guide")) == []


def test_collections_do_not_see_each_other(store: Store) -> None:
    mine, yours = build(store, [chunk(0, "mine")], "mine"), build(store, [chunk(0, "yours")], "yours")
    assert list(store.generations("mine")) == [mine]
    index = store.open("yours", yours.id)
    assert lexical(index, "mine") == []
    index.close()
    with pytest.raises(GroundwireError, match="collection yours has no index"):
        store.open("yours", mine.id)
    store.drop("mine", mine.id)
    assert list(store.generations("yours")) == [yours]


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", "A", "-a", "_a", "a" * 65, "a\n", "ä", ".unsealed-1"])
def test_a_collection_name_is_never_a_path(store: Store, name: str) -> None:
    with pytest.raises(GroundwireError, match="is not allowed"):
        build(store, [], name)


@pytest.mark.parametrize("generation_id", ["", ".", "..", "../guide", "20260101"])
def test_what_does_not_exist_is_neither_opened_nor_dropped(store: Store, guide: list[Chunk], generation_id: str) -> None:
    generation = build(store, guide)
    for act in (store.open, store.verify, store.drop):
        with pytest.raises(GroundwireError, match="has no index"):
            act("guide", generation_id)
    assert list(store.generations("guide")) == [generation]


def test_a_dropped_generation_is_gone_and_the_others_stay(store: Store, guide: list[Chunk]) -> None:
    first, second = build(store, guide), build(store, guide)
    store.drop("guide", first.id)
    assert list(store.generations("guide")) == [second]
    store.verify("guide", second.id)


def test_an_open_index_outlives_its_generation(store: Store, guide: list[Chunk]) -> None:
    generation = build(store, guide)
    index = store.open("guide", generation.id)
    store.drop("guide", generation.id)
    assert lexical(index, TEXTS[4], 1) == dense(index, TEXTS[4], 1) == [4]
    assert index.chunks([5]) == [guide[5]]
    index.close()


def test_threads_get_what_one_gets(index: Index) -> None:
    def search(position: int) -> tuple[list[int], list[int], list[Chunk]]:
        text = TEXTS[position % 6]
        return lexical(index, text, 6, year=[2019, 2020, 2021]), dense(index, text, 6, draft=False), index.chunks([position % 6])

    alone = [search(position) for position in range(6)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(search, range(120))) == alone * 20


KILLED = """
import sys
from tests.contracts.test_store import build, chunk
from rag.stores import open_store
print("building", flush=True)
while True:
    build(open_store(sys.argv[1]), [chunk(n, f"word{n} common", metadata={"n": n}) for n in range(300)])
"""


def test_a_killed_build_leaves_sealed_generations_only(tmp_path: Path) -> None:
    store = open_store(tmp_path / "index")
    for attempt in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "index")],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": "."},
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline()
            time.sleep(0.1 + attempt * 0.13)
            process.send_signal(signal.SIGKILL)
        for generation in store.generations("guide"):
            index = store.open("guide", generation.id)
            assert lexical(index, "word299", 1) == dense(index, "word299 common", 1) == [299]
            index.close()
    survivor = build(store, [chunk(0, "common")])
    assert list(store.generations("guide"))[-1] == survivor
