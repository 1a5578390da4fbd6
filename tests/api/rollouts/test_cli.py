"""`api rollout`: what is typed is done, and what is known is shown."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from api.rollouts.cli import app
from api.rollouts.results import Results
from api.rollouts.rollouts import Rollouts
from evals.comparison import Comparison
from evals.execution.arms import Arm
from prompts.errors import GroundwireError
from rag.settings import Settings
from tests.api.rollouts.traffic import Behaviour, asked, begin, record, written
from tests.evals.report import samples

CANARY = 'kind = "canary"\ncontrol = "now"\ncandidate = "next"\ndescription = "shorter answers"\n'


@pytest.fixture(autouse=True)
def places(tmp_path: Path, engine: Engine, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "variants").mkdir()
    for name in ("now", "next"):
        (tmp_path / "variants" / f"{name}.toml").write_text("")
    monkeypatch.setenv("GROUNDWIRE_HOME", str(tmp_path))
    monkeypatch.setenv("GROUNDWIRE_LEDGER", ledger_url)
    monkeypatch.setenv("GROUNDWIRE_VARIANTS", str(tmp_path / "variants"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LOGNAME", "ann")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, catch_exceptions=False)


def test_a_rollout_from_start_to_end(tmp_path: Path, engine: Engine) -> None:
    assert run("start", str(written(tmp_path, CANARY))).stdout == "trial: running; readers get 5 % next, 95 % now\n"
    assert run("promote", "trial").stdout == "trial: promoted; readers get 100 % next, 0 % now\n"
    assert run("rollback", "trial", "--why", "too short").stdout == "trial: rolled back; readers get 0 % next, 100 % now\n"
    since = Rollouts(engine).get("trial").state.since[:16].replace("T", " ")
    listed = [" ".join(line.split()) for line in run("list").stdout.splitlines()]
    assert listed[2:] == ["trial now 0 % rolled back too short", f"canary next {since}"]
    assert {event.actor for event in Rollouts(engine).events("trial")} == {"ann"}


def test_a_blue_green_is_switched_and_switched_back_and_stopped(tmp_path: Path) -> None:
    run("start", str(written(tmp_path, CANARY.replace("canary", "blue-green"))))
    assert "readers get 100 % next" in run("switch", "trial").stdout
    assert "readers get 0 % next" in run("switch", "trial").stdout
    assert "trial: stopped" in run("stop", "trial").stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CANARY.replace('"next"', '"never"'), "variant never does not exist: there are next, now"),
        (CANARY.replace("canary", "canarry"), r"trial\.toml: kind: "),
    ],
)
def test_a_policy_that_cannot_be_is_not_begun(tmp_path: Path, engine: Engine, text: str, told: str) -> None:
    with pytest.raises(GroundwireError, match=told):
        run("start", str(written(tmp_path, text)))
    assert Rollouts(engine).names() == []


def test_a_broken_variant_is_not_rolled_out(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "variants" / "next.toml").write_text("[llm]\nmodle = 1\n")
    with pytest.raises(GroundwireError, match=r"next\.toml: llm\.modle"):
        run("start", str(written(tmp_path, CANARY)))
    assert Rollouts(engine).names() == []


def compared(a: str, b: str, model: str | None = None) -> Comparison:
    """A report of these two, as they are now."""
    settings, found = Settings(), samples.rich()
    sides = {
        place: getattr(found, place).model_copy(
            update={"name": name, "variant": Arm.named(name, settings, base="now", model=model).variant}
        )
        for place, name in (("a", a), ("b", b))
    }
    return found.model_copy(update=sides)


def foreseen(folder: Path, comparison: Comparison) -> Path:
    (folder / "report.json").write_text(comparison.model_dump_json())
    return written(folder, f'{CANARY.replace("canary", "ab")}prediction = "report.json"\n')


def test_a_prediction_is_of_the_two_variants_as_they_are_now(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "variants" / "next.toml").write_text('[prompts]\nanswer = "answer@1"\n')
    policies = [foreseen(tmp_path, compared("now", "answer@1"))]
    policies[0].rename(tmp_path / "by-prompt.toml")
    run("start", str(tmp_path / "by-prompt.toml"))
    for a, b, model in (("next", "now", None), ("now", "now", None), ("now", "next", "local/extractive")):
        with pytest.raises(
            GroundwireError, match=f"the prediction is of {b} against {a}, which are not next and now as they are now"
        ):
            run("start", str(foreseen(tmp_path, compared(a, b, model))))
    opened = foreseen(tmp_path, compared("now", "next"))
    (tmp_path / "variants" / "next.toml").write_text("[llm]\ntemperature = 1\n")
    with pytest.raises(
        GroundwireError, match="which are not next and now as they are now: name the report of `evals run --a now --b"
    ):
        run("start", str(opened))
    assert Rollouts(engine).names() == ["by-prompt"]


def test_results_are_shown_with_what_was_predicted(tmp_path: Path, engine: Engine) -> None:
    comparison = compared("now", "next")
    run("start", str(foreseen(tmp_path, comparison)))
    opened = Rollouts(engine)
    begin(opened, "trial", 3_600)
    record(engine, "trial", asked(np.random.default_rng(1), opened.get("trial"), 400, Behaviour(hallucination=0.4), seconds=5))
    shown = run("show", "trial").stdout
    assert "…" not in shown
    assert " .0125 " in shown
    for part in (
        "trial · ab · running",
        "Arms",
        "Guardrails",
        "hallucination rate",
        "Split of users",
        "Predicted offline",
        "Audit",
        "ann",
    ):
        assert part in shown, shown
    found = Results.model_validate_json(run("show", "trial", "--json").stdout)
    predicted = found.rollout.policy.prediction
    assert predicted
    effect = next(effect for effect in comparison.effects if effect.metric.name == "hallucination")
    assert predicted.effects["hallucination"].difference == effect.difference
    assert (predicted.b, predicted.verdict) == (comparison.b.name, comparison.verdict)
    assert set(predicted.effects) <= {"error", "hallucination", "latency", "cost"}
    assert json.loads(run("show", "trial", "--json").stdout)["candidate"]["requests"] == found.candidate.requests > 100


def test_help_is_told_without_what_is_heavy() -> None:
    program = "import sys, api.rollouts.cli; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "scipy", "sqlalchemy", "pydantic"} & set(loaded)
