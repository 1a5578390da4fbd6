"""Teaches the cross-encoder: one encoder that reads a premise beside a claim, two heads, one loss.

Knows torch, and files of examples; imports nothing of this project, so that it runs in an environment of its own, on a GPU where there is one.

    python -m evals.grounding.training.train EXAMPLES... --base model.safetensors --tokenizer tokenizer.json --to FOLDER
"""
# mypy: disable-error-code="import-not-found,misc"

import argparse
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

LONGEST = 224
"""Tokens of premise and claim together; the longer of the two is cut at its end."""
BATCH_TOKENS = 2048
IGNORED = -100
"""The target of a token that has none: of the premise, or a special one."""


class Row(NamedTuple):
    """An example as tokens."""

    ids: list[int]
    types: list[int]
    false: list[int]
    """For each token 1 where it is a false word of the claim, 0 where a true one, else `IGNORED`."""
    supported: int


class CrossEncoder(nn.Module):
    """[CLS] claim [SEP] premise [SEP] into a logit that the claim is supported, and one for each token that it is not.

    The sequence logit reads the first token and the most doubtful ones of the claim (max pooling), so that one false word is enough.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = BertModel(config, add_pooling_layer=False)
        self.token = nn.Linear(config.hidden_size, 1)
        self.pooled = nn.Linear(config.hidden_size, config.hidden_size)
        self.sequence = nn.Linear(config.hidden_size, 1)
        self.weigh = nn.Linear(2, 1)
        with torch.no_grad():
            self.weigh.weight.copy_(torch.tensor([[1.0, -0.5]]))
            self.weigh.bias.zero_()

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(n, tokens) each -> (n,) and (n, tokens) logits."""
        states = self.bert(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
        doubts = self.token(states).squeeze(-1)
        whole = self.sequence(torch.tanh(self.pooled(states[:, 0]))).squeeze(-1)
        claimed = (types == 0) & (mask == 1)
        most = doubts.masked_fill(~claimed, -20.0).max(dim=1).values
        return self.weigh(torch.stack([whole, most], dim=1)).squeeze(-1), doubts


def config(base: dict[str, Tensor]) -> BertConfig:
    """The shape of the encoder, read off its weights."""
    vocabulary, hidden = base["embeddings.word_embeddings.weight"].shape
    layers = 1 + max(int(name.split(".")[2]) for name in base if name.startswith("encoder.layer."))
    inner = base["encoder.layer.0.intermediate.dense.weight"].shape[0]
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=inner,
        max_position_embeddings=base["embeddings.position_embeddings.weight"].shape[0],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def read(paths: Sequence[Path], tokenizer: Tokenizer) -> list[Row]:
    """The examples of all files, in order."""
    rows = []
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            rows += [_row(json.loads(line), tokenizer) for line in lines]
    return rows


def _row(example: dict[str, Any], tokenizer: Tokenizer) -> Row:
    encoding = tokenizer.encode(example["claim"], example["premise"])
    spans, labelled = example["false"], example["supported"] or example["false"]
    false = [
        (int(any(start < end_ and end > start_ for start_, end_ in spans)) if labelled else IGNORED)
        if part == 0 and not special
        else IGNORED
        for (start, end), part, special in zip(encoding.offsets, encoding.type_ids, encoding.special_tokens_mask, strict=True)
    ]
    if example["kind"] == "removed":
        false = [value if value == 1 or example["supported"] else IGNORED for value in false]
    return Row(encoding.ids, encoding.type_ids, false, int(example["supported"]))


def batches(rows: Sequence[Row], chance: random.Random) -> list[list[Row]]:
    """Rows of like length together, in an order drawn by chance."""
    order = sorted(rows, key=lambda row: len(row.ids) + chance.random() * 12)
    found: list[list[Row]] = [[]]
    for row in order:
        if found[-1] and (len(found[-1]) + 1) * len(row.ids) > BATCH_TOKENS:
            found.append([])
        found[-1].append(row)
    chance.shuffle(found)
    return found


def tensors(rows: Sequence[Row], device: str) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Ids, types, mask, false tokens, labels."""
    longest = max(len(row.ids) for row in rows)

    def padded(values: Iterator[list[int]], filling: int) -> Tensor:
        return torch.tensor([value + [filling] * (longest - len(value)) for value in values], device=device)

    return (
        padded((row.ids for row in rows), 0),
        padded((row.types for row in rows), 1),
        padded(([1] * len(row.ids) for row in rows), 0),
        padded((row.false for row in rows), IGNORED),
        torch.tensor([row.supported for row in rows], dtype=torch.float32, device=device),
    )


def loss(model: CrossEncoder, rows: Sequence[Row], device: str, token_weight: float) -> Tensor:
    """Cross entropy of the verdict, and of the claim's tokens."""
    ids, types, mask, false, labels = tensors(rows, device)
    with torch.autocast(device.partition(":")[0], dtype=torch.bfloat16):
        verdict, doubts = model(ids, types, mask)
    known = false != IGNORED
    losses = nn.functional.binary_cross_entropy_with_logits(verdict.float(), labels)
    if known.any():
        weight = torch.tensor(3.0, device=device)
        losses = losses + token_weight * nn.functional.binary_cross_entropy_with_logits(
            doubts.float()[known], false[known].float(), pos_weight=weight
        )
    return losses


def train(
    model: CrossEncoder,
    rows: Sequence[Row],
    *,
    minutes: float,
    rate: float,
    seed: int,
    epochs: int = 1,
    token_weight: float = 1.0,
    device: str = "cpu",
) -> int:
    """AdamW with linear warm-up and decay over `epochs` of the rows, or over `minutes` where that is sooner; how many rows were seen."""
    chance = random.Random(seed)  # noqa: S311 - an order of rows, no secret
    torch.manual_seed(seed)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    plan = [batch for _ in range(epochs) for batch in batches(rows, chance)]
    started, seen, mean = time.monotonic(), 0, 0.0
    model.to(device).train()
    for step, batch in enumerate(plan):
        spent = (time.monotonic() - started) / 60
        done = max(step / len(plan), spent / minutes)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 60) * (1 - done)
        value = loss(model, batch, device, token_weight)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        seen += len(batch)
        mean = 0.97 * mean + 0.03 * float(value) if step else float(value)
        if step % 50 == 0:
            print(f"step {step}/{len(plan)} rows {seen} minutes {spent:.1f} loss {mean:.4f}", flush=True)  # noqa: T201
    if not math.isfinite(mean):
        raise RuntimeError("the loss is not a number: lower --rate")
    return seen


def main() -> None:
    """Reads examples and the weights to start from, writes the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", nargs="+", type=Path)
    parser.add_argument("--base", required=True, type=Path)
    parser.add_argument("--tokenizer", required=True, type=Path)
    parser.add_argument("--to", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=150.0)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--token-weight", type=float, default=1.0)
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    base = load_file(options.base)
    started = {name.removeprefix("bert."): value for name, value in base.items()}
    model = CrossEncoder(config(started))
    if any(name.startswith("bert.") for name in base):
        model.load_state_dict(base)
    else:
        model.bert.load_state_dict(base, strict=False)
    model.bert.embeddings.word_embeddings.weight.requires_grad = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = read(options.examples, tokenizer)
    seen = train(
        model, rows, minutes=options.minutes, rate=options.rate, seed=options.seed, epochs=options.epochs,
        token_weight=options.token_weight, device=device,
    )  # fmt: skip
    options.to.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().cpu() for name, value in model.state_dict().items()}, options.to / "model.safetensors")
    print(f"{seen} rows on {device}: {options.to / 'model.safetensors'}")  # noqa: T201


if __name__ == "__main__":
    main()
