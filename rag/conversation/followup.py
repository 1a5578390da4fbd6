"""Whether a question can be understood without what was said before it.

Knows no grammar: what points back (pronouns, demonstratives, "the second one"), goes on ("and for ...?"), compares with nothing, or
leaves out what it asks about, by the words of `rag.conversation.words`. Knows nothing of what was said.
"""

import re
import unicodedata

from rag.conversation.words import (
    CHINESE_COMPLETE,
    CHINESE_COURTESY,
    CHINESE_LIGHT,
    CHINESE_POINTS,
    CHINESE_PRONOUN,
    LATIN,
    RUSSIAN,
    Words,
)

READ = 500
"""Characters of a question: a longer one says what it is about."""
NAMED = 2
"""Words with a meaning of their own that say what a question is about, at least."""
NAMED_IN_CHINESE = 2
"""Characters, of the same."""
HAN = re.compile(r"[\u4e00-\u9fff]")
CYRILLIC = re.compile(r"[\u0400-\u04ff]")
WORD = re.compile(r"[^\W_][\w'-]*(?:[.+#/][\w+#]+)*")
FORMAL = re.compile(r"(?<=[\w,] )(?:Sie|Ihnen|Ihre[rsnm]?)\b")
APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-"})


def follows(question: str, before: str = "") -> bool:
    """Whether `question`, asked after something else was, rests on it. `before`, what was asked last, helps to tell the language."""
    asked = _plain(question)
    if HAN.search(asked):
        return _follows_in_chinese(asked)
    words = RUSSIAN if CYRILLIC.search(asked) else LATIN[_language(f"{_plain(before)} {asked}")]
    polite = words.courtesy.match(asked)
    asked = asked[polite.end() :] if polite and polite.end() < len(asked) else asked
    if words.points.search(asked) or (words.compares.search(asked) and not words.complete.search(asked)):
        return True
    return _unnamed(asked, words) or _elliptic(asked, words)


def _plain(text: str) -> str:
    """In lower case, the reader who is addressed in formal German told from her and them, who are written alike."""
    spaced = " ".join(unicodedata.normalize("NFKC", text[:READ])[:READ].translate(APOSTROPHES).split())
    return FORMAL.sub("du", spaced).lower().lstrip("¿¡ \"'")


def _language(text: str) -> str:
    """Of those written in Latin letters, the one that has most of the words; English where none has any."""
    found = WORD.findall(text)
    return max(LATIN, key=lambda language: sum(word in LATIN[language].light for word in found))


def _unnamed(asked: str, words: Words) -> bool:
    """Whether it has a pronoun, and does not name before it what that may stand for."""
    if pronoun := words.stands.search(asked):
        before = asked[: pronoun.start()]
        if len(_own(before, words)) < NAMED or not words.joint.search(before):
            return True
    owner = words.owner.search(asked)
    return owner is not None and len(_own(asked[: owner.start()], words)) < NAMED


def _elliptic(asked: str, words: Words) -> bool:
    """Whether it names too little to be about anything, or is but a word or two."""
    own = _own(asked, words)
    if len(own) < NAMED:
        return not (own and words.defines.search(asked))
    return len(own) == NAMED and (own == WORD.findall(asked) or words.adds.search(asked) is not None)


def _own(text: str, words: Words) -> list[str]:
    """The words that have a meaning of their own."""
    return [word for word in WORD.findall(text) if word not in words.light and (len(word) > 1 or word.isdigit())]


def _follows_in_chinese(text: str) -> bool:
    asked = CHINESE_COURTESY.sub("", text) or text
    pronoun = CHINESE_PRONOUN.search(asked)
    if pronoun and len(CHINESE_LIGHT.sub("", asked[: pronoun.start()])) < 2 * NAMED_IN_CHINESE:
        return True
    if CHINESE_POINTS.search(asked) and not CHINESE_COMPLETE.search(asked):
        return True
    return len(CHINESE_LIGHT.sub("", asked)) < NAMED_IN_CHINESE
