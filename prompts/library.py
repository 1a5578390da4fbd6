"""The folder of prompts: `<name>/v<number>.prompty`.

With `released.lock`, the digests of the texts that may not change any more, and `labels.toml`, names for some of those. Knows names,
versions, releases and labels; knows nothing of what a prompt says.
"""

import re
from pathlib import Path

from prompts.errors import GroundwireError, file_error
from prompts.files import replace
from prompts.labels import LABELS, Labels, dump, line_of, parse
from prompts.prompt import FILE_NAME, NAME, Prompt

_UNWRITTEN = "name another folder with --library"
_REFERENCE = re.compile(rf"({NAME.pattern})(?:@(?:([1-9][0-9]*)|({NAME.pattern})))?")

_FIELD = r"^([ \t]+){field}:.*(?:\n(?:\1[ \t]+.*|[ \t]*$))*"
"""One of the metadata, over as many lines as it has."""
_STARTS_FROM = "answer"
"""What a prompt of a name that nothing here asks for is: another one that answers."""


class Library:
    """The prompts of one folder; by default those that are shipped."""

    def __init__(self, root: Path = Path(__file__).parent) -> None:
        if not root.is_dir():
            raise GroundwireError(f"prompt library {root} is not a folder", "name a folder that has <name>/v1.prompty in it")
        self.root = root
        self._lock = root / "released.lock"
        self._labels = root / LABELS

    def files(self) -> list[Path]:
        """Every prompt file, well named or not."""
        return sorted(self.root.glob("*/*.prompty"))

    def names(self) -> list[str]:
        """Ascending."""
        return sorted({path.parent.name for path in self.files()})

    def versions(self, name: str) -> list[int]:
        """Ascending; empty where there is no such prompt."""
        found = (FILE_NAME.fullmatch(path.name) for path in self.files() if path.parent.name == name)
        return sorted(int(match[1]) for match in found if match)

    def path(self, name: str, version: int) -> Path:
        """Where that version is, or would be."""
        return self.root / name / f"v{version}.prompty"

    def get(self, reference: str) -> Prompt:
        """`answer@2`, `answer@production` by label, or `answer` for its highest version.

        Raises `GroundwireError` naming what there is instead.
        """
        parts = _REFERENCE.fullmatch(reference)
        if parts is None:
            mend = "write a name, name@version such as answer@1, or name@label such as answer@production"
            raise GroundwireError(f"{reference!r} is not a prompt reference", mend)
        name, number, label = parts.groups()
        versions = self.versions(name)
        if not versions:
            raise GroundwireError(f"there is no prompt {name} in {self.root}", self._nearest(name))
        version = self._labelled(name, label) if label else int(number or versions[-1])
        if version not in versions:
            there = ", ".join(f"{name}@{number}" for number in versions)
            named = f", which is labelled {label}" if label else ""
            raise GroundwireError(f"there is no prompt {name}@{version} in {self.root}{named}", f"there is {there}")
        return Prompt.read(self.path(name, version))

    def draft(self, name: str) -> Path:
        """Write the next version, a copy of the highest but for its changelog. An existing file is never written.

        A first one is a copy of what is shipped under that name, with all the inputs that its readers give, or of the one that answers;
        who owns it and what for is for its author to say.
        """
        if not NAME.fullmatch(name):
            raise GroundwireError(f"{name!r} is not a name for a prompt", "use a-z, 0-9, - and _, a letter first")
        latest = max(self.versions(name), default=0)
        content = _emptied(self.path(name, latest).read_bytes(), changelog='""') if latest else _first(name)
        path = self.path(name, latest + 1)
        try:
            path.parent.mkdir(exist_ok=True)
            with path.open("xb") as file:
                file.write(content)
        except OSError as error:
            raise GroundwireError(f"{path} cannot be written ({error.strerror})", "name another folder with --library") from None
        return path

    def released(self) -> dict[str, str]:
        """The sha256 of each released text, by reference."""
        if not self._lock.exists():
            return {}
        released = {}
        for number, line in enumerate(self._lock.read_text().splitlines(), start=1):
            match line.split():
                case [reference, sha256] if reference not in released and re.fullmatch("[0-9a-f]{64}", sha256):
                    released[reference] = sha256
                case _:
                    raise file_error(self._lock, "not a release", "restore the line from version control", number)
        return released

    def release(self, reference: str) -> Prompt:
        """Lock the text of a prompt. Raises what is wrong with it; locking the same text again changes nothing."""
        prompt = self.get(reference)
        for problem in self.problems(prompt.path):
            raise problem
        released = self.released() | {prompt.reference: prompt.sha256}
        replace(self._lock, "".join(f"{name} {sha256}\n" for name, sha256 in sorted(released.items())), _UNWRITTEN)
        return prompt

    def labels(self) -> Labels:
        """The version that each label stands for, by label and name."""
        return parse(self._labels, self._labels.read_bytes()) if self._labels.exists() else {}

    def label(self, label: str, reference: str) -> Prompt:
        """Let `<name>@<label>` be this prompt from now on. Raises where its text is not locked."""
        if not NAME.fullmatch(label):
            raise GroundwireError(f"{label!r} is not a label", "use a-z, 0-9, - and _, a letter first")
        prompt = self.get(reference)
        if prompt.reference not in self.released():
            mend = f"release it first: prompts release {prompt.reference}"
            raise GroundwireError(f"{prompt.reference} is not released, and only a text that cannot change has a label", mend)
        there = self.labels()
        replace(self._labels, dump({**there, label: {**there.get(label, {}), prompt.name: prompt.version}}), _UNWRITTEN)
        return prompt

    def problems(self, path: Path) -> list[GroundwireError]:
        """What is wrong with one file of the library, its release included."""
        try:
            prompt = Prompt.read(path)
        except GroundwireError as error:
            return [error]
        found = prompt.problems()
        if self.released().get(prompt.reference, prompt.sha256) != prompt.sha256:
            mend = f"restore it, and make the change in a new version: prompts new {prompt.name}"
            found.append(file_error(path, f"{prompt.reference} is released, and its text has changed", mend, 1))
        return found

    def missing(self) -> list[GroundwireError]:
        """Released prompts whose file is gone."""
        return [
            file_error(self._lock, f"{reference} is released, and its file is gone", "restore it from version control", number)
            for number, reference in enumerate(self.released(), start=1)
            if not (self.root / (reference.replace("@", "/v") + ".prompty")).exists()
        ]

    def mislabelled(self) -> list[GroundwireError]:
        """Labels of prompts that are gone, or may still change."""
        try:
            there, released = self.labels(), self.released()
        except GroundwireError as error:
            return [error]
        found = []
        for label, versions in there.items():
            for name, version in versions.items():
                reference = f"{name}@{version}"
                line = line_of(self._labels.read_text(encoding="utf-8"), label, name)
                if not self.path(name, version).exists():
                    mend = f"label one that does: prompts label {label} {name}@VERSION"
                    found.append(file_error(self._labels, f"{label} is {reference}, which does not exist", mend, line))
                elif reference not in released:
                    mend = f"release it: prompts release {reference}"
                    found.append(file_error(self._labels, f"{label} is {reference}, which is not released", mend, line))
        return found

    def _labelled(self, name: str, label: str) -> int:
        there = {label: versions[name] for label, versions in self.labels().items() if name in versions}
        if label not in there:
            known = ", ".join(f"{label} ({name}@{version})" for label, version in there.items())
            mend = f"its labels are {known}" if known else f"give it one: prompts label {label} {name}@VERSION"
            raise GroundwireError(f"prompt {name} has no label {label} in {self.root}", mend)
        return there[label]

    def near(self, name: str) -> list[str]:
        """The names that may have been meant."""
        from difflib import get_close_matches

        return get_close_matches(name, self.names())

    def _nearest(self, name: str) -> str:
        names = self.names()
        if name in Library().names():
            return f"`prompts new {name}` starts from the one that is shipped"
        if near := self.near(name):
            return f"did you mean {' or '.join(near)}?"
        return f"there is {', '.join(names)}" if names else "write a first one with: prompts new NAME"


def _first(name: str) -> bytes:
    """A copy of what is shipped, made its author's own."""
    shipped = Library()
    start = name if name in shipped.names() else _STARTS_FROM
    content = _emptied(shipped.get(start).path.read_bytes(), authors="[]", owner='""', purpose='""', changelog="First version.")
    return content.replace(f"\nname: {start}\n".encode(), f"\nname: {name}\n".encode(), 1)


def _emptied(content: bytes, **fields: str) -> bytes:
    """A prompt whose metadata have these values, for its next author to fill."""
    properties, fence, text = content.partition(b"\n---")
    for field, value in fields.items():
        line = rb"\1" + f"{field}: {value}".encode()
        properties = re.sub(_FIELD.format(field=field).encode(), line, properties, count=1, flags=re.MULTILINE)
    return properties + fence + text
