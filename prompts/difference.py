"""What differs between two prompts: lines, the words in them, and size.

Knows texts. Knows nothing of how a difference is shown.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from operator import itemgetter

from prompts.encoding import encoding
from prompts.prompt import Prompt

_CONTEXT = 3
"""Lines that are shown around a change."""
_ALIKE = 0.5
"""Lines less alike than this are another text: marking the words they happen to share would only confuse."""
_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Line:
    """A line of one side or of both."""

    mark: str
    """`-` only in A, `+` only in B, a space in both; `@` stands for lines of both that are left out."""
    parts: tuple[tuple[str, bool], ...]
    """Its text in pieces, each with whether it is what changed within a line that stayed alike."""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts)


@dataclass(frozen=True)
class Size:
    """Of the messages that a prompt's own examples make."""

    words: int
    tokens: int
    """By `ENCODING`."""


def spoken(prompt: Prompt) -> str:
    """All that is said, each message under its role."""
    return "\n\n".join(f"{section.role}:\n{section.template}" for section in prompt.sections)


def properties(prompt: Prompt) -> str:
    """What decides an answer beside the messages, a line each: inputs, stop sequences, the refusal sentence."""
    inputs = [f"input {declared.name}, {declared.kind}" for declared in prompt.inputs.values()]
    stops = [f"stop {json.dumps(stop, ensure_ascii=False)}" for stop in prompt.stop]
    refusal = [f"refusal {prompt.refusal}"] if prompt.refusal else []
    return "\n".join([*sorted(inputs), *stops, *refusal])


def size(prompt: Prompt) -> Size:
    """Raises `GroundwireError` where its examples cannot be rendered."""
    contents = [message["content"] for message in prompt.render(**prompt.examples)]
    return Size(
        words=sum(len(content.split()) for content in contents),
        tokens=sum(len(encoding().encode_ordinary(content)) for content in contents),
    )


def difference(a: str, b: str) -> list[Line]:
    """From A to B by line, with some context; empty where both are the same."""
    before, after = (text.split("\n") if text else [] for text in (a, b))
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    found: list[Line] = []
    end = 0
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if group[0][1] > end:
            found.append(Line("@", ()))
        for tag, a_start, a_end, b_start, b_end in group:
            if tag == "equal":
                found += [Line(" ", ((text, False),)) for text in before[a_start:a_end]]
            else:
                found += _replaced(before[a_start:a_end], after[b_start:b_end])
        end = group[-1][2]
    if found and end < len(before):
        found.append(Line("@", ()))
    return found


def _replaced(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    """The lines that went, then those that came, with the words that make the difference."""
    a, b = _WORD.findall("\n".join(before)), _WORD.findall("\n".join(after))
    matcher = SequenceMatcher(None, a, b)
    alike = matcher.ratio() >= _ALIKE
    same = matcher.get_matching_blocks()
    if before:
        kept = {index for block in same for index in range(block.a, block.a + block.size)}
        yield from _lines("-", [(word, alike and index not in kept) for index, word in enumerate(a)])
    if after:
        kept = {index for block in same for index in range(block.b, block.b + block.size)}
        yield from _lines("+", [(word, alike and index not in kept) for index, word in enumerate(b)])


def _lines(mark: str, words: Sequence[tuple[str, bool]]) -> Iterator[Line]:
    """Words, split where one has the end of a line, as lines of as few pieces as there can be."""
    lines: list[list[tuple[str, bool]]] = [[]]
    for word, changed in words:
        first, *rest = word.split("\n")
        lines[-1].append((first, changed))
        lines += [[(start, changed)] for start in rest]
    for line in lines:
        runs = [(changed, "".join(text for text, _ in run)) for changed, run in groupby(line, key=itemgetter(1))]
        yield Line(mark, tuple((text, changed) for changed, text in runs if text))
