"""A prompt file that is right, for tests to bend."""

from collections.abc import Callable
from pathlib import Path

import pytest

GREETING = """\
---
name: greeting
description: Greets.
metadata:
  owner: tests
  purpose: Something to bend.
  changelog: First version.
  refusal: Not today.
inputs:
  person:
    kind: string
    description: Who is greeted.
    example: Ada
  passages:
    kind: array
    description: What is quoted.
    example:
      - {number: 1, title: One, text: First text.}
  fence:
    kind: string
    description: A delimiter.
    example: 0123456789abcdef
---
system:
Greet. If you cannot, say: Not today.

user:
{% for passage in passages -%}
<quote-{{ fence }} title="{{ passage.title | attribute }}">
{{ passage.text }}
</quote-{{ fence }}>
{% endfor %}
Greet {{ person }}.
"""

Writer = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Writes `greeting/v<version>.prompty` with replacements in its text, and gives its path."""

    def written(*replacements: tuple[str, str], version: int = 1) -> Path:
        text = GREETING
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "greeting" / f"v{version}.prompty"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return written
