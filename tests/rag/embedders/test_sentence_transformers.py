"""The torch extra: told how to install it where it is missing, and agreeing with the default where it is there."""

import importlib.util

import numpy as np
import pytest

from rag.embedders import open_embedder
from rag.errors import GroundwireError

INSTALLED = importlib.util.find_spec("sentence_transformers") is not None


@pytest.mark.skipif(INSTALLED, reason="the torch extra is installed")
def test_without_the_extra_the_mend_is_its_install_command() -> None:
    with pytest.raises(GroundwireError, match=r"pip install 'groundwire\[torch\]'"):
        open_embedder("sentence-transformers:all-MiniLM-L6-v2")


@pytest.mark.skipif(not INSTALLED, reason="the torch extra is not installed")
def test_a_model_that_does_not_exist_is_told() -> None:
    with pytest.raises(GroundwireError, match="cannot load no/such-model"):
        open_embedder("sentence-transformers:no/such-model")


@pytest.mark.skipif(not INSTALLED, reason="the torch extra is not installed")
def test_the_default_agrees_with_it() -> None:
    texts = ["The pump starts when the tank is full.", "Press the button.", "pump " * 400]
    torch, onnx = open_embedder("sentence-transformers:all-MiniLM-L6-v2"), open_embedder("onnx")
    assert torch.count_tokens(texts) == onnx.count_tokens(texts)
    assert np.sum(torch.embed(texts) * onnx.embed(texts), axis=1).min() > 0.97
