"""What a pronoun at the beginning of an English sentence stands for, where the sentence before leaves no doubt.

Knows words, no grammar: a subject is recognised by the words around it, and whatever may compete with it is a doubt, for a wrong
resolution is worse than none. `This` and `these` mostly stand for all that was said, and stay.
"""

import re
from typing import NamedTuple

VERBS = (
    "add allow answer appear apply arrive ask avoid begin belong bring build call carry check choose close collect come compare "
    "compute connect consist contain contribute control cost count cover create decide define delete deliver depend describe detect "
    "determine develop divide drop earn enable ensure enter exist explain expire fail flow follow form function generate grow handle "
    "happen have help hold include increase involve join keep last launch lead learn lie list live load look lose measure melt merge "
    "move need occur offer open operate own pass perform play prefer prevent produce protect provide publish quote reach read receive "
    "record reduce refuse reject release remain remove replace report require return rise run rule search select sell send serve show "
    "sit sort speak split spread stand start stop store study supply support swim take teach test travel try turn update use validate "
    "vary visit wait walk want watch wear work write"
).split()
PAST = (
    "arose ate became began bought broke brought built came chose cost died drew fell felt fled flew fought found gave got grew held kept "
    "knew led left lost made met paid put ran rose said sat saw sent set sold spent split spoke stood taught thought told took "
    "understood went won wrote"
).split()
AUXILIARY = r"(?:is|was|are|were|has|have|had|will|would|can|could|may|might|must|should|does|do|did)"
BE = r"(?:is|was|are|were|has been|have been)"
FORMS = "|".join(sorted({rf"{verb.removesuffix('e').removesuffix('y')}(?:e?s|e?d|ies|ied|ys)" for verb in VERBS}))
FINITE = rf"(?:{AUXILIARY}|(?:{FORMS}|{'|'.join(PAST)}|(?<=s )(?:{'|'.join(VERBS)}))(?! {AUXILIARY}\b))"
ADVERB = r"(?:(?:\w+ly|also|still|now|then) )?"

WORD = r"(?:`[^`]+`|[\w'’.-]*\w)"
NAME = r"(?:(?:Dr|Mr|Mrs|Ms|Prof|St|Mt)\. )?[A-Z][\w'’-]*(?: (?:[A-Z]\.|[A-Z][\w'’-]*|of|de|van|von|der))*"
COMMON = rf"(?:The|A|An|This|Our|Your) (?:{WORD} ){{0,3}}?{WORD}"
BARE = rf"[A-Z][a-z]+ (?!(?:it|he|she|they|we|you|there|this|that|of)\b)[a-z]+(?= {AUXILIARY}\b|(?<!s) \w+ly )"
BOTH = rf"(?:{NAME}|The {WORD}(?: {WORD})?) and (?:{NAME}|the {WORD}(?: {WORD})?)"
SUBJECT = re.compile(rf"(?P<noun>{BOTH}|{COMMON}|{BARE}|{NAME}) (?={ADVERB}(?P<verb>{FINITE})\b(?P<rest>.*))", re.DOTALL)
PRONOUN = re.compile(rf"(?:He|She|It|They)(?= )|(?P<possessive>His|Her|Its|Their)(?= (?!(?:{FINITE}|own)\b))")

PARTICIPLE = r"(?:\w+ed|built|made|kept|held|sent|found|set|run|put|bought|sold|written|given|taken|known)"
EMPTY = re.compile(
    rf"It {ADVERB}(?:"
    rf"{BE} (?:not (?:the|a|an)|early|late|cold|warm|hot|dark|time|why|how|what|when|where|because|\d)\b"
    rf"|{BE} (?!{PARTICIPLE}\b)(?:\w+ ){{1,3}}(?:to|that|whether|if|for|how|why|when|where|who|which|because|as)\b"
    rf"|{BE} (?:\w+ )?\w+(?:ed|n|d) (?:to \w+|that|whether|how|why)\b"
    r"|(?:is |was )?(?:rain|snow|hail)\w*"
    r"|(?:seem|appear|follow|happen|matter|turn|mean|depend|help|sound|look)s?(?:ed)?\b"
    r"|(?:takes?|took)\b.* to\b|makes? sense\b|(?:has|had) been \w+ (?:to|that)\b"
    r"|(?:can|may|could|might|will|would|should|must) (?:also )?(?:be \w+ (?:to|that|whether)|take|help|seem|happen)\b)"
)
"""`It` that stands for nothing, or for what is said after it."""
IDENTIFIES = re.compile(rf"It {BE} (?:the|an?) ")
DEFINES = re.compile(rf"It {BE} (?:the|an?) (?!.*\b(?:to|that|who|when)\b)")
DEFINITION = re.compile(rf"{BE} (?:the|an?) ")
NO_SUBJECT = frozenset(
    "He She It They We You I That These Those There Here What Who Which When Where Why How If In On At By For From With As While "
    "Although Though Since Because After Before Once Today Yesterday Tomorrow Now Then Nothing Something Everything Nobody Everyone "
    "Someone Anyone One Each Every All Some Any Both Most Many Few Another Other First Second Next Finally However Also Yes No Not "
    "Sometimes Often Usually Again More Less Such So Monday Tuesday Wednesday Thursday Friday Saturday Sunday His Her Its Their My".split()
)
DETERMINERS = frozenset("The A An This Our Your".split())
SINGULAR = frozenset("A An This".split())
JOINTS = frozenset("of in on for with that which who to or from by at".split())
NO_PERSON = frozenset(
    "New San Santa Los Las Lake Mount Mt. St. Saint North South East West Rio El La Le Port Fort Cape United Great Hong Central Royal "
    "National The Old Big Upper Lower University Bank Republic Kingdom".split()
)
PLURAL_BY_NATURE = frozenset("people police data media children men women criteria".split())
TIME = re.compile(
    r"\b(?:in|at|on|since|until|by|every|each|per) (?:a |an |the )?(?:second|minute|hour|day|night|week|month|year|morning|evening|weekend|"
    r"January|February|March|April|May|June|July|August|September|October|November|December|[A-Z][a-z]+day)s?\b"
)
PLACE = re.compile(r"\b(?:in|at|from|near) (?:[A-Z][\w-]*)(?: [A-Z][\w-]*)*")
THING = re.compile(r"(?<![\w'-])(?i:the|an?|this|that|its|his|her|their|each|every|another) \w|(?<=\s)[A-Z]\w")
THINGS = re.compile(r"\b(?!(?:is|was|has|does|its|this|us|always|less|as)\b)[\w'-]{2,}(?<!s)s\b")
PERSON = re.compile(r"\b[A-Z]\w|\bthat\b")


class Subject(NamedTuple):
    """What a sentence is about, as written, and what can stand for it."""

    text: str
    person: bool
    plural: bool
    predicate: str
    """The sentence from its verb on."""


def resolve(sentence: str, before: str) -> str:
    """`sentence` with `He`, `She`, `It`, `They` or a possessive at its beginning replaced by the subject of `before`, the sentence
    before it, its own pronoun resolved; the same where it has none, or where it is in doubt what it stands for.
    """
    pronoun = PRONOUN.match(sentence)
    if not before or not pronoun or EMPTY.match(sentence):
        return sentence
    subject = _subject(before)
    if subject is None or not _fits(pronoun[0], subject):
        return sentence
    if IDENTIFIES.match(sentence) and not (DEFINES.match(sentence) and DEFINITION.match(subject.predicate)):
        return sentence
    ending = ("'" if subject.plural and subject.text.endswith("s") else "'s") if pronoun["possessive"] else ""
    return subject.text + ending + sentence[pronoun.end() :]


def declares(text: str) -> bool:
    """Whether it is a sentence with its verb behind its subject, and more behind that."""
    found = SUBJECT.match(text)
    if not found or not found["rest"].strip(" ?"):
        return False
    words = found["noun"].split()
    return words[0] not in NO_SUBJECT and words[-1] not in ("that", "which", "who")


def _fits(pronoun: str, subject: Subject) -> bool:
    """Whether it stands for the subject, and nothing else of that sentence is like it."""
    rest = TIME.sub("", subject.predicate.partition(" ")[2])
    match pronoun:
        case "They" | "Their":
            return subject.plural and not THINGS.search(PLACE.sub("", rest))
        case "It" | "Its":
            alone = DEFINITION.match(subject.predicate) or not THING.search(f" {rest}")
            return bool(alone) and not subject.plural and not subject.person
    return subject.person and not subject.plural and not PERSON.search(PLACE.sub("", rest))


def _subject(sentence: str) -> Subject | None:
    """The subject of a sentence that begins with it; null where that is not sure, or it does not agree with its verb."""
    found = SUBJECT.match(sentence)
    if not found:
        return None
    noun, verb = found["noun"], found["verb"]
    words = noun.split()
    determined = words[0] in DETERMINERS
    if (
        noun == "This"
        or words[0] in NO_SUBJECT
        or not JOINTS.isdisjoint(words[1:])
        or (determined and re.search(r"(?:ly|ed)$", noun))
    ):
        return None
    joined = "and" in words
    person = not determined and len(words) > 1 and all(word[0].isupper() for word in words) and NO_PERSON.isdisjoint(words)
    last = words[-1].strip("`").lower()
    plural = joined or last in PLURAL_BY_NATURE or (last.endswith("s") and not last.endswith(("ss", "us", "is")))
    if verb in ("are", "were", "have", "do"):
        plural = True
    elif verb in ("is", "was", "has", "does") or (re.fullmatch(r"\w+[^s]s", verb) and verb not in PAST):
        if joined:
            return None
        plural = False
    elif person and not joined:
        plural = False
    if plural and words[0] in SINGULAR:
        return None
    return Subject(noun, person, plural, verb + found["rest"])
