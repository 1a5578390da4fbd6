"""A variant as it was when a rollout began, and what is another about it by now.

Knows its file, the texts of its prompts and its calibration; not the code, the embedder or the index. Knows nothing of traffic.
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
    """The variant's, as traces have it."""
    fields: Mapping[str, str]
    """Of its file; those that name a prompt or a calibration have the version and a digest of what it says."""

    def told(self, was: "Pin") -> str:
        """What is not as it was, for people; empty where nothing is. A field that there was not yet, in an earlier version, is none."""
        names = [name for name in was.fields if self.fields.get(name) != was.fields[name]]
        return ", ".join(f"{name} is {self.fields.get(name)} and was {was.fields[name]}" for name in names)


def pin(variant: Variant, settings: Settings) -> Pin:
    """As it is now. Raises `GroundwireError` where it names what cannot be had."""
    fields = dict(_flat(variant.model_dump(mode="json", exclude={"name", "description"})))
    library = Library(settings.prompts)
    asked = {"answer": variant.prompts.answer, "rewrite": variant.prompts.rewrite}
    if variant.validator.judge:
        asked["grounding"] = "grounding"
    for role, reference in asked.items():
        if reference:
            prompt = library.get(reference)
            fields[f"prompts.{role}"] = f"{prompt.reference} ({prompt.sha256[:12]})"
    name = variant.validator.calibration
    known = calibration.load(name if name in calibration.names() else str(settings.variants / name))
    fields["validator.calibration"] = f"{name} ({known.identity})"
    return Pin(sha256=variant.sha256, fields=fields)


def _flat(parts: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    return {f"{part}.{name}": str(value) for part, fields in parts.items() for name, value in fields.items()}
