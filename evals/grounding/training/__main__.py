"""The whole recipe, from texts to the weights of the local model, in one command:

    python -m evals.grounding.training ../shared/data --to data/run/grounding

`make .venv-torch/stamp` makes the second environment that it needs. About an hour on two cores, minutes on a GPU.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy
import typer

from evals.grounding.training import pairs, sources
from evals.grounding.training.pairs import Example
from evals.grounding.training.sources import Article
from prompts.command import Command
from rag import weights
from rag.digest import file_sha256
from rag.embedders.base import Embedder
from rag.embedders.onnx import OnnxEmbedder
from rag.errors import GroundwireError

GUIDE = Path(__file__).parents[3] / "data" / "corpus"
app = Command()

Recipe = Callable[[Sequence[Article], Embedder, numpy.random.Generator], Iterator[Example]]


class Lesson(NamedTuple):
    """What the model is taught, one after the other."""

    drawn: tuple[tuple[Recipe, int], ...]
    """How many pairs of each recipe, drawn by chance."""
    rate: float
    """Of learning, at its highest."""


LESSONS = (
    Lesson(((pairs.examples, 52_000),), 2e-4),
    Lesson(((pairs.distant, 11_000), (pairs.examples, 3_000)), 8e-5),
)


@app.command()
def main(
    data: Annotated[Path, typer.Argument(help="A folder with retrieval/ and grounding/.")],
    to: Annotated[Path, typer.Option(help="Where the examples and the weights go.")],
    torch: Annotated[Path, typer.Option(help="The Python of an environment that has torch.")] = Path(".venv-torch/bin/python"),
) -> None:
    """Makes the pairs, trains on them, and writes grounding-v1.onnx with its sha256."""
    if not torch.is_file():
        raise GroundwireError(f"{torch} is not there", "`make .venv-torch/stamp` makes it")
    to.mkdir(parents=True, exist_ok=True)
    articles, tokenizer = sources.articles(data, GUIDE), weights.locate(weights.MINILM_TOKENIZER)
    taught = weights.locate(weights.MINILM_SAFETENSORS)
    for number, lesson in enumerate(LESSONS):
        chance = numpy.random.default_rng(number)
        file = to / f"lesson-{number + 1}.jsonl"
        made = [list(recipe(articles, OnnxEmbedder(), chance)) for recipe, _ in lesson.drawn]
        counts = [count for _, count in lesson.drawn]
        drawn = [some[index] for some, count in zip(made, counts, strict=True) for index in chance.permutation(len(some))[:count]]
        count = pairs.write(file, drawn)
        typer.echo(f"{count} pairs: {file}")
        _run(torch, "train", file, "--base", taught, "--tokenizer", tokenizer, "--to", to, "--rate", lesson.rate)
        taught = to / "model.safetensors"
    onnx = to / "grounding-v1.onnx"
    _run(torch, "export", to / "model.safetensors", onnx)
    typer.echo(f"{file_sha256(onnx)}  {onnx}")


def _run(python: Path, module: str, *options: object) -> None:
    command = [str(python), "-m", f"{__package__}.{module}", *map(str, options)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    app()
