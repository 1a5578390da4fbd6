"""The versions of a prompt, each with how it was used.

Knows the prompt library and its use in traces. Knows nothing of how versions are shown.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.pages.overview import Use
from prompts.errors import GroundwireError
from prompts.library import Library
from prompts.prompt import Prompt


class Version(NamedTuple):
    """One version of a prompt."""

    reference: str
    number: int
    prompt: Prompt | None
    """Null if the file cannot be read."""
    problem: str | None
    """Why the file cannot be read."""
    released: bool
    changed: bool
    """Whether the text was changed after its release, which is an error."""
    labels: Sequence[str]
    use: Use | None


def versions(library: Library, name: str, uses: Mapping[str, Use]) -> list[Version]:
    """The versions of a prompt, newest first; `uses` is by reference."""
    released, labels = library.released(), library.labels()
    found = []
    for number in reversed(library.versions(name)):
        reference, prompt, problem = f"{name}@{number}", None, None
        try:
            prompt = library.get(reference)
        except GroundwireError as error:
            problem = error.problem
        locked = released.get(reference)
        found.append(
            Version(
                reference=reference,
                number=number,
                prompt=prompt,
                problem=problem,
                released=locked is not None,
                changed=locked is not None and prompt is not None and prompt.sha256 != locked,
                labels=[label for label, versions in labels.items() if versions.get(name) == number],
                use=uses.get(reference),
            )
        )
    return found
