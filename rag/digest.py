"""What identifies a file: the digest of its bytes."""

import hashlib
from pathlib import Path


def file_sha256(path: Path) -> str:
    """64 hex digits. Raises `OSError` for a file that cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
