"""Text into the terms that lexical search indexes and looks up, and the language it is written in.

Knows words, identifiers, numbers, scripts without spaces, and stems. Knows no index and no ranking.
"""

import functools
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import regex
import snowballstemmer

from rag.errors import ConfigurationError

_STEMMERS = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "st": "sesotho",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
FUNCTION_WORDS = {
    "ar": "في من على إلى عن مع أن هذا هذه التي الذي ما ماذا من متى أين كيف كم لماذا هل أي هو هي كان كانت",
    "de": "der die das den dem des ein eine einen einem einer eines und oder von vom in im an am auf zu zum zur für aus bei mit über "
    "nach als wie ist sind war waren wird wurde wurden werden hat haben hatte kann können soll was welche welcher welches welchen "
    "welchem wer wen wem wessen wann wo warum es er sie ich du wir ihr sich nicht",
    "el": "ο η το οι τα του της των τον την και ή σε στο στη στην στον στα από για με που πως ποιος ποια ποιο ποιοι ποιες τι πότε πού "
    "πόσο πόσα πόσοι πόσες γιατί είναι ήταν έχει είχε να θα δεν",
    "en": "a an the and or of in on at to for from by with about as than is are was were be been am do does did has have had can could "
    "should would will may might what which who whom whose how when where why there this that these those it its i you he she we "
    "they me my your our their if so such not no",
    "es": "el la los las un una unos unas y o de del en a al por para con sobre como es son era fue fueron ser está están ha han había "
    "qué que quién quiénes cuál cuáles cuándo cuánto cuánta cuántos cuántas dónde cómo se su sus no",
    "fr": "le la les l un une des du de d et ou en dans à au aux par pour avec sur comme est sont était fut être a ont avait que qu quoi "
    "qui quel quelle quels quelles quand combien où comment pourquoi ce cette ces se s son sa ses il elle on ils elles ne pas",
    "hi": "का की के को में से पर और या है हैं था थे थी ने क्या कौन किस किसने किसके कब कहाँ कहां कैसे क्यों कितने कितनी कितना यह वह",
    "it": "il lo la i gli le l un uno una e o di del della dei delle in nel nella a al alla da dal dalla per con su come è sono era fu "
    "essere ha hanno aveva che chi cosa quale quali quando quanto quanta quanti quante dove perché si suo sua non",
    "nl": "de het een en of van in op aan te tot voor uit bij met over als dan is zijn was waren wordt werd worden heeft hebben had kan "
    "kunnen wat welke welk wie wiens wanneer waar waarom hoe hoeveel er dit dat deze die niet",
    "pl": "i lub w we z ze na do od o po za przez dla jak jest są był była było były co kto kogo komu czym jaki jaka jakie jakich który "
    "która które których kiedy gdzie dlaczego ile czy się nie to ten ta te",
    "pt": "o a os as um uma e ou de do da dos das em no na nos nas por para com sobre como é são era foi foram ser está tem têm tinha "
    "que quem qual quais quando quanto quanta quantos quantas onde se seu sua não",
    "ro": "un o și sau de din în la pe cu pentru despre ca este sunt era a fost fi au avea ce cine cui care când unde cum cât câtă câți "
    "câte se său sa nu",
    "ru": "и или в во на с со к ко о об от для из по за при у как что кто кого кому чем какой какая какое какие каким каких какую когда "
    "где почему сколько был была было были есть быть это этот эта эти он она они мы вы я не ли его ее их",
    "tr": "bir ve veya ile için de da ki mi mı mu mü ne neden nedir kim kimdir kimin hangi hangisi nasıl nerede nereye kaç zaman bu şu o",
    "vi": "là của và hoặc trong trên tại ở cho với từ đến được bị có gì nào ai đâu khi sao bao nhiêu thế những các một này đó",
    "zh": "什么 哪些 哪个 哪种 哪里 如何 怎么 怎样 为什么 为何 多少 何时 是谁 的",
}
_WORD = r"[\p{L}\p{M}\p{N}_]"
_SYLLABLES = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Hangul}"
_LETTERS = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_UNSPACED = _SYLLABLES + _LETTERS
_SPACED = rf"(?:(?![{_UNSPACED}]){_WORD})+"
_TOKEN = regex.compile(
    rf"(?P<syllables>[{_SYLLABLES}]+)|(?P<letters>[{_LETTERS}]+)|{_SPACED}(?:[^\s\p{{Ps}}\p{{Pe}}\p{{C}}]{_SPACED})*[+#]*"
)
_ALONE = regex.compile(r"\p{Han}")
_PART = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_HUMP = regex.compile(r"(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})", regex.V1)
_GROUPED_NUMBER = regex.compile(r"\p{N}{1,3}(?:[.,'’]\p{N}{3})+")
_IDENTIFIER = regex.compile(r"[\p{N}_/\\:.@#+]")
_ACCENT = regex.compile(r"[\u0300-\u036f]")
_LEAST_LETTERS = 12
_LEAST_CONFIDENCE = 0.5
_ENOUGH_TEXT = 4_000
_stemming = threading.Lock()


def terms(text: str, language: str) -> list[str]:
    """The terms of a text or a question, in order, repeats kept; none contains white space.

    `language` is ISO 639-1; a language without a stemmer, or `und`, leaves words whole. Identifiers and numbers with
    separators (`max_tokens`, `getUserName`, `v2.1`, `/etc/hosts`) give themselves and their parts; `1,200` gives `1200`;
    what is written without spaces gives overlapping pairs of characters, Chinese also each of them, Thai and the like also triples.
    """
    return list(_terms(unicodedata.normalize("NFKC", text), language))


def asked(question: str, languages: Sequence[str]) -> list[str]:
    """The distinct terms to look a question up by, in any of the languages its answer may be written in.

    Words that questions are built with ("what", "is", "of") are left out, unless the question is nothing else.
    """
    every = list(dict.fromkeys(term for language in languages or ("und",) for term in terms(question, language)))
    functional = frozenset[str]().union(*map(_function_terms, languages))
    return [term for term in every if term not in functional] or every


def _terms(text: str, language: str) -> Iterator[str]:
    for token in _TOKEN.finditer(text):
        word = token.group()
        if token["syllables"]:
            yield from _runs(word, 2)
            yield from _ALONE.findall(word) if len(word) > 1 else word
        elif token["letters"]:
            yield from _runs(word, 2)
            yield from _runs(word, 3)
        elif _GROUPED_NUMBER.fullmatch(word):
            yield regex.sub(r"\P{N}", "", word)
        else:
            parts = _PART.findall(word)
            if parts != [word] and _IDENTIFIER.search(word):
                yield word.casefold()
            for part in parts:
                yield _stem(part.casefold(), language)
                humps = _HUMP.split(part)
                if len(humps) > 1:
                    yield from (_stem(hump.casefold(), language) for hump in humps)


def _runs(text: str, length: int) -> Iterator[str]:
    return (text[start : start + length] for start in range(len(text) - length + 1))


@functools.lru_cache(maxsize=200_000)
def _stem(word: str, language: str) -> str:
    stemmer = _stemmer(language)
    if stemmer is not None:
        with _stemming:
            word = stemmer.stemWord(word) or word
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", word))) or word


@functools.cache
def _function_terms(language: str) -> frozenset[str]:
    return frozenset(terms(FUNCTION_WORDS.get(language, ""), language))


@functools.cache
def _stemmer(language: str) -> Any:
    name = _STEMMERS.get(language)
    return snowballstemmer.stemmer(name) if name else None


def load() -> None:
    """Load what tells languages apart, before the first text comes. Raises `ConfigurationError` where it cannot be unpacked."""
    try:
        with _LOADING:
            _identifier()
    except OSError as error:
        raise ConfigurationError(
            f"the model that tells languages apart cannot be unpacked: {error}", "set TMPDIR to a folder that can be written"
        ) from error


def language(text: str) -> str:
    """The ISO 639-1 code of the language of a text, or `und` where there is too little of it to tell."""
    return _classified(text[:_ENOUGH_TEXT])


@functools.lru_cache(maxsize=1024)
def _classified(text: str) -> str:
    if sum(map(str.isalpha, text)) < _LEAST_LETTERS:
        return "und"
    with _LOADING:
        identifier = _identifier()
    code, _ = identifier.classify(text)
    return str(code)


_LOADING = threading.Lock()
"""The first callers come together, from several threads, and one model is enough for them."""


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=_LEAST_CONFIDENCE)
    identifier.set_languages([label for label in identifier.labels if len(label) == 2])
    return identifier
