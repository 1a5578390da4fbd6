"""Writes `minilm.onnx`: how onnxruntime computes all-MiniLM-L6-v2 in int8, without the weights.

Knows the model's layers, the operators and the names of the weights, which `onnx.py` gives when it opens the graph.

    python -m rag.embedders.graph
"""

from pathlib import Path
from typing import Any

from onnx import ModelProto, NodeProto, TensorProto, helper

GRAPH = Path(__file__).with_name("minilm.onnx")
LAYERS, HEADS, WIDTH, INNER = 6, 12, 384, 1536
EPSILON = 1e-12
FUSED = "com.microsoft"
"""The operators that are onnxruntime's own."""


class _Drawing:
    """Nodes in order, each named after its result, and the weights that they name."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, TensorProto] = {}

    def node(self, operator: str, inputs: list[str], output: str, domain: str = FUSED, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], output, domain=domain, **attributes))
        return output

    def weight(self, name: str, *shape: int, kind: TensorProto.DataType = TensorProto.FLOAT) -> str:
        """A tensor that is not in the file."""
        tensor = TensorProto(name=name, dims=shape, data_type=kind, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="weights")
        self.weights[name] = tensor
        return name

    def linear(self, inputs: str, layer: str, width: int, outputs: int) -> str:
        """inputs @ weight + bias in int8, with the inputs quantised as they come, and a scale for each output."""
        weight = self.weight(f"{layer}.weight", width, outputs, kind=TensorProto.INT8)
        scale, zero = self.weight(f"{layer}.scale", outputs), self.weight(f"{layer}.zero", outputs, kind=TensorProto.INT8)
        return self.node("DynamicQuantizeMatMul", [inputs, weight, scale, zero, self.weight(f"{layer}.bias", outputs)], layer)

    def norm(self, layer: str) -> list[str]:
        return [self.weight(f"{layer}.LayerNorm.{part}", WIDTH) for part in ("weight", "bias")]

    def attention(self, states: str, layer: str) -> str:
        heads = [self.linear(states, f"{layer}.self.{part}", WIDTH, WIDTH) for part in ("query", "key", "value")]
        context = self.node("MultiHeadAttention", heads, f"{layer}.context", num_heads=HEADS)
        return self.residual(context, states, f"{layer}.output", WIDTH)

    def layer(self, states: str, layer: str) -> str:
        attended = self.attention(states, f"{layer}.attention")
        inner = self.linear(attended, f"{layer}.intermediate.dense", WIDTH, INNER)
        return self.residual(self.node("Gelu", [inner], f"{layer}.intermediate"), attended, f"{layer}.output", INNER)

    def residual(self, inputs: str, skipped: str, layer: str, width: int) -> str:
        dense = self.linear(inputs, f"{layer}.dense", width, WIDTH)
        return self.node("SkipLayerNormalization", [dense, skipped, *self.norm(layer)], layer, epsilon=EPSILON)


def graph() -> ModelProto:
    """words (1, tokens, 384), of each token the sum of its embeddings, into `vector` (1, 384): the mean of the last states, of length 1.

    One text at a time: activations are quantised for each alone, so a text has the same vector whatever is embedded beside it.
    """
    drawing = _Drawing()
    states = drawing.node("LayerNormalization", ["words", *drawing.norm("embeddings")], "embeddings", domain="", epsilon=EPSILON)
    for number in range(LAYERS):
        states = drawing.layer(states, f"encoder.layer.{number}")
    mean = drawing.node("ReduceMean", [states, "axes"], "mean", domain="", keepdims=0)
    drawing.node("LpNormalization", [mean], "vector", domain="", axis=1, p=2)
    return helper.make_model(
        helper.make_graph(
            drawing.nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info("words", TensorProto.FLOAT, [1, "tokens", WIDTH])],
            [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, WIDTH])],
            [*drawing.weights.values(), helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
        ),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(FUSED, 1)],
        ir_version=9,
    )


def written() -> bytes:
    """The file's content."""
    content: bytes = graph().SerializeToString(deterministic=True)
    return content


if __name__ == "__main__":
    GRAPH.write_bytes(written())
