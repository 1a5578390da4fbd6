"""Variants: one file, one identity, clear errors."""

from pathlib import Path

import pytest

from rag import variant
from rag.errors import ConfigurationError, GroundwireError, NotFoundError
from rag.ingest.chunker import LARGEST_TOKENS
from rag.settings import PACKAGE

SHIPPED = PACKAGE / "variants"


@pytest.mark.parametrize("name", variant.names(SHIPPED))
def test_every_shipped_variant_loads(name: str) -> None:
    assert variant.load(SHIPPED, name).description


def test_the_identity_is_what_decides_the_answer(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[llm]\ntemperature = 0.5\n")
    (tmp_path / "b.toml").write_text('description = "the same, told otherwise"\n[llm]\ntemperature = 0.5\n')
    (tmp_path / "c.toml").write_text("[llm]\ntemperature = 0.6\n")
    a, b, c = (variant.load(tmp_path, name) for name in "abc")
    assert a.sha256 == b.sha256 != c.sha256
    assert a.answered_by("openai/x").sha256 != a.sha256


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (None, "default"),
        ("local/extractive", "default"),
        ("openai/gpt-4.1-mini", "hosted"),
        ("anthropic/claude-sonnet-4-5", "hosted"),
        ("ollama/llama3", "hosted"),
    ],
)
def test_a_provider_s_model_answers_by_the_variant_made_for_one(tmp_path: Path, model: str | None, name: str) -> None:
    assert variant.standard(SHIPPED, model) == name
    (tmp_path / "default.toml").touch()
    assert variant.standard(tmp_path, model) == "default", "a folder of one's own need not have it"


def test_a_strong_model_is_shown_more_and_may_say_more() -> None:
    default, hosted = (variant.load(SHIPPED, name) for name in ("default", "hosted"))
    assert hosted.llm.max_tokens > default.llm.max_tokens
    assert hosted.retriever.top_k > default.retriever.top_k
    assert hosted.retriever.context_tokens >= hosted.retriever.top_k * LARGEST_TOKENS, "whole passages"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[llm]\nmodle = 'x'", r"bad\.toml: llm\.modle: there is no such field \(did you mean llm\.model\?\)"),
        ("temperature = 1", r"bad\.toml: temperature: there is no such field \(did you mean llm\.temperature\?\)"),
        ("gate = 1", r"bad\.toml: gate: there is no such field \(did you mean release\.gate\?\)"),
        ("zzz = 1", r"bad\.toml: zzz: there is no such field: "),
        ("[llm]\ntemperature = 9", r"bad\.toml: llm\.temperature: it must be at most 2: "),
        ("llm = 'x'", r"bad\.toml: llm: it must be a table of fields"),
        (
            "[retriever]\ntop_k = 1.5\nabstain = 'x'",
            r"top_k: it must be a whole number; retriever\.abstain: it must be true or false",
        ),
        ("[retriever]\nmode = 'psychic'", r"bad\.toml: retriever\.mode: .*'hybrid', 'dense' or 'lexical'"),
        ("[release]\npolicy = 'hope'", r"bad\.toml: release\.policy: .*'flag', 'quote', 'refuse' or 'retry'"),
        ("[release]\nuncertain = 'maybe'", r"bad\.toml: release\.uncertain: .*'pass', 'likely' or 'withhold'"),
        ("[release]\ngate = 'none'", r"bad\.toml: release\.gate: .*'answer' or 'sentence'.*policy = \"flag\""),
        ("[release]\ngate = 'sentence'", r"bad\.toml: release: gate .*policy = \"quote\""),
        ("[llm]\nmodel = what", r"bad\.toml is not TOML: .*line 2"),
    ],
)
def test_a_bad_file_is_told_by_field(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(GroundwireError, match=told):
        variant.load(tmp_path, "bad")


def test_an_unknown_variant_is_told_with_those_there_are() -> None:
    with pytest.raises(GroundwireError, match="variant ../secret does not exist: there are default, extractive, hosted$"):
        variant.load(SHIPPED, "../secret")


def test_a_folder_without_the_variant_is_told_by_the_variable_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "careful.toml").touch()
    with pytest.raises(NotFoundError, match="there are careful in the folder that GROUNDWIRE_VARIANTS") as told:
        variant.load(tmp_path, "default")
    assert str(tmp_path) not in str(told.value), "strangers are told this"
    with pytest.raises(ConfigurationError, match=rf"{tmp_path}/gone.* does not exist: set GROUNDWIRE_VARIANTS"):
        variant.load(tmp_path / "gone", "default")
