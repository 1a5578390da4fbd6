"""Everything that decides an answer, in one TOML file.

Knows the file's fields, their bounds and their identity. Knows nothing of how any of them is carried out.
"""

import hashlib
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from rag import toml
from rag.answer.release import Policy
from rag.answer.withholding import Uncertain
from rag.errors import ConfigurationError, NotFoundError
from rag.llms import OURS
from rag.llms.base import CallPolicy
from rag.settings import PACKAGE
from rag.types import Value

Mode = Literal["hybrid", "dense", "lexical"]
Gate = Literal["answer", "sentence"]
DEFAULT = "default"
HOSTED = "hosted"


class Prompts(Value):
    """References into the prompt library; without a version, the newest."""

    answer: str = "answer"
    rewrite: str | None = None
    """Asked, of `llm.model`, to make a question stand alone that rests on what was said before. Without one, the turns before it are
    searched for as well."""


class Model(CallPolicy):
    """Who answers, how, and how hard it is tried."""

    model: str = "local/smollm2"
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=256, ge=1)
    seed: int | None = 0


class Retrieval(Value):
    """What is looked for, and how much of it is sent."""

    mode: Mode = "hybrid"
    top_k: int = Field(default=5, ge=1)
    """Passages that may be sent."""
    candidates: int = Field(default=100, ge=1)
    """Chunks that each leg brings to the fusion."""
    context_tokens: int = Field(default=1200, ge=1)
    """For the passages, by the model's own tokenizer."""
    abstain: bool = True
    """Refuse, without a call, where nothing relevant is found."""


class Validation(Value):
    """How claims are judged: each part is asked about what the one before could not tell."""

    name: str = "lexical"
    """`lexical` alone, or before a model that reads claim and evidence: `local`, `nli:ORGANISATION/MODEL`, `lettucedetect:...`."""
    calibration: str = "default"
    """What a score is worth as a probability, and from where on it decides: a file that `evals calibrate` wrote."""
    judge: str | None = None
    """A model such as `openai/gpt-4.1-mini`, asked last; none by default, for it costs money and time."""


class Release(Value):
    policy: Policy = Policy.FLAG
    uncertain: Uncertain = Uncertain.PASS
    """Whether a claim that the validator cannot tell reaches the reader."""
    gate: Gate = "answer"
    """What is judged before the reader sees any of it. With `flag` nothing waits."""

    @field_validator("gate", mode="before")
    @classmethod
    def _known(cls, gate: object) -> object:
        if gate not in get_args(Gate):
            raise ValueError(
                """it is 'answer' or 'sentence'; for an answer that waits for no verdict, write policy = "flag" and no gate"""
            )
        return gate

    @model_validator(mode="after")
    def _gated(self) -> Self:
        if self.gate == "sentence" and self.policy is not Policy.QUOTE:
            raise ValueError(
                'gate "sentence" needs policy = "quote": "refuse" and "retry" need the whole answer, and with "flag" nothing waits'
            )
        return self


class Variant(Value):
    """A variant by its file's name; the fields left out have the defaults above."""

    name: str
    description: str = ""
    prompts: Prompts = Prompts()
    llm: Model = Model()
    retriever: Retrieval = Retrieval()
    validator: Validation = Validation()
    release: Release = Release()

    @property
    def sha256(self) -> str:
        """Of everything that decides the answer: not of its name or description."""
        return hashlib.sha256(self.model_dump_json(exclude={"name", "description"}).encode()).hexdigest()

    def answered_by(self, model: str) -> "Variant":
        """The same with another model, and no fallback."""
        return self.model_copy(update={"llm": self.llm.model_copy(update={"model": model, "fallbacks": ()})})


def names(folder: Path) -> list[str]:
    """The variants of a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def standard(folder: Path, model: str | None) -> str:
    """The variant that answers where none is named: `hosted` by the model of a provider, where the folder has it; else `default`."""
    return HOSTED if model and not model.startswith(OURS) and HOSTED in names(folder) else DEFAULT


def load(folder: Path, name: str) -> Variant:
    """Read `<folder>/<name>.toml`. Raises `ConfigurationError` naming the file, the field and the mend; `NotFoundError` where there is none."""
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}, the folder of variants, does not exist", "set GROUNDWIRE_VARIANTS to one that does")
    if name not in names(folder):
        own = (
            "" if folder == PACKAGE / "variants" else " in the folder that GROUNDWIRE_VARIANTS puts in place of the shipped ones"
        )
        raise NotFoundError(f"variant {name} does not exist", f"there are {', '.join(names(folder)) or 'none'}{own}")
    path = folder / f"{name}.toml"
    try:
        return Variant(name=name, **toml.fields(path, "variant", "make it readable"))
    except ValidationError as error:
        raise ConfigurationError(
            f"{path}: {toml.faults(error, Variant)}", "see the guide's page on variants for the fields"
        ) from error
