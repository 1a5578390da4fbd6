"""Statements denied, and denials made statements. Knows English auxiliaries and do-support."""

import re
from collections.abc import Iterator

from evals.grounding.flips.edits import Edit, cased, one_of
from evals.grounding.flips.verbs import BASE, NOUNS, PAST, THIRD, Verb, participle
from rag.text.sentences import sentences

MODAL = "can could will would should must"
POSSIBLE = "may might"
"""Denied by `cannot`: what may be may also not be."""
BE, HAVE, DO = "is are was were am", "has have had", "does do did"
WORDS = re.compile(r"[A-Za-z]+(?:['’-][a-z]+)*")

NEGATIVE = re.compile(
    rf"\b(?:{one_of('not no never cannot without none nobody nothing neither nor hardly barely unable')}|refus\w+|fail\w*|den(?:y|ies|ied))\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
POLAR = re.compile(
    rf"\b{one_of('any anything anyone anybody yet at_all either nor ever anymore until but necessarily only just merely even')}\b",
    re.IGNORECASE,
)
"""What is said only under a negation, or makes it another."""
NEAR = 60
"""Characters after a negation within which such a word keeps it where it is."""
UNDECIDED = re.compile(r"\b(?:or|whether|if) $", re.IGNORECASE)
POSITIVE = {
    "cannot": "can",
    "can't": "can",
    "won't": "will",
    "without": "with",
    "nobody": "everybody",
    "nothing": "everything",
    "no one": "everyone",
    "none of": "all of",
    "no longer": "still",
}
DENYING = re.compile(rf"\b(?:{'|'.join(POSITIVE)})\b(?! which)".replace("'", "['’]"), re.IGNORECASE)
NOT = re.compile(
    rf"\b(?P<auxiliary>{one_of(f'{MODAL} {BE} {HAVE} {DO} be')}|(?<=\w)['’](?:s|re))(?: not|n['’]t)\b(?: (?P<verb>[a-z]+))?",
    re.IGNORECASE,
)
NEVER = re.compile(r"\bnever (?P<word>\w+)", re.IGNORECASE)
NO = re.compile(
    rf"\bno(?= [a-z])(?! {one_of('longer more less fewer doubt matter later other such kidding problem one way wonder')}\b)",
    re.IGNORECASE,
)

AUXILIARY = re.compile(
    rf"\b(?P<word>{one_of(f'{MODAL} {POSSIBLE} {BE} {HAVE} {DO}')})\b(?!['’-])(?: (?:also|already)\b)?(?! (?:not|no|never)\b)(?! ?[,.;)])",
    re.IGNORECASE,
)
NO_SUBJECT = re.compile(r"(?:^|\b(?:so|as|that|what|whatever) )$", re.IGNORECASE)
NAME_LIKE = frozenset("May Will Can Might".split())
OWNS = re.compile(rf" (?:{one_of('to the a an his her its their some many several two three four five more less become')}\b|\d)")
CONTRACTED = re.compile(
    rf"\b{one_of('it he she that there they you we i')}['’](?:s|re|m|ll)\b(?! (?:{one_of('not no never been got')}|the (?:only|most))\b)",
    re.IGNORECASE,
)

NO_SUBJECTS = (
    "the a an this these those his her its their our my your of in on at for from with by to and or as most many some more all any each every "
    "than into between through over under such other both new first last when if because how what be being been having get got let make made help"
)
"""After these words, and after a pause, no finite verb comes."""
NO_VERB_AFTER = re.compile(rf"(?:\b{one_of(NO_SUBJECTS)}|[,;:(“\"–—-])\s*$", re.IGNORECASE)
VERB_BEFORE = re.compile(
    rf" (?:{one_of('the a an his her its their this that these those it them him us many several some two three four five')}"
    rf"|{one_of('in on at to from as of for with by into about over')}|\d|[A-Z][a-z])|[.,;]|$"
)
PREPOSITION = re.compile(rf" {one_of('by in on at as from for with to of into about over')}\b|[.,;]|$")
PRONOUN = re.compile(rf"\b{one_of('he she it they we you i who which that')} $", re.IGNORECASE)
PLURAL = re.compile(rf"(?:\b{one_of('they we you i people men women children')}|[a-z]{{2,}}[^s\W]s) $", re.IGNORECASE)
FINITE = re.compile(rf"\b{one_of(f'{MODAL} {POSSIBLE} is are was were {HAVE} {DO}')}\b|['’](?:s|re|m|ll|ve) ", re.IGNORECASE)


def edits(claim: str) -> Iterator[Edit]:
    """For each sentence, its negations taken away, or one put in: after its first auxiliary, or with `do` before its verb."""
    for start, end in sentences(claim):
        sentence = claim[start:end]
        if sentence.endswith("?"):
            continue
        found = _removed(sentence) if NEGATIVE.search(sentence) else _inserted(sentence)
        yield from (Edit(start + edit.start, start + edit.end, edit.text) for edit in found)


def _removed(sentence: str) -> Iterator[Edit]:
    for edit in _affirmations(sentence):
        if not POLAR.search(sentence, edit.end, edit.end + NEAR) and not UNDECIDED.search(sentence, 0, edit.start):
            yield edit


def _affirmations(sentence: str) -> Iterator[Edit]:
    for match in DENYING.finditer(sentence):
        yield Edit(*match.span(), cased(POSITIVE[match.group().lower().replace("’", "'")], match.group()))
    for match in NOT.finditer(sentence):
        yield Edit(*match.span(), cased(_affirmed(match["auxiliary"], match["verb"]), match.group()))
    for match in NEVER.finditer(sentence):
        yield Edit(*match.span(), cased(match["word"], match.group()))
    for match in NO.finditer(sentence):
        yield Edit(*match.span(), cased("some", match.group()))


def _affirmed(auxiliary: str, verb: str | None) -> str:
    """`does not work` into `works`, `is not` into `is`."""
    if verb is None:
        return auxiliary
    if verb in BASE and auxiliary.lower() in ("do", "does", "did"):
        known = BASE[verb]
        return {"do": known.base, "does": known.third, "did": known.past}[auxiliary.lower()]
    return f"{auxiliary} {verb}"


def _inserted(sentence: str) -> list[Edit]:
    verb = _at_verb(sentence)
    auxiliary = next((edit for match in AUXILIARY.finditer(sentence) if (edit := _at_auxiliary(sentence, match))), None)
    if auxiliary and (verb is None or auxiliary.start < verb.start or "," in sentence[verb.start : auxiliary.start]):
        return [auxiliary]
    if verb:
        return [verb]
    return [Edit(*found.span(), f"{found.group()} not") for found in [CONTRACTED.search(sentence)] if found]


def _at_auxiliary(sentence: str, match: re.Match[str]) -> Edit | None:
    """The auxiliary denied, where it is one: `has three legs` has none, and is denied with `do`."""
    word = match["word"].lower()
    following = WORDS.search(sentence, match.end())
    verb = following.group().lower() if following else ""
    if match["word"] in NAME_LIKE or (word != "is" and NO_SUBJECT.search(sentence, 0, match.start())) or not match.start():
        return None
    if word in HAVE.split() and not participle(verb):
        denied = {"has": "does", "have": "do", "had": "did"}[word]
        return Edit(*match.span(), f"{denied} not have") if word == "has" or OWNS.match(sentence, match.end()) else None
    if word in DO.split() and verb not in BASE:
        return None
    return Edit(*match.span(), "cannot" if word in ("can", *POSSIBLE.split()) else f"{match['word']} not")


def _at_verb(sentence: str) -> Edit | None:
    """The first word that is surely a finite verb, denied with `do`."""
    for match in WORDS.finditer(sentence):
        word, before = match.group(), sentence[: match.start()]
        verb = THIRD.get(word) or PAST.get(word) or (BASE.get(word) if PLURAL.search(before) else None)
        if verb and verb.base not in ("be", "have", "do") and _finite(sentence, match, verb):
            auxiliary = "does" if word == verb.third else "did" if word == verb.past else "do"
            return Edit(*match.span(), f"{auxiliary} not {verb.base}")
    return None


def _finite(sentence: str, match: re.Match[str], verb: Verb) -> bool:
    """Whether a form stands where a finite verb does, and not a noun or a participle."""
    before = sentence[: match.start()]
    if not before or NO_VERB_AFTER.search(before) or not VERB_BEFORE.match(sentence, match.end()):
        return False
    if PRONOUN.search(before):
        return True
    loose = PREPOSITION.match(sentence, match.end()) is not None
    if match.group() in NOUNS and loose:
        return False
    if match.group() == verb.past == verb.participle:
        return not sentence.startswith(" by ", match.end()) and not (loose and FINITE.search(sentence, match.end()))
    return True
