"""Whether anything that was retrieved is relevant to the question at all.

Knows how to measure evidence, and how that of a collection's own questions differs from that of others. Knows no index.
"""

import functools
from collections.abc import Sequence

from rag.text import analyzer
from rag.types import Chunk, Value

BEST = 3
"""The number of best chunks whose terms count."""
_COSINE_SHARE = 0.7
"""The weight of the cosine in the evidence; the rest is coverage. It best separated a collection's own questions from
others (AUROC .99 over ten collections)."""
_FEW = 0.05
"""The share of a collection's own questions that may look like others."""

OUT_OF_DOMAIN = tuple(
    """\
How do I get a red wine stain out of a carpet?
What is the offside rule in football?
Who painted the Mona Lisa?
How long should I boil an egg?
What is the capital of Mongolia?
How do I change a flat bicycle tyre?
Which planet has the most moons?
What is the best time to plant tomatoes?
How many strings does a cello have?
Who won the 1998 World Cup?
How do I tie a bow tie?
What does a sommelier do?
How tall is Mount Kilimanjaro?
Why do cats purr?
What is the exchange rate of the yen?
How do I fold a fitted sheet?
Who wrote One Hundred Years of Solitude?
What is the boiling point of nitrogen?
How do I teach a dog to sit?
What is the plot of Macbeth?
How much does a postage stamp cost?
Which spices go into garam masala?
How do I reset my wifi router?
When was the Berlin Wall built?
What is a good gift for a wedding?
How do I write a haiku?
What is the speed of sound in water?
How do I remove a splinter?
Who invented the zip fastener?
What should I wear to a job interview?
How is parmesan cheese made?
What is the time difference between Lima and Oslo?
How do I knit a scarf?
What are the rules of chess castling?
Where can I rent a kayak?
What is the tallest building in Dubai?
How do vaccines for rabies work?
What is the salary of a pilot?
How do I unclog a kitchen sink?
Who composed The Four Seasons?
What is the population of Iceland?
How do I grow a bonsai tree?
What is the recipe for banana bread?
Is the train to Edinburgh late today?
What is the meaning of my dream about falling?
Who is the best guitarist of all time?
How do I invest in government bonds?
What is photosynthesis?
How do I get a passport for a child?
Which languages are spoken in Switzerland?
How do I parallel park?
What is the score of last night's game?
Will it rain tomorrow in Seattle?
What is the square root of 1764?
How do I cancel my gym membership?
What causes the northern lights?
How do I make a paper aeroplane?
When does the next season start?
Which shoes are good for a marathon?
What is the dosage of ibuprofen for adults?
""".splitlines()
)
"""Questions that a collection, unless it is about everything, does not answer."""


class Relevance(Value):
    """The least evidence of a question that a collection may be able to answer."""

    threshold: float = 0.0
    """Fitted when the index is built; the default refuses only what nothing speaks for."""

    def relevant(self, evidence: float) -> bool:
        return evidence >= self.threshold


def evidence(question: str, languages: Sequence[str], cosine: float, chunks: Sequence[Chunk]) -> float:
    """How likely the collection has an answer, up to 1: from the highest cosine of any chunk, and the largest share
    of the question's terms in one of the best chunks. `chunks` are best first; `languages` are those of the
    collection."""
    asked = set(analyzer.asked(question, languages))
    found = [asked & _terms(chunk.embedded, chunk.language) for chunk in chunks[:BEST]]
    coverage = max(map(len, found), default=0) / max(1, len(asked))
    return _COSINE_SHARE * cosine + (1 - _COSINE_SHARE) * coverage


@functools.lru_cache(maxsize=2048)
def _terms(text: str, language: str) -> frozenset[str]:
    """Cached: popular chunks are found by many questions."""
    return frozenset(analyzer.terms(text, language))


def fit(own: Sequence[float], foreign: Sequence[float]) -> Relevance:
    """The midpoint between the median evidence of out-of-domain questions and the 5 % quantile of the collection's own.

    The median, because a collection may answer some of the out-of-domain questions.
    """
    import numpy as np

    if not own or not foreign:
        return Relevance()
    least = float(np.quantile(own, _FEW))
    return Relevance(threshold=(min(float(np.median(foreign)), least) + least) / 2)
