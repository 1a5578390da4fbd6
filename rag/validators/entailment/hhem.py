"""Vectara's HHEM 2.1 (Bao, Li, Luo and Mendelevitch, 2024): whether a summary is consistent with its source. Knows its prompt.

The model comes with code of its own, which is not run: all that it does is to put this prompt before T5's encoder with a token
classifier, and to read the class of the first token. transformers has both.
"""

from typing import Any

from rag.validators.entailment.base import Pair
from rag.validators.entailment.checkpoint import Checkpoint
from rag.validators.entailment.huggingface import HuggingFaceEntailment

FOUNDATION = "google/flan-t5-base"
"""Whose configuration and tokenizer it has, unless its config.json names another."""
PREFIX = "t5."
"""Of the names of its weights."""
EMBEDDING = ("transformer.shared.weight", "transformer.encoder.embed_tokens.weight")
"""One tensor that T5 knows by two names, and a file by at least one."""
CONSISTENT = 1


class HHEMEntailment(HuggingFaceEntailment):
    """The probability of `consistent`, the second of two classes."""

    def __init__(self, model: str) -> None:
        checkpoint = Checkpoint("hhem", model)
        foundation = str(checkpoint.fields.get("foundation", FOUNDATION))
        config = checkpoint.config(foundation)
        if config.model_type != "t5":
            raise checkpoint.mismatch(f"is built on {foundation}, which is no T5")
        network = checkpoint.transformers.T5ForTokenClassification(config)
        _fill(checkpoint, network)
        super().__init__(checkpoint, network, checkpoint.tokenizer(foundation))

    def layout(self, pair: Pair) -> tuple[str, ...]:
        """Its prompt, which begins with the token whose class is read; it knows no question."""
        asked = "Determine if the hypothesis is true given the premise?"
        return (f"{self._tokenizer.pad_token} {asked}\n\nPremise: {pair.premise}\n\nHypothesis: {pair.claim}",)

    def supported(self, encoded: Any) -> Any:
        """Softmax over the classes of the first token."""
        return self._network(**encoded).logits[:, 0].softmax(-1)[:, CONSISTENT]


def _fill(checkpoint: Checkpoint, network: Any) -> None:
    """Put each weight in its place; none may be left over or missing."""
    weights = {name.removeprefix(PREFIX): tensor for name, tensor in checkpoint.weights().items()}
    embeddings = [weights[name] for name in EMBEDDING if name in weights]
    if embeddings:
        weights |= dict.fromkeys(EMBEDDING, embeddings[0])
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise checkpoint.mismatch("has other weights than HHEM 2.1: a T5 encoder and a token classifier") from error
