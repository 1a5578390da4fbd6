"""The prompts that differ between a git ref and the working tree.

Knows git, and which text is an honest baseline. Knows nothing of how two prompts are compared.
"""

import enum
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prompts.errors import GroundwireError
from prompts.labels import LABELS, Labels, parse
from prompts.library import Library
from prompts.prompt import NAME, Prompt

PRODUCTION = "production"
"""The label of what is served, where a library has one."""
INPUTS = {"question", "passages", "fence"}
"""What the pipeline gives to a prompt that answers."""
_FILE = re.compile(rf"({NAME.pattern})/v([1-9][0-9]*)\.prompty")
_ELSEWHERE = {"GIT_DIR", "GIT_WORK_TREE"}
"""Set in a git hook, and relative to another folder than the library."""


class Status(enum.StrEnum):
    """How a prompt changed, and whether there are two texts to compare."""

    NEW_VERSION = "new version"
    EDITED = "edited"
    PROMOTED = "now in production"
    FIRST = "first version, nothing to compare with"
    DELETED = "deleted"
    MENDED = "can be asked now, what it was could not: nothing to compare with"
    NOT_AN_ANSWER = "changed, and not run: only prompts that answer questions are compared"
    UNANSWERABLE = "cannot be asked: a prompt that answers has the inputs question, passages and fence, and no other"

    @property
    def comparable(self) -> bool:
        return self in (Status.NEW_VERSION, Status.EDITED, Status.PROMOTED)


@dataclass(frozen=True)
class Change:
    """One prompt that is not what it was. `base` and `head` are both there where its status is comparable."""

    name: str
    """`answer@3`."""
    status: Status
    base: Prompt | None = None
    """What it is measured against; its path is git's name for it, such as `HEAD~1:prompts/answer/v2.prompty`."""
    head: Prompt | None = None
    """As it is in the working tree."""


@dataclass(frozen=True)
class _Past:
    """A library as it was, read whole."""

    folder: str
    """Git's name for it."""
    contents: Mapping[tuple[str, int], bytes]
    labels: Labels

    def prompt(self, name: str, version: int) -> Prompt:
        return Prompt.parse(Path(f"{self.folder}{name}/v{version}.prompty"), self.contents[name, version])

    def served(self, name: str) -> Prompt | None:
        """What is labelled production; where nothing is, the highest version."""
        versions = [version for known, version in self.contents if known == name]
        if not versions:
            return None
        labelled = self.labels.get(PRODUCTION, {}).get(name)
        return self.prompt(name, labelled if labelled in versions else max(versions))


def changed(root: Path, base: str) -> list[Change]:
    """Every prompt of the library at `root` whose text is not what it was at the git ref `base`, uncommitted changes included.

    An edited file is measured against its own text at `base`. A new version is measured against what was served then, for that is
    what readers lose if it is worse: the version labelled production, or else the highest. So is a version that was there already
    and is labelled production now. Raises `GroundwireError` where git, the repository or the ref is not there.
    """
    library, past = Library(root), _past(root, base)
    now = {(name, version) for name in library.names() for version in library.versions(name)}
    found = [_change(library, past, name, version) for name, version in sorted(now)]
    found += [_promotion(library, past, name) for name in sorted(library.labels().get(PRODUCTION, {}))]
    found += [Change(f"{name}@{version}", Status.DELETED) for name, version in sorted(past.contents.keys() - now)]
    changes: dict[str, Change] = {}
    for change in found:
        if change is not None:
            changes.setdefault(change.name, change)
    return list(changes.values())


def _change(library: Library, past: _Past, name: str, version: int) -> Change | None:
    """Of one file of the working tree."""
    before = past.contents.get((name, version))
    if before == library.path(name, version).read_bytes():
        return None
    head = library.get(f"{name}@{version}")
    if before is not None:
        return _against(past.prompt(name, version), head, Status.EDITED)
    return _against(past.served(name), head, Status.NEW_VERSION)


def _promotion(library: Library, past: _Past, name: str) -> Change | None:
    """Of the version that is labelled production."""
    return _against(past.served(name), library.get(f"{name}@{PRODUCTION}"), Status.PROMOTED)


def _against(base: Prompt | None, head: Prompt, status: Status) -> Change | None:
    if base is None:
        return Change(head.reference, Status.FIRST, head=head)
    if base.sha256 == head.sha256:
        return None
    answered, answers = (prompt.inputs.keys() == INPUTS for prompt in (base, head))
    if answered and not answers:
        return Change(head.reference, Status.UNANSWERABLE, base, head)
    if answers and not answered:
        return Change(head.reference, Status.MENDED, base, head)
    return Change(head.reference, status if answers else Status.NOT_AN_ANSWER, base, head)


def _past(root: Path, base: str) -> _Past:
    inside = _git(root, "rev-parse", "--show-prefix")
    if inside.returncode:
        problem = f"{root} is in no git repository that can be read ({_told(inside)})"
        raise GroundwireError(problem, "name the folder of prompts in your checkout with GROUNDWIRE_PROMPTS")
    resolved = _git(root, "rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}")
    if resolved.returncode:
        shallow = _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
        mend = (
            "this checkout is shallow: git fetch --unshallow, or fetch-depth: 0 for actions/checkout"
            if shallow
            else "name a branch, tag or commit of this checkout, such as origin/main or HEAD~1; git fetch may bring it"
        )
        raise GroundwireError(f"git knows no commit {base!r}", mend)
    commit = resolved.stdout.decode().strip()
    files = _read(root, "ls-tree", "-r", "-z", "--name-only", commit).decode(errors="replace").split("\0")
    folder = f"{base}:{inside.stdout.decode(errors='replace').strip() or './'}"
    contents = {
        (match[1], int(match[2])): _read(root, "cat-file", "blob", f"{commit}:./{match[0]}")
        for match in map(_FILE.fullmatch, files)
        if match
    }
    labels = _read(root, "cat-file", "blob", f"{commit}:./{LABELS}") if LABELS in files else b""
    return _Past(folder, contents, parse(Path(f"{folder}{LABELS}"), labels))


def _read(root: Path, *arguments: str) -> bytes:
    ran = _git(root, *arguments)
    if ran.returncode:
        raise GroundwireError(
            f"git {' '.join(arguments)} failed ({_told(ran)})", "see that git can read this repository: git fsck"
        )
    return ran.stdout


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    git = shutil.which("git")
    if git is None:
        raise GroundwireError("git is not installed", "install it, or compare two references of the library with --a and --b")
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return subprocess.run([git, *arguments], cwd=root, env=environment, capture_output=True, check=False)


def _told(ran: subprocess.CompletedProcess[bytes]) -> str:
    lines = ran.stderr.decode(errors="replace").splitlines()
    return lines[0] if lines else f"exit code {ran.returncode}"
