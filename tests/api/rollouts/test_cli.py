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
from prompts.errors import GroundwireError
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
    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.setenv("LOGNAME", "ann")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, catch_exceptions=False)


def test_a_rollout_from_start_to_end(tmp_path: Path, engine: Engine) -> None:
    assert run("start", str(written(tmp_path, CANARY))).stdout == "trial: running; readers get 5 % next, 95 % now\n"
    assert run("promote", "trial").stdout == "trial: promoted; readers get 100 % next, 0 % now\n"
    assert run("rollback", "trial", "--why", "too short").stdout == "trial: rolled back; readers get 0 % next, 100 % now\n"
    (listed,) = [line for line in run("list").stdout.splitlines() if "trial" in line]
    for shown in ("canary", "now", "next", "0 %", "rolled back", "too short"):
        assert shown in listed
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


def test_results_are_shown_with_what_was_predicted(tmp_path: Path, engine: Engine) -> None:
    comparison = samples.rich()
    (tmp_path / "report.json").write_text(comparison.model_dump_json())
    run("start", str(written(tmp_path, f'{CANARY.replace("canary", "ab")}prediction = "report.json"\n')))
    opened = Rollouts(engine)
    begin(opened, "trial", 3_600)
    record(engine, "trial", asked(np.random.default_rng(1), opened.get("trial"), 400, Behaviour(hallucination=0.4), seconds=5))
    shown = run("show", "trial").stdout
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
