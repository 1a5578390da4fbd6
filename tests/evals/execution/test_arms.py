"""A side is a variant with the very text of its prompt."""

from pathlib import Path

import pytest

from evals.execution.arms import Arm
from prompts.library import Library
from prompts.prompt import Prompt
from rag.errors import GroundwireError
from rag.settings import Settings


def named(settings: Settings, name: str, base: str = "default", model: str | None = None) -> Arm:
    return Arm.named(name, settings, base, model)


def test_a_prompt_is_put_into_the_variant(settings: Settings) -> None:
    arm = named(settings, "answer@1", "quoting")
    assert (arm.name, arm.variant.name, arm.prompt.reference) == ("answer@1", "quoting", "answer@1")
    assert arm.variant.prompts.answer == "answer@1"
    assert arm.variant.release.policy == "quote"


def test_a_variant_brings_its_own_prompt(settings: Settings) -> None:
    (settings.variants / "plain.toml").write_text('[prompts]\nanswer = "answer@1"\n')
    arm = named(settings, "plain")
    assert (arm.name, arm.variant.name, arm.prompt.reference) == ("plain", "plain", "answer@1")


def test_a_prompt_without_a_version_is_the_one_it_is_now(settings: Settings) -> None:
    newest = Library(settings.prompts).get("answer")
    for name in ("answer", "default"):
        arm = named(settings, name)
        assert arm.prompt.sha256 == newest.sha256
        assert arm.variant.prompts.answer == newest.reference
    assert named(settings, "answer").variant.sha256 == named(settings, newest.reference).variant.sha256


def test_another_model_answers_without_fallbacks(settings: Settings) -> None:
    (settings.variants / "careful.toml").write_text('[llm]\nfallbacks = ["local/extractive"]\n')
    for name in ("careful", "answer@1"):
        arm = named(settings, name, "careful", "openai/gpt-4.1")
        assert (arm.variant.llm.model, arm.variant.llm.fallbacks) == ("openai/gpt-4.1", ())


def test_a_text_from_elsewhere_is_taken_as_it_is(settings: Settings) -> None:
    file = Path(settings.prompts / "answer" / "v2.prompty")
    changed = Prompt.parse(Path("HEAD~1:prompts/answer/v2.prompty"), file.read_bytes().replace(b"short sentences", b"sentences"))
    arm = Arm.of(changed, "answer@2 of HEAD~1", settings, "default", None)
    assert (arm.name, arm.prompt) == ("answer@2 of HEAD~1", changed)
    assert arm.variant == named(settings, "answer@2").variant
    assert arm.prompt.sha256 != named(settings, "answer@2").prompt.sha256


def test_what_is_neither_is_refused(settings: Settings) -> None:
    with pytest.raises(
        GroundwireError, match="no variant and no prompt answr: there are the variants default, .* the prompts answer"
    ):
        named(settings, "answr")
    with pytest.raises(GroundwireError, match="no prompt answr.*did you mean answer"):
        named(settings, "answr@1")
    with pytest.raises(GroundwireError, match="no variant and no prompt bold"):
        named(settings, "bold", "bold")
    with pytest.raises(GroundwireError, match="variant bold does not exist"):
        named(settings, "answer@1", "bold")
