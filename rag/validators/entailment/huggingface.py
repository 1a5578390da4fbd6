"""A model of transformers that reads a claim against its evidence: how it is fed, and known by its weights.

Knows tokens and batches. Knows no family's prompt or labels, and no files.
"""

import hashlib
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rag.validators.entailment.base import Pair, Reading
from rag.validators.entailment.checkpoint import Checkpoint

LONGEST = 2048
"""Tokens that are read together, by a model that has no limit of its own or a higher one."""
MARGIN = 2
"""Positions that RoBERTa and its like count but do not use."""
SLACK = 8
"""Tokens by which a text may grow where its parts are joined."""
LEAST = 16
"""Tokens of a premise below which a part of it proves nothing."""
BATCH = 8192
"""Tokens, padding included, that go through the model at once."""
UNTOLD = 0.5
"""Of a claim too long to be read."""
NOTHING = r"(?!)"


class Fitted(NamedTuple):
    """What the tokenizer gets of one pair: one text, or two, and how many tokens that makes about."""

    texts: tuple[str, ...]
    tokens: int


class HuggingFaceEntailment(ABC):
    """Pairs in, probabilities out, in batches of like length; on a GPU where there is one. Safe to call from several threads."""

    def __init__(self, checkpoint: Checkpoint, network: Any, tokenizer: Any) -> None:
        self._torch = checkpoint.torch
        self._device = "cuda" if self._torch.cuda.is_available() else "cpu"
        self._network = network.float().eval().to(self._device)
        self._tokenizer = tokenizer
        self._tokenizing = threading.Lock()
        self._control = re.compile("|".join(map(re.escape, tokenizer.all_special_tokens)) or NOTHING)
        positions = getattr(network.config, "max_position_embeddings", None)
        self._longest = min(LONGEST, positions - MARGIN) if positions else LONGEST
        self.identity = f"{checkpoint.name}@{_digest(network, tokenizer)[:12]}"

    @abstractmethod
    def layout(self, pair: Pair) -> tuple[str, ...]:
        """The text, or the two texts, that the family's models were trained on."""

    @abstractmethod
    def supported(self, encoded: Any) -> Any:
        """The probabilities of a batch that the tokenizer made of such texts: a tensor of shape (pairs,)."""

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        """See `Entailment`."""
        return [Reading(probability) for probability in self.probabilities(pairs)]

    def probabilities(self, pairs: Sequence[Pair]) -> list[float]:
        """For each pair, that the premise supports the claim. A premise too long is cut at its end, never the claim: one that leaves
        no room for a premise is worth `UNTOLD`."""
        found = [UNTOLD] * len(pairs)
        with self._tokenizing:
            fitted = {index: fit for index, pair in enumerate(pairs) if (fit := self._fitted(pair))}
        for batch in _batches({index: fit.tokens for index, fit in fitted.items()}):
            columns = zip(*(fitted[index].texts for index in batch), strict=True)
            # The library sets padding on the one tokenizer there is.
            with self._tokenizing:
                encoded = self._tokenizer(*map(list, columns), padding=True, return_tensors="pt", verbose=False)
            with self._torch.inference_mode():
                supported = self.supported(encoded.to(self._device)).tolist()
            for index, probability in zip(batch, supported, strict=True):
                found[index] = probability
        return found

    def _fitted(self, pair: Pair) -> Fitted | None:
        """The pair's texts, short enough for the model; None where the claim leaves no room."""
        # Text that reads like the tokenizer's own marks would be taken for them.
        pair = Pair(*(self._control.sub(" ", text) for text in pair))
        around = len(self._tokenizer(*self.layout(pair._replace(premise="")), verbose=False)["input_ids"])
        room = self._longest - around - SLACK
        premise = self._tokenizer(pair.premise, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ends = [end for _, end in premise["offset_mapping"]]
        if len(ends) > room:
            if room < LEAST:
                return None
            pair = pair._replace(premise=pair.premise[: ends[room - 1]])
        return Fitted(self.layout(pair), around + min(len(ends), room))


def _batches(tokens: dict[int, int]) -> Iterator[list[int]]:
    """The keys, those of like length together, so that little is padding."""
    batch: list[int] = []
    for index in sorted(tokens, key=tokens.__getitem__):
        if batch and (len(batch) + 1) * tokens[index] > BATCH:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _digest(network: Any, tokenizer: Any) -> str:
    """sha256 over parameters, labels and tokenizer as loaded, so that a folder and the hub's files of the same model agree."""
    digest = hashlib.sha256()
    for name, parameter in sorted(network.named_parameters()):
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().numpy().tobytes())
    digest.update(repr(sorted(network.config.id2label.items())).encode())
    digest.update(tokenizer.backend_tokenizer.to_str().encode())
    return digest.hexdigest()
