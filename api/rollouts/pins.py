"""A variant as it was when a rollout began, to notice later changes.

Knows the variant's file, the texts of its prompts and its calibration. Knows nothing of code, embedder, index or traffic.
"""

from collections.abc import Mapping
from typing import Any

from prompts.library import Library
from rag.settings import Settings
from rag.types import Value
from rag.validators import calibration
from rag.variant import Variant


class Pin(Value):
    """What decides the answers of one variant."""

    sha256: str
    """The variant's identity, as in traces."""
    fields: Mapping[str, str]
    """The fields of its file. Those that name a prompt or a calibration also have a digest of its content."""

    def difference(self, was: "Pin") -> str:
        """The fields that have changed, as text; empty if none has. Fields that `was` does not have are ignored."""
        names = [name for name in was.fields if self.fields.get(name) != was.fields[name]]
        return ", ".join(f"{name} is {self.fields.get(name)} and was {was.fields[name]}" for name in names)


def pin(variant: Variant, settings: Settings) -> Pin:
    """The variant as it is now. Raises `GroundwireError` if a prompt or calibration of it cannot be read."""
    fields = dict(_flat(variant.model_dump(mode="json", exclude={"name", "description"})))
    library = Library(settings.prompts)
    references = {"answer": variant.prompts.answer, "rewrite": variant.prompts.rewrite}
    if variant.validator.judge:
        references["grounding"] = "grounding"
    for role, reference in references.items():
        if reference:
            prompt = library.get(reference)
            fields[f"prompts.{role}"] = f"{prompt.reference} ({prompt.sha256[:12]})"
    name = variant.validator.calibration
    known = calibration.load(name if name in calibration.names() else str(settings.variants / name))
    fields["validator.calibration"] = f"{name} ({known.identity})"
    return Pin(sha256=variant.sha256, fields=fields)


def _flat(parts: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    return {f"{part}.{name}": str(value) for part, fields in parts.items() for name, value in fields.items()}
