"""How much of a reference answer's wording an answer has: exact match, token F1, ROUGE, BLEU, chrF.

Knows texts, and what counts as a word in each script. Knows no meaning: a right answer in other words scores low.
"""

import functools
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import regex

from evals.cases import Case
from evals.scorers.base import Metric, Scores
from rag.answer.citations import citations, uncited
from rag.trace import Outcome, Trace

if TYPE_CHECKING:
    from nltk.stem.porter import PorterStemmer  # type: ignore[import-untyped]
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
CHARACTER = regex.compile(rf"[{UNSPACED}]\p{{M}}*")
"""Of a script whose words are not told apart by spaces, and of Korean, where a space sets off more than a word: each counts as one."""
WORD = regex.compile(rf"{CHARACTER.pattern}|[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]+", regex.V1)
WIDE = regex.compile(rf"{CHARACTER.pattern}|[\u3000-\u303F\uFF00-\uFFEF]")
"""Such characters with their punctuation."""
IGNORED = regex.compile(r"[\p{P}\p{Sc}\p{Sk}\p{Sm}\p{Cf}]")
"""In ASCII, `string.punctuation`; emoji are kept."""
ARTICLE = regex.compile(r"\b(?:a|an|the)\b")
LEAST_STEMMED = 4
"""Letters, as in ROUGE-1.5.5."""


class Overlap:
    """Each metric is the best over the references. A case without an answer is scored as SQuAD 2.0 does: 1 for a refusal, 0 for any
    answer, on every metric; a request that was refused or failed, for a case with an answer, has 0 on every one.
    """

    identity = "overlap@1"
    metrics = (
        Metric(name="exact_match", label="exact match", better="higher", unit="binary"),
        Metric(name="f1", label="token F1", better="higher", unit="share"),
        Metric(name="rouge1", label="ROUGE-1", better="higher", unit="share"),
        Metric(name="rouge2", label="ROUGE-2", better="higher", unit="share"),
        Metric(name="rougeL", label="ROUGE-L", better="higher", unit="share"),
        Metric(name="bleu", label="BLEU", better="higher", unit="share"),
        Metric(name="chrf", label="chrF", better="higher", unit="share"),
    )

    def score(self, trace: Trace, case: Case) -> Scores:
        """Nothing where the case has an answer and no reference for it."""
        if not case.answerable:
            return self._all(float(trace.outcome is Outcome.REFUSED))
        if not case.references:
            return {}
        if trace.outcome is not Outcome.ANSWERED:
            return self._all(0.0)
        answer, references = uncited(trace.answer, citations(trace.answer)).text, list(dict.fromkeys(case.references))
        said, wanted = normalized(answer), [normalized(reference) for reference in references]
        return {
            "exact_match": float(said in wanted),
            "f1": max(f1(said, words) for words in wanted),
            **rouge(answer, references),
            "bleu": bleu(answer, references),
            "chrf": chrf(answer, references),
        }

    def _all(self, value: float) -> dict[str, float]:
        return {metric.name: value for metric in self.metrics}


def normalized(text: str) -> list[str]:
    """The words that exact match and token F1 compare: without case, punctuation and English articles, as for SQuAD (Rajpurkar et al.,
    2016). A text that is nothing else is left whole.
    """
    folded = _folded(text)
    bare = ARTICLE.sub(" ", IGNORED.sub("", folded))
    return CHARACTER.sub(r" \g<0> ", bare).split() or folded.split()


def f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    """Harmonic mean of the shares of words that both have, repeats counted; 1 for two empty texts."""
    if not said or not wanted:
        return float(said == wanted)
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted))


def rouge(answer: str, references: Sequence[str]) -> dict[str, float]:
    """`rouge1`, `rouge2` and `rougeL` as F-measures over stems (Lin, 2004)."""
    said = STEMS.tokenize(answer)
    longest = max(_rouge_l(said, STEMS.tokenize(reference)) for reference in references)
    pairs = _rouge().score_multi(references, answer)
    return {**{name: float(score.fmeasure) for name, score in pairs.items()}, "rougeL": longest}


def bleu(answer: str, references: Sequence[str]) -> float:
    """Of one sentence (Papineni et al., 2002), smoothed and cut into words as sacrebleu does unless told otherwise (Post, 2018)."""
    said = _spaced(answer)
    percent = max(_bleu().sentence_score(said, [_spaced(reference)]).score for reference in references)
    _forget()
    # Of equal texts it is a rounding error above 100.
    return min(percent / 100, 1.0)


def chrf(answer: str, references: Sequence[str]) -> float:
    """chrF2 of one sentence (Popović, 2015)."""
    return float(_chrf().sentence_score(answer, references).score) / 100


class Stems:
    """The tokenizer that rouge-score has for English, for every script: its own drops all letters but a to z."""

    def tokenize(self, text: str) -> list[str]:
        """The words in order, those of a to z stemmed."""
        return [_stem(word) for word in WORD.findall(_folded(text))]


STEMS = Stems()


def _rouge_l(said: Sequence[str], wanted: Sequence[str]) -> float:
    """ROUGE-L: rouge-score fills a table of all pairs of words, which took a third of the time of all scorers together."""
    return 2 * _common(said, wanted) / (len(said) + len(wanted) or 1)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """The length of the longest common subsequence, a row of the table at a time as the bits of one number (Hyyrö, 2004)."""
    places: defaultdict[str, int] = defaultdict(int)
    for place, word in enumerate(left):
        places[word] |= 1 << place
    full = unmatched = (1 << len(left)) - 1
    for word in right:
        matched = unmatched & places.get(word, 0)
        unmatched = ((unmatched + matched) | (unmatched - matched)) & full
    return len(left) - unmatched.bit_count()


def _spaced(text: str) -> str:
    """With spaces around what BLEU, which knows words by them, would otherwise take for one long word."""
    return str(WIDE.sub(r" \g<0> ", text))


def _forget() -> None:
    """Empty the caches in which sacrebleu keeps the last 65,536 texts: a long run would grow and grow."""
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
    from sacrebleu.tokenizers.tokenizer_re import TokenizerRegexp

    for tokenizer in (Tokenizer13a, TokenizerRegexp):
        tokenizer.__call__.cache_clear()


@functools.cache
def _rouge() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2"], tokenizer=STEMS)


@functools.cache
def _bleu() -> "BLEU":
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(effective_order=True)


@functools.cache
def _chrf() -> "CHRF":
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


@functools.lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return str(_stemmer().stem(word)) if word.isascii() and len(word) >= LEAST_STEMMED else word


@functools.cache
def _stemmer() -> "PorterStemmer":
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()
