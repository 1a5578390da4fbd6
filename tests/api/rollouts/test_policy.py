"""Policies: few lines suffice, and a mistake is told by file and field."""

from pathlib import Path

import pytest

from api.rollouts.policy import Kind, Margin, Observation, Relative, load
from rag.errors import GroundwireError
from rag.settings import PACKAGE
from tests.api.rollouts.traffic import written

EXAMPLES = sorted((PACKAGE.parent / "data" / "rollouts").glob("*.toml"))
PAIR = 'control = "now"\ncandidate = "next"\n'


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_load(path: Path) -> None:
    assert load(path).description


def test_three_lines_are_a_canary(tmp_path: Path) -> None:
    policy = load(written(tmp_path, f'kind = "canary"\n{PAIR}'))
    assert (policy.name, policy.kind, policy.stages, policy.hold, policy.minimum) == (
        "trial",
        Kind.CANARY,
        (5, 25, 100),
        3_600,
        100,
    )
    assert list(policy.guardrails.enabled) == ["error", "hallucination", "latency", "cost"]
    assert (policy.alpha, policy.observation, policy.prediction) == (0.05, Observation.UNIT, None)


def test_every_field_can_be_said(tmp_path: Path) -> None:
    text = f"""kind = "canary"
{PAIR}
stages = [10, 50, 100]
hold = "90m"
minimum = 40
alpha = 0.01
observation = "unit"
[guardrails]
error = {{ margin = 0.01 }}
latency = {{ margin = 0.5, cap = 20_000 }}
cost = false
"""
    policy = load(written(tmp_path, text))
    assert (policy.stages, policy.hold, policy.minimum, policy.alpha) == ((10, 50, 100), 5_400, 40, 0.01)
    assert policy.guardrails.enabled == {
        "error": Margin(margin=0.01),
        "hallucination": Margin(margin=0.05),
        "latency": Relative(margin=0.5, cap=20_000),
    }


@pytest.mark.parametrize(("said", "seconds"), [("30", 30), ('"45s"', 45), ('"1.5h"', 5_400), ('"7d"', 604_800), ("0", 0)])
def test_a_time_is_said_as_people_say_it(tmp_path: Path, said: str, seconds: float) -> None:
    assert load(written(tmp_path, f'kind = "canary"\n{PAIR}hold = {said}\n')).hold == seconds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'kind = "magic"\n{PAIR}', r"trial\.toml: kind: .*'ab', 'canary', 'shadow' or 'blue-green'"),
        ('kind = "ab"\ncontrol = "now"\n', r"trial\.toml: candidate: it is missing"),
        (f'kind = "canary"\n{PAIR}stage = [5]\n', r"trial\.toml: stage: there is no such field \(did you mean stages\?\)"),
        (f'kind = "canary"\n{PAIR}stages = [25, 5, 100]\n', r"trial\.toml: stages: they grow, and the last is 100"),
        (f'kind = "canary"\n{PAIR}stages = [5, 25]\n', r"trial\.toml: stages: they grow, and the last is 100"),
        (f'kind = "canary"\n{PAIR}stages = []\n', r"trial\.toml: stages: they grow, and the last is 100"),
        (f'kind = "canary"\n{PAIR}stages = [0, 100]\n', r"trial\.toml: stages\.0: it must be more than 0"),
        (f'kind = "canary"\n{PAIR}hold = "soon"\n', r'trial\.toml: hold: a time is .*"30m"'),
        (f'kind = "canary"\n{PAIR}hold = nan\n', r"trial\.toml: hold: "),
        (f'kind = "ab"\n{PAIR}minimum = 9\n', r"trial\.toml: minimum: a rollout of kind ab has none: see the guide"),
        (f'kind = "blue-green"\n{PAIR}[guardrails]\ncost = false\n', r"guardrails: a rollout of kind blue-green has none"),
        (
            f'kind = "ab"\n{PAIR}[guardrails]\nspeed = {{ margin = 1 }}\n',
            r"trial\.toml: guardrails\.speed: there is no such field: see",
        ),
        (
            f'kind = "ab"\n{PAIR}[guardrails]\nerror = {{ margin = 2 }}\n',
            r"trial\.toml: guardrails\.error\.margin: .*less than 1",
        ),
        (f'kind = "ab"\n{PAIR}[guardrails]\nerror = true\n', r"trial\.toml: guardrails\.error: "),
        ('kind = "ab"\ncontrol = "now"\ncandidate = "now"\n', r"trial\.toml: control and candidate are both now: name two"),
        (f'name = "x"\nkind = "ab"\n{PAIR}', r"trial\.toml: name: a rollout is named by its file"),
        (f'kind = "ab"\n{PAIR}share = what\n', r"trial\.toml is not TOML: .*line 4"),
        (f'kind = "ab"\n{PAIR}prediction = "gone.json"\n', r"the prediction .*gone\.json cannot be read"),
    ],
)
def test_a_bad_file_is_told_by_field(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(GroundwireError, match=told):
        load(written(tmp_path, text))


@pytest.mark.parametrize("name", ["Trial", "a b", "-x", "ü", "x" * 65])
def test_a_name_is_one_that_a_client_can_ask_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(GroundwireError, match="is no name for a rollout"):
        load(written(tmp_path, f'kind = "ab"\n{PAIR}', name))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match=r"gone\.toml cannot be read"):
        load(tmp_path / "gone.toml")


def test_what_is_no_report_is_no_prediction(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(GroundwireError, match=r"report\.json is no report of a comparison"):
        load(written(tmp_path, f'kind = "ab"\n{PAIR}prediction = "report.json"\n'))
