"""What every embedder must do, whichever model it has."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rag.embedders import open_embedder
from rag.embedders.base import Embedder
from rag.errors import GroundwireError

TEXTS = (
    "The pump starts when the tank is full.",
    "",
    "黑豹队的防守",
    "Насос 🦊",
    "a",
    "The valve closes. " * 20,
    "word " * 2000,
    "THE PUMP starts when the tank is full!",
)
TORCH = pytest.param(
    "sentence-transformers:all-MiniLM-L6-v2",
    marks=pytest.mark.skipif(
        importlib.util.find_spec("sentence_transformers") is None, reason="the torch extra is not installed"
    ),
)


@pytest.fixture(scope="module", params=["onnx", "hash", TORCH])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return open_embedder(request.param)


def test_rows_are_unit_vectors_in_the_order_given(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert embedder.embed(TEXTS[::-1])[::-1] == pytest.approx(vectors, abs=1e-5)


def test_a_text_has_the_same_vector_in_every_batch(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS * 3)
    alone = np.vstack([embedder.embed([text]) for text in TEXTS])
    assert together == pytest.approx(np.tile(alone, (3, 1)), abs=1e-5)


def test_like_is_nearer_than_unlike(embedder: Embedder) -> None:
    pump, valve, loud = embedder.embed([TEXTS[0], TEXTS[5], TEXTS[7]])
    assert pump @ loud > pump @ valve


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)
    assert embedder.count_tokens([]) == []


def test_tokens_are_counted_whole(embedder: Embedder) -> None:
    counts = embedder.count_tokens(TEXTS)
    assert counts[1] == 2
    assert counts[6] == 2002 > embedder.max_tokens
    assert counts[0] == embedder.count_tokens([TEXTS[0]])[0]


def test_only_what_is_beyond_max_tokens_is_ignored(embedder: Embedder) -> None:
    room = embedder.max_tokens - 2
    full = "pump " * (room - 1)
    fits, longer, shorter = embedder.embed([full + "valve", full + "valve tank", full])
    assert fits == pytest.approx(longer, abs=1e-5)
    assert np.abs(fits - shorter).max() > 1e-4


def test_the_identity_names_backend_and_weights(embedder: Embedder) -> None:
    backend, _, model = embedder.identity.partition(":")
    assert backend in {"onnx", "hash", "sentence-transformers"}
    assert "@" in model


def test_threads_get_what_one_gets(embedder: Embedder) -> None:
    texts = [text for text in TEXTS if len(text) < 100]
    alone = [embedder.embed([text]) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        for expected, found in zip(alone * 5, pool.map(lambda text: embedder.embed([text]), texts * 5), strict=True):
            assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["", "word2vec", "onnx:other", "hash:512", "sentence-transformers", "sentence-transformers:"])
def test_an_unknown_name_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(GroundwireError, match="there are onnx, hash and sentence-transformers:"):
        open_embedder(name)
