"""The default embedder: all-MiniLM-L6-v2 as sentence-transformers computes it, nearly, in int8."""

import numpy as np
import pytest
from scipy.special import erf, softmax

from rag import weights
from rag.embedders.base import Vectors
from rag.embedders.onnx import GRAPH, OnnxEmbedder, _quantised
from rag.embedders.safetensors import tensors

TEXTS = ("pump", "the pump starts when the tank is full " * 8, "Der Tank ist voll.", "", "tank " * 400)


@pytest.fixture(scope="module")
def embedder() -> OnnxEmbedder:
    return OnnxEmbedder()


@pytest.fixture(scope="module")
def stored() -> dict[str, Vectors]:
    return tensors(weights.locate(weights.MINILM_SAFETENSORS))


def in_float32(ids: list[int], stored: dict[str, Vectors]) -> Vectors:
    """The vector of the model as it was published, computed step by step."""

    def linear(states: Vectors, layer: str) -> Vectors:
        return states @ stored[f"{layer}.weight"].T + stored[f"{layer}.bias"]

    def norm(states: Vectors, layer: str) -> Vectors:
        states = (states - states.mean(axis=1, keepdims=True)) / np.sqrt(states.var(axis=1, keepdims=True) + 1e-12)
        return states * stored[f"{layer}.LayerNorm.weight"] + stored[f"{layer}.LayerNorm.bias"]

    words, places, types = (stored[f"embeddings.{table}_embeddings.weight"] for table in ("word", "position", "token_type"))
    states = norm(words[ids] + places[: len(ids)] + types[0], "embeddings")
    for layer in (f"encoder.layer.{number}" for number in range(6)):
        query, key, value = (
            linear(states, f"{layer}.attention.self.{part}").reshape(len(ids), 12, 32).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        context = softmax(query @ key.transpose(0, 2, 1) / np.sqrt(32), axis=2) @ value
        context = context.transpose(1, 0, 2).reshape(len(ids), 384)
        states = norm(linear(context, f"{layer}.attention.output.dense") + states, f"{layer}.attention.output")
        inner = linear(states, f"{layer}.intermediate.dense")
        inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
        states = norm(linear(inner, f"{layer}.output.dense") + states, f"{layer}.output")
    mean: Vectors = states.mean(axis=0)
    return mean / np.linalg.norm(mean)


def test_it_is_the_model_it_says(embedder: OnnxEmbedder) -> None:
    assert embedder.identity == "onnx:all-MiniLM-L6-v2-int8@3b73e848f314"
    assert (embedder.dimensions, embedder.max_tokens) == (384, 256)


def test_vectors_are_near_those_in_float32(embedder: OnnxEmbedder, stored: dict[str, Vectors]) -> None:
    for text, vector in zip(TEXTS, embedder.embed(TEXTS), strict=True):
        ids = embedder._fit(embedder._tokenizer.encode(text).ids)
        assert vector @ in_float32(ids, stored) > 0.97


def test_meaning_is_near(embedder: OnnxEmbedder) -> None:
    question, answer, other = embedder.embed(
        ["How do I switch the light off?", "Press the button to extinguish the lamp.", "The treaty was signed in 1648."]
    )
    assert question @ answer > 0.4
    assert question @ other < 0.1


def test_what_is_beside_a_text_changes_nothing_of_its_vector(embedder: OnnxEmbedder) -> None:
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    assert np.array_equal(embedder.embed(TEXTS * 3), np.tile(alone, (3, 1)))


def test_weights_are_multiplied_in_seven_bits(stored: dict[str, Vectors]) -> None:
    given = dict(_quantised(stored))
    whole = {name: array for name, array in given.items() if array.dtype == np.int8 and array.ndim == 2}
    assert len(whole) == 6 * 6
    for name, array in whole.items():
        scale = given[name.replace(".weight", ".scale")]
        assert np.abs(array).max() == 63
        assert np.abs(array * scale - stored[name].T).max() <= scale.max() * 0.501


def test_the_graph_is_what_its_script_writes() -> None:
    pytest.importorskip("onnx")
    from rag.embedders.graph import written

    assert GRAPH.read_bytes() == written()
