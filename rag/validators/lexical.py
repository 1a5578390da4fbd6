"""A validator that compares words: fast, without a model, and blind to paraphrase.

Knows when what the passages say of a claim supports it, when something in them stands against it, and when neither can be told.
The thresholds were fitted on English claims with people's labels; in other languages it says "cannot tell" where it would say "unsupported".
"""

import functools
import itertools
import sys
from collections.abc import Sequence

from rag.answer import citations
from rag.answer.claims import Statement, statements
from rag.revision import behaviour
from rag.text import analyzer, pronouns, speech
from rag.text.sentences import sentences
from rag.types import Claim, Evidence, Passage, Tier, Verdict
from rag.validators import alignment, analysis, conflicts, languages, matching, names, numbers, polarity, words
from rag.validators.conflicts import Conflict
from rag.validators.matching import Collection, Match, Weighed
from rag.validators.words import Kind, Word

SUPPORTED = 0.5
"""From this score on a claim is supported: 7 to 9 of 10 such claims of the labelled sets are."""
UNSUPPORTED = 0.12
"""Below this score it is not: fewer than 1 of 10 is."""
RELATED = 0.25
"""From this score of the match on, its sentences are shown as evidence; what stands against a claim always is."""
PENALTY = 0.1
"""For each number and each name that no passage holds."""
SPELT = 20
"""Numbers up to it are often spelt, which is read in English alone."""
DOUBTFUL = 0.45
"""The most that is left of the score of a claim that something may stand against."""
REJECTED = 0.5
"""What is left of the score of a claim that is contradicted or unsupported."""


class LexicalValidator:
    """Keeps no state: equal inputs give equal claims."""

    @functools.cached_property
    def identity(self) -> str:
        """Digest of this module and of what it reads a claim with: a changed rule is another validator."""
        own = (sys.modules[__name__], alignment, analysis, conflicts, languages, matching, names, numbers, polarity, words)
        modules = (
            *own,
            citations,
            sys.modules[statements.__module__],
            sys.modules[sentences.__module__],
            analyzer,
            pronouns,
            speech,
        )
        return f"lexical@1:{behaviour(modules)}"

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        """See `Validator`. Milliseconds for an ordinary answer."""
        spoken = languages.spoken(answer, passages)
        stated = statements(answer, spoken, question)
        if not stated:
            return []
        bench = Bench(passages, spoken)
        return [bench.judge(statement, answer) for statement in stated]


class Bench:
    """Where the claims of one answer are judged, each by all of its passages."""

    def __init__(self, passages: Sequence[Passage], language: str) -> None:
        self.passages = passages
        self.language = language
        self.collection = Collection(passages, language)
        self.alone: dict[int, Collection] = {}

    @functools.cached_property
    def foreign(self) -> bool:
        """Whether the passages are in another language than the answer."""
        spoken = languages.read(self.passages)
        return "und" not in (spoken, self.language) and spoken != self.language

    def judge(self, statement: Statement, answer: str) -> Claim:
        """The claim that a statement makes, with its verdict."""
        said = self._read(statement.resolved)
        weighed = self._weighed(statement.resolved, said)
        match = self.collection.match(weighed)
        absent = self._absent(said)
        score = max(0.0, match.score - PENALTY * len({word.text for word in absent}))
        conflict = self._conflict(said, match)
        if conflict and statement.reply:
            # The question's words, not the answer's: how they stand in the passages tells little of a yes or no.
            conflict = conflict._replace(certain=False)
        if conflict:
            score = min(score, DOUBTFUL)
        verdict, reason = self._verdict(score, absent, conflict, match)
        rejected = verdict in (Verdict.CONTRADICTED, Verdict.UNSUPPORTED)
        return Claim(
            text=answer[statement.start : statement.end],
            start=statement.start,
            end=statement.end,
            verdict=verdict,
            score=round(score * REJECTED if rejected else score, 4),
            tier=Tier.LEXICAL,
            evidence=_evidence(match, 0.0 if conflict else RELATED),
            reason=reason,
            citations=statement.citations,
            miscited=tuple(number for number in statement.citations if rejected or self._miscites(number, weighed)),
        )

    def _verdict(self, score: float, absent: Sequence[Word], conflict: Conflict | None, match: Match) -> tuple[Verdict, str]:
        if not self.passages:
            return Verdict.UNSUPPORTED, "there are no passages"
        passage = match.source.passage.number if match.source else None
        if conflict and conflict.certain:
            return Verdict.CONTRADICTED, f"passage {passage} {conflict.reason}"
        if passage and score >= SUPPORTED and not absent and not conflict:
            return Verdict.SUPPORTED, f"passage {passage} says so"
        if self.foreign:
            return Verdict.UNCERTAIN, "the answer and the passages are in different languages"
        english = self.language == "en"
        telling = absent if english else [word for word in absent if word.number and min(word.number.values) > SPELT]
        rejected = any(not self._rounded(word) for word in telling)
        if absent:
            reason = f"{absent[0].text} is not in the passages"
        else:
            reason = f"passage {passage} {conflict.reason}" if conflict else "the passages say little of it in these words"
        rejected = rejected or score < (UNSUPPORTED if english else UNSUPPORTED / 2)
        return (Verdict.UNSUPPORTED if rejected else Verdict.UNCERTAIN), reason

    def _read(self, text: str) -> list[Word]:
        """The words of a claim. It begins with no name where the passages write the same word without a capital."""
        said = list(words.words(text, self.language))
        if said and said[0].kind is Kind.CONTENT and said[0].text.lower() in self.collection.written:
            said[0] = said[0]._replace(text=said[0].text.lower())
        return said

    def _weighed(self, text: str, said: Sequence[Word]) -> Weighed:
        """The terms of a claim, without those of a number that the passages write differently."""
        known = [word.number.text for word in said if word.number and not word.number.values.isdisjoint(self.collection.values)]
        rewritten = {term for number in known for term in analysis.terms_of(number, self.language)} - self.collection.vocabulary
        return self.collection.weigh([term for term in analysis.terms_of(text, self.language) if term not in rewritten])

    def _absent(self, said: Sequence[Word]) -> list[Word]:
        """The numbers, dates and names that no passage holds."""
        absent = [word for word in said if self._lacks(word)]
        if any(word.kind is Kind.NAME for word in absent):
            for named, run in itertools.groupby(said, key=lambda word: word.kind is Kind.NAME):
                group = list(run)
                if named and names.abbreviated([word.text for word in group], self.collection.written):
                    absent = [word for word in absent if word not in group]
        return absent

    def _lacks(self, word: Word) -> bool:
        """Whether it is a fact that no passage holds. Small numbers that are spelt out may be counted from what is said."""
        if word.kind is Kind.NAME:
            return (
                not (word.first and not word.text.isupper())
                and word.key not in self.collection.vocabulary
                and not names.held(word.text, self.collection.written, self.collection.initials)
            )
        if word.kind is Kind.TIME:
            return word.key.startswith("month") and word.key not in self.collection.dates
        if (
            word.number is None
            or word.number.kind not in ("number", "year")
            or not word.number.values.isdisjoint(self.collection.values)
            or not word.number.amounts.isdisjoint(self.collection.amounts)
        ):
            return False
        return not any(f"month {value:.0f}" in self.collection.dates for value in word.number.values if value <= 12)

    def _rounded(self, word: Word) -> bool:
        """Whether it is a number that stands for one of the passages."""
        return word.number is not None and word.number.near(self.collection.values)

    def _conflict(self, claim: Sequence[Word], match: Match) -> Conflict | None:
        """What stands against the claim in the closest sentences, the certain first."""
        if match.source is None:
            return None
        text = match.source.passage.text
        window = match.source.said.sentences[match.first : match.last]
        said = [words.words(text[sentence.start : sentence.end], self.language) for sentence in window]
        held = {word.key for sentence in said for word in sentence}
        found = itertools.chain.from_iterable(conflicts.conflicts(claim, sentence, held, self.language) for sentence in said)
        doubt = None
        alike = {(word.key, word.negated) for sentence in said for word in sentence}
        for conflict in found:
            if conflict.turned and (conflict.word.key, conflict.word.negated) in alike:
                continue
            if conflict.certain:
                return conflict
            doubt = doubt or conflict
        return conflicts.loose(claim, list(itertools.chain.from_iterable(said))) or doubt

    def _miscites(self, number: int, weighed: Weighed) -> bool:
        """Whether the passage of that number does not exist or does not support the claim."""
        if number not in self.alone:
            self.alone[number] = Collection([passage for passage in self.passages if passage.number == number], self.language)
        cited = self.alone[number]
        return not cited.sources or (cited.match(weighed).score < UNSUPPORTED and not self.foreign)


def _evidence(match: Match, least: float) -> Evidence | None:
    if match.source is None or match.score < least:
        return None
    start, end = match.source.said.sentences[match.first].start, match.source.said.sentences[match.last - 1].end
    return Evidence(passage=match.source.passage.number, start=start, end=end, quote=match.source.passage.text[start:end])
