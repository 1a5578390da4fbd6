"""JUnit XML: its counts are right, and it is XML whatever the text is."""

from xml.etree import ElementTree

import pytest

from evals.comparison import Comparison, Finding, Guardrail, Role, Verdict
from evals.measurement import Measurement
from evals.report.junit import document
from tests.evals.report.samples import alone, decided, minimal, nasty, nasty_alone, rich

KINDS = ("tests", "failures", "errors", "skipped")


def counts(element: ElementTree.Element) -> tuple[int, ...]:
    return tuple(int(element.attrib[kind]) for kind in KINDS)


def parsed(*told: Comparison | Measurement) -> ElementTree.Element:
    return ElementTree.fromstring(document(told).encode())


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (rich(), (5, 0, 0, 1)),
        (minimal(), (1, 0, 0, 1)),
        (decided(Verdict.WORSE, Finding.WORSE), (5, 2, 0, 0)),
        (decided(Verdict.WORSE, Finding.UNKNOWN, Finding.WORSE), (5, 3, 0, 2)),
        (decided(Verdict.EQUIVALENT, Finding.EQUIVALENT), (5, 0, 0, 0)),
        (decided(Verdict.UNTRUSTWORTHY, Finding.BETTER), (5, 0, 5, 0)),
        (decided(Verdict.UNTRUSTWORTHY, Finding.BETTER).model_copy(update={"effects": ()}), (5, 0, 5, 0)),
        (decided(Verdict.UNKNOWN, Finding.UNKNOWN).model_copy(update={"effects": ()}), (5, 0, 0, 5)),
    ],
)
def test_a_suite_counts_its_cases(comparison: Comparison, expected: tuple[int, ...]) -> None:
    root = parsed(comparison)
    suite = root.find("testsuite")
    assert suite is not None
    assert counts(suite) == counts(root) == expected
    for tag, count in zip(("testcase", "testcase/failure", "testcase/error", "testcase/skipped"), expected, strict=True):
        assert len(suite.findall(tag)) == count


def test_comparisons_are_suites_and_add_up() -> None:
    root = parsed(rich(), minimal(), decided(Verdict.WORSE, Finding.WORSE))
    assert [suite.attrib["name"] for suite in root.findall("testsuite")] == ["answer@2 against answer@1"] * 3
    assert counts(root) == (11, 2, 0, 2)
    assert float(root.attrib["time"]) == pytest.approx(2 * 192.4)


def test_a_failure_says_by_how_much() -> None:
    failure = parsed(decided(Verdict.WORSE, Finding.WORSE)).find(".//failure")
    assert failure is not None
    assert failure.attrib["message"] == "token F1 (primary): 0.512 → 0.555, +0.043 [+0.017, +0.069], p .004: worse"
    assert failure.text == "It is worse."


@pytest.mark.parametrize(("verdict", "kind"), [(Verdict.UNKNOWN, "skipped"), (Verdict.UNTRUSTWORTHY, "error")])
def test_what_was_declared_and_not_measured_is_a_case(verdict: Verdict, kind: str) -> None:
    whole = decided(verdict, Finding.BETTER)
    unpriced = whole.model_copy(update={"effects": tuple(e for e in whole.effects if e.metric.name not in ("cost", "f1"))})
    root = parsed(unpriced)
    assert counts(root)[0] == 5
    for case, role in (("f1", "primary"), ("cost", "guardrail")):
        found = root.find(f".//testcase[@name='{case}']/{kind}")
        assert found is not None
        assert f"{case} ({role}): not measured" in found.attrib["message"] + (found.text or "")


@pytest.mark.parametrize("some", [False, True])
def test_a_guardrail_that_was_left_out_says_where_to_read_why(some: bool) -> None:
    """Of times that were not taken side by side, of some cases or of all."""
    whole = rich()
    told = "latency is measured on 3 of 200 cases: A was timed earlier"
    others = [one for one in whole.effects if one.metric.name != "latency"]
    latency = [one.model_copy(update={"role": Role.OTHER}) for one in whole.effects if one.metric.name == "latency"][:1]
    left_out = Guardrail(metric="latency", margin=0.2, relative=True, by_default=True)
    design = whole.design.model_copy(update={"guardrails": (left_out,)})
    effects = (*others, *(latency if some else ()))
    root = parsed(whole.model_copy(update={"design": design, "effects": effects, "problems": (told,)}))
    skipped = root.find(".//testcase[@name='latency']/skipped")
    assert skipped is not None
    few = " on enough cases" if some else ""
    assert skipped.attrib["message"] == f"latency (guardrail): not measured{few}, see the report's problems"
    assert skipped.text == told


def test_a_run_by_itself_is_a_case_for_each_number() -> None:
    root = parsed(alone())
    assert counts(root) == (8, 0, 0, 1)
    said = {case.attrib["name"]: case.findtext("system-out") for case in root.iter("testcase")}
    assert said["latency p50"] == "latency p50: 1.10 s, 1.05 s to 1.16 s"
    assert {"latency p95", "latency p99", "token F1"} <= said.keys()
    skipped = root.find(".//testcase[@name='cost']/skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "cost: unknown, 400 missing"
    assert counts(parsed(alone().model_copy(update={"trustworthy": False}))) == (8, 0, 8, 0)


def test_hostile_text_is_still_xml() -> None:
    assert counts(parsed(nasty_alone()))[0] == 28
    root = parsed(nasty(2))
    assert counts(root)[0] == len(root.findall(".//testcase")) == 35
    assert "<script>alert(1)</script> ]]>" in root.find("testsuite").attrib["name"]  # type: ignore[union-attr]


def test_no_comparison_is_a_document() -> None:
    assert counts(parsed()) == (0, 0, 0, 0)
