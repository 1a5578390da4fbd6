import json
import random
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training environment has torch, this one need not")
pytest.importorskip("transformers")
pytest.importorskip("safetensors")


def test_a_tiny_model_learns_what_it_is_shown(tmp_path: Path) -> None:
    """A few steps over a few words: the loss falls, and every tensor of a batch has its shape."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig

    from evals.grounding.training import train

    vocabulary = {word: id for id, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "dogs", "cats", "bark", "sleep"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    examples = [
        {"premise": f"{who} {what}", "claim": f"{who} {said}", "supported": what == said, "kind": "word"}
        | {"false": [] if what == said else [(5, 5 + len(said))]}
        for who in ("dogs", "cats")
        for what in ("bark", "sleep")
        for said in ("bark", "sleep")
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(example) + "\n" for example in examples))
    rows = train.read([file], tokenizer)
    assert [row.false for row in rows[:2]] == [[-100, 0, 0, -100, -100, -100, -100], [-100, 0, 1, -100, -100, -100, -100]]
    torch.manual_seed(0)
    tiny = BertConfig(
        vocab_size=8, hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_position_embeddings=16,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = train.CrossEncoder(tiny)
    before = float(train.loss(model, rows, "cpu", 1.0))
    seen = train.train(model, rows, minutes=1.0, rate=5e-3, seed=0, epochs=60)
    assert seen == 60 * len(rows)
    assert float(train.loss(model, rows, "cpu", 1.0)) < before / 2


def test_batches_hold_every_row_once_and_few_tokens() -> None:
    from evals.grounding.training import train

    rows = [train.Row([0] * length, [0] * length, [0] * length, 0) for length in range(5, 200)]
    batches = train.batches(rows, random.Random(0))
    assert sorted(len(row.ids) for batch in batches for row in batch) == list(range(5, 200))
    assert all(len(batch) * max(len(row.ids) for row in batch) <= 1.2 * train.BATCH_TOKENS for batch in batches)
