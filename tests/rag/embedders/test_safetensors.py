"""A safetensors file's numbers, read in place."""

import json
from pathlib import Path

import numpy as np

from rag.embedders.safetensors import tensors


def test_arrays_have_their_names_shapes_and_numbers(tmp_path: Path) -> None:
    table, row, ids = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([0.5], np.float32), np.arange(2)
    header = {
        "__metadata__": {"format": "pt"},
        "row": {"dtype": "F32", "shape": [1], "data_offsets": [24, 28]},
        "table": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "ids": {"dtype": "I64", "shape": [2], "data_offsets": [28, 44]},
    }
    written = json.dumps(header).encode()
    written += b" " * (-len(written) % 8)
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(written).to_bytes(8, "little") + written + table.tobytes() + row.tobytes() + ids.tobytes())
    found = tensors(path)
    assert found.keys() == {"row", "table"}
    assert np.array_equal(found["table"], table)
    assert np.array_equal(found["row"], row)
    assert not found["table"].flags.writeable
