"""JUnit XML: its counts are right, and it is XML whatever the text is."""

from xml.etree import ElementTree

import pytest

from evals.comparison import Comparison, Finding, Verdict
from evals.report.junit import document
from tests.evals.report.samples import decided, minimal, nasty, rich

KINDS = ("tests", "failures", "errors", "skipped")


def counts(element: ElementTree.Element) -> tuple[int, ...]:
    return tuple(int(element.attrib[kind]) for kind in KINDS)


def parsed(*comparisons: Comparison) -> ElementTree.Element:
    return ElementTree.fromstring(document(comparisons).encode())


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (rich(), (5, 0, 0, 1)),
        (minimal(), (1, 0, 0, 1)),
        (decided(Verdict.WORSE, Finding.WORSE), (5, 2, 0, 0)),
        (decided(Verdict.WORSE, Finding.UNKNOWN, Finding.WORSE), (5, 3, 0, 2)),
        (decided(Verdict.EQUIVALENT, Finding.EQUIVALENT), (5, 0, 0, 0)),
        (decided(Verdict.UNTRUSTWORTHY, Finding.BETTER), (5, 0, 5, 0)),
        (decided(Verdict.UNTRUSTWORTHY, Finding.BETTER).model_copy(update={"effects": ()}), (1, 0, 1, 0)),
        (decided(Verdict.UNKNOWN, Finding.UNKNOWN).model_copy(update={"effects": ()}), (1, 0, 0, 1)),
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
    assert failure.attrib["message"] == "token F1 (primary): 0.512 to 0.555, +0.043 [+0.017, +0.069], p .004: worse"
    assert failure.text == "It is worse."


def test_hostile_text_is_still_xml() -> None:
    root = parsed(nasty(2))
    assert counts(root)[0] == len(root.findall(".//testcase")) == 35
    assert "<script>alert(1)</script> ]]>" in root.find("testsuite").attrib["name"]  # type: ignore[union-attr]


def test_no_comparison_is_a_document() -> None:
    assert counts(parsed()) == (0, 0, 0, 0)
