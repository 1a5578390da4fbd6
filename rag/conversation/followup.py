"""Whether a question can be understood without the conversation before it.

It cannot if it points back (pronouns, demonstratives, "the second one"), goes on ("and for ...?"), compares with nothing, or leaves
out what it asks about. Knows the words and patterns of `rag.conversation.languages`; knows no grammar, and nothing of the conversation.
"""

import re
import unicodedata
from collections.abc import Mapping

from rag.conversation.languages import chinese, english, french, german, russian, spanish
from rag.conversation.words import Words

LATIN: Mapping[str, Words] = {"en": english.WORDS, "de": german.WORDS, "fr": french.WORDS, "es": spanish.WORDS}

READ = 500
"""Characters of a question that are read: a longer one says what it is about."""
NAMED = 2
"""How many words that are no stopwords say what a question is about."""
NAMED_IN_CHINESE = 2
"""The same for Chinese, in characters."""
HAN = re.compile(r"[\u4e00-\u9fff]")
CYRILLIC = re.compile(r"[\u0400-\u04ff]")
WORD = re.compile(r"[^\W_][\w'-]*(?:[.+#/][\w+#]+)*")
FORMAL = re.compile(r"(?<=[\w,] )(?:Sie|Ihnen|Ihre[rsnm]?)\b")
APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-"})


def follows(question: str, before: str = "") -> bool:
    """Whether a question depends on the conversation before it. `before`, the previous question, helps to detect the language."""
    asked = _normalized(question)
    if HAN.search(asked):
        return _follows_in_chinese(asked)
    words = russian.WORDS if CYRILLIC.search(asked) else LATIN[_language(f"{_normalized(before)} {asked}")]
    polite = words.courtesy.match(asked)
    asked = asked[polite.end() :] if polite and polite.end() < len(asked) else asked
    if words.points.search(asked) or (words.comparative.search(asked) and not words.complete.search(asked)):
        return True
    return _unnamed(asked, words) or _elliptic(asked, words)


def _normalized(text: str) -> str:
    """The text in lower case, with plain apostrophes. Formal German "Sie" (you) becomes "du", to tell it from "sie" (she, they)."""
    spaced = " ".join(unicodedata.normalize("NFKC", text[:READ])[:READ].translate(APOSTROPHES).split())
    return FORMAL.sub("du", spaced).lower().lstrip("¿¡ \"'")


def _language(text: str) -> str:
    """The language in Latin letters that most of the words are stopwords of; English if none are."""
    found = WORD.findall(text)
    return max(LATIN, key=lambda language: sum(word in LATIN[language].stopwords for word in found))


def _unnamed(asked: str, words: Words) -> bool:
    """Whether it has a pronoun or possessive without naming before it what that may stand for."""
    if pronoun := words.pronoun.search(asked):
        before = asked[: pronoun.start()]
        if len(_own(before, words)) < NAMED or not words.clause.search(before):
            return True
    owner = words.possessive.search(asked)
    return owner is not None and len(_own(asked[: owner.start()], words)) < NAMED


def _elliptic(asked: str, words: Words) -> bool:
    """Whether it names too little to say what it is about, or is only a word or two."""
    own = _own(asked, words)
    if len(own) < NAMED:
        return not (own and words.defines.search(asked))
    return len(own) == NAMED and (own == WORD.findall(asked) or words.adds.search(asked) is not None)


def _own(text: str, words: Words) -> list[str]:
    """The words that are no stopwords."""
    return [word for word in WORD.findall(text) if word not in words.stopwords and (len(word) > 1 or word.isdigit())]


def _follows_in_chinese(text: str) -> bool:
    asked = chinese.COURTESY.sub("", text) or text
    pronoun = chinese.PRONOUN.search(asked)
    if pronoun and len(chinese.STOPWORDS.sub("", asked[: pronoun.start()])) < 2 * NAMED_IN_CHINESE:
        return True
    if chinese.POINTS.search(asked) and not chinese.COMPLETE.search(asked):
        return True
    return len(chinese.STOPWORDS.sub("", asked)) < NAMED_IN_CHINESE
