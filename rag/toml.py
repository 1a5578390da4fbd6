"""TOML files that hold one thing each, named by the file.

Knows how such a file is read. Knows nothing of what is in it.
"""

import tomllib
from pathlib import Path
from typing import Any

from rag.errors import ConfigurationError


def fields(path: Path, kind: str, unreadable: str) -> dict[str, Any]:
    """Those of the file of a `kind` ("variant"). Raises `ConfigurationError` naming the file and the mend: `unreadable`, where there is
    nothing to read.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})", unreadable) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}", "mend that line") from error
    if "name" in found:
        raise ConfigurationError(
            f"{path}: name: a {kind} is named by its file", "remove the field, and rename the file if need be"
        )
    return found
