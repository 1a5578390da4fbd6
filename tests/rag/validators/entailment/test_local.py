import shutil
from pathlib import Path

import pytest

from rag.errors import GroundwireError
from rag.validators.entailment import local
from rag.validators.entailment.base import Pair
from rag.validators.entailment.local import LocalEntailment

PREMISE = (
    "Groundwire was founded in Oslo in 2019 by Marta Olsen. The pool opens at 9 in the morning and closes at 22 every day. "
    "Dogs are not allowed in the water."
)


@pytest.fixture(scope="module")
def model() -> LocalEntailment:
    return LocalEntailment()


@pytest.mark.parametrize(
    ("supported", "unsupported", "word"),
    [
        ("Groundwire was founded in Oslo.", "Groundwire was founded in Berlin.", "Berlin"),
        ("Marta Olsen founded Groundwire in 2019.", "Marta Olsen founded Groundwire in 2017.", "2017"),
        ("The pool closes at 22.", "The pool closes at 21.", "21"),
    ],
)
def test_one_word_decides_and_is_named(model: LocalEntailment, supported: str, unsupported: str, word: str) -> None:
    right, wrong = model.read([Pair("", PREMISE, supported), Pair("", PREMISE, unsupported)])
    assert right.probability > 0.5 > wrong.probability
    assert right.doubt is None
    assert wrong.doubt is not None
    assert unsupported[slice(*wrong.doubt)] == word


def test_what_the_premise_does_not_speak_of_is_unsupported(model: LocalEntailment) -> None:
    assert model.read([Pair("", PREMISE, "Penguins migrate towards volcanic islands.")])[0].probability < 0.2


def test_a_pair_is_read_alike_whatever_stands_beside_it(model: LocalEntailment) -> None:
    pair, other = Pair("", PREMISE, "Dogs are allowed in the water."), Pair("", PREMISE * 5, "Sharks sing.")
    assert model.read([other, pair, other])[1] == model.read([pair])[0]


def test_nothing_and_far_too_much_are_read(model: LocalEntailment) -> None:
    read = model.read([Pair("", "", ""), Pair("", PREMISE * 100, "Sharks sing. " * 500), Pair("", PREMISE, "\ud800 🦈")])
    assert all(0 <= reading.probability <= 1 for reading in read)
    assert model.read([]) == []


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / local.WEIGHTS.name
    shutil.copy(local.WEIGHTS, copy)
    with copy.open("r+b") as file:
        file.write(b"damaged")
    monkeypatch.setattr(local, "WEIGHTS", copy)
    with pytest.raises(GroundwireError, match="damaged or missing"):
        LocalEntailment()


def test_identity_names_the_weights(model: LocalEntailment) -> None:
    assert model.identity == f"local:grounding-v1@{local.SHA256[:12]}"
