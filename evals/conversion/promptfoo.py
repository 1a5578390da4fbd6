"""What a promptfoo test says of a question and its answer.

Knows the fields of a test and the kinds of assertion. Knows no file, and not which variable is the question.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from evals.conversion.fields import DESCRIPTION, Note

_WHOLE = {"equals", "similar", "factuality", "model-graded-factuality", "rouge-n", "bleu", "gleu", "meteor", "levenshtein"}
_ANY = {"contains-any", "icontains-any"}
_PART = {"contains", "icontains"}
"""A test may have several, and wants all of them."""
_FIELDS = {"vars", "assert", "description", "metadata"}
_FAMILIES = (
    "answer|bleu|classifier|contains|context|conversation|cost|equals|eval|factuality|file|finish|fn|g-eval|gleu|grade|guardrails|human|"
    "icontains|is|javascript|latency|levenshtein|llm|meteor|model|moderation|perplexity|pi|python|regex|rouge|ruby|search|select|similar|"
    "starts|tool|trace|trajectory|webhook|word"
)
"""The first words of kinds, and the old names of some: before a colon, any other word is part of an answer."""
_ASSERTION = re.compile(
    rf"((?:not-)?(?:{_FAMILIES})(?:-[a-z0-9-]+)?)(?:\(\d+(?:\.\d+)?\))?:(.*)|((?:not-)?is-[a-z-]+)", re.DOTALL
)
_VARIABLE = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}")


def is_test(value: Mapping[str, object]) -> bool:
    """Whether an object is a test, and not a plain row of variables."""
    return "vars" in value or "assert" in value


def row(value: Mapping[str, object], default: Mapping[str, object], note: Note) -> Mapping[str, object]:
    """A test as one row, as another tool would keep it; a row that is no test is its own.

    `default` is the configuration's `defaultTest`. Assertions that name a right answer become references, a wanted refusal makes the
    question unanswerable, and `note` is told the others.
    """
    test = _from_cells(value) if any(name.startswith("__") for name in value) else value
    if default:
        test = _with_default(test if is_test(test) else {"vars": test}, default)
    return _row(test, note) if is_test(test) else test


def _from_cells(cells: Mapping[str, object]) -> dict[str, object]:
    """A row of a promptfoo table as a test: columns with two underscores before their name are not variables."""
    metadata = {name.removeprefix("__metadata:"): value for name, value in cells.items() if name.startswith("__metadata:")}
    return {
        "vars": {name: value for name, value in cells.items() if not name.startswith("__")},
        "assert": [_assertion(str(text)) for name, text in cells.items() if name.startswith("__expected") and text],
        "metadata": {
            name.removesuffix("[]"): _several(value) if name.endswith("[]") else value for name, value in metadata.items()
        },
        "description": cells.get(DESCRIPTION),
    }


def _with_default(test: Mapping[str, object], default: Mapping[str, object]) -> dict[str, object]:
    return {
        **default,
        **test,
        "vars": {**_mapping(default.get("vars")), **_mapping(test.get("vars"))},
        "assert": [*_sequence(default.get("assert")), *_sequence(test.get("assert"))],
        "metadata": {**_mapping(default.get("metadata")), **_mapping(test.get("metadata"))},
    }


def _row(test: Mapping[str, object], note: Note) -> dict[str, object]:
    """The variables of a test, but for those that only its assertions use, and what it says beside them."""
    for field in test:
        if field not in _FIELDS:
            note(f"`{field}` is left out")
    variables = _mapping(test.get("vars"))
    told: dict[str, object] = {DESCRIPTION: test.get("description")}
    if metadata := _mapping(test.get("metadata")):
        told["tags"] = metadata
    references: list[str] = []
    used: set[str] = set()
    parts = 0
    for assertion in _flat(_sequence(test.get("assert"))):
        kind = str(assertion.get("type") or next(iter(assertion), "assert")).partition(":")[0]
        if kind == "is-refusal":
            told["answerable"] = False
        elif kind in _WHOLE | _ANY | _PART:
            parts += kind in _PART
            if kind in _ANY | _PART:
                note(f"`{kind}` names words of an answer, not an answer: f1 punishes whatever else is said; decide with --judge")
            for template in map(str, _sequence(assertion.get("value"))):
                text = _filled(template, variables)
                if text is None:
                    note(f"a value of `{kind}` is left out: it is made by a template or in another file")
                else:
                    references.append(text)
                    used.update(_VARIABLE.findall(template))
        else:
            note(f"`{kind}` is left out: it names no answer")
    if parts > 1:
        note("an answer had to contain several texts; as references, one of them is enough")
    if not references:
        return {**variables, **told}
    return {**{name: value for name, value in variables.items() if name not in used}, **told, "references": references}


def _several(cell: object) -> object:
    """The texts of a cell between its commas, but for those behind a backslash."""
    if not isinstance(cell, str):
        return cell
    return [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", cell)]


def _assertion(text: str) -> dict[str, object]:
    """The assertion of a CSV cell, `contains: Paris`; a text without a kind has to be equalled."""
    found = _ASSERTION.fullmatch(text)
    if not found:
        return {"type": "equals", "value": text}
    kind, value = found[1] or found[3], (found[2] or "").strip()
    return {"type": kind, "value": [part.strip() for part in value.split(",")] if kind in _ANY else value}


def _flat(assertions: Sequence[object]) -> Iterator[Mapping[str, object]]:
    """The assertions, those of sets among them."""
    for assertion in map(_mapping, assertions):
        if assertion.get("type") == "assert-set":
            yield from _flat(_sequence(assertion.get("assert")))
        else:
            yield assertion


def _filled(template: str, variables: Mapping[str, object]) -> str | None:
    """A text with its variables' values in it; null where that takes more than those."""
    text = _VARIABLE.sub(lambda found: str(variables.get(found[1], found[0])), template)
    return None if text.startswith("file://") or "{{" in text or "{%" in text else text


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return value if isinstance(value, list) else [value]
