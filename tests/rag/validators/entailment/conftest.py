"""Tiny models of each family, as their publishers save them: two layers, sixteen dimensions, words for tokens."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WORDS = (
    "the kettle pump is covered for two years months days no not under warranty tank full when starts stops "
    "0 1 2 12 24 36 . , ? : in a of and red blue open shop predict premise hypothesis passage question output"
).split()
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "initializer_range": 1.0}
POSITIONS = 96

Build = Callable[..., str]


def tokenizer(folder: Path, first: str, second: str, marks: dict[str, str]) -> None:
    """Words, and what stands around the first text and the second."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate((*SPECIAL, "<pad>", "</s>", "<s>", *WORDS))}
    words = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single=first,
        pair=f"{first} {second}",
        special_tokens=[(mark, vocabulary[mark]) for mark in marks.values()],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", model_input_names=["input_ids", "attention_mask"], **marks
    )
    fast.save_pretrained(folder)


BERT = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "eos_token": "[SEP]"}
T5 = {"pad_token": "<pad>", "eos_token": "</s>"}


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A folder with a model of one kind; `seed` draws its weights, `labels` names its classes."""
    import torch
    import transformers

    def made(kind: str, seed: int = 0, labels: tuple[str, ...] = (), name: str = "") -> str:
        folder = tmp_path / (name or f"{kind}-{seed}")
        torch.manual_seed(seed)
        named: dict[str, Any] = {"id2label": dict(enumerate(labels))} if labels else {}
        if kind in ("sequence", "token"):
            config = transformers.BertConfig(vocab_size=100, max_position_embeddings=POSITIONS, **SIZES, **named)
            make = transformers.BertForSequenceClassification if kind == "sequence" else transformers.BertForTokenClassification
            make(config).save_pretrained(folder)
            tokenizer(folder, "[CLS] $A [SEP]", "$B:1 [SEP]:1", BERT)
            return str(folder)
        sizes = {
            "d_model": 16,
            "d_kv": 8,
            "d_ff": 32,
            "num_layers": 2,
            "num_heads": 2,
            "vocab_size": 256,
            "initializer_factor": 1.0,
        }
        config = transformers.T5Config(**sizes, decoder_start_token_id=0, pad_token_id=4, eos_token_id=5)
        if kind == "answering":
            transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
            tokenizer(folder, "$A </s>", "$B </s>", T5)
            return str(folder)
        assert kind == "hhem"
        foundation = tmp_path / "flan-t5"
        config.save_pretrained(foundation)
        tokenizer(foundation, "$A </s>", "$B </s>", T5)
        hhem(folder, foundation, transformers.T5ForTokenClassification(config))
        return str(folder)

    return made


def hhem(folder: Path, foundation: Path, network: Any) -> None:
    """As it is published: weights under a prefix, and code that must not run."""
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    code = "HHEMv2ForSequenceClassification"
    config = {
        "model_type": "HHEMv2Config",
        "architectures": [code],
        "foundation": str(foundation),
        "auto_map": {
            "AutoConfig": "configuration_hhem_v2.HHEMv2Config",
            "AutoModelForSequenceClassification": f"modeling_hhem_v2.{code}",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    for module in ("configuration_hhem_v2", "modeling_hhem_v2"):
        (folder / f"{module}.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    weights = {f"t5.{name}": tensor for name, tensor in network.state_dict().items() if "embed_tokens" not in name}
    save_file(weights, folder / "model.safetensors")
