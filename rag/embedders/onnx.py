"""all-MiniLM-L6-v2 with int8 weights, on onnxruntime: the default, without torch.

Knows tokens, batches and pooling. The weights are stored as int8 and computed with as float32, so a text has the same vector
in whatever batch it comes.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from rag import weights
from rag.digest import file_sha256
from rag.embedders.base import Vectors

_BATCH_TOKENS = 512
"""Tokens in one batch, padding included: more would not be faster, and take more memory."""
_WORTH_TOKENS = 64
"""Tokens in one batch at least: less does not make up for the overhead of a second thread."""
_ALLOWED = os.environ.get("OMP_NUM_THREADS", "")
THREADS = min(2, (int(_ALLOWED) if _ALLOWED.isdecimal() else 0) or os.cpu_count() or 1)
"""Fewer if `OMP_NUM_THREADS` says so, as it does in one of many worker processes."""


class OnnxEmbedder:
    """Mean pooling over the tokens, then rows of length 1, as sentence-transformers does with this model."""

    dimensions = 384
    max_tokens = 256

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        model = weights.locate(weights.MINILM_ONNX)
        self.identity = f"onnx:all-MiniLM-L6-v2-int8@{file_sha256(model)[:12]}"
        self._tokenizer = Tokenizer.from_file(str(weights.locate(weights.MINILM_TOKENIZER)))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        # Threads run whole batches. Threads within a batch would spin while they wait for each other, which takes a core from the
        # server, and saves a single question less than a millisecond.
        options.intra_op_num_threads = 1
        self._threads = ThreadPoolExecutor(THREADS, "embedder")
        # The arena would keep the memory of the largest batch for good.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding) for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def embed(self, texts: Sequence[str]) -> Vectors:
        tokens = [self._fit(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        vectors = np.empty((len(tokens), self.dimensions), np.float32)
        lengths = [len(ids) for ids in tokens]
        batches = list(_batches(lengths, min(_BATCH_TOKENS, max(_WORTH_TOKENS, sum(lengths) // THREADS))))
        runs = self._threads.map if len(batches) > 1 else map
        for batch, found in zip(batches, runs(self._run, ([tokens[row] for row in batch] for batch in batches)), strict=True):
            vectors[batch] = found
        return vectors

    def _fit(self, ids: list[int]) -> list[int]:
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], ids[-1]]

    def _run(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        ids = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
        mask = np.zeros_like(ids)
        for row, sequence in enumerate(tokens):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states: Vectors = self._session.run(["last_hidden_state"], inputs)[0]
        pooled: Vectors = np.einsum("bsd,bs->bd", states, mask.astype(np.float32))
        pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
        return pooled


def _batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """The rows in batches of at most `most` tokens; rows of similar length together, so that there is little padding."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[row] > most:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
