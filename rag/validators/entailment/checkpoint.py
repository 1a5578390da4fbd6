"""The files of one model, on this machine or from the Hugging Face hub, read with what transformers itself knows: an extra.

Knows what can be wrong with them. Code that comes with a model is never run.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag.errors import GroundwireError


class Checkpoint:
    """`model` is one of the hub (`ORG/MODEL`) or a folder. Without a network, set `HF_HUB_OFFLINE=1`: no connection is tried then.

    Everything raises `GroundwireError` where transformers is not installed, or the files cannot be had or are not what they should be.
    """

    def __init__(self, family: str, model: str) -> None:
        self.family = family
        self.name = f"{family}:{model}"
        self.torch = self._library("torch")
        self.transformers = self._library("transformers")
        self._model = model
        with self._reading(model):
            self.fields: dict[str, Any] = self.transformers.PretrainedConfig.get_config_dict(model)[0]

    @property
    def kind(self) -> str:
        """Its architecture, as transformers calls it: `bert`, `t5`, ..."""
        return str(self.fields.get("model_type"))

    def network(self, loader: str, head: str) -> Any:
        """The model, by transformers' class `loader`; `head` is how the name of its architecture ends."""
        if self.kind not in self.transformers.CONFIG_MAPPING:
            raise self._unknown()
        architectures = self.fields.get("architectures") or ["nothing"]
        if not any(architecture.endswith(head) for architecture in architectures):
            raise self.mismatch(f"is trained as {', '.join(architectures)}, not as one {head}")
        with self._reading(self._model):
            network, report = getattr(self.transformers, loader).from_pretrained(
                self._model, trust_remote_code=False, output_loading_info=True
            )
        if report["missing_keys"]:
            raise self.mismatch(f"lacks weights: {', '.join(sorted(report['missing_keys'])[:3])}")
        return network

    def tokenizer(self, model: str = "") -> Any:
        """Its own, or that of another model."""
        with self._reading(model or self._model):
            tokenizer = self.transformers.AutoTokenizer.from_pretrained(model or self._model, trust_remote_code=False)
        if not tokenizer.is_fast:
            raise self.mismatch("has no tokenizer.json, and none can be made of its other files")
        return tokenizer

    def config(self, model: str) -> Any:
        """That of another model, which it was built on."""
        with self._reading(model):
            return self.transformers.AutoConfig.from_pretrained(model, trust_remote_code=False)

    def weights(self) -> dict[str, Any]:
        """The tensors of its `model.safetensors`, by name."""
        with self._reading(self._model):
            path = self.transformers.utils.cached_file(self._model, "model.safetensors")
            weights: dict[str, Any] = importlib.import_module("safetensors.torch").load_file(path)
        return weights

    def mismatch(self, problem: str) -> GroundwireError:
        """What makes it no model of its family."""
        return GroundwireError(f"{self.name} {problem}", f"name a model that was made for {self.family}:, or the family it is of")

    def _unknown(self) -> GroundwireError:
        if "auto_map" in self.fields:
            return GroundwireError(
                f"{self.name} runs only with code of its own ({self.kind}), and a model's code is never run here",
                "name a model of an architecture that transformers has",
            )
        return GroundwireError(
            f"{self.name}: transformers {self.transformers.__version__} has no architecture {self.kind}",
            "pip install --upgrade transformers",
        )

    def _library(self, name: str) -> Any:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            raise GroundwireError(f"{self.name} needs {name}", "pip install 'groundwire[torch]'") from error

    @contextmanager
    def _reading(self, model: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if Path(model).is_dir():
                mend = "name a folder that save_pretrained has written"
                raise GroundwireError(f"{self.name}: a file is missing in {model} or cannot be read", mend) from error
            raise GroundwireError(
                f"{self.name}: {model} is not on this machine, and the Hugging Face hub did not give it",
                f"`hf download {model}` where there is a network, or name a folder that holds it",
            ) from error
        except Exception as error:
            # Whatever these libraries meet in a file: tokenizers raises Exception itself.
            said = " ".join(str(error).split())[:200]
            raise GroundwireError(f"{self.name} cannot be loaded: {said}", "name another model, or fetch it anew") from error
