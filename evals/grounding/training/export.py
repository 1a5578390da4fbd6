"""Writes a trained cross-encoder as ONNX that computes in int8.

Knows torch and the operators of onnxruntime; like `train`, it imports nothing else of this project.

    python -m evals.grounding.training.export model.safetensors grounding.onnx
"""
# mypy: disable-error-code="import-not-found,misc"

import argparse
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from evals.grounding.training.train import CrossEncoder, config

LEVELS = 63
"""Of a weight to either side of zero: 7 bits, so that no processor's int8 multiplication overflows (vpmaddubsw adds pairs in 16 bits)."""
TABLE_LEVELS = 127
"""Of an embedding, which is looked up and not multiplied in int8."""


class _Product(torch.autograd.Function):
    """x @ weight + bias, with x quantised as it comes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, scale: Tensor, zero: Tensor, bias: Tensor) -> Tensor:
        return x @ (weight.float() * scale) + bias

    @staticmethod
    def symbolic(g: Any, x: Any, weight: Any, scale: Any, zero: Any, bias: Any) -> Any:
        return g.op("com.microsoft::DynamicQuantizeMatMul", x, weight, scale, zero, bias)


class _Linear(nn.Module):
    """A linear layer in int8: a scale for each output."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach().T
        scale = weight.abs().amax(dim=0) / LEVELS
        self.register_buffer("weight", (weight / scale).round().to(torch.int8).contiguous())
        self.register_buffer("scale", scale)
        self.register_buffer("zero", torch.zeros(len(scale), dtype=torch.int8))
        self.register_buffer("bias", layer.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = _Product.apply(x, self.weight, self.scale, self.zero, self.bias)
        return product


class _Embedding(nn.Module):
    """A table in int8: a scale for each row."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        weight = table.weight.detach()
        scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / TABLE_LEVELS
        self.register_buffer("weight", (weight / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(ids, self.weight).float() * nn.functional.embedding(ids, self.scale)


class _Exported(nn.Module):
    """One pair at a time: without padding, so that what is read beside a pair never changes its probability."""

    def __init__(self, model: CrossEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        verdict, doubts = self.model(ids, types, torch.ones_like(ids))
        return verdict, doubts


def export(weights: Path, to: Path) -> None:
    """Reads the weights that `train` wrote, writes the graph: ids and types (1, tokens) into `verdict` (1,) and `doubts` (1, tokens)."""
    trained = load_file(weights)
    model = CrossEncoder(config({name.removeprefix("bert."): value for name, value in trained.items()}))
    model.load_state_dict(trained)
    model.eval()
    model.bert.embeddings.word_embeddings = _Embedding(model.bert.embeddings.word_embeddings)
    for layer in model.bert.encoder.layer:
        heads = layer.attention.self
        heads.query, heads.key, heads.value = _Linear(heads.query), _Linear(heads.key), _Linear(heads.value)
        layer.attention.output.dense = _Linear(layer.attention.output.dense)
        layer.intermediate.dense, layer.output.dense = _Linear(layer.intermediate.dense), _Linear(layer.output.dense)
    example = torch.randint(1000, 2000, (1, 40))
    types = (torch.arange(40) >= 15).long()[None]
    torch.onnx.export(
        _Exported(model),
        (example, types),
        str(to),
        input_names=["ids", "types"],
        output_names=["verdict", "doubts"],
        dynamic_axes={"ids": {1: "tokens"}, "types": {1: "tokens"}, "doubts": {1: "tokens"}},
        opset_version=14,
        custom_opsets={"com.microsoft": 1},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("to", type=Path)
    options = parser.parse_args()
    export(options.weights, options.to)
