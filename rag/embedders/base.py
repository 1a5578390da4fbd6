"""What every embedder can do. Knows no model."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Text in, unit vectors out. Safe to call from several threads."""

    @property
    def identity(self) -> str:
        """Changes whenever the vectors may: `onnx:all-MiniLM-L6-v2-int8@<first 12 hex of a digest of all that decides them>`."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """The most tokens of a text, special tokens included; longer text is truncated."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each whole text, special tokens included."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimensions), float32, rows of length 1, in the order given."""
        ...
