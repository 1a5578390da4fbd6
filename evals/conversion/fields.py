"""What a row says of a question and its answer, whichever tool's names it uses.

Knows the names that fields go by. Knows no file, and nothing of promptfoo's tests.
"""

import re
from collections.abc import Callable, Iterable, Mapping

DESCRIPTION = "__description"
"""What a row calls itself, where it has no id."""
Note = Callable[[str], None]
"""Is told what could not be carried over."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "_id", "case_id", "question_id", "query_id", "qid"),
    "question": ("question", "user_input", "query", "input", "prompt"),
    "references": (
        "references",
        "reference",
        "ground_truths",
        "ground_truth",
        "reference_answer",
        "expected_answer",
        "expected_output",
        "expected",
        "ideal",
        "answers",
        "answer",
    ),
    "gold_ids": ("gold_ids", "reference_context_ids", "document_ids"),
    "answerable": ("answerable", "is_answerable"),
    "impossible": ("is_impossible", "unanswerable"),
    "tags": ("tags", "metadata"),
    "history": ("history", "chat_history"),
    "where": ("where",),
}
"""The names of each field, best first: with a `ground_truth` beside it, Ragas' `answer` is what a model said."""
_ROLES = {"human": "user", "ai": "assistant", "agent": "assistant", "bot": "assistant"}
_NEGATED = {"true": False, "1": False, "yes": False, "false": True, "0": True, "no": True}
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[\s-]+")


def asks(names: Iterable[object]) -> bool:
    """Whether one of them is a name for the question."""
    return any(_normal(name) in NAMES["question"] for name in names)


def fields_of(named: Mapping[str, object], note: Note) -> dict[str, object]:
    """What a row says, by the fields of a case, and `DESCRIPTION`; what it does not say is left out.

    Values that are no text go through as they are, for the case to refuse.
    """
    row = {_normal(name): value for name, value in named.items()}
    found = {field: next((name for name in names if name in row), None) for field, names in NAMES.items()}
    for name, value in named.items():
        if _normal(name) not in (DESCRIPTION, *found.values()) and value not in (None, "", [], {}):
            note(f"`{name}` is left out")
    told = {field: row[name] for field, name in found.items() if name is not None}
    question, history = _asked(told.get("question"), _listing(told.get("history")), note)
    fields = {
        "id": _text(told.get("id")),
        "question": _text(question),
        "references": _texts(told.get("references")),
        "gold_ids": _texts(told.get("gold_ids")),
        "answerable": _answerable(told),
        "tags": _tags(told.get("tags"), note),
        "history": [_message(message) for message in history],
        "where": _where(told.get("where"), note),
        DESCRIPTION: row.get(DESCRIPTION),
    }
    return {field: value for field, value in fields.items() if value is not None}


def _asked(question: object, history: list[object], note: Note) -> tuple[object, list[object]]:
    """The question and what was said before it; a conversation asks with the last message of its user."""
    if not isinstance(question, list):
        return question, history
    last = max((index for index, message in enumerate(question) if _message(message)["role"] == "user"), default=-1)
    if last < 0:
        return None, history
    if question[last + 1 :]:
        note("what was said after the last question is left out")
    return _message(question[last])["content"], history + question[:last]


def _answerable(told: Mapping[str, object]) -> object:
    """As told, or the opposite of impossible; SQuAD's question without an answer text has no answer."""
    if told.get("answerable") is not None:
        return told["answerable"]
    if told.get("impossible") is not None:
        return _NEGATED.get(str(told["impossible"]).lower(), told["impossible"])
    answers = told.get("references")
    return False if isinstance(answers, Mapping) and answers.get("text") == [] else None


def _where(value: object, note: Note) -> object:
    if value in (None, "", {}) or isinstance(value, Mapping):
        return value or None
    note("`where` is left out: it is no filter, which has a value for each field of metadata")
    return None


def _normal(name: object) -> str:
    """`expectedAnswer` and `Expected answer` as `expected_answer`."""
    return _WORDS.sub("_", str(name).strip()).lower()


def _message(message: object) -> dict[str, object]:
    """A message of ours from one of Ragas' or another chat's."""
    if not isinstance(message, Mapping):
        return {"role": "user", "content": message}
    role = str(message.get("role", message.get("type", "user"))).lower()
    return {"role": _ROLES.get(role, role), "content": message.get("content", message.get("text"))}


def _tags(value: object, note: Note) -> dict[str, object] | None:
    """Tags by name; each of a list is one of its own, with the value `yes`: `x`, or `parts.x` where the list is called `parts`."""
    if value is None:
        return None
    named = value if isinstance(value, Mapping) else {"": _listing(value)}
    tags: dict[str, object] = {}
    for name, tag in named.items():
        texts = _texts(tag)
        if not all(isinstance(text, str) for text in texts):
            note(f"tag `{name}` is left out: it is no text")
        elif isinstance(tag, list):
            tags |= {f"{name}.{text}".removeprefix("."): "yes" for text in texts}
        else:
            tags |= {str(name): text for text in texts}
    return tags


def _texts(value: object) -> list[object]:
    """One text or several, each once, from a text, a list, or SQuAD's `{"text": [...]}`."""
    if isinstance(value, Mapping) and "text" in value:
        value = value["text"]
    texts = [_text(item) for item in _listing(value)]
    return [text for index, text in enumerate(texts) if text not in (None, "") and text not in texts[:index]]


def _text(value: object) -> object:
    """A scalar as text; what has no text as it is, for the case to refuse."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _listing(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
