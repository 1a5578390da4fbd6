"""The front matter of a prompt file: its properties in YAML, and the inputs that they declare.

Knows YAML, the lines of a file and the kinds of inputs; knows nothing of templates.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompts.errors import GroundwireError, file_error

if TYPE_CHECKING:
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

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TYPE_NAMES: Mapping[type, str] = {str: "text", dict: "a mapping"}


@dataclass(frozen=True)
class Input:
    """A value that the template needs. `line` is where the file declares it."""

    name: str
    kind: str
    description: str
    example: Any
    line: int


@dataclass(frozen=True)
class FrontMatter:
    """The properties of a prompt file, with the line of each."""

    path: Path
    values: Mapping[str, Any]
    root: "Node"

    end: int
    """Where the body of the file begins, in characters."""

    @classmethod
    def read(cls, path: Path, text: str) -> "FrontMatter":
        """Of the text of a prompt file. Raises `GroundwireError` naming the file and the line at fault."""
        import yaml

        front = _FRONT_MATTER.match(text)
        if front is None:
            mend = "start the file with a line ---, its properties in YAML, and a line ---"
            raise file_error(path, "no front matter", mend, 1)
        try:
            loader = yaml.SafeLoader(front[1])
            root = loader.get_single_node()
            values = loader.construct_document(root) if root else None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 2 if error.problem_mark else 1
            raise file_error(
                path, f"front matter is not YAML ({error.problem})", "mend this line or the one before", line
            ) from None
        except yaml.YAMLError as error:
            raise file_error(path, f"front matter is not YAML ({error})", "remove the character", 1) from None
        if root is None or not isinstance(values, dict):
            raise file_error(path, "front matter has no properties", "give it name, description and inputs", 1)
        return cls(path, values, root, front.end())

    def get(self, key: str, kind: type[Any], default: Any = None) -> Any:
        """The value of a dotted key; without a default it has to be there, and not be empty."""
        value: Any = self.values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None and default is not None:
            return default
        if not isinstance(value, kind) or not (value or default is not None):
            raise self.error(key, f"`{key}` is missing or not {_TYPE_NAMES[kind]}", f"write {key} as {_TYPE_NAMES[kind]}")
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
        return file_error(self.path, problem, mend, self.line(key))

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
