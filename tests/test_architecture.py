"""The layering: imports run one way, `prompts <- rag <- evals <- api`, and light packages stay light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ["prompts", "rag", "evals", "api"]
HEAVY = {
    "torch",
    "litellm",
    "onnxruntime",
    "faiss",
    "tantivy",
    "sqlalchemy",
    "prometheus_client",
    "opentelemetry",
    "fastapi",
    "lxml",
    "pypdf",
    "docx",
    "scipy",
    "xllamacpp",
    "weaviate",
    "grpc",
    "psycopg",
    "ray",
}


MODULES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    above = {name for name in imported(path) if name.split(".")[0] in LAYERS[layer + 1 :]}
    assert not above


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_knows(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body


@pytest.mark.parametrize(
    "module", ["prompts", "prompts.cli", "rag.cli", "evals.cli", "api.cli", "rag.pipeline", "rag.variant", "rag.trace"]
)
def test_light_modules_import_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    allowed = {"sqlalchemy"} if module == "rag.pipeline" else set()
    assert not (HEAVY - allowed) & set(loaded)
