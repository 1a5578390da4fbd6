"""The sides of a comparison: a variant with the very text of its prompt.

Knows how a side is named. Knows nothing of how it is run.
"""

from typing import NamedTuple

from evals.changes import INPUTS
from prompts.library import Library
from prompts.prompt import Prompt
from rag import variant as variants
from rag.errors import GroundwireError, NotFoundError
from rag.settings import Settings
from rag.variant import Variant


class Arm(NamedTuple):
    """One side. `variant` names the prompt, `prompt` is its text, which may stand in another commit."""

    name: str
    variant: Variant
    prompt: Prompt

    @classmethod
    def named(cls, name: str, settings: Settings, base: str, model: str | None) -> "Arm":
        """A variant by its name, or variant `base` with another prompt, as in `answer@2`; answered by `model`, where one is given.

        Raises `GroundwireError` where there is neither, or the prompt is none that answers.
        """
        there, library = variants.names(settings.variants), Library(settings.prompts)
        known = name in there
        if not known and "@" not in name and not library.versions(name):
            raise NotFoundError(
                f"there is no variant and no prompt {name}",
                f"there are the variants {', '.join(there)} and the prompts {', '.join(library.names())}",
            )
        variant = variants.load(settings.variants, name if known else base)
        prompt = library.get(variant.prompts.answer if known else name)
        if prompt.inputs.keys() - INPUTS:
            raise GroundwireError(f"{prompt.reference} does not answer questions", "name a prompt that does, such as answer@2")
        return cls(name, _with(variant, prompt, model), prompt)

    @classmethod
    def of(cls, prompt: Prompt, name: str, settings: Settings, base: str, model: str | None) -> "Arm":
        """Variant `base` with the text of a prompt."""
        return cls(name, _with(variants.load(settings.variants, base), prompt, model), prompt)


def _with(variant: Variant, prompt: Prompt, model: str | None) -> Variant:
    """The variant with exactly that version, so that its identity does not depend on which one is the newest today."""
    variant = variant.answered_by(model) if model else variant
    return variant.model_copy(update={"prompts": variant.prompts.model_copy(update={"answer": prompt.reference})})
