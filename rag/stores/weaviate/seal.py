"""How a generation is sealed: by the description of its collection.

Knows when a collection is ours, when it is sealed, and when its builder is dead. Knows nothing of what is in it.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, Field, model_validator
from weaviate.collections import Collection
from weaviate.exceptions import UnexpectedStatusCodeError

from rag.errors import StorageError
from rag.process import OWNER, ended
from rag.stores.base import Generation
from rag.stores.weaviate.schema import LAYOUT

_ABANDONED = timedelta(days=7)
"""How long to keep an unsealed collection whose builder may still live."""


class Builder(BaseModel):
    """The process that writes a collection which is not sealed yet."""

    owner: str = Field(pattern=r"^.+:\d+:[^:]+$")
    """The process, as in `rag.process.OWNER`."""
    since: AwareDatetime

    @property
    def dead(self) -> bool:
        """Whether its process has ended, or is so old that another process may have its number by now."""
        return ended(self.owner) or datetime.now(UTC) - self.since > _ABANDONED


class Description(BaseModel):
    """The description of a collection, as JSON: its builder, or once it is sealed, its generation."""

    layout: int
    builder: Builder | None = None
    generation: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _require_generation(self) -> Self:
        if self.layout == LAYOUT and self.generation is not None:
            Generation.model_validate(self.generation)
        return self


def unsealed() -> str:
    """The description of a collection that this process starts to write."""
    builder = Builder(owner=OWNER, since=datetime.now(UTC))
    return Description(layout=LAYOUT, builder=builder).model_dump_json(exclude_unset=True)


def sealed(generation: Generation) -> str:
    """The description that seals a collection as this generation."""
    return Description(layout=LAYOUT, generation=generation.model_dump(mode="json")).model_dump_json(exclude_unset=True)


def parse_description(text: str | None) -> Description | None:
    """Parse a collection's description; null if it is not one of ours."""
    try:
        return Description.model_validate_json(text or "")
    except ValueError:
        return None


def require_ours(there: Collection[Any, Any]) -> None:
    """Raise `StorageError` unless the collection is the one that this process builds. If somebody removed it, a write
    would silently create another one of that name.
    """
    try:
        description = parse_description(there.config.get(simple=True).description)
    except UnexpectedStatusCodeError as error:
        if error.status_code != 404:
            raise
        description = None
    if description is None or description.builder is None or description.builder.owner != OWNER:
        raise StorageError(
            f"{there.name} was removed from Weaviate while it was built", "see who removes it there, then try again"
        )
