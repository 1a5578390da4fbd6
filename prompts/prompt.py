"""One prompt: a Prompty file (https://prompty.ai), read, checked and rendered.

Knows the file format and the sandbox; knows nothing of where prompts are kept or which model reads the messages.
"""

import functools
import hashlib
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompts.errors import GroundwireError

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from yaml import Node

KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "float": (float, int),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
}
"""What an input may be, in Prompty's words and in Python's."""

NAME = re.compile(r"[a-z][a-z0-9_-]*")
FILE_NAME = re.compile(r"v([1-9][0-9]*)\.prompty")
TOLD: Mapping[str, str] = {
    "owner": "name who answers for it",
    "purpose": "say what it is for",
    "changelog": "say what changed, and why",
}
"""What the metadata of every prompt has to tell its readers, and the mend where it does not."""

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_ROLE = re.compile(r"^[ \t]*#?[ \t]*(system|user|assistant)[ \t]*:[ \t]*$", re.IGNORECASE | re.MULTILINE)
_CONTROL_TOKEN = re.compile(r"<(?=[|\uff5c]|/?s>|(?:start|end)_of_turn>|(?:bos|eos|pad|unk)>|</?SYS>)|\[(?=/?INST\])")
"""What the common chat templates mark messages with; a server that tokenises it out of a text would let the text open one."""
_WORDS: Mapping[type, str] = {str: "text", dict: "a mapping"}
_ATTRIBUTE = str.maketrans({'"': "'", "<": "\u2039", ">": "\u203a"})


@dataclass(frozen=True)
class Input:
    """A value that the template needs. `line` is where the file declares it."""

    name: str
    kind: str
    description: str
    example: Any
    line: int


@dataclass(frozen=True)
class Section:
    """One message to be: its role, its template, and the line of the file that the template starts on."""

    role: str
    template: str
    line: int


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

    @classmethod
    def read(cls, path: Path) -> "Prompt":
        """Read `<name>/v<version>.prompty`. Raises `GroundwireError` naming the file and the line that does not fit."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise GroundwireError(f"{_shown(path)}: {error.strerror}", "name a prompt file that can be read") from None
        return cls.parse(path, content)

    @classmethod
    @functools.lru_cache(maxsize=256)  # every request reads its prompt anew, and most find it unchanged
    def parse(cls, path: Path, content: bytes) -> "Prompt":
        """The same of a content that is not, or not only, in a file: nothing is read, and `path` is what errors name."""
        named = FILE_NAME.fullmatch(path.name)
        if named is None:
            raise GroundwireError(f"{_shown(path)}: a prompt file is named v<number>.prompty", "rename it, such as v1.prompty")
        text = _text(path, content)
        front = _FRONT_MATTER.match(text)
        if front is None:
            raise fault(path, 1, "no front matter", "start the file with a line ---, its properties in YAML, and a line ---")
        properties = _Properties.read(path, front[1])
        prompt = cls(
            path=path,
            text=text,
            name=path.resolve().parent.name,
            version=int(named[1]),
            description=properties.get("description", str),
            metadata=properties.get("metadata", dict, {}),
            refusal=properties.get("metadata.refusal", str, "") or None,
            stop=tuple(properties.get("model.options.stopSequences", list, [])),
            inputs={name: properties.input(name) for name in properties.get("inputs", dict, {})},
            sections=_sections(path, text, front.end()),
        )
        properties.confirm("name", prompt.name, "the folder's name")
        properties.confirm("model.apiType", "chat", "the one kind of model that is called", optional=True)
        properties.confirm("template.format", "jinja2", "the one template language that is read", optional=True)
        for section in prompt.sections:
            prompt._compiled(section)
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
        return [{"role": section.role, "content": self._rendered(section, values)} for section in self.sections]

    def problems(self) -> list[GroundwireError]:
        """What is wrong with it beyond the format.

        Metadata that tells nothing, variables, passages without a fence, an unsaid refusal, examples that fail.
        """
        used = self._variables()
        found = [
            fault(self.path, line, f"variable `{name}` is not declared", "add it to inputs, or mend its name")
            for name, line in used.items()
            if name not in self.inputs
        ]
        found += [
            fault(self.path, declared.line, f"input `{name}` is never used", "use it in a message, or remove it from inputs")
            for name, declared in self.inputs.items()
            if name not in used
        ]
        if "passages" in used and "fence" not in used:
            mend = "put {{ fence }} into the tags around each"
            found.append(fault(self.path, used["passages"], "passages stand without a fence", mend))
        if self.refusal is not None and not any(self.refusal in section.template for section in self.sections):
            mend = "write metadata.refusal word for word into a message"
            found.append(fault(self.path, 1, "no message says the refusal sentence", mend))
        if not found:
            try:
                self.render(**self.examples)
            except GroundwireError as error:
                found.append(error)
        return self._untold() + found

    def _untold(self) -> list[GroundwireError]:
        """What its readers would miss."""
        front = _FRONT_MATTER.match(self.text)
        assert front is not None
        properties = _Properties.read(self.path, front[1])
        return [
            properties.error(f"metadata.{key}", f"`metadata.{key}` is missing or empty", mend)
            for key, mend in TOLD.items()
            if not (isinstance(told := self.metadata.get(key), str) and told.strip())
        ]

    def _variables(self) -> dict[str, int]:
        """The free variables of the templates, each with the line of its first use."""
        from jinja2 import meta, nodes

        lines: dict[str, int] = {}
        for section in self.sections:
            tree = _environment().parse(_padded(section.template, section.line))
            free = meta.find_undeclared_variables(tree)
            for node in sorted(tree.find_all(nodes.Name), key=lambda node: node.lineno):
                if node.name in free:
                    lines.setdefault(node.name, node.lineno)
        return lines

    def _compiled(self, section: Section) -> "Template":
        from jinja2 import TemplateSyntaxError

        try:
            return _compiled(section.template, section.line, str(self.path))
        except TemplateSyntaxError as error:
            raise fault(self.path, error.lineno, error.message or "not a template", "mend the template") from None

    def _rendered(self, section: Section, values: Mapping[str, Any]) -> str:
        template = self._compiled(section)
        try:
            content = template.render(values)
        except Exception as error:  # an expression of a template can raise anything
            frames = traceback.extract_tb(error.__traceback__)
            line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(self.path)), None)
            problem = f"{self.reference} cannot be rendered, {error or type(error).__name__}"
            raise fault(self.path, line or section.line, problem, "mend the template, or the value it was given") from error
        return plain(content).strip("\n")


@dataclass(frozen=True)
class _Properties:
    """Front matter, with the line of each property."""

    path: Path
    values: Mapping[str, Any]
    root: "Node"

    @classmethod
    def read(cls, path: Path, yaml_text: str) -> "_Properties":
        import yaml

        try:
            loader = yaml.SafeLoader(yaml_text)
            root = loader.get_single_node()
            values = loader.construct_document(root) if root else None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 2 if error.problem_mark else 1
            raise fault(path, line, f"front matter is not YAML ({error.problem})", "mend this line or the one before") from None
        except yaml.YAMLError as error:
            raise fault(path, 1, f"front matter is not YAML ({error})", "remove the character") from None
        if root is None or not isinstance(values, dict):
            raise fault(path, 1, "front matter has no properties", "give it name, description and inputs")
        return cls(path, values, root)

    def get(self, key: str, kind: type[Any], default: Any = None) -> Any:
        """The value of a dotted key; without a default it has to be there, and not be empty."""
        value: Any = self.values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None and default is not None:
            return default
        if not isinstance(value, kind) or not (value or default is not None):
            raise self.error(key, f"`{key}` is missing or not {_WORDS[kind]}", f"write {key} as {_WORDS[kind]}")
        return value

    def input(self, name: str) -> Input:
        kind = self.get(f"inputs.{name}.kind", str)
        if kind not in KINDS:
            raise self.error(f"inputs.{name}.kind", f"`{kind}` is no kind of input", f"use one of {', '.join(KINDS)}")
        example = self.values["inputs"][name].get("example")
        if not isinstance(example, KINDS[kind]):
            mend = "give it one, check and render use it"
            raise self.error(f"inputs.{name}.example", f"input `{name}` has no example of kind {kind}", mend)
        description = self.get(f"inputs.{name}.description", str)
        return Input(name, kind, description, example, self.line(f"inputs.{name}"))

    def confirm(self, key: str, expected: str, meaning: str, optional: bool = False) -> None:
        if (value := self.get(key, str, expected if optional else None)) != expected:
            raise self.error(key, f"`{key}` is `{value}`, but {meaning} is `{expected}`", f"write {key}: {expected}")

    def error(self, key: str, problem: str, mend: str) -> GroundwireError:
        return fault(self.path, self.line(key), problem, mend)

    def line(self, key: str) -> int:
        """The line of a dotted key, or of the deepest property on the way to it that is there."""
        from yaml import MappingNode

        node, mark = self.root, self.root.start_mark
        for part in key.split("."):
            pairs = {name.value: (name, value) for name, value in node.value} if isinstance(node, MappingNode) else {}
            if part not in pairs:
                break
            mark, node = pairs[part][0].start_mark, pairs[part][1]
        return mark.line + 2


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise fault(path, content.count(b"\n", 0, error.start) + 1, "not UTF-8", "save the file as UTF-8") from None


def _sections(path: Path, text: str, start: int) -> tuple[Section, ...]:
    """Split the body at its role markers, before anything is rendered: no value can ever become a role."""
    markers = list(_ROLE.finditer(text, start))
    preamble = text[start : markers[0].start() if markers else None]
    if preamble.strip() or not markers:
        line = text.count("\n", 0, start + len(preamble) - len(preamble.lstrip())) + 1
        raise fault(path, line, "text outside a message", "start it with a line system:, user: or assistant:")
    sections = []
    for marker, following in zip(markers, [*markers[1:], None], strict=True):
        body = text[marker.end() : following.start() if following else None]
        line = text.count("\n", 0, marker.start()) + 1
        if not body.strip():
            raise fault(path, line, f"the {marker[1].lower()} message is empty", "write it, or remove its marker")
        sections.append(Section(marker[1].lower(), body.strip("\n"), line + len(body) - len(body.lstrip("\n"))))
    return tuple(sections)


def plain(text: str) -> str:
    """The text with chat models' control tokens (`<|im_start|>`) broken by a space, so that it cannot open a message."""
    return _CONTROL_TOKEN.sub(r"\g<0> ", text)


def attribute(value: str) -> str:
    """A text as the value of a quoted attribute: one line, without quotes or angle brackets of its own."""
    return " ".join(str(value).split()).translate(_ATTRIBUTE)


@functools.cache
def _environment() -> "ImmutableSandboxedEnvironment":
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    # A name is an input or an error, and what is rendered depends on the values alone.
    environment.globals.clear()
    del environment.filters["random"]
    environment.filters["attribute"] = attribute
    return environment


@functools.lru_cache(maxsize=256)
def _compiled(template: str, line: int, file: str) -> "Template":
    environment = _environment()
    code = environment.compile(_padded(template, line), filename=file)
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


def _padded(template: str, line: int) -> str:
    """The template behind a comment that puts its first line where the file has it, so that errors name the file's lines."""
    return "{#" + "\n" * (line - 1) + "#}" + template


def fault(path: Path, line: int, problem: str, mend: str) -> GroundwireError:
    """An error of a file, at a line of it."""
    return GroundwireError(f"{_shown(path)}:{line}: {problem}", mend)


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
