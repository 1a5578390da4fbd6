"""Ten thousand chunks of plausible text: the guide's own sentences, shuffled. Deterministic."""

import json
import random
from pathlib import Path

from rag.text.sentences import sentences

GUIDE = Path(__file__).parents[2] / "data" / "corpus"
CHUNKS = 10_000
SENTENCES = 7
"""A document: about 114 tokens, one chunk."""


def write(path: Path) -> None:
    """One JSONL document a chunk."""
    found = [
        text[start:end] for page in sorted(GUIDE.glob("*.md")) for text in [page.read_text()] for start, end in sentences(text)
    ]
    prose = [sentence for sentence in found if 40 < len(sentence) < 160 and sentence[0].isalpha()]
    chance = random.Random(0)
    with path.open("w") as file:
        for number in range(CHUNKS):
            text = " ".join(chance.choices(prose, k=SENTENCES)) + f" This is note {number}."
            file.write(json.dumps({"id": f"n{number}", "title": "", "text": text}) + "\n")


def questions(count: int) -> list[str]:
    """Questions that people ask of the guide."""
    cases = [json.loads(line) for line in (GUIDE.parent / "cases" / "guide.jsonl").read_text().splitlines()]
    asked = [case["question"] for case in cases if case["answerable"]]
    return [asked[number % len(asked)] for number in range(count)]
