"""The prompt library: versioned templates as text, and their reader. Imports nothing of the other packages, and nothing heavy."""

from prompts.library import Library
from prompts.prompt import Prompt

__all__ = ["Library", "Prompt"]
