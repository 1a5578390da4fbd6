"""Reads the numbers of a safetensors file: a header in JSON, and behind it one array after another.

Knows the format. Copies nothing: processes share the file's memory, and what nobody looks at is not read.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Those of 32-bit floats, by name; they cannot be written to."""
    stored = np.asarray(np.memmap(path, np.uint8, "r"))
    begin = 8 + int.from_bytes(stored[:8].tobytes(), "little")
    header = json.loads(stored[8:begin].tobytes())
    numbers = stored[begin:]
    return {
        name: numbers[slice(*tensor["data_offsets"])].view(np.float32).reshape(tensor["shape"])
        for name, tensor in header.items()
        if tensor.get("dtype") == "F32"
    }
