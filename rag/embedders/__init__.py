"""Text into vectors: one file a backend, opened by name."""

from rag.embedders.base import Embedder
from rag.errors import GroundwireError


def open_embedder(name: str) -> Embedder:
    """`onnx`, `hash`, or `sentence-transformers:<hub model or folder>`. Raises `GroundwireError` if it is unknown or not installed."""
    backend, _, model = name.partition(":")
    match backend, model:
        case "onnx", "":
            from rag.embedders.onnx import OnnxEmbedder

            return OnnxEmbedder()
        case "hash", "":
            from rag.embedders.hashing import HashingEmbedder

            return HashingEmbedder()
        case "sentence-transformers", model if model:
            from rag.embedders.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder(model)
    raise GroundwireError(f"there is no embedder {name}", "there are onnx, hash and sentence-transformers:<hub model or folder>")
