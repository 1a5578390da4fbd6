"""The templates of a prompt: one a message, in Jinja2, compiled and rendered in a sandbox.

Knows roles, variables and what a rendered text must not hold; knows nothing of front matter or of where prompts are kept.
"""

import functools
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompts.errors import file_error

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

_ROLE = re.compile(r"^[ \t]*#?[ \t]*(system|user|assistant)[ \t]*:[ \t]*$", re.IGNORECASE | re.MULTILINE)
_CONTROL_TOKEN = re.compile(r"<(?=[|\uff5c]|/?s>|(?:start|end)_of_turn>|(?:bos|eos|pad|unk)>|</?SYS>)|\[(?=/?INST\])")
"""What the common chat templates mark messages with; a server that tokenises it out of a text would let the text open one."""
_ATTRIBUTE = str.maketrans({'"': "'", "<": "\u2039", ">": "\u203a"})


@dataclass(frozen=True)
class Section:
    """One message to be: its role, its template, and the line of the file that the template starts on."""

    path: Path
    role: str
    template: str
    line: int

    def compile(self) -> "Template":
        """Raises `GroundwireError` naming the file and the line that is no template."""
        from jinja2 import TemplateSyntaxError

        try:
            return _compiled(self.template, self.line, str(self.path))
        except TemplateSyntaxError as error:
            raise file_error(self.path, error.message or "not a template", "mend the template", error.lineno) from None

    def variables(self) -> dict[str, int]:
        """The free variables, each with the line of its first use."""
        from jinja2 import meta, nodes

        lines: dict[str, int] = {}
        tree = _environment().parse(_padded(self.template, self.line))
        free = meta.find_undeclared_variables(tree)
        for node in sorted(tree.find_all(nodes.Name), key=lambda node: node.lineno):
            if node.name in free:
                lines.setdefault(node.name, node.lineno)
        return lines

    def render(self, values: Mapping[str, Any]) -> str:
        """The text of the message. Raises `GroundwireError` naming the file and the line that fails for these values."""
        template = self.compile()
        try:
            content = template.render(values)
        except Exception as error:  # an expression of a template can raise anything
            frames = traceback.extract_tb(error.__traceback__)
            line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(self.path)), None)
            problem = f"cannot be rendered, {error or type(error).__name__}"
            raise file_error(self.path, problem, "mend the template, or the value it was given", line or self.line) from error
        return break_control_tokens(content).strip("\n")


def sections(path: Path, text: str, start: int) -> tuple[Section, ...]:
    """Split the body, `text[start:]`, at its role markers, before anything is rendered: no value can ever become a role.

    Raises `GroundwireError` naming the file and the line of what is no message, or no template.
    """
    markers = list(_ROLE.finditer(text, start))
    preamble = text[start : markers[0].start() if markers else None]
    if preamble.strip() or not markers:
        line = text.count("\n", 0, start + len(preamble) - len(preamble.lstrip())) + 1
        raise file_error(path, "text outside a message", "start it with a line system:, user: or assistant:", line)
    found = []
    for marker, following in zip(markers, [*markers[1:], None], strict=True):
        body = text[marker.end() : following.start() if following else None]
        line = text.count("\n", 0, marker.start()) + 1
        if not body.strip():
            raise file_error(path, f"the {marker[1].lower()} message is empty", "write it, or remove its marker", line)
        section = Section(path, marker[1].lower(), body.strip("\n"), line + len(body) - len(body.lstrip("\n")))
        section.compile()
        found.append(section)
    return tuple(found)


def break_control_tokens(text: str) -> str:
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
