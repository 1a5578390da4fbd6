import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from evals.cli import app
from rag.settings import Settings
from rag.validators.calibration import load

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


def test_a_collection_makes_one_too(shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(shop.home))
    found = run("calibrate", "--collection", "shop", "--to", str(tmp_path / "own.json"))
    assert "too few to calibrate on" in str(found.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("calibrate", "--to", "x.json"), "name either --labels, --collection or --shipped"),
        (("calibrate", "--to", "x.json", "--labels", "none.jsonl"), "none.jsonl"),
        (("calibrate", "--to", "x.json", "--shipped", str(LABELS)), "lacks begin_tc"),
        (("grounding", "nowhere"), "nowhere"),
        (("grounding", str(LABELS), "--validator", "oracle"), "there is no validator oracle"),
    ],
)
def test_what_is_missing_is_told(arguments: tuple[str, ...], words: str) -> None:
    assert words in str(run(*arguments).exception)


def test_drift_needs_answers(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(shop.home))
    found = run("drift", "--collection", "shop")
    assert found.exit_code == 0
    assert "too few answers to tell" in found.stdout
