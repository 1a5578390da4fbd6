"""Which sentences of the passages a claim is best judged by, as one short text that a model can read.

Knows the claim's rare terms and where they stand; knows no model, and nothing of what the sentences say.
"""

import functools
import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from rag.text import analyzer
from rag.text.sentences import sentences
from rag.types import Evidence, Passage

WORDS = 110
"""Of one window: about 150 tokens of the model's vocabulary. 150 words are no better on average, and take a third longer to read."""
KNOWN = 0.25
"""What a term counts for that the chosen sentences already hold."""
NEIGHBOUR = 0.15
"""What standing beside a chosen sentence counts for, of all that a sentence can hold: pronouns and conditions reach that far."""


class Window(NamedTuple):
    """Sentences of the passages, in the order that they stand there, neighbours joined."""

    text: str
    """What a model reads: for each passage its title, where the claim speaks of that, and the sentences."""
    evidence: tuple[Evidence, ...]
    """The stretches of the passages that it is made of, the closest first."""


class Place(NamedTuple):
    """A sentence: the passage by its position in the sequence, and which of its sentences."""

    passage: int
    sentence: int


class Read(NamedTuple):
    """A passage, cut into sentences; never written to."""

    spans: tuple[tuple[int, int], ...]
    terms: tuple[frozenset[str], ...]
    words: tuple[int, ...]
    title: frozenset[str]


def window(claim: str, passages: Sequence[Passage], language: str, words: int = WORDS) -> Window:
    """The sentences that together hold most of what is rare in the claim: at most `words` words of them, or one sentence.

    Empty where no passage shares a term with the claim. Greedy cover (Nemhauser et al., 1978), so equal inputs give equal windows.
    """
    read = [_read(passage.text, passage.title, language) for passage in passages]
    chosen = _chosen(_held(claim, read, language), read, words)
    runs = sorted(_runs(chosen), key=lambda run: min(map(chosen.index, run)))
    said = frozenset(analyzer.terms(claim, language))
    evidence = tuple(_evidence(passages[run[0].passage], read[run[0].passage], run) for run in runs)
    shown = sorted(zip(runs, evidence, strict=True), key=lambda shown: shown[0])
    parts: list[str] = []
    for position, group in itertools.groupby(shown, key=lambda shown: shown[0][0].passage):
        title = f"{passages[position].title}:"
        parts += [title] * (bool(read[position].title & said) and title not in parts) + [span.quote for _, span in group]
    return Window(" ".join(parts), evidence)


def _held(claim: str, read: Sequence[Read], language: str) -> dict[Place, dict[str, float]]:
    """For each sentence that shares terms with the claim, what those weigh: the rarer among the sentences, the more."""
    wanted = frozenset(analyzer.asked(claim, [language]))
    shared = {
        Place(passage, sentence): wanted & terms
        for passage, text in enumerate(read)
        for sentence, terms in enumerate(text.terms)
        if not wanted.isdisjoint(terms)
    }
    size = sum(len(text.terms) for text in read)
    counts: dict[str, int] = {}
    for terms in shared.values():
        for term in terms:
            counts[term] = counts.get(term, 0) + 1
    # In one order in every process: a sum in another may differ in its last digit, and with it which of two sentences is better.
    return {place: {term: math.log(1 + size / counts[term]) for term in sorted(terms)} for place, terms in shared.items()}


def _chosen(held: dict[Place, dict[str, float]], read: Sequence[Read], words: int) -> list[Place]:
    """Sentences, best first, until the words are spent."""
    chosen: list[Place] = []
    covered: set[str] = set()
    whole = sum({term: weight for weights in held.values() for term, weight in weights.items()}.values())
    values = {place: sum(weights.values()) for place, weights in held.items()}
    left = words
    while values:
        best = min(values, key=lambda place: (-values[place], place))
        del values[best]
        length = read[best.passage].words[best.sentence]
        if chosen and length > left:
            continue
        chosen.append(best)
        left -= length
        new = held.get(best, {}).keys() - covered
        covered |= new
        for place, weights in held.items() if new else ():
            if place in values:
                values[place] -= (1 - KNOWN) * sum(weight for term, weight in weights.items() if term in new)
        for beside in (best.sentence - 1, best.sentence + 1):
            place = Place(best.passage, beside)
            if 0 <= beside < len(read[best.passage].spans) and place not in chosen and (place in values or place not in held):
                values[place] = values.get(place, 0.0) + NEIGHBOUR * whole
    return chosen


def _runs(chosen: Collection[Place]) -> Iterator[list[Place]]:
    """Neighbouring sentences together."""
    run: list[Place] = []
    for place in sorted(chosen):
        if run and place != (run[-1].passage, run[-1].sentence + 1):
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _evidence(passage: Passage, read: Read, run: Sequence[Place]) -> Evidence:
    start, end = read.spans[run[0].sentence][0], read.spans[run[-1].sentence][1]
    return Evidence(passage=passage.number, start=start, end=end, quote=passage.text[start:end])


@functools.lru_cache(maxsize=1024)
def _read(text: str, title: str, language: str) -> Read:
    """Kept for the passages that many questions find."""
    spans = tuple(sentences(text, language))
    said = [text[start:end] for start, end in spans]
    return Read(
        spans,
        tuple(frozenset(analyzer.terms(sentence, language)) for sentence in said),
        tuple(len(sentence.split()) for sentence in said),
        frozenset(analyzer.asked(title, [language])) if title else frozenset(),
    )
