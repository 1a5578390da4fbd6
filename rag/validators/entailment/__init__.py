"""Models that read a claim against its evidence: one file a family, opened by name."""

from rag.errors import GroundwireError
from rag.validators.entailment.base import Entailment

NAMES = ("local", "nli:MODEL", "lettucedetect:MODEL", "hhem:MODEL", "minicheck:MODEL")


def open_entailment(name: str) -> Entailment:
    """The model of one of `NAMES`, ready for use; `MODEL` is one of the Hugging Face hub (`ORG/MODEL`) or a folder that holds one.

    Raises `GroundwireError` where it cannot be had, or is of another family.
    """
    family, _, model = name.partition(":")
    match family, model:
        case "local", "":
            from rag.validators.entailment.local import LocalEntailment

            return LocalEntailment()
        case "nli", model if model:
            from rag.validators.entailment.nli import NLIEntailment

            return NLIEntailment(model)
        case "lettucedetect", model if model:
            from rag.validators.entailment.lettucedetect import LettuceDetectEntailment

            return LettuceDetectEntailment(model)
        case "hhem", model if model:
            from rag.validators.entailment.hhem import HHEMEntailment

            return HHEMEntailment(model)
        case "minicheck", model if model:
            from rag.validators.entailment.minicheck import MiniCheckEntailment

            return MiniCheckEntailment(model)
    raise GroundwireError(f"there is no entailment model {name}", f"there are {', '.join(NAMES)}")
