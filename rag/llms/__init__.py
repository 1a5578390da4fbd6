"""Models that answer: any that litellm knows, and two of our own that need no key."""

from rag.errors import GroundwireError
from rag.llms.base import LLM

OURS = "local/"
"""The prefix of our own models, which run on this machine and are free."""
LOCAL = ("local/extractive", "local/smollm2")


def open_llm(model: str) -> LLM:
    """The backend of a model; nothing is called yet. Raises `GroundwireError` for an unknown model, `UpstreamError` for one that is not installed."""
    if model == "local/extractive":
        from rag.llms.extractive import Extractive

        return Extractive()
    if model == "local/smollm2":
        from rag.llms.local import smollm2

        return smollm2()
    if model.startswith(OURS):
        raise GroundwireError(f"unknown model {model!r}", f"the local ones are {' and '.join(LOCAL)}")
    from rag.llms.litellm import LiteLLM, named

    named(model)
    return LiteLLM(model)
