"""all-MiniLM-L6-v2 in int8, on onnxruntime: the default, without torch.

Knows tokens, and how weights are quantised. What is computed is `minilm.onnx` beside it, which `graph.py` writes.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag import weights
from rag.embedders.base import Vectors
from rag.embedders.safetensors import tensors

GRAPH = Path(__file__).with_name("minilm.onnx")
LEVELS = 63
"""Of a weight to either side of zero: 7 bits, so that no processor's int8 multiplication overflows (vpmaddubsw adds pairs in 16 bits)."""
_ALLOWED = os.environ.get("OMP_NUM_THREADS", "")
THREADS = min(2, (int(_ALLOWED) if _ALLOWED.isdecimal() else 0) or os.cpu_count() or 1)
"""Fewer if `OMP_NUM_THREADS` says so, as it does in one of many worker processes."""


class OnnxEmbedder:
    """Mean pooling over the tokens, then rows of length 1, as sentence-transformers does with this model.

    One text at a time: without padding, and with activations quantised for each alone, so that a text has the same vector whatever
    is embedded beside it.
    """

    dimensions = 384
    max_tokens = 256

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(weights.locate(weights.MINILM_TOKENIZER)))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        stored, graph = tensors(weights.locate(weights.MINILM_SAFETENSORS)), GRAPH.read_bytes()
        # Looked up in the file, so that processes share it, and what no text says is not in memory.
        self._words = stored["embeddings.word_embeddings.weight"]
        # Every text is of the first type.
        self._places = stored["embeddings.position_embeddings.weight"] + stored["embeddings.token_type_embeddings.weight"][0]
        given = dict(_quantised(stored))
        self.identity = f"onnx:all-MiniLM-L6-v2-int8@{_digest(graph, given)[:12]}"
        options = onnxruntime.SessionOptions()
        # Threads run whole texts. Threads within a text would spin while they wait for each other, which takes a core from the
        # server, and saves a single question less than a millisecond.
        options.intra_op_num_threads = 1
        self._threads = ThreadPoolExecutor(THREADS, "embedder")
        # The arena would keep the memory of the longest text for good.
        options.enable_cpu_mem_arena = False
        # Kept, because no version of onnxruntime promises a copy of them.
        self._given = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in given.values()]
        options.add_external_initializers(list(given), self._given)
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding) for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def embed(self, texts: Sequence[str]) -> Vectors:
        tokens = [self._fit(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        runs = self._threads.map if len(tokens) > 1 else map
        return np.array(list(runs(self._run, tokens)), np.float32).reshape(-1, self.dimensions)

    def _fit(self, ids: list[int]) -> list[int]:
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], ids[-1]]

    def _run(self, ids: list[int]) -> Vectors:
        words = self._words[ids] + self._places[: len(ids)]
        vector: Vectors = self._session.run(["vector"], {"words": words[np.newaxis]})[0][0]
        return vector


def _quantised(stored: Mapping[str, Vectors]) -> Iterator[tuple[str, NDArray[Any]]]:
    """What the graph names: of a linear layer its weight in int8 with a scale for each output, all else as it is stored."""
    for name, array in stored.items():
        layer, _, part = name.rpartition(".")
        if layer.startswith("encoder.") and part == "weight" and array.ndim == 2:
            scale = np.abs(array).max(axis=1) / LEVELS
            yield name, np.ascontiguousarray(np.rint(array / scale[:, np.newaxis]).astype(np.int8).T)
            yield f"{layer}.scale", scale
            yield f"{layer}.zero", np.zeros(len(scale), np.int8)
        elif name.startswith(("encoder.", "embeddings.LayerNorm.")):
            yield name, array


def _digest(graph: bytes, given: Mapping[str, NDArray[Any]]) -> str:
    """Of all that decides the vectors: the weights that were read, what was made of them, and what is computed."""
    digest = hashlib.sha256(weights.MINILM_SAFETENSORS.sha256.encode() + graph)
    for array in given.values():
        digest.update(array.data)
    return digest.hexdigest()
