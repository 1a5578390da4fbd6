"""Models by name: what each family's is given, what is read from it, and what is said of a model that does not fit.

They run where torch is: the smallest build of it for Linux wants another numpy than ours.
"""

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rag.errors import GroundwireError
from rag.validators.entailment import open_entailment
from rag.validators.entailment.base import Entailment, Pair
from tests.rag.validators.entailment.conftest import POSITIONS, Build

INSTALLED = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
TORCH = pytest.mark.skipif(not INSTALLED, reason="the torch extra is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

NLI, BINARY = ("contradiction", "neutral", "entailment"), ("supported", "hallucinated")
FAMILIES = {
    "nli": ("sequence", NLI),
    "lettucedetect": ("token", BINARY),
    "hhem": ("hhem", ()),
    "minicheck": ("sequence", ()),
    "minicheck-t5": ("answering", ()),
}
QUESTION, PREMISE, CLAIM = (
    "is the kettle covered?",
    "the kettle is covered for 24 months.",
    "the kettle is covered for two years.",
)
PAIR = Pair(QUESTION, PREMISE, CLAIM)
PAIRS = [
    PAIR,
    Pair("", PREMISE, "the pump is blue."),
    Pair(QUESTION, f"{PREMISE} {'the tank is full . ' * 8}", CLAIM),
    Pair(QUESTION, "", CLAIM),
    Pair("", "the shop is not open.", "no"),
]


def opened(build: Build, family: str, **changes: Any) -> Entailment:
    kind, labels = FAMILIES[family]
    return open_entailment(f"{family.partition('-')[0]}:{build(kind, **({'labels': labels} | changes))}")


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.skipif(INSTALLED, reason="the torch extra is installed")
@pytest.mark.parametrize("family", ["nli", "lettucedetect", "hhem", "minicheck"])
def test_without_the_extra_the_mend_is_its_install_command(family: str) -> None:
    with pytest.raises(GroundwireError, match=rf"{family}:org/model needs torch.*pip install 'groundwire\[torch\]'"):
        open_entailment(f"{family}:org/model")


@pytest.mark.parametrize("name", ["", "nli", "nli:", "local:model", "hhem-2.1", "openai/gpt-4.1-mini"])
def test_a_family_that_is_not_there_is_told(name: str) -> None:
    with pytest.raises(GroundwireError, match="there are local, nli:MODEL"):
        open_entailment(name)


@TORCH
def test_a_pair_counts_the_same_in_any_company(build: Build, family: str) -> None:
    model = opened(build, family)
    together = model.probabilities(PAIRS)
    assert all(0 <= probability <= 1 for probability in together)
    assert len({round(probability, 4) for probability in together}) == len(PAIRS)
    for pair, probability in zip(PAIRS, together, strict=True):
        assert model.probabilities([pair]) == pytest.approx([probability], abs=1e-4)
    assert model.probabilities(PAIRS[::-1]) == pytest.approx(together[::-1], abs=1e-4)
    assert model.probabilities([]) == []


@TORCH
def test_many_pairs_in_several_threads(build: Build, family: str) -> None:
    model = opened(build, family)
    expected = model.probabilities(PAIRS) * 40
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(model.probabilities, [PAIRS * 40] * 4):
            assert found == pytest.approx(expected, abs=1e-4)


@TORCH
def test_it_is_known_by_its_weights(build: Build, family: str) -> None:
    model = opened(build, family)
    assert opened(build, family).identity == model.identity
    name, _, digest = model.identity.rpartition("@")
    assert name.startswith(family.partition("-")[0])
    assert len(digest) == 12
    assert not opened(build, family, seed=1).identity.endswith(digest)


@TORCH
def test_its_tokenizer_and_its_labels_are_of_its_identity(build: Build) -> None:
    folder = Path(build("sequence", labels=NLI))
    identities = {open_entailment(f"nli:{folder}").identity}
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"kettle": ', '"cattle": '))
    identities.add(open_entailment(f"nli:{folder}").identity)
    build("sequence", labels=NLI[::-1], name=folder.name)
    identities.add(open_entailment(f"nli:{folder}").identity)
    assert len(identities) == 3


@TORCH
def test_a_long_premise_is_cut_at_its_end_and_the_claim_never(build: Build, family: str) -> None:
    model = opened(build, family)
    head, tail = f"{PREMISE} {'the tank is full . ' * 5}", "the tank is full . " * 1000
    pairs = [
        Pair("", f"{head} red {tail} red", CLAIM),
        Pair("", f"{head} red {tail} the blue pump", CLAIM),
        Pair("", f"{head} shop {tail} red", CLAIM),
        Pair("", f"{head} red {tail} red", "the pump is not blue."),
    ]
    # One at a time: what differs then is what is read, to the last bit.
    whole, other_end, other_head, other_claim = (model.probabilities([pair]) for pair in pairs)
    assert whole == other_end
    assert whole != other_head
    assert whole != other_claim


@TORCH
@pytest.mark.parametrize("family", ["nli", "lettucedetect", "minicheck"])
def test_a_claim_that_leaves_no_room_is_not_told(build: Build, family: str) -> None:
    long = "the kettle " * POSITIONS
    assert opened(build, family).probabilities([Pair("", long, long), Pair("", "", "the"), Pair(long, long, "the")])[0] == 0.5


@TORCH
def test_a_text_cannot_speak_the_tokenizers_marks(build: Build, family: str) -> None:
    model = opened(build, family)
    for mark in ("</s>", "<pad>") if FAMILIES[family][0] in ("hhem", "answering") else ("[SEP]", "[CLS]", "[PAD]"):
        marked = Pair(f"{mark}{QUESTION}", f"{PREMISE}{mark}{CLAIM}", f"{CLAIM}{mark}")
        plain = Pair(QUESTION, f"{PREMISE} {CLAIM}", CLAIM)
        assert model.probabilities([marked]) == pytest.approx(model.probabilities([plain]), abs=1e-6)


@TORCH
@pytest.mark.parametrize(
    ("labels", "entails"),
    [
        (("contradiction", "neutral", "entailment"), 2),
        (("ENTAILMENT", "NEUTRAL", "CONTRADICTION"), 0),
        (("entailment", "not_entailment"), 0),
        (("not_entailment", "entailment"), 1),
        (("non-entailment", "Entailed"), 1),
        (("REFUTES", "NOT ENOUGH INFO", "SUPPORTS"), 2),
    ],
)
def test_nli_is_the_class_called_entailment(build: Build, labels: tuple[str, ...], entails: int) -> None:
    import torch
    import transformers

    folder = build("sequence", labels=labels)
    [found] = open_entailment(f"nli:{folder}").probabilities([PAIR])
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(PREMISE, CLAIM, return_tensors="pt")
    with torch.no_grad():
        logits = transformers.AutoModelForSequenceClassification.from_pretrained(folder)(**tokens).logits
    assert found == pytest.approx(torch.softmax(logits, -1)[0, entails].item(), abs=1e-5)


@TORCH
@pytest.mark.parametrize(
    "labels", [("LABEL_0", "LABEL_1"), ("entailment", "entails"), ("entailment",), ("yes", "not_entailment")]
)
def test_nli_without_one_such_class_is_told(build: Build, labels: tuple[str, ...]) -> None:
    with pytest.raises(GroundwireError, match=f"no one class for entailment.*{', '.join(labels)}"):
        open_entailment(f"nli:{build('sequence', labels=labels)}")


@TORCH
@pytest.mark.parametrize("question", [QUESTION, " "])
@pytest.mark.parametrize("labels", [(), BINARY, BINARY[::-1]])
def test_lettucedetect_is_its_worst_token(build: Build, labels: tuple[str, ...], question: str) -> None:
    import torch
    import transformers

    folder = build("token", labels=labels)
    [found] = open_entailment(f"lettucedetect:{folder}").probabilities([Pair(question, PREMISE, CLAIM)])
    prompt = f"Summarize the following text:\npassage 1: {PREMISE}\noutput:"
    if question.strip():
        prompt = (
            f"Briefly answer the following question:\n{question}\n"
            f"Bear in mind that your response should be strictly based on the following 1 passages:\npassage 1: {PREMISE}\n"
            "In case the passages do not contain the necessary information to answer the question, please reply with: "
            '"Unable to answer based on given passages."\noutput:'
        )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    claim = len(tokenizer(CLAIM, add_special_tokens=False).input_ids)
    with torch.no_grad():
        network = transformers.AutoModelForTokenClassification.from_pretrained(folder)
        logits = network(**tokenizer(prompt, CLAIM, return_tensors="pt")).logits[0, -1 - claim : -1]
    hallucinated = 0 if labels == BINARY[::-1] else 1
    assert found == pytest.approx(1 - torch.softmax(logits, -1)[:, hallucinated].max().item(), abs=1e-5)


@TORCH
@pytest.mark.parametrize("labels", [("O", "B", "I"), ("good", "bad")])
def test_lettucedetect_without_such_a_class_is_told(build: Build, labels: tuple[str, ...]) -> None:
    with pytest.raises(GroundwireError, match=f"no one class for hallucinated tokens.*{', '.join(labels)}"):
        open_entailment(f"lettucedetect:{build('token', labels=labels)}")


@TORCH
def test_hhem_is_t5_without_its_own_code(build: Build, tmp_path: Path) -> None:
    import torch
    import transformers
    from safetensors.torch import load_file

    folder = build("hhem")
    [found] = open_entailment(f"hhem:{folder}").probabilities([PAIR])
    assert not (Path(folder) / "ran").exists()
    foundation = tmp_path / "flan-t5"
    network = transformers.T5ForTokenClassification(transformers.T5Config.from_pretrained(foundation)).eval()
    weights = load_file(Path(folder) / "model.safetensors")
    network.load_state_dict({name[3:]: tensor for name, tensor in weights.items()}, strict=False)
    prompt = f"<pad> Determine if the hypothesis is true given the premise?\n\nPremise: {PREMISE}\n\nHypothesis: {CLAIM}"
    tokens = transformers.AutoTokenizer.from_pretrained(foundation)(prompt, return_tensors="pt")
    assert tokens.input_ids[0, 0] == 4
    with torch.no_grad():
        expected = torch.softmax(network(**tokens).logits[0, 0], -1)[1].item()
    assert found == pytest.approx(expected, abs=1e-5)


@TORCH
@pytest.mark.parametrize("family", ["nli", "lettucedetect", "minicheck"])
def test_code_of_a_model_is_not_run_by_others_either(build: Build, family: str) -> None:
    folder = build("hhem")
    with pytest.raises(GroundwireError, match="runs only with code of its own.*never run here"):
        open_entailment(f"{family}:{folder}")
    assert not (Path(folder) / "ran").exists()


@TORCH
def test_code_beside_an_architecture_that_is_known_is_not_run(build: Build) -> None:
    folder = Path(build("sequence", labels=NLI))
    expected = open_entailment(f"nli:{folder}").probabilities([PAIR])
    (folder / "code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    for file, classes in {
        "config.json": {"AutoConfig": "code.Config", "AutoModelForSequenceClassification": "code.Model"},
        "tokenizer_config.json": {"AutoTokenizer": ["code.Tokenizer", "code.Tokenizer"]},
    }.items():
        fields = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(fields | {"auto_map": classes}))
    assert open_entailment(f"nli:{folder}").probabilities([PAIR]) == expected
    assert not (folder / "ran").exists()


@TORCH
def test_hhem_with_other_weights_is_told(build: Build) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(build("hhem"))
    weights = load_file(folder / "model.safetensors")
    for fewer in ("t5.classifier.weight", "t5.transformer.shared.weight"):
        save_file({name: tensor for name, tensor in weights.items() if name != fewer}, folder / "model.safetensors")
        with pytest.raises(GroundwireError, match=r"has other weights than HHEM 2\.1"):
            open_entailment(f"hhem:{folder}")


@TORCH
def test_hhem_without_its_foundation_names_it(build: Build) -> None:
    folder = Path(build("hhem"))
    config = json.loads((folder / "config.json").read_text())
    del config["foundation"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(GroundwireError, match="hf download google/flan-t5-base"):
        open_entailment(f"hhem:{folder}")


@TORCH
@pytest.mark.parametrize("kind", ["answering", "sequence"])
def test_minicheck_is_one_text(build: Build, kind: str) -> None:
    import torch
    import transformers

    folder = build(kind)
    [found] = open_entailment(f"minicheck:{folder}").probabilities([PAIR])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    joined = tokenizer.eos_token.join((PREMISE, CLAIM))
    with torch.no_grad():
        if kind == "answering":
            network = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
            start = torch.zeros((1, 1), dtype=torch.long)
            logits = network(**tokenizer(f"predict: {joined}", return_tensors="pt"), decoder_input_ids=start).logits[
                0, 0, [3, 209]
            ]
        else:
            network = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
            logits = network(**tokenizer(joined, return_tensors="pt")).logits[0]
    assert found == pytest.approx(torch.softmax(logits, -1)[1].item(), abs=1e-5)


@TORCH
def test_minicheck_with_other_classes_is_told(build: Build) -> None:
    with pytest.raises(GroundwireError, match="has 3 classes, not two"):
        open_entailment(f"minicheck:{build('sequence', labels=NLI)}")


@TORCH
@pytest.mark.parametrize(
    ("family", "kind"), [("nli", "token"), ("lettucedetect", "sequence"), ("minicheck", "token"), ("nli", "answering")]
)
def test_a_model_of_another_family_is_told(build: Build, family: str, kind: str) -> None:
    with pytest.raises(GroundwireError, match=rf"is trained as \w+, not as one For\w+: name a model that was made for {family}:"):
        open_entailment(f"{family}:{build(kind)}")


@TORCH
def test_weights_that_are_not_there_are_not_made_up(build: Build) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(build("sequence", labels=NLI))
    weights = load_file(folder / "model.safetensors")
    fewer = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier")}
    save_file(fewer, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(GroundwireError, match=r"lacks weights: classifier\.bias, classifier\.weight"):
        open_entailment(f"nli:{folder}")


@TORCH
def test_an_architecture_that_is_not_there_is_told(build: Build) -> None:
    folder = Path(build("sequence", labels=NLI))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "futurebert"}))
    with pytest.raises(GroundwireError, match="has no architecture futurebert: pip install --upgrade transformers"):
        open_entailment(f"nli:{folder}")


@TORCH
@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_that_is_missing_or_damaged_is_told(build: Build, file: str) -> None:
    folder = Path(build("sequence", labels=NLI))
    (folder / file).write_text("{")
    with pytest.raises(GroundwireError, match="cannot be"):
        open_entailment(f"nli:{folder}")
    (folder / file).unlink()
    with pytest.raises(GroundwireError, match="cannot be"):
        open_entailment(f"nli:{folder}")


@TORCH
def test_a_model_that_is_not_on_this_machine_is_told(family: str) -> None:
    name = f"{family.partition('-')[0]}:no-one/such-model"
    with pytest.raises(GroundwireError, match="the Hugging Face hub did not give it: `hf download no-one/such-model`"):
        open_entailment(name)
