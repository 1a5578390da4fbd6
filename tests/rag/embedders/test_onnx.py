"""The default embedder: all-MiniLM-L6-v2 as sentence-transformers computes it, in little memory."""

import numpy as np
import pytest

from rag.embedders.onnx import OnnxEmbedder, _batches


@pytest.fixture(scope="module")
def embedder() -> OnnxEmbedder:
    return OnnxEmbedder()


def test_it_is_the_model_it_says(embedder: OnnxEmbedder) -> None:
    assert embedder.identity in {"onnx:all-MiniLM-L6-v2-int8@8199be6f699a", "onnx:all-MiniLM-L6-v2-int8@afdb6f1a0e45"}
    assert (embedder.dimensions, embedder.max_tokens) == (384, 256)


def test_meaning_is_near(embedder: OnnxEmbedder) -> None:
    question, answer, other = embedder.embed(
        ["How do I switch the light off?", "Press the button to extinguish the lamp.", "The treaty was signed in 1648."]
    )
    assert question @ answer > 0.4
    assert question @ other < 0.1


def test_padding_in_a_batch_changes_no_vector(embedder: OnnxEmbedder) -> None:
    texts = ["pump", "the pump starts when the tank is full " * 8, "tank"]
    assert np.abs(embedder.embed(texts)[0] - embedder.embed(["pump"])[0]).max() < 1e-6


@pytest.mark.parametrize("lengths", [[], [5], [256] * 9, [3, 256, 3, 100, 2, 900, 5000]])
def test_batches_hold_each_row_once_and_stay_small(lengths: list[int]) -> None:
    batches = list(_batches(lengths, 512))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= 1024 for batch in batches)
