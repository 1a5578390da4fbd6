"""One prompt: a Prompty file (https://prompty.ai), read, checked and rendered.

Knows what a prompt is made of; knows nothing of where prompts are kept or which model reads the messages.
"""

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prompts.errors import GroundwireError, file_error
from prompts.front_matter import KINDS, FrontMatter, Input
from prompts.template import Section, sections

NAME = re.compile(r"[a-z][a-z0-9_-]*")
FILE_NAME = re.compile(r"v([1-9][0-9]*)\.prompty")
REQUIRED_METADATA: Mapping[str, str] = {
    "owner": "name who answers for it",
    "purpose": "say what it is for",
    "changelog": "say what changed, and why",
}
"""What the metadata of every prompt tells its readers, each with the mend where it does not."""


@dataclass(frozen=True)
class Prompt:
    """One version of a prompt, whose templates compile."""

    path: Path
    text: str
    """The file, with line endings as `\\n`."""
    name: str
    version: int
    description: str
    metadata: Mapping[str, Any]
    """What the format leaves to its users: authors, owner, purpose, changelog, refusal."""
    refusal: str | None
    """The exact sentence it asks the model to answer with when the passages do not tell."""
    stop: tuple[str, ...]
    """Texts at which a model has to end its answer."""
    inputs: Mapping[str, Input]
    sections: tuple[Section, ...]
    front: FrontMatter = field(repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> "Prompt":
        """Read `<name>/v<version>.prompty`. Raises `GroundwireError` naming the file and the line that does not fit."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise file_error(path, str(error.strerror), "name a prompt file that can be read") from None
        return cls.parse(path, content)

    @classmethod
    @functools.lru_cache(maxsize=256)  # every request reads its prompt anew, and most find it unchanged
    def parse(cls, path: Path, content: bytes) -> "Prompt":
        """The same of a content that is not, or not only, in a file: nothing is read, and `path` is what errors name."""
        named = FILE_NAME.fullmatch(path.name)
        if named is None:
            raise file_error(path, "a prompt file is named v<number>.prompty", "rename it, such as v1.prompty")
        text = _text(path, content)
        front = FrontMatter.read(path, text)
        prompt = cls(
            path=path,
            text=text,
            name=path.resolve().parent.name,
            version=int(named[1]),
            description=front.get("description", str),
            metadata=front.get("metadata", dict, {}),
            refusal=front.get("metadata.refusal", str, "") or None,
            stop=tuple(front.get("model.options.stopSequences", list, [])),
            inputs={name: front.input(name) for name in front.get("inputs", dict, {})},
            sections=sections(path, text, front.end),
            front=front,
        )
        front.confirm("name", prompt.name, "the folder's name")
        front.confirm("model.apiType", "chat", "the one kind of model that is called", optional=True)
        front.confirm("template.format", "jinja2", "the one template language that is read", optional=True)
        return prompt

    @property
    def reference(self) -> str:
        """What a variant and a trace call it: `answer@2`."""
        return f"{self.name}@{self.version}"

    @property
    def sha256(self) -> str:
        """Its identity: the digest of its whole text, the same whatever the line endings of the checkout."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def examples(self) -> dict[str, Any]:
        """A value for every input, from the file."""
        return {name: declared.example for name, declared in self.inputs.items()}

    def render(self, /, **values: Any) -> list[dict[str, str]]:
        """The messages, `{"role", "content"}`, a value given for exactly the declared inputs.

        Values are text to the template, never template: they cannot open a message, and a chat model's control tokens in them
        (`<|im_start|>`) are broken by a space. Raises `GroundwireError` naming the value, or the file and line, that is wrong.
        """
        for name in values:
            if name not in self.inputs:
                raise GroundwireError(
                    f"prompt {self.reference} has no input `{name}`", f"its inputs are {', '.join(self.inputs)}"
                )
        for name, declared in self.inputs.items():
            if name not in values:
                raise GroundwireError(f"prompt {self.reference} got no value for its input `{name}`", f"give it {name}")
            if not isinstance(values[name], KINDS[declared.kind]):
                problem = f"input `{name}` of prompt {self.reference} is of type {type(values[name]).__name__}"
                raise GroundwireError(problem, f"give it a value of kind {declared.kind}")
        return [{"role": section.role, "content": section.render(values)} for section in self.sections]

    def problems(self) -> list[GroundwireError]:
        """What is wrong with it beyond the format.

        Metadata that tells nothing, variables, passages without a fence, an unsaid refusal, examples that fail.
        """
        used: dict[str, int] = {}
        for section in self.sections:
            used = {**section.variables(), **used}
        found = [
            file_error(self.path, f"variable `{name}` is not declared", "add it to inputs, or mend its name", line)
            for name, line in used.items()
            if name not in self.inputs
        ]
        found += [
            file_error(self.path, f"input `{name}` is never used", "use it in a message, or remove it from inputs", declared.line)
            for name, declared in self.inputs.items()
            if name not in used
        ]
        if "passages" in used and "fence" not in used:
            mend = "put {{ fence }} into the tags around each"
            found.append(file_error(self.path, "passages stand without a fence", mend, used["passages"]))
        if self.refusal is not None and not any(self.refusal in section.template for section in self.sections):
            mend = "write metadata.refusal word for word into a message"
            found.append(file_error(self.path, "no message says the refusal sentence", mend, 1))
        if not found:
            try:
                self.render(**self.examples)
            except GroundwireError as error:
                found.append(error)
        return self._missing_metadata() + found

    def _missing_metadata(self) -> list[GroundwireError]:
        return [
            self.front.error(f"metadata.{key}", f"`metadata.{key}` is missing or empty", mend)
            for key, mend in REQUIRED_METADATA.items()
            if not (isinstance(value := self.metadata.get(key), str) and value.strip())
        ]


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise file_error(path, "not UTF-8", "save the file as UTF-8", line) from None
