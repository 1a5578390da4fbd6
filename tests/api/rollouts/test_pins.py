"""A rollout is of two variants as they were at its start: what changes of them ends it, and is told."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from api.rollouts.controller import ACTOR, Controller
from api.rollouts.pins import Pin
from api.rollouts.policy import Policy
from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Arm, Change, Status
from rag.errors import GroundwireError
from rag.settings import Settings
from rag.validators import calibration
from tests.api.rollouts.traffic import asked, begin, policy, record

NEXT = """
[prompts]
answer = "answer@production"
rewrite = "rewrite"
[validator]
calibration = "own.json"
judge = "local/extractive"
[llm]
model = "local/extractive"
"""
ROOT = Path(__file__).parents[3]

LOOK = """
import sys
from api.rollouts.controller import Controller
from api.rollouts.rollouts import Rollouts
from rag.ledger.database import connect
from rag.settings import Settings
from rag.validators import calibration

rollouts = Rollouts(connect(sys.argv[1]), Settings())
Controller(rollouts).look()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of two variants, and of prompts that may be changed."""
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "now.toml").write_text('[llm]\nmodel = "local/extractive"\n')
    (tmp_path / "variants" / "next.toml").write_text(NEXT)
    shutil.copy(calibration.SHIPPED / "default.json", tmp_path / "variants" / "own.json")
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return Settings(home=tmp_path, variants=tmp_path / "variants", prompts=tmp_path / "prompts")


def begun(engine: Engine, settings: Settings, wanted: Policy) -> Rollouts:
    """An hour ago."""
    opened = Rollouts(engine, settings)
    opened.start(wanted, ["now", "next"], "ann")
    begin(opened, "trial", 3_600)
    return opened


def written(text: str, by: str) -> Callable[[Settings], object]:
    return lambda settings: (settings.variants / f"{by}.toml").write_text(text)


def labelled(settings: Settings) -> None:
    labels = settings.prompts / "labels.toml"
    labels.write_text(labels.read_text().replace("answer = 2", "answer = 1"))


def redrafted(name: str) -> Callable[[Settings], object]:
    def redraft(settings: Settings) -> None:
        path = settings.prompts / f"{name.replace('@', '/v')}.prompty"
        path.write_text(path.read_text() + "Be brief.\n")

    return redraft


def calibrated(settings: Settings) -> None:
    path = settings.variants / "own.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"supported": 1.0}))


def added(settings: Settings) -> None:
    newest = max((settings.prompts / "rewrite").glob("v*.prompty"))
    shutil.copy(newest, newest.with_name("v99.prompty"))


@pytest.mark.parametrize("kind", ["ab", "canary", "shadow"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            written(f"{NEXT}temperature = 0.5\n", "next"),
            "the candidate next is not as it was at the start: llm.temperature is 0.5 and was 0.0",
        ),
        (written(NEXT, "now"), "the control now is not as it was at the start: prompts.rewrite is rewrite@1"),
        (labelled, "the candidate next is not as it was at the start: prompts.answer is answer@1"),
        (redrafted("answer@2"), "the candidate next is not as it was at the start: prompts.answer is answer@2"),
        (redrafted("grounding@1"), "the candidate next is not as it was at the start: prompts.grounding is grounding@1"),
        (calibrated, "the candidate next is not as it was at the start: validator.calibration is own.json ("),
        (added, "the candidate next is not as it was at the start: prompts.rewrite is rewrite@99"),
    ],
)
def test_a_variant_that_changes_ends_the_rollout(
    engine: Engine,
    settings: Settings,
    kind: str,
    change: Callable[[Settings], object],
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rollouts = begun(engine, settings, policy(kind=kind, guardrails={"cost": False}))
    controller = Controller(rollouts)
    controller.look()
    assert [event.event for event in rollouts.events("trial")] == [Change.STARTED]
    change(settings)
    controller.look()
    state = rollouts.get("trial").state
    assert state.status is Status.STOPPED
    assert told in state.why
    assert state.why.endswith("`api rollout start FILE` begins it anew")
    last = rollouts.events("trial")[-1]
    assert (last.actor, last.event, last.detail) == (ACTOR, Change.STOPPED, state.why)
    assert caplog.text.count(f"rollout trial is stopped: {state.why}") == 1
    assert {rollouts.choose("trial", f"user {number}").variant for number in range(100)} == {"now"}
    rollouts.start(policy(kind=kind), ["now", "next"], "ann")
    controller.look()
    assert not rollouts.get("trial").state.ended


def test_what_decides_no_answer_may_change(engine: Engine, settings: Settings) -> None:
    rollouts = begun(engine, settings, policy())
    written(f'description = "The same."\n{NEXT}temperature = 0.0\n', "next")(settings)
    Controller(rollouts).look()
    assert not rollouts.get("trial").state.ended


def test_nothing_is_compared_in_a_blue_green(engine: Engine, settings: Settings) -> None:
    rollouts = begun(engine, settings, policy(kind="blue-green"))
    written(NEXT, "now")(settings)
    Controller(rollouts).look()
    assert not rollouts.get("trial").state.ended


def test_a_variant_that_changed_is_not_promoted(engine: Engine, settings: Settings) -> None:
    """Nor is one that cannot be read, which is no change: its file may be on its way."""
    rollouts = begun(engine, settings, policy(stages=[5, 100], hold=0, minimum=30))
    record(engine, "trial", asked(np.random.default_rng(1), rollouts.get("trial"), 1_200))
    (settings.variants / "next.toml").rename(settings.variants / "away")
    controller = Controller(rollouts)
    controller.look()
    assert not rollouts.get("trial").state.ended
    (settings.variants / "away").rename(settings.variants / "next.toml")
    written(f"{NEXT}seed = 7\n", "next")(settings)
    controller.look()
    assert rollouts.get("trial").state.status is Status.STOPPED


def test_what_is_as_it_was_is_promoted_and_the_pins_stay(engine: Engine, settings: Settings) -> None:
    rollouts = begun(engine, settings, policy(stages=[5, 50, 100], hold=0, minimum=30))
    pins = rollouts.get("trial").state.pins
    assert set(pins) == set(Arm)
    record(engine, "trial", asked(np.random.default_rng(1), rollouts.get("trial"), 1_200))
    Controller(rollouts).look()
    assert rollouts.get("trial").state.stage == 1
    assert rollouts.promote("trial", "ann").state.pins == pins


def test_another_process_that_has_other_files_ends_it_for_all(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollouts = begun(engine, settings, policy())
    other = settings.home / "other"
    shutil.copytree(settings.variants, other)
    (other / "next.toml").write_text(f"{NEXT}max_tokens = 9\n")
    monkeypatch.setenv("GROUNDWIRE_VARIANTS", str(other))
    monkeypatch.setenv("GROUNDWIRE_PROMPTS", str(settings.prompts))
    subprocess.run([sys.executable, "-c", LOOK, engine.url.render_as_string(hide_password=False)], check=True)
    rollouts.refresh()
    assert {rollouts.choose("trial", f"user {number}").variant for number in range(100)} == {"now"}
    assert "llm.max_tokens is 9 and was 256" in rollouts.get("trial").state.why


def test_a_variant_whose_prompt_is_not_there_is_not_begun(engine: Engine, settings: Settings) -> None:
    written('[prompts]\nanswer = "answer@98"\n', "next")(settings)
    with pytest.raises(GroundwireError, match="answer@98"):
        Rollouts(engine, settings).start(policy(), ["now", "next"], "ann")
    assert Rollouts(engine).names() == []


def test_the_audit_keeps_what_was_started(engine: Engine, settings: Settings) -> None:
    """After another of its name, too."""
    rollouts = begun(engine, settings, policy(kind="ab", share=20, description="shorter answers"))
    first = rollouts.get("trial")
    rollouts.stop("trial", "ann")
    rollouts.start(policy(kind="ab", share=30), ["now", "next"], "bob")
    starts = [event for event in rollouts.events("trial") if event.event is Change.STARTED]
    assert [event.detail for event in starts] == ["shorter answers", ""]
    assert [event.started and event.started["policy"]["share"] for event in starts] == [20, 30]
    assert starts[0].started
    assert starts[0].started["policy"] == first.policy.model_dump(mode="json")
    assert starts[0].started["pins"] == first.state.model_dump(mode="json")["pins"]
    assert starts[0].started["pins"]["candidate"]["sha256"] != starts[0].started["pins"]["control"]["sha256"]
    assert [event.started for event in rollouts.events("trial") if event.event is Change.STOPPED] == [None]


def test_a_field_that_an_earlier_version_did_not_have_is_no_change() -> None:
    was = Pin(sha256="a", fields={"llm.model": "openai/x"})
    assert Pin(sha256="b", fields={"llm.model": "openai/x", "llm.new": "1"}).difference(was) == ""
    assert Pin(sha256="b", fields={"llm.new": "1"}).difference(was) == "llm.model is None and was openai/x"
