"""LettuceDetect (Kovacs and Recski, 2025): a class for each token of an answer, supported or hallucinated. Knows its prompt."""

import re
from typing import Any

from rag.validators.entailment.base import Pair
from rag.validators.entailment.checkpoint import Checkpoint
from rag.validators.entailment.huggingface import HuggingFaceEntailment

ANSWERED = (
    "Briefly answer the following question:\n{question}\n"
    "Bear in mind that your response should be strictly based on the following 1 passages:\npassage 1: {premise}\n"
    "In case the passages do not contain the necessary information to answer the question, please reply with: "
    '"Unable to answer based on given passages."\noutput:'
)
"""What its English models were trained with, which were taught on prompts (RAGTruth): the wording is part of the weights."""
SUMMARIZED = "Summarize the following text:\npassage 1: {premise}\noutput:"
"""The same, where there is no question."""
HALLUCINATED = re.compile(r"hallucinat\w*|LABEL_1", re.IGNORECASE)


class LettuceDetectEntailment(HuggingFaceEntailment):
    """1 less the highest probability of a hallucinated token: a claim holds only if all that it says does, and a mean over its tokens
    would hide one wrong number among ten right words."""

    def __init__(self, model: str) -> None:
        checkpoint = Checkpoint("lettucedetect", model)
        network = checkpoint.network("AutoModelForTokenClassification", "ForTokenClassification")
        labels = network.config.id2label
        classes = [index for index, label in labels.items() if HALLUCINATED.fullmatch(label)]
        if len(labels) != 2 or len(classes) != 1:
            raise checkpoint.mismatch(
                f"has no one class for hallucinated tokens: its config.json names {', '.join(labels.values())}"
            )
        self._hallucinated = classes[0]
        super().__init__(checkpoint, network, checkpoint.tokenizer())

    def layout(self, pair: Pair) -> tuple[str, ...]:
        """The prompt that may have led to the answer, and the claim in the answer's place."""
        prompt = ANSWERED if pair.question.strip() else SUMMARIZED
        return prompt.format(question=pair.question, premise=pair.premise), pair.claim

    def supported(self, encoded: Any) -> Any:
        """Over the tokens of the claim alone."""
        rows = range(len(encoded["input_ids"]))
        claim = self._torch.tensor([[part == 1 for part in encoded.sequence_ids(row)] for row in rows], device=self._device)
        hallucinated = self._network(**encoded).logits.softmax(-1)[:, :, self._hallucinated]
        return 1 - (hallucinated * claim).amax(-1)
