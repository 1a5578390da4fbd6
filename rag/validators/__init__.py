"""The validators, by the name a variant gives them."""

from rag.errors import GroundwireError
from rag.validators.base import Validator

NAMES = ("lexical",)


def open_validator(name: str) -> Validator:
    """The validator of that name, ready for use. Raises `GroundwireError` naming those there are."""
    match name:
        case "lexical":
            from rag.validators.lexical import LexicalValidator

            return LexicalValidator()
    raise GroundwireError(f"validator {name} does not exist", f"there is {', '.join(NAMES)}")
