"""Any model of natural language inference: premise and hypothesis in, a class out. Knows what such classes are called."""

import re
from collections.abc import Mapping
from typing import Any

from rag.validators.entailment.base import Pair
from rag.validators.entailment.checkpoint import Checkpoint
from rag.validators.entailment.huggingface import HuggingFaceEntailment

ENTAILS = re.compile(r"entail(?:ment|ed|s)?|support(?:ed|s)?|consistent", re.IGNORECASE)


class NLIEntailment(HuggingFaceEntailment):
    """The probability of the class that is called entailment, of two classes or three, whatever their order."""

    def __init__(self, model: str) -> None:
        checkpoint = Checkpoint("nli", model)
        network = checkpoint.network("AutoModelForSequenceClassification", "ForSequenceClassification")
        self._entails = _entails(checkpoint, network.config.id2label)
        super().__init__(checkpoint, network, checkpoint.tokenizer())

    def layout(self, pair: Pair) -> tuple[str, ...]:
        """Premise and claim as the tokenizer joins two texts; such models know no question."""
        return pair.premise, pair.claim

    def supported(self, encoded: Any) -> Any:
        """Softmax over all classes."""
        return self._network(**encoded).logits.softmax(-1)[:, self._entails]


def _entails(checkpoint: Checkpoint, labels: Mapping[int, str]) -> int:
    found = [index for index, label in labels.items() if ENTAILS.fullmatch(label.strip())]
    if len(labels) < 2 or len(found) != 1:
        raise checkpoint.mismatch(f"has no one class for entailment: its config.json names {', '.join(labels.values())}")
    return found[0]
