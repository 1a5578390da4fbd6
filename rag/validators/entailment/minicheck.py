"""MiniCheck (Tang, Laban and Durrett, 2024): whether a document supports a sentence. Knows its prompt and its two kinds of models."""

from typing import Any

from rag.validators.entailment.base import Pair
from rag.validators.entailment.checkpoint import Checkpoint
from rag.validators.entailment.huggingface import HuggingFaceEntailment

UNSUPPORTED_TOKEN, SUPPORTED_TOKEN = 3, 209
"""What the T5 model begins its answer with: the first tokens of "0" and "1" in T5's vocabulary."""
SUPPORTED = 1
"""Of the two classes of the others."""


class MiniCheckEntailment(HuggingFaceEntailment):
    """T5, which answers with one token, or RoBERTa or DeBERTa, which classify; the released classes have no names."""

    def __init__(self, model: str) -> None:
        checkpoint = Checkpoint("minicheck", model)
        self._answers = checkpoint.kind == "t5"
        if self._answers:
            network = checkpoint.network("AutoModelForSeq2SeqLM", "ForConditionalGeneration")
            if network.config.vocab_size <= SUPPORTED_TOKEN:
                raise checkpoint.mismatch("has not T5's vocabulary")
        else:
            network = checkpoint.network("AutoModelForSequenceClassification", "ForSequenceClassification")
            if network.config.num_labels != 2:
                raise checkpoint.mismatch(f"has {network.config.num_labels} classes, not two")
        super().__init__(checkpoint, network, checkpoint.tokenizer())

    def layout(self, pair: Pair) -> tuple[str, ...]:
        """Document and claim as one text, the tokenizer's end mark between them; it knows no question."""
        joined = f"{pair.premise}{self._tokenizer.eos_token}{pair.claim}"
        return (f"predict: {joined}" if self._answers else joined,)

    def supported(self, encoded: Any) -> Any:
        """Softmax over the two answers, or the two classes."""
        if not self._answers:
            return self._network(**encoded).logits.softmax(-1)[:, SUPPORTED]
        start = self._torch.full((len(encoded["input_ids"]), 1), self._network.config.decoder_start_token_id, device=self._device)
        first = self._network(**encoded, decoder_input_ids=start).logits[:, 0]
        return first[:, [UNSUPPORTED_TOKEN, SUPPORTED_TOKEN]].softmax(-1)[:, 1]
