"""Calibrations in a terminal of 80 columns."""

import math

from rich.console import Console, RenderableType

from evals.grounding.calibrate import calibrate
from evals.grounding.drift import Drift, Finding
from evals.grounding.transfer import transfer
from evals.report.calibration import calibration_table, drift_sentence, reliability_plot, transfer_table, worth_sentence
from tests.evals.grounding.scored import Scored, labelled


def drawn(renderable: RenderableType) -> str:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_a_calibration_says_what_it_rests_on_and_what_more_labels_bring() -> None:
    found = calibrate("ours", [labelled(200, 0)], Scored(), command="c")
    text = " ".join(drawn(calibration_table(found)).split())
    assert "200 responses of made" in text
    assert f"supported from {found.calibration.supported:.2f}" in text
    assert "balanced accuracy" in text
    assert "600 more labels would halve that" in worth_sentence(found)


def test_the_plot_places_what_was_said_and_what_was() -> None:
    found = calibrate("ours", [labelled(400, 1)], Scored(), command="c").reliability
    lines = drawn(reliability_plot(found)).splitlines()
    assert len(lines) == len(found.bins) + 1
    assert all("●" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_row_a_set() -> None:
    sets = [labelled(100, 0, name="wice_oracle_claim_dev"), labelled(300, 1, name="begin_tc")]
    rows = transfer(sets, Scored())
    text = drawn(transfer_table(rows))
    assert "…" not in text
    assert f"{rows[1].chance:.3f}" in text.split("begin_tc")[1].splitlines()[0]
    assert "-" in text.split("wice_oracle_claim_dev")[1].splitlines()[0]


def test_drift_in_a_sentence() -> None:
    few = Drift(finding=Finding.TOO_FEW, responses=3, reference=100, stability_index=math.nan, p=1.0)
    assert drift_sentence(few) == "too few answers to tell: 3 recent answers beside 100"
    sure = Drift(finding=Finding.DRIFT, responses=300, reference=100, stability_index=0.31, p=0.002)
    assert drift_sentence(sure) == "drift: 300 recent answers beside 100, stability index 0.31, p 0.002 at any time"
