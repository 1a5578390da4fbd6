"""A question and its short answer as one statement, as an assistant would answer it.

Knows how English questions are built; knows no passage. The question's wording is a person's, so the statement paraphrases its evidence.
"""

import re
from collections.abc import Sequence

from evals.grounding.training.wording import Word, words

BE = r"(is|was|are|were)"
DO = r"(?:do|does|did|is|was|are|were|has|have|had|can|could|will|would|should)"
ASKED_SUBJECT = re.compile(rf"^(?:who|what|which(?: \w+){{1,2}}) (?!{DO}\b)(\w.*)$", re.IGNORECASE)
ASKED_WHICH = re.compile(
    r"^(?:which|what)(?: \w+){1,2} ((?:is|was|are|were|has|have|had|can|could|will|would)\b.*)$", re.IGNORECASE
)
ASKED_NAME = re.compile(rf"^(?:who|what) {BE} (.+)$", re.IGNORECASE)
ASKED_AMOUNT = re.compile(rf"^how (?:many|much) (.+?) {DO} (.+)$", re.IGNORECASE)
ASKED_PLACE = re.compile(rf"^(?:where|when|(?:in|on) (?:what|which) \w+) {DO} (.+)$", re.IGNORECASE)
ASKED_OBJECT = re.compile(rf"^(?:who|what|which(?: \w+){{1,2}}|what(?: \w+){{1,2}}) {DO} (.+)$", re.IGNORECASE)
WHOLE = 8
"""From so many words on an answer is a statement of its own."""


def statement(question: str, answer: str, wrong: bool = False) -> list[Word]:
    """What someone says who answers `question` with `answer`, whose words are marked where it is `wrong`."""
    said = [Word(word, wrong) for word in answer.strip().rstrip(".").split()]
    if len(said) >= WHOLE:
        return _sentence(said)
    asked = question.strip().rstrip("?").strip()
    if found := ASKED_WHICH.match(asked) or ASKED_SUBJECT.match(asked):
        return _sentence([*said, *words(found[1])])
    if found := ASKED_NAME.match(asked):
        return _sentence([*words(found[2]), Word(found[1].lower()), *said])
    if found := ASKED_AMOUNT.match(asked):
        return _sentence([*words(found[2]), *said, *([] if set(found[1].split()) & set(answer.split()) else words(found[1]))])
    if found := ASKED_PLACE.match(asked):
        joint = (
            [] if answer.split()[0].lower() in ("in", "on", "at", "by", "during", "since", "after", "before") else [Word("in")]
        )
        return _sentence([*words(found[1]), *joint, *said])
    if found := ASKED_OBJECT.match(asked):
        return _sentence([*words(found[1]), *said])
    return [*words(f"{asked}?"), *_sentence(said)]


def _sentence(said: Sequence[Word]) -> list[Word]:
    """With a capital and a full stop."""
    first, rest = said[0], said[1:]
    told = [Word(first.text[:1].upper() + first.text[1:], first.false), *rest]
    return [*told[:-1], Word(told[-1].text.rstrip(".") + ".", told[-1].false)]
