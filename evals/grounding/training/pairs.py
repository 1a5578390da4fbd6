"""The recipe of the training pairs: what a passage supports, and claims as like it that it does not support.

Every falsehood is balanced: the same change is made to the claim and to the passage, so that neither alone gives the label away
(contrast sets: Gardner et al., 2020). Knows texts and rules; knows no model.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy

from evals.grounding.training.falsehoods import Change, Vocabulary, changes
from evals.grounding.training.questions import statement
from evals.grounding.training.sources import SHARES, Article, Question, passage
from evals.grounding.training.wording import Word, linked, paraphrased, parts, rewritten, understated, words, written
from evals.grounding.training.words import FUNCTION_WORDS
from rag.embedders.base import Embedder
from rag.text import analyzer
from rag.text.sentences import sentences
from rag.types import Passage
from rag.validators.windows import window

WINDOWS = (40, 70, 110)
"""Words of the windows, drawn by chance: short ones are quick to learn from, the longest is the one at run time."""
SHORTEST, LONGEST = 6, 42
"""Words of a sentence that a claim is made of."""
RULES = (0, 1, 1, 2, 3)
"""How many rules rewrite a claim, drawn by chance."""
ASIDE = 0.6
"""The share of a claim's words that other sentences may hold once its own is taken away: from there on they may support it."""

RETOLD = 0.06
"""The share of the sentences that are told again in the second lesson."""
PARAPHRASED = 0.6
"""The share of their words with a synonym that are replaced then."""
UNDERSTATED, LINKED = 0.4, 0.25
"""The shares of the statements that are told by what they are not, where they can be, and as one of several."""
FAR_WINDOWS = (50, 100, 150)
"""As `WINDOWS`, for the second lesson."""


class Example(NamedTuple):
    """A claim before its window, as people would label it."""

    premise: str
    claim: str
    supported: bool
    false: list[tuple[int, int]]
    """Spans of the claim that the premise does not support; empty where it is supported."""
    kind: str
    source: str


class Fact(NamedTuple):
    """One or two sentences of an article's passage."""

    article: Article
    passage: int
    start: int
    end: int
    said: list[Word]


def examples(articles: Sequence[Article], embedder: Embedder, chance: numpy.random.Generator) -> Iterator[Example]:
    """From every sentence and every question of the articles, by their shares; as many are supported as are not, give or take a few."""
    facts = {index: list(_facts(article, chance)) for index, article in enumerate(articles)}
    far = Vocabulary(fact.said for found in facts.values() for fact in found)
    far.embed(embedder)
    for index, article in enumerate(articles):
        near = Vocabulary(fact.said for fact in facts[index])
        for _ in range(int(SHARES[article.source] + chance.random())):
            for fact in facts[index]:
                yield from _of_fact(fact, near, far, chance)
            for question in article.questions:
                yield from _of_question(article, question, chance)


def distant(articles: Sequence[Article], embedder: Embedder, chance: numpy.random.Generator) -> Iterator[Example]:
    """A second lesson: claims whose words are far from those of their evidence, and the same with one fact changed.

    Statements that answer people's questions, what authors conclude from their abstracts, and sentences said in other words.
    """
    facts = [list(_facts(article, chance)) for article in articles]
    far = Vocabulary(fact.said for found in facts for fact in found)
    far.embed(embedder)
    thesaurus = far.thesaurus()
    for article, found in zip(articles, facts, strict=True):
        near = Vocabulary(fact.said for fact in found)
        claims = [*_answers(article), *_conclusions(article), *(fact for fact in found if chance.random() < RETOLD)]
        for fact in claims:
            for change in changes(fact.said, near, far, chance, most=2):
                other = [*fact.said[: change.start], *change.new, *fact.said[change.end :]]
                for said in (fact.said, other):
                    told = paraphrased(said, thesaurus, PARAPHRASED, chance)
                    told = understated(told) if chance.random() < UNDERSTATED else told
                    told = linked(told, chance) if chance.random() < LINKED else told
                    told = rewritten(told, chance, int(chance.integers(4)))
                    premise = window(written(told)[0], _around(fact, None, chance), "en", _width(FAR_WINDOWS, chance))
                    text, false = written(told)
                    yield Example(premise.text, text, not false, false, f"distant {change.kind}", article.source)


def _answers(article: Article) -> Iterator[Fact]:
    for question in article.questions:
        start = article.passages[question.passage].text.index(question.answer)
        said = statement(question.text, question.answer)
        yield Fact(article, question.passage, start, start + len(question.answer), said)


def _conclusions(article: Article) -> Iterator[Fact]:
    """Of those sentences that share enough with the passage to be supported by it."""
    for position, conclusion in article.conclusions.items():
        held = set(analyzer.terms(article.passages[position].text, "en"))
        for start, end in sentences(conclusion):
            said = words(conclusion[start:end])
            terms = analyzer.asked(conclusion[start:end], ["en"])
            if SHORTEST <= len(said) <= LONGEST and len(held.intersection(terms)) >= ASIDE * len(terms):
                yield Fact(article, position, 0, 0, said)


def write(path: Path, made: Iterable[Example]) -> int:
    """As JSON lines; how many."""
    lines = [json.dumps(example._asdict(), ensure_ascii=False) for example in made]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def _facts(article: Article, chance: numpy.random.Generator) -> Iterator[Fact]:
    for position, read in enumerate(article.passages):
        spans = sentences(read.text)
        for index, (start, end) in enumerate(spans):
            if index + 1 < len(spans) and chance.random() < 0.15:
                end = spans[index + 1][1]
            text = read.text[start:end]
            said = words(text)
            if SHORTEST <= len(said) <= LONGEST and _is_prose(text):
                yield Fact(article, position, start, end, said)


def _is_prose(text: str) -> bool:
    letters = sum(letter.islower() or letter == " " for letter in text)
    return letters > 0.75 * len(text) and "://" not in text and "\n" not in text and text[0].isupper() and text[-1] in ".!"


def _of_fact(fact: Fact, near: Vocabulary, far: Vocabulary, chance: numpy.random.Generator) -> Iterator[Example]:
    for change in changes(fact.said, near, far, chance, most=2):
        yield from _of_change(fact, change, chance)
    if chance.random() < 0.3:
        others = _around(fact, "", chance)
        claim = rewritten(fact.said, chance, _rules(chance))
        yield from _without(others, claim, fact.article.source, chance)
        yield _example(_around(fact, None, chance), claim, "removed", fact.article.source, chance)


def _of_change(fact: Fact, change: Change, chance: numpy.random.Generator) -> Iterator[Example]:
    """Two of the four ways to put the statement or its falsehood into the claim and into the passage."""
    true = fact.said
    other = [*fact.said[: change.start], *change.new, *fact.said[change.end :]]
    marked = [*fact.said[: change.start], *change.old, *fact.said[change.end :]]
    told = " ".join(word.text for word in other)
    unmarked = words(told)
    way = chance.random()
    if way < 0.4:
        claims: list[tuple[str | None, Sequence[Word]]] = [(None, true), (None, other)]
    elif way < 0.7:
        claims = [(told, unmarked), (None, other) if change.adds else (told, marked)]
    else:
        claims = [(told, true), (None, other)] if change.adds else [(None, true), (told, marked)]
    for text, claim in claims:
        said = rewritten(claim, chance, _rules(chance))
        yield _example(_around(fact, text, chance), said, change.kind, fact.article.source, chance)


def _of_question(article: Article, question: Question, chance: numpy.random.Generator) -> Iterator[Example]:
    """The answer as a statement, another answer in its place, and the answer with its evidence gone."""
    asked = question.text.split()[:2]
    rivals = [
        other.answer
        for other in article.questions
        if other.text.split()[0].lower() == asked[0].lower()
        and other.answer.lower() not in question.answer.lower()
        and question.answer.lower() not in other.answer.lower()
    ]
    rivals += [question.rival] * bool(question.rival)
    read = article.passages[question.passage]
    start = read.text.index(question.answer)
    answered = Fact(article, question.passage, start, start + len(question.answer), words(question.answer))
    right = statement(question.text, question.answer)
    for _ in range(2):
        yield _example(
            _around(answered, None, chance), rewritten(right, chance, _rules(chance)), "answer", article.source, chance
        )
    if rivals:
        rival = rivals[chance.integers(len(rivals))]
        wrong = rewritten(statement(question.text, rival, wrong=True), chance, _rules(chance))
        yield _example(_around(answered, None, chance), wrong, "answer", article.source, chance)
        if chance.random() < 0.5:
            stated = rewritten(statement(question.text, rival), chance, _rules(chance))
            yield _example(_around(answered, rival, chance), stated, "answer", article.source, chance)
            marked = statement(question.text, question.answer, wrong=True)
            yield _example(_around(answered, rival, chance), marked, "answer", article.source, chance)
    place = next(((s, e) for s, e in sentences(read.text) if s <= start < e), (start, start + len(question.answer)))
    sentence = Fact(article, question.passage, *place, words(read.text[slice(*place)]))
    yield from _without(_around(sentence, "", chance), rewritten(right, chance, _rules(chance)), article.source, chance)


def _without(others: Sequence[Passage], claim: Sequence[Word], source: str, chance: numpy.random.Generator) -> Iterator[Example]:
    """The claim beside what is left without its evidence, where that is little enough; its words that are not there are false."""
    text = " ".join(word.text for word in claim)
    premise = window(text, others, "en", _width(WINDOWS, chance)).text
    held = set(analyzer.terms(premise, "en"))
    content = [word for word in claim if parts(word.text)[1].lower() not in FUNCTION_WORDS]
    absent = {word.text for word in content if held.isdisjoint(analyzer.terms(word.text, "en"))}
    if premise and len(absent) > (1 - ASIDE) * len(content):
        said, false = written([Word(word.text, word.text in absent) for word in claim])
        yield Example(premise, said, False, false, "removed", source)


def _around(fact: Fact, told: str | None, chance: numpy.random.Generator) -> list[Passage]:
    """The fact's passage, with `told` in the fact's place, and up to three neighbours."""
    read = fact.article.passages[fact.passage]
    text = read.text if told is None else f"{read.text[: fact.start]}{told}{read.text[fact.end :]}"
    more = int(chance.choice([0, 0, 0, 1, 2, 3]))
    first = max(0, fact.passage - int(chance.integers(more + 1)))
    near = fact.article.passages[first : first + more + 1]
    return [passage(read.number, text, read.title) if other is read else other for other in near] if near else [read]


def _example(
    passages: Sequence[Passage], claim: Sequence[Word], kind: str, source: str, chance: numpy.random.Generator
) -> Example:
    text, false = written(claim)
    return Example(window(text, passages, "en", _width(WINDOWS, chance)).text, text, not false, false, kind, source)


def _width(widths: Sequence[int], chance: numpy.random.Generator) -> int:
    return widths[int(chance.integers(len(widths)))]


def _rules(chance: numpy.random.Generator) -> int:
    return RULES[chance.integers(len(RULES))]
