"""Our own cross-encoder, int8 on onnxruntime: whether a premise supports a claim, and which word of the claim it does not.

Knows tokens and the graph's two outputs. How it was taught: `card.md` beside the weights.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag import weights
from rag.digest import file_sha256
from rag.errors import GroundwireError
from rag.validators.entailment.base import Pair, Reading

WEIGHTS = Path(__file__).with_name("grounding-v1.onnx")
SHA256 = "e330a89e94245c24181c7119c1e540fe06d720868f36a3aae6ea52dc1cde72cb"
TOKENS = 288
"""Of claim and premise together; the longer of the two is cut at its end."""
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which the tokenizer refuses."""
DOUBTFUL = 0.0
"""The logit from which on a word is said to be unsupported."""


class LocalEntailment:
    """Reads one pair at a time: without padding, and with activations quantised for each alone, so that a pair's probability does not
    depend on what is asked beside it. Raises `GroundwireError` where the weights are not those that were released."""

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        if not WEIGHTS.is_file() or file_sha256(WEIGHTS) != SHA256:
            raise GroundwireError(f"{WEIGHTS.name} is damaged or missing", "install groundwire again: the file is part of it")
        self.identity = f"local:{WEIGHTS.stem}@{SHA256[:12]}"
        self._tokenizer = Tokenizer.from_file(str(weights.locate(weights.MINILM_TOKENIZER)))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(TOKENS)
        options = onnxruntime.SessionOptions()
        # Pairs are too short for a second thread to gain anything; other answers have the other cores.
        options.intra_op_num_threads = 1
        # The arena would keep the memory of the longest pair for good.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(WEIGHTS, options, providers=["CPUExecutionProvider"])

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        """In order; about 10 ms a pair on one core."""
        return [self._read(pair) for pair in pairs]

    def _read(self, pair: Pair) -> Reading:
        claim, premise = (SURROGATE.sub("\ufffd", text) for text in (pair.claim, pair.premise))
        encoding = self._tokenizer.encode(claim, premise)
        inputs = {"ids": np.array([encoding.ids], np.int64), "types": np.array([encoding.type_ids], np.int64)}
        verdict, doubts = self._session.run(["verdict", "doubts"], inputs)
        claimed = [index for index, sequence in enumerate(encoding.sequence_ids) if sequence == 0]
        doubted = [index for index in claimed if doubts[0, index] >= DOUBTFUL]
        worst = max(doubted, key=lambda index: doubts[0, index], default=None)
        return Reading(1 / (1 + math.exp(-float(verdict[0]))), None if worst is None else _word(claim, encoding.offsets[worst]))


def _word(text: str, token: tuple[int, int]) -> tuple[int, int]:
    """The whole word that a token is a piece of."""
    start, end = token
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return start, end
