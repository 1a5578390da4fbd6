"""A digest of what code does changes with what it does, and with nothing else."""

import ast
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from rag.revision import behaviour

SOURCE = '''"""A module."""

LEAST = 0.5
"""A share."""


def keeps(share: float) -> bool:
    """Whether it is enough."""
    return share >= LEAST  # ties count


async def told() -> None:
    """When it is done."""
'''


def module(folder: Path, source: str) -> ModuleType:
    path = folder / f"m{len(list(folder.iterdir()))}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    return importlib.util.module_from_spec(spec)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("A module.", "Another sentence.", True),
        ("A share.", "Of one.", True),
        ("Whether it is enough.", "Tells.", True),
        ("When it is done.", "Later.", True),
        ("  # ties count", "", True),
        ("0.5", "0.6", False),
        (">=", ">", False),
    ],
)
def test_a_digest_is_of_what_code_does(tmp_path: Path, old: str, new: str, *, same: bool) -> None:
    one, other = module(tmp_path, SOURCE), module(tmp_path, SOURCE.replace(old, new))
    assert inspect.getsource(one) != inspect.getsource(other)
    assert (behaviour([one]) == behaviour([other])) is same


def test_a_digest_is_that_of_every_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13 leaves empty fields out of a dump that 3.12 writes."""
    one = module(tmp_path, SOURCE)
    expected, dump = behaviour([one]), ast.dump
    monkeypatch.setattr(ast, "dump", lambda tree: dump(tree) + "[]")
    assert behaviour([one]) == expected
