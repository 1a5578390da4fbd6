"""`labels.toml`: names such as `production` for versions, a table for each label, so that what is served moves in one place.

Knows the file. Knows nothing of which versions there are.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from prompts.errors import GroundwireError, file_error
from prompts.prompt import NAME

LABELS = "labels.toml"

Labels = Mapping[str, Mapping[str, int]]
"""Label to prompt name to version."""

_TABLE = re.compile(r"\s*\[\s*(.+?)\s*\]\s*(?:#.*)?")


def parse(path: Path, content: bytes) -> Labels:
    """Raises `GroundwireError` naming the line that is not `name = version` in the table of a label."""
    try:
        text = content.decode()
        tables = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GroundwireError(
            f"{path} is not TOML: {error}", "mend that line, or restore the file from version control"
        ) from None
    for label, versions in tables.items():
        if not NAME.fullmatch(label) or not isinstance(versions, dict):
            mend = "write a table such as [production], with a line such as answer = 2"
            raise file_error(path, f"{label} is not the table of a label", mend, line_of(text, label))
        for name, version in versions.items():
            if not NAME.fullmatch(name) or type(version) is not int or version < 1:
                problem = f"{name} = {version!r} is not a prompt and its version"
                raise file_error(path, problem, "write a name and a number, such as answer = 2", line_of(text, label, name))
    return tables


def dump(labels: Labels) -> str:
    """The file's text, sorted."""
    tables = (
        f"[{label}]\n" + "".join(f"{name} = {version}\n" for name, version in sorted(versions.items()))
        for label, versions in sorted(labels.items())
    )
    return "\n".join(("# Written by: prompts label LABEL REF\n", *tables))


def line_of(text: str, label: str, name: str | None = None) -> int:
    """Where a label begins, or names that prompt; 1 where it is written in another way than that of `dump`."""
    table = None
    for number, words in enumerate(text.splitlines(), start=1):
        key = words.partition("=")[0].strip()
        if header := _TABLE.fullmatch(words):
            table, key = header[1], header[1]
        if (table == label and key == name) or (name is None and key == label):
            return number
    return 1
