"""Words hashed into a vector: no weights, no model, the same on every machine.

For first steps, and for tests that are not about the model. Knows words; knows no meaning.
"""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from rag.embedders.base import Vectors

_WORD = re.compile(r"\w+")
_MARKS = 2
"""Special tokens before and after the words of a text."""


class HashingEmbedder:
    """A bag of lower-case words: each adds 1 or -1 to one dimension. A text without words has a vector, too."""

    identity = "hash:words@1"
    dimensions = 256
    max_tokens = 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_WORD.findall(text)) + _MARKS for text in texts]

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            vector[0] = 0.5
            for word in _WORD.findall(text.lower())[: self.max_tokens - _MARKS]:
                digest = hashlib.blake2b(word.encode(), digest_size=2).digest()
                vector[digest[0]] += 1 if digest[1] % 2 else -1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors
