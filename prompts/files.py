"""A file that is written whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from prompts.errors import GroundwireError


def replace(path: Path, text: str, mend: str) -> None:
    """Give a file its new content as UTF-8, on the disk, in one step.

    Raises `GroundwireError` with `mend` where it cannot be written; then the file is as it was.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):  # where a folder was expected and is none, nothing was begun
            unfinished.unlink()
        raise GroundwireError(f"{path} cannot be written ({error.strerror})", mend) from None
