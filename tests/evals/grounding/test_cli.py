import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from evals.cli import app
from evals.grounding.calibrate import LICENSED, begun
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Channel
from rag.types import Tier
from rag.validators.calibration import load
from rag.validators.entailment import open_entailment
from rag.validators.entailment.base import Pair, Reading
from tests.evals.grounding.test_drift import trace

LABELS = Path(__file__).parents[3] / "data" / "labels"
GUIDE = str(LABELS / "guide.jsonl")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_verdicts_are_measured() -> None:
    found = run("grounding", str(LABELS), "--validator", "lexical", "--limit", "40", "--json")
    assert found.exit_code == 0, found.stderr
    lexical, baseline = json.loads(found.stdout)["validators"]
    assert lexical["sets"][0]["rows"] == 40
    assert lexical["sets"][0]["auroc"]["value"] > baseline["sets"][0]["auroc"]["value"]
    page = run("grounding", str(LABELS), "--validator", "lexical", "--limit", "40", "--markdown").stdout
    assert "| guide | 40 |" in page


def test_labels_make_a_calibration_that_a_variant_can_name(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    found = run("calibrate", "--labels", GUIDE, "--to", str(file))
    assert found.exit_code == 0, found.stderr
    assert "109 responses of guide, 52 of them supported" in found.stdout
    calibration = load(str(file))
    assert calibration.name == "own"
    assert calibration.fitted.labels == 109
    assert run("calibrate", "--labels", GUIDE, "--to", str(file)).exception is not None
    assert load(str(file)) == calibration


def test_the_shipped_one_is_shown_with_how_it_carries_over(tmp_path: Path) -> None:
    sets = tmp_path / "sets"
    sets.mkdir()
    for name in (*LICENSED, "kept_back"):
        shutil.copy(GUIDE, sets / f"{name}.jsonl")
    found = run("calibrate", "--shipped", str(sets), "--to", str(tmp_path / "own.json"))
    assert found.exit_code == 0, found.stderr
    assert "lost" in found.stdout
    assert "kept_back" in found.stdout
    assert "kept_back" not in load(str(tmp_path / "own.json")).fitted.sources


def test_a_collection_makes_one_too(shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(shop.home))
    found = run("calibrate", "--collection", "shop", "--to", str(tmp_path / "own.json"))
    assert "too few to calibrate on" in str(found.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("calibrate", "--to", "x.json"), "give exactly one of --labels, --collection and --shipped"),
        (("calibrate", "--to", "x.json", "--labels", "none.jsonl"), "none.jsonl"),
        (("calibrate", "--to", "x.json", "--shipped", str(LABELS)), "lacks begin_tc"),
        (("grounding", "nowhere"), "nowhere"),
        (("drift", "--collection", "nowhere"), "collection nowhere does not exist"),
        (("grounding", str(LABELS), "--validator", "oracle"), "there is no validator oracle"),
    ],
)
def test_what_is_missing_is_told(arguments: tuple[str, ...], words: str, shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(shop.home))
    assert words in str(run(*arguments).exception)


@pytest.mark.parametrize(
    "arguments", [("grounding", str(LABELS)), ("calibrate", "--labels", GUIDE, "--to", "x.json")], ids=lambda words: words[0]
)
def test_a_seed_below_0_is_refused(arguments: tuple[str, ...]) -> None:
    found = run(*arguments, "--seed", "-1")
    assert found.exit_code == 2
    assert "--seed" in found.stderr


def test_a_base_fitted_on_one_model_says_nothing_of_another() -> None:
    class Other:
        identity = "nli:other@1"

        def read(self, pairs: Sequence[Pair]) -> list[Reading]:
            return [Reading(0.5)] * len(pairs)

    shipped = load("default")
    assert begun("default", None) == begun("default", open_entailment("local")) == shipped
    other = begun("default", Other())
    assert other.tiers[Tier.LEXICAL] == shipped.tiers[Tier.LEXICAL]
    assert other == shipped.trusting(Tier.MODEL) != shipped


@pytest.fixture
def variants(shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of variants: `own` names a calibration beside it."""
    folder = tmp_path / "variants"
    folder.mkdir()
    (folder / "own.toml").write_text('[llm]\nmodel = "local/extractive"\n[validator]\ncalibration = "own.json"\n')
    monkeypatch.setenv("GROUNDWIRE_HOME", str(shop.home))
    monkeypatch.setenv("GROUNDWIRE_VARIANTS", str(folder))
    return folder


def test_drift_finds_the_calibration_where_its_variant_lies(variants: Path) -> None:
    assert run("calibrate", "--labels", GUIDE, "--to", str(variants / "own.json")).exit_code == 0
    found = run("drift", "--variant", "own")
    assert found.exit_code == 0, found.exception
    assert "0 recent answers beside 109" in found.stdout


def test_drift_from_a_calibration_without_labels_cannot_be_told(variants: Path) -> None:
    unlabelled = load("default").model_copy(update={"fitted": load("default").fitted.model_copy(update={"reference": None})})
    (variants / "own.json").write_text(unlabelled.model_dump_json())
    assert "calibration own.json was made without labels" in str(run("drift", "--variant", "own").exception)


def test_a_drift_by_another_validator_than_was_calibrated_says_so(
    variants: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(tmp_path / "home"))
    (variants / "own.json").write_text(load("default").model_dump_json())
    with Runtime(Settings()) as runtime:
        wrong = trace("", "Penguins invented the steam engine in Peru.").model_copy(update={"variant": runtime.variant("own")})
        for number in range(60):
            name = f"2026-01-01T00:00:{number:02}"
            runtime.traces.submit(wrong.model_copy(update={"id": name, "created_at": name})).result()
    found = run("drift", "--variant", "own")
    assert found.exit_code == 1, found.exception
    assert "drift: 60 recent answers" in found.stdout
    assert "calibration default was fitted on" in found.stdout


def test_answers_of_evaluations_are_no_drift(variants: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(tmp_path / "home"))
    (variants / "own.json").write_text(load("default").model_dump_json())
    with Runtime(Settings()) as runtime:
        asked = trace("", "Penguins invented the steam engine in Peru.").model_copy(update={"variant": runtime.variant("own")})
        for number in range(60):
            name = f"2026-01-01T00:00:{number:02}"
            channel = Channel.EVALS if number else Channel.CHAT
            changes = {"id": name, "created_at": name, "channel": channel}
            runtime.traces.submit(asked.model_copy(update=changes)).result()
    found = run("drift", "--variant", "own")
    assert found.exit_code == 0, found.exception
    assert "1 recent answers" in found.stdout


def test_drift_needs_answers(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(shop.home))
    found = run("drift", "--collection", "shop")
    assert found.exit_code == 0
    assert "too few answers to tell" in found.stdout
