"""What is printed can be read in 80 columns."""

import pytest
from rich.console import Console, RenderableType

from evals.comparison import Comparison, Effect, Finding, Role, Verdict
from evals.execution.runs import Run
from evals.report.terminal import BAR, bar, comparison_table, run_table, runs_table
from tests.evals.report.samples import COST, F1, alone, decided, effect, minimal, nasty, rich, side


def printed(what: RenderableType, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


@pytest.mark.parametrize("comparison", [rich(), minimal(), nasty(2)], ids=["rich", "minimal", "nasty"])
def test_eighty_columns_are_enough(comparison: Comparison) -> None:
    text = printed(comparison_table(comparison))
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "\x07" not in text


def test_numbers_are_whole_in_eighty_columns() -> None:
    text = printed(comparison_table(rich()))
    for number in (
        "+0.043",
        "0.512 → 0.555",
        "[+0.017, +0.069]",
        "p .004",
        "$0.103 → $0.0828",
        "not known yet",
        "held, lower",
        "tolerated +$0.0103",
    ):
        assert number in text, number
    assert "…" not in text


def test_the_verdict_comes_first_and_the_problems_are_told() -> None:
    lines = printed(comparison_table(decided(Verdict.WORSE, Finding.WORSE))).splitlines()
    assert lines[0].strip() == "answer@2 is worse than answer@1."
    assert "! 2 of 400 requests of answer@2 timed out; they score as nothing answered." in [line.strip() for line in lines]
    assert lines[1].strip() == "It is worse. 1 question gained, 2 lost."
    assert "· lost: When can I come to the shop?" in [line.strip() for line in lines]
    assert "A is answer@1, B is answer@2" in " ".join(lines)


def test_flips_are_counted_whether_they_are_shown_or_not() -> None:
    assert "1,000 questions gained, 1,000 lost" in " ".join(printed(comparison_table(nasty())).split())
    assert "gained" not in printed(comparison_table(rich().model_copy(update={"lost": 0, "gained": 0})))


def test_what_stopping_early_saved_is_told() -> None:
    early = rich().early
    assert early is not None
    for changes, told in (
        ({}, "stopped early: 320 were planned, 480 calls saved ($0.0441), from"),
        ({"saved_nanodollars": None}, "480 calls saved, from"),
        ({"stopped": False}, "clustered by document, from"),
    ):
        comparison = rich().model_copy(update={"early": early.model_copy(update=changes)})
        assert told in " ".join(printed(comparison_table(comparison)).split()), changes


def test_how_far_the_judge_agrees_with_people_is_told_at_once() -> None:
    told = " ".join(printed(comparison_table(rich())).split())
    assert "judge openai/gpt-4.1-mini with judge@1, $0.0024 · agrees with people on 85 % of 60 answers, kappa 0.69 ·" in told
    assert "kappa" not in printed(comparison_table(rich().model_copy(update={"agreement": None})))


def test_how_many_were_asked_at_once_is_told_with_what_it_took() -> None:
    assert "in 3 min 12 s, 64 calls at most at once ·" in " ".join(printed(comparison_table(rich())).split())
    assert "at once" not in printed(comparison_table(rich().model_copy(update={"at_once": 0})))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (effect(F1, Role.OTHER, 0.5, 0.6, 0.05, Finding.BETTER), "          │  ────●───"),
        (effect(COST, Role.OTHER, 0.6, 0.5, 0.05, Finding.BETTER), "          │  ────●───"),
        (effect(F1, Role.OTHER, 0.6, 0.5, 0.05, Finding.WORSE), "───●────  │          "),
        (effect(F1, Role.PRIMARY, 0.5, 0.5, 0.05, Finding.EQUIVALENT, margin=0.1), "     ─────●─────     "),
        (minimal().effects[0], "<─────────●─────────>"),
    ],
)
def test_right_is_good_for_b(shown: Effect, expected: str) -> None:
    assert bar(shown) == expected
    assert len(expected) == BAR


def run(name: str = "answer@2") -> Run:
    whole = side(name, "text")
    return Run(
        created_at="2026-03-04T15:02:11Z", name=name, cases="c.jsonl", variant=whole.variant, prompts=whole.prompts, prompt_text="",
        collection="guide", generation="g", embedder="e", validator="v", fingerprint="f", asked=5, repeats=2, code="c",
    )  # fmt: skip


def test_a_run_tells_means_quantiles_and_what_is_missing() -> None:
    text = printed(run_table(alone()))
    assert max(map(len, text.splitlines())) <= 80
    rows = {line[:28].strip(): line.split() for line in text.splitlines()}
    assert text.splitlines()[0].startswith("answer@1  run ")
    assert rows["token F1"] == ["token", "F1", "0.512", "0.482", "to", "0.542", "200", "0"]
    assert rows["p95"] == ["p95", "2.31", "s", "2.11", "s", "to", "2.61", "s"]
    assert rows["p99"] == ["p99", "3.13", "s", "unknown"]
    assert rows["cost"] == ["cost", "unknown", "unknown", "0", "400"]
    told = " ".join(text.split())
    assert "! 2 of 400 requests of answer@1 were not answered (2 timed out)" in told
    assert "361 answered, 37 refused, 2 timed out · 200 of 210 cases, each asked twice" in told


def test_a_metric_whose_name_is_markup_is_shown_as_it_is() -> None:
    odd = alone().means[0].model_copy(update={"metric": F1.model_copy(update={"label": "[red]odd[/red]"})})
    assert "[red]odd[/red]" in printed(run_table(alone().model_copy(update={"means": (odd,)})))


def test_runs_are_listed_with_their_progress() -> None:
    lines = printed(runs_table([(run("answer@1"), 10), (run("answer@2"), 1)])).splitlines()
    assert max(map(len, lines)) <= 80
    assert run("answer@1").id in lines[1]
    assert " 10 " in lines[1]
    assert "1 of 10" in lines[2]
