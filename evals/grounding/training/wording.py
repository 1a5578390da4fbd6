"""The same statement in other words: rules that a careful writer's rewriting is imitated by.

Knows English word forms and a table of synonyms; knows no passage. A word that was falsified stays marked through every rewriting.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy

from evals.grounding.training.words import CONTRACTIONS, NUMERALS, OPPOSITE, SAME

OPENERS = (
    "according to the passage,", "the passage says that", "the text states that", "it is known that", "based on the context,", "yes,",
    "actually,", "in fact,", "i think", "i know that", "well,", "the documents show that", "in short,", "specifically,", "overall,",
    "it is worth noting that", "as described in the article,", "i believe", "sure,", "did you know that", "oh yes,", "according to passage 1,",
    "passage 2 says that", "as stated in passage 3,", "the answer is that", "the short answer:", "as far as the context tells,",
)  # fmt: skip
LINKS = (
    "firstly,", "secondly,", "additionally,", "furthermore,", "moreover,", "in addition,", "for example,", "generally,", "ultimately,",
    "finally,", "as a result,", "therefore,", "however,", "this means that", "essentially,", "in summary,",
)  # fmt: skip
CONNECTIVE = re.compile(
    r"(?:however|moreover|furthermore|in addition|additionally|therefore|thus|hence|consequently|for example|for instance|finally|in fact|"
    r"indeed|also|similarly|on the other hand|nevertheless|interestingly|importantly|overall|in contrast|as a result),",
    re.IGNORECASE,
)
REPORTING = re.compile(
    r"^.{0,60}\b(?:found|shows?|showed|suggests?|suggested|demonstrates?|demonstrated|indicates?|indicated|reveal(?:ed|s)?|concluded?|"
    r"reported|believed?|stated?|argued?) that ",
    re.IGNORECASE,
)
ASIDE = re.compile(r"\s*\([^()]*\)|\s*\[[^\[\]]*\]|,? (?:such as|including) [^.;]*$")
LEADING = re.compile(r"^(In|On|During|After|Before|By|At|Since|For|With|From|Under|When|As) ([^,]{3,60}), (.{15,})$")
TRAILING = re.compile(r"^(.{15,}) ((?:in|on|during|after|before|since|until) (?:the )?(?:\w+ ){0,3}\w+)$")
TAIL = re.compile(
    r"^(.{25,}?),? (?:which|who|where|while|although|though|because|whereas|as well as|,? with|using|leading|resulting) .*$"
)
HALVES = re.compile(r"^(.{25,}?)(?:;|, and|, but|, so|:) (.{25,})$")
SUBJECT = re.compile(r"^((?:The |A |An )?(?:[\w'-]+ ){1,4}?)(is|was|are|were|has|have|had|can|will|became|began) (.{15,})$")
STRUCK = re.compile(r" (?:also|very|often|particularly|especially|mainly|then|now|still|even|just|already|generally|usually)\b")
CORE = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)
MARKED = "\x01"
"""Before a falsified word, so that rules over text keep the mark."""
PARAPHRASED = 0.45
"""The share of the words with a synonym that are replaced."""
Rule = Callable[[str, numpy.random.Generator], str]


class Word(NamedTuple):
    """A word with the punctuation it touches; `false` where it was put there against the evidence."""

    text: str
    false: bool = False


def words(text: str) -> list[Word]:
    """Cut at white space."""
    return [Word(word) for word in text.split()]


def written(said: Sequence[Word]) -> tuple[str, list[tuple[int, int]]]:
    """The text, and the spans of its false words."""
    text, spans = "", []
    for word in said:
        text += " " * bool(text)
        if word.false:
            spans.append((len(text), len(text) + len(word.text)))
        text += word.text
    return text, spans


def parts(word: str) -> tuple[str, str, str]:
    """What stands before the letters and digits of a word, they, and what follows."""
    found = CORE.match(word)
    return (found[1], found[2], found[3]) if found else ("", word, "")


def like(word: str, model: str) -> str:
    """`word` capitalised as `model` is."""
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def rewritten(said: Sequence[Word], chance: numpy.random.Generator, rules: int) -> list[Word]:
    """The statement after about `rules` rules, drawn by chance; a rule that would lose a false word, or nearly all words, is left out."""
    text = " ".join(MARKED * word.false + word.text for word in said)
    marks = text.count(MARKED)
    for index in chance.permutation(len(RULES))[: rules * 3]:
        changed = RULES[index](text, chance)
        if changed != text and changed.count(MARKED) >= marks and len(changed.split()) >= 4:
            text = changed
            rules -= 1
        if rules <= 0:
            break
    return [Word(word.replace(MARKED, ""), MARKED in word) for word in text.split()]


def paraphrased(
    said: Sequence[Word], thesaurus: Mapping[str, Sequence[str]], share: float, chance: numpy.random.Generator
) -> list[Word]:
    """The statement with that share of the words that the thesaurus knows replaced; false words stay."""
    told = []
    for word in said:
        before, core, after = parts(word.text)
        others = thesaurus.get(core.lower(), ())
        replaced = others and not word.false and chance.random() < share
        told.append(Word(before + like(others[int(chance.integers(len(others)))], core) + after) if replaced else word)
    return told


def linked(said: Sequence[Word], chance: numpy.random.Generator) -> list[Word]:
    """The statement as one of several in an answer."""
    link = LINKS[chance.integers(len(LINKS))].split()
    first = Word(_lowered(said[0].text).rstrip(), said[0].false)
    return [Word(like(link[0], "A")), *(Word(word) for word in link[1:]), first, *said[1:]]


def understated(said: Sequence[Word]) -> list[Word]:
    """The same by what it is not: "is rare" as "is not common"; unchanged where nothing in it can be said so."""
    told: list[Word] = []
    for index, word in enumerate(said):
        before, core, after = parts(word.text)
        opposite = OPPOSITE.get(core.lower())
        if opposite and index and said[index - 1].text in ("is", "are", "was", "were") and not word.false:
            told += [Word("not"), Word(before + opposite + after)]
        else:
            told.append(word)
    return told


def _synonyms(text: str, chance: numpy.random.Generator) -> str:
    said = text.split()
    for index, word in enumerate(said):
        before, core, after = parts(word)
        if MARKED not in before and core.lower() in SAME and chance.random() < PARAPHRASED:
            others = SAME[core.lower()]
            said[index] = before + like(others[chance.integers(len(others))], core) + after
    return " ".join(said)


def _opened(text: str, chance: numpy.random.Generator) -> str:
    opener = OPENERS[chance.integers(len(OPENERS))]
    return f"{opener[0].upper()}{opener[1:]} {_lowered(text)}"


def _lowered(text: str) -> str:
    """Without the capital of a common word that opened it."""
    first, _, rest = text.partition(" ")
    common = first.lower() in SAME or first.lower() in {
        "the",
        "a",
        "an",
        "in",
        "this",
        "these",
        "it",
        "they",
        "there",
        "we",
        "some",
    }
    return f"{first.lower()} {rest}" if common else text


def _bare(text: str, _: numpy.random.Generator) -> str:
    return _raised(CONNECTIVE.sub("", text).strip())


def _raised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _reported(text: str, _: numpy.random.Generator) -> str:
    return _raised(REPORTING.sub("", text))


def _without_asides(text: str, _: numpy.random.Generator) -> str:
    return _ended(ASIDE.sub("", text), text)


def _fronted(text: str, _: numpy.random.Generator) -> str:
    found = TRAILING.match(text.rstrip("."))
    return f"{_raised(found[2])}, {_lowered(found[1])}." if found else text


def _put_back(text: str, _: numpy.random.Generator) -> str:
    found = LEADING.match(text.rstrip("."))
    return f"{_raised(found[3])} {found[1].lower()} {found[2]}." if found else text


def _shortened(text: str, _: numpy.random.Generator) -> str:
    found = TAIL.match(text)
    return _ended(found[1], text) if found else text


def _halved(text: str, chance: numpy.random.Generator) -> str:
    found = HALVES.match(text)
    return _ended(_raised(found[int(chance.integers(1, 3))]), text) if found else text


def _pronoun(text: str, _: numpy.random.Generator) -> str:
    found = SUBJECT.match(text)
    if not found or MARKED in found[1]:
        return text
    return f"{'They' if found[2] in ('are', 'were', 'have') else 'It'} {found[2]} {found[3]}"


def _struck(text: str, _: numpy.random.Generator) -> str:
    return STRUCK.sub("", text)


def _contracted(text: str, _: numpy.random.Generator) -> str:
    for long, short in CONTRACTIONS.items():
        text = text.replace(long, short) if long in text else text.replace(short, long)
    return text


def _spelt(text: str, _: numpy.random.Generator) -> str:
    """Numbers up to twenty in the other way, and per cent."""
    said = []
    for word in text.replace("%", " percent").split():
        before, core, after = parts(word)
        if core.isdigit() and int(core) < len(NUMERALS) and not before:
            core = NUMERALS[int(core)]
        elif core in NUMERALS[2:] and not before:
            core = str(NUMERALS.index(core))
        said.append(before + core + after)
    return " ".join(said)


def _unmarked(text: str, _: numpy.random.Generator) -> str:
    return text.rstrip(".")


def _ended(text: str, model: str) -> str:
    return text.rstrip(" ,;:") + "." if model.endswith(".") and not text.endswith(".") else text


RULES: tuple[Rule, ...] = (
    _synonyms, _synonyms, _synonyms, _opened, _opened, _bare, _reported, _without_asides, _fronted, _put_back, _shortened, _halved,
    _pronoun, _struck, _contracted, _spelt, _unmarked,
)  # fmt: skip
