"""What every store must do, whichever engine it has."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag.embedders.base import Vectors
from rag.embedders.hashing import HashingEmbedder
from rag.errors import GroundwireError, StorageError
from rag.fusion import Fusion
from rag.ingest.ingest import ingest
from rag.relevance import Relevance
from rag.runtime import Runtime
from rag.settings import Settings
from rag.stores import open_store
from rag.stores.base import Block, Generation, Index, Store, Tuning
from rag.types import Chunk, Metadata
from tests.installations import own

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


def nothing(_: Index) -> Tuning:
    return Tuning()


def build(
    store: Store,
    chunks: Sequence[Chunk],
    collection: str = "guide",
    tune: Callable[[Index], Tuning] = nothing,
    block: int = 4,
) -> Generation:
    blocks = (EMBEDDER.embed([each.embedded for each in chunks[start : start + block]]) for start in range(0, len(chunks), block))
    return store.build(collection, EMBEDDER.identity, iter(chunks), blocks, tune)


def dense(index: Index, question: str, k: int = 3, **where: object) -> list[int]:
    return [hit.position for hit in index.dense(EMBEDDER.embed([question])[0], k, where)]  # type: ignore[arg-type]


def lexical(index: Index, question: str, k: int = 3, **where: object) -> list[int]:
    return [hit.position for hit in index.lexical(question, k, where)]  # type: ignore[arg-type]


@pytest.fixture(params=["faiss", "weaviate"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of an empty store: every test that asks for it runs on each engine."""
    if request.param == "faiss":
        yield str(tmp_path / "index")
        return
    with own(request.getfixturevalue("weaviate")) as place:
        yield place


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    store = open_store(place)
    yield store
    store.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Store:
    """Another store, to copy from and to."""
    return open_store(tmp_path / "elsewhere")


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
    "question", ['"', "pump AND (", "terms:pump", "-pump", "pump^9", "pump\x00", "*", "pum*", "/.*/", "\\", "\ud83d"]
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
        ({"year": "2021"}, {3, 4, 5}),
        ({"year": '"2021"'}, set()),
        ({"year": [2019, 2020]}, {0, 1, 2}),
        ({"year": []}, set()),
        ({"year": 2021, "draft": False}, {4}),
        ({"draft": True}, {1, 3, 5}),
        ({"draft": "true"}, {1, 3, 5}),
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
    learnt = Tuning(fusion=Fusion(dense_weight=0.25), relevance=Relevance(threshold=0.5))

    def tune(index: Index) -> Tuning:
        seen.append(lexical(index, "pump", 6) + dense(index, TEXTS[2], 1))
        return learnt

    generation = build(store, guide, tune=tune)
    assert [sorted(found) for found in seen] == [[0, 2, 4]]
    assert (generation.fusion, generation.relevance) == (learnt.fusion, learnt.relevance)
    assert store.open("guide", generation.id).generation == generation


def test_a_build_that_fails_leaves_nothing(store: Store, guide: list[Chunk]) -> None:
    def fail(_: Index) -> Tuning:
        raise RuntimeError("the fusion cannot be learnt")

    with pytest.raises(RuntimeError, match="cannot be learnt"):
        build(store, guide, tune=fail)
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


def test_a_killed_build_leaves_sealed_generations_only(store: Store, place: str) -> None:
    seen: set[str] = set()
    for attempt in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, place],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": "."},
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline()
            time.sleep(0.1 + attempt * 0.13)
            while attempt == 4 and not store.generations("guide"):
                time.sleep(0.1)
            process.send_signal(signal.SIGKILL)
        for generation in store.generations("guide"):
            seen.add(generation.id)
            index = store.open("guide", generation.id)
            assert lexical(index, "word299", 1) == dense(index, "word299 common", 1) == [299]
            index.close()
    assert seen
    survivor = build(store, [chunk(0, "common")])
    assert list(store.generations("guide"))[-1] == survivor


def same_index(one: Index, other: Index, questions: Sequence[str] = TEXTS) -> None:
    """Whether they hold the same to the byte and find the same."""
    for mine, yours in zip(flat(one), flat(other), strict=True):
        assert mine == yours
    for question in questions:
        assert dense(one, question, 6) == dense(other, question, 6)
        assert sorted(lexical(one, question, 50)) == sorted(lexical(other, question, 50))


def flat(index: Index) -> Iterator[tuple[Chunk, str, bytes]]:
    for block in index.blocks():
        for chunk, text, vector in zip(*block, strict=True):
            yield chunk, text, vector.tobytes()


def test_a_store_that_was_never_written_to_has_no_generation(store: Store) -> None:
    assert list(store.generations("guide")) == []


def test_blocks_give_it_all_back_to_the_byte(store: Store) -> None:
    many = [chunk(position, f"passage {position} 🦊 of \x00 the ‏guide‎") for position in range(2_100)]
    vectors = EMBEDDER.embed([each.embedded for each in many])
    sizes = np.cumsum([1, 300, 255, 256, 257])
    generation = store.build("guide", EMBEDDER.identity, iter(many), np.split(vectors, sizes), nothing)
    index = store.open("guide", generation.id)
    kept = list(index.blocks())
    assert [each for block in kept for each in block.chunks] == many
    assert [text for block in kept for text in block.texts] == [each.model_dump_json() for each in many]
    assert np.concatenate([block.vectors for block in kept]).tobytes() == vectors.tobytes()
    assert {block.vectors.dtype for block in kept} == {np.dtype(np.float32)}
    store.verify("guide", generation.id)
    index.close()


def test_a_copy_is_the_same_generation_and_finds_the_same(store: Store, elsewhere: Store, guide: list[Chunk]) -> None:
    original = elsewhere.open("guide", build(elsewhere, guide, tune=lambda _: Tuning(fusion=Fusion(dense_weight=0.75))).id)
    assert store.copy(original) == original.generation
    assert list(store.generations("guide")) == [original.generation]
    store.verify("guide", original.generation.id)
    copied = store.open("guide", original.generation.id)
    same_index(copied, original)
    copied.close()
    original.close()


def test_a_copy_can_be_taken_of_it(store: Store, elsewhere: Store, index: Index) -> None:
    assert elsewhere.copy(index) == index.generation
    copied = elsewhere.open("guide", index.generation.id)
    same_index(copied, index)
    copied.close()


def test_what_is_there_is_not_copied_again(store: Store, elsewhere: Store, guide: list[Chunk]) -> None:
    original = elsewhere.open("guide", build(elsewhere, guide).id)

    class Once:
        generation = original.generation

        def __init__(self) -> None:
            self.asked = 0

        def blocks(self) -> Iterator[Block]:
            self.asked += 1
            return original.blocks()

    once = Once()
    assert store.copy(once) == store.copy(once) == original.generation
    assert once.asked == 1
    assert list(store.generations("guide")) == [original.generation]
    original.close()


@pytest.mark.parametrize("lost", ["chunk", "vector", "word", "collection"])
def test_a_copy_of_something_else_is_refused_and_leaves_nothing(
    store: Store, elsewhere: Store, guide: list[Chunk], lost: str
) -> None:
    original = elsewhere.open("guide", build(elsewhere, guide).id)

    class Changed:
        generation = original.generation.model_copy(update={"collection": "other"} if lost == "collection" else {})

        def blocks(self) -> Iterator[Block]:
            for chunks, texts, vectors in original.blocks():
                if lost == "chunk":
                    yield Block(chunks[:-1], texts[:-1], vectors[:-1])
                elif lost == "vector":
                    yield Block(chunks, texts, np.nextafter(vectors, np.float32(2)))
                elif lost == "word":
                    yield Block(chunks, [text.replace("pump", "pomp") for text in texts], vectors)
                else:
                    yield Block(chunks, texts, vectors)

    with pytest.raises(StorageError, match="is damaged"):
        store.copy(Changed())
    assert list(store.generations("guide")) == list(store.generations("other")) == []
    original.close()


def test_a_copy_that_breaks_off_leaves_nothing(store: Store, elsewhere: Store, guide: list[Chunk]) -> None:
    original = elsewhere.open("guide", build(elsewhere, guide).id)

    class Broken:
        generation = original.generation

        def blocks(self) -> Iterator[Block]:
            yield from original.blocks()
            raise OSError("the cable was pulled")

    with pytest.raises(OSError, match="cable"):
        store.copy(Broken())
    assert list(store.generations("guide")) == []
    assert store.copy(original) == original.generation
    original.close()


def test_vectors_that_break_off_leave_nothing(store: Store, guide: list[Chunk]) -> None:
    def vectors() -> Iterator[Vectors]:
        yield np.ones((3, 256), np.float32)
        raise GroundwireError("the embedder is gone", "bring it back")

    with pytest.raises(GroundwireError, match="embedder is gone"):
        store.build("guide", EMBEDDER.identity, guide, vectors(), nothing)
    assert list(store.generations("guide")) == []


ALIKE = ("a-b", "a_b", "ab", "a--b", "a__b", "a-_b", "a_-b", "a_ub", "a_db", "a-ub", "a_g", "a", "a" * 64)


def test_names_that_are_alike_are_collections_of_their_own(store: Store) -> None:
    made = {name: build(store, [chunk(0, f"only in {number}")], name) for number, name in enumerate(ALIKE)}
    for number, (name, generation) in enumerate(made.items()):
        assert list(store.generations(name)) == [generation]
        index = store.open(name, generation.id)
        assert [each.text for each in index.chunks([0])] == [f"only in {number}"]
        index.close()
    store.drop("a-b", made["a-b"].id)
    assert [name for name in ALIKE if not list(store.generations(name))] == ["a-b"]


VALUES = ("ä b", " ä b ", "Ä B", "ä", "b", "*", "?", '"', "a,b", "[]", "", "🦊", "a\u0308", "ﬁ", "a\tb", "\u200b", "x" * 5_000)


def test_a_filter_compares_texts_by_the_character(store: Store) -> None:
    labelled = [chunk(position, f"number {position}", metadata={"label": value}) for position, value in enumerate(VALUES)]
    index = store.open("guide", build(store, labelled).id)
    for position, value in enumerate(VALUES):
        assert dense(index, "number", 30, label=value) == lexical(index, "number", 30, label=value) == [position], value
    assert dense(index, "number", 30, label=list(VALUES)) == lexical(index, "number", 30, label=list(VALUES)) == list(range(17))
    index.close()


@pytest.mark.parametrize(
    "text",
    [
        "ﬁne ﬂour",
        "e\u0301cole",
        "עברית וערבית عربي",
        "ไทยไม่มีช่องว่าง",
        "日本語の文章です",
        "null \x00 byte",
        "zero\u200bwidth",
        "no\xa0break",
        "line\u2028separator",
        "👩‍👩‍👧‍👦 family",
        "a" * 3_000,
        "İstanbul ŞIŞLI",
        "nbsp\u3000wide",
    ],
    ids=range(13),
)
def test_any_text_is_kept_and_found(store: Store, text: str) -> None:
    index = store.open("guide", build(store, [chunk(0, "something else"), chunk(1, text), chunk(2, "a third")]).id)
    assert index.chunks([1])[0].text == text
    assert dense(index, text, 1) == lexical(index, text, 1) == [1]
    index.close()


def test_a_long_text_is_kept_and_found(store: Store) -> None:
    words = " ".join(f"word{number}" for number in range(40_000))
    index = store.open("guide", build(store, [chunk(0, "short"), chunk(1, words)]).id)
    assert index.chunks([1])[0].text == words
    assert lexical(index, "word39999", 5) == [1]
    index.close()


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_positions_are_those_of_the_chunks_whatever_the_blocks(store: Store, count: int) -> None:
    some = [chunk(position, f"word{position}") for position in range(count)]
    index = store.open("guide", build(store, some, block=100).id)
    for position in {0, count // 2, count - 1}:
        assert dense(index, f"word{position}", 1) == lexical(index, f"word{position}", 1) == [position]
    assert index.chunks(range(count)) == some
    index.close()


def test_ties_across_blocks_go_to_the_lowest_position(store: Store) -> None:
    same = [chunk(position, "one and the same", metadata={"odd": position % 2 == 1}) for position in range(700)]
    index = store.open("guide", build(store, same, block=256).id)
    for k in (1, 5, 255, 699, 700):
        assert dense(index, "one and the same", k) == lexical(index, "same", k) == list(range(700))[:k]
    assert dense(index, "one and the same", 9, odd=True) == lexical(index, "same", 9, odd=True) == list(range(1, 18, 2))
    index.close()


def test_one_of_many_values_matches(store: Store) -> None:
    some = [chunk(position, f"word{position} common", metadata={"n": position}) for position in range(300)]
    index = store.open("guide", build(store, some, block=100).id)
    values = list(range(100, 5_000))
    assert set(dense(index, "common", 300, n=values)) == set(lexical(index, "common", 300, n=values)) == set(range(100, 300))
    index.close()


def test_generations_are_seen_by_whoever_opens_the_store(store: Store, place: str, guide: list[Chunk]) -> None:
    made = [build(store, guide), build(store, guide[:3])]
    other = open_store(place)
    assert list(other.generations("guide")) == made
    index = other.open("guide", made[1].id)
    assert lexical(index, TEXTS[0], 1) == [0]
    index.close()
    other.close()


def test_two_builds_at_once_are_two_generations(store: Store, guide: list[Chunk]) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda count: build(store, guide[:count]), (3, 6)))
    assert {generation.chunks for generation in store.generations("guide")} == {3, 6}
    for generation in made:
        store.verify("guide", generation.id)


def test_what_is_published_is_shown_and_changes_nothing(store: Store, guide: list[Chunk]) -> None:
    made = [build(store, guide), build(store, guide[:3])]
    for shown in (made[0].id, made[1].id, made[1].id, made[0].id, None, None):
        store.publish("guide", shown)
        assert list(store.generations("guide")) == made


def test_a_closed_store_can_be_closed_again(store: Store, guide: list[Chunk]) -> None:
    build(store, guide)
    store.close()
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "kettles.md").write_text("# Kettles\n\nKettles are covered for 24 months.\n")
    (folder / "hours.md").write_text("# Hours\n\nThe shop in Leeds opens at nine.\n")
    return folder


@pytest.fixture
def runtime(place: str, tmp_path: Path) -> Iterator[Runtime]:
    with Runtime(Settings(home=tmp_path / "home", index=place, embedder="hash")) as runtime:
        yield runtime


def found(runtime: Runtime, question: str) -> list[str]:
    retriever = runtime.retriever("guide")
    vector = retriever.embed(question)
    passages = retriever.search(question, vector, mode="lexical", top_k=5, candidates=20, where={}).passages
    return [passage.text.rpartition("\n")[2] for passage in passages]


def test_what_is_ingested_again_writes_nothing_new(runtime: Runtime, folder: Path) -> None:
    first = ingest([str(folder)], "guide", runtime, prune=True)
    made = list(runtime.store.generations("guide"))
    again = ingest([str(folder)], "guide", runtime, prune=True)
    assert (again.generation, again.embedded, again.changed) == (first.generation, 0, 0)
    assert list(runtime.store.generations("guide")) == made


def test_an_update_replaces_what_was_there(runtime: Runtime, folder: Path) -> None:
    ingest([str(folder)], "guide", runtime, prune=True)
    assert found(runtime, "months") == ["Kettles are covered for 24 months."]
    (folder / "kettles.md").write_text("# Kettles\n\nKettles are covered for three years.\n")
    assert ingest([str(folder)], "guide", runtime, prune=True).changed == 1
    assert (found(runtime, "months"), found(runtime, "years")) == ([], ["Kettles are covered for three years."])
    assert found(runtime, "Leeds") == ["The shop in Leeds opens at nine."]


def test_what_is_new_is_added_to_what_was_there(runtime: Runtime, folder: Path) -> None:
    ingest([str(folder)], "guide", runtime)
    (folder / "returns.md").write_text("# Returns\n\nUnused goods can be returned.\n")
    assert ingest([str(folder / "returns.md")], "guide", runtime).added == 1
    assert found(runtime, "goods") == ["Unused goods can be returned."]
    assert found(runtime, "months") == ["Kettles are covered for 24 months."]


def test_what_is_deleted_is_found_no_more(runtime: Runtime, folder: Path) -> None:
    ingest([str(folder)], "guide", runtime, prune=True)
    (folder / "kettles.md").unlink()
    assert ingest([str(folder)], "guide", runtime, prune=True).removed == 1
    assert (found(runtime, "kettles"), found(runtime, "Leeds")) == ([], ["The shop in Leeds opens at nine."])
    assert runtime.retriever("guide").index.generation.chunks == 1


def test_an_earlier_generation_can_be_current_again(runtime: Runtime, folder: Path) -> None:
    first = ingest([str(folder)], "guide", runtime).generation
    (folder / "kettles.md").write_text("# Kettles\n\nKettles are covered for three years.\n")
    second = ingest([str(folder)], "guide", runtime).generation
    assert first is not None
    assert second is not None
    for generation, months in ((first, 1), (second, 0)):
        runtime.corpus.use(runtime.corpus.collection("guide"), generation)
        runtime.store.publish("guide", generation)
        assert len(found(runtime, "months")) == months


def test_readers_find_one_version_or_the_next_while_it_is_swapped(runtime: Runtime, folder: Path) -> None:
    """Each page says which version it is of: no answer mixes two, none is empty, and none goes back."""

    def write(version: int) -> None:
        for page in range(4):
            (folder / f"page{page}.md").write_text(f"# Page {page}\n\nThis page is of version{version}.\n")

    def versions() -> list[str]:
        texts = found(runtime, "page")
        return [text.partition("version")[2].rstrip(".") for text in texts if "version" in text]

    def read() -> list[list[str]]:
        seen = []
        while not done.is_set():
            seen.append(versions())
        return seen

    done = threading.Event()
    write(0)
    ingest([str(folder)], "guide", runtime)
    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for version in range(1, 5):
                write(version)
                ingest([str(folder)], "guide", runtime)
        finally:
            done.set()
        for reader in readers:
            seen = reader.result()
            assert {len(each) for each in seen} == {4}
            assert {len(set(each)) for each in seen} == {1}
            assert [each[0] for each in seen] == sorted(each[0] for each in seen)
    assert versions() == ["4"] * 4


MANY = 100_000


def many() -> Iterator[Chunk]:
    return (chunk(position, f"word{position} every", metadata={"thousand": position // 1000}) for position in range(MANY))


@pytest.mark.timeout(600)
def test_a_hundred_thousand_chunks_are_searched(store: Store) -> None:
    chance = np.random.default_rng(0)
    vectors = chance.standard_normal((MANY, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    generation = store.build("guide", "random", many(), blocks(vectors), nothing)
    assert generation.chunks == MANY
    index = store.open("guide", generation.id)
    asked = range(0, MANY, 2_503)
    for position in asked:
        assert index.dense(vectors[position], 1, {})[0].position == position
        assert lexical(index, f"word{position}", 5) == [position]
    near = {hit.position for position in asked for hit in index.dense(vectors[position], 10, {})}
    truth = {int(row) for position in asked for row in np.argsort(-(vectors @ vectors[position]))[:10]}
    assert len(near & truth) >= 0.95 * len(truth)
    inside = index.dense(vectors[0], 10, {"thousand": 77})
    assert [hit.position for hit in inside] == [
        77_000 + int(row) for row in np.argsort(-(vectors[77_000:78_000] @ vectors[0]))[:10]
    ]
    assert lexical(index, "every", 5) == [0, 1, 2, 3, 4]
    assert len(index.dense(vectors[0], 5_000, {})) == 5_000
    assert [each.text for each in index.chunks([MANY - 1, 0])] == [f"word{MANY - 1} every", "word0 every"]
    index.close()


def blocks(vectors: Vectors) -> Iterable[Vectors]:
    return (vectors[start : start + 1_000] for start in range(0, len(vectors), 1_000))


def test_a_url_is_no_folder() -> None:
    with pytest.raises(GroundwireError, match="store milvus:// is not known"):
        open_store("milvus://host")
