"""Which code answered: digests over our own sources, the same in a checkout and in a wheel."""

import ast
import functools
import hashlib
import inspect
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

PACKAGES = ("prompts", "rag", "evals", "api")


@functools.cache
def revision() -> str:
    """The first 12 hex digits of the sha256 over the relative path and content of every module of ours."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def behaviour(modules: Iterable[ModuleType]) -> str:
    """The first 12 hex digits of a sha256 over what modules do: their code, whatever its comments and docstrings say."""
    digest = hashlib.sha256()
    for module in modules:
        tree = ast.parse(inspect.getsource(module))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = [statement for statement in node.body if not _is_docstring(statement)]
        digest.update(ast.unparse(tree).encode())
    return digest.hexdigest()[:12]


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    )
