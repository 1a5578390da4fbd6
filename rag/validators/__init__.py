"""The validators, by the name a variant gives them."""

from rag.errors import GroundwireError
from rag.types import Tier
from rag.validators import entailment
from rag.validators.base import Validator
from rag.validators.calibration import load
from rag.validators.cascade import Cascade
from rag.validators.lexical import LexicalValidator

LEXICAL = "lexical"
NAMES = (LEXICAL, *entailment.NAMES)


def open_validator(name: str, calibration: str = "default") -> Validator:
    """`lexical` alone, or behind it the model of that name for what words cannot tell; ready for use.

    Raises `GroundwireError` naming those there are, and where a model or the calibration cannot be had.
    """
    if name.partition(":")[0] not in {known.partition(":")[0] for known in NAMES}:
        raise GroundwireError(f"there is no validator {name}", f"there are {', '.join(NAMES)}")
    found = load(calibration)
    if name == LEXICAL:
        return Cascade(LexicalValidator(), found)
    reader = entailment.open_entailment(name)
    fitted = reader.identity in found.fitted.validator
    return Cascade(LexicalValidator(), found if fitted else found.trusting(Tier.MODEL), reader)
