"""Comparisons as JUnit XML, which every CI can show: a suite a comparison, a test case a metric that decides.

Knows that format. Knows nothing of what CI makes of it.
"""

from collections.abc import Sequence
from xml.etree import ElementTree

from evals.comparison import Comparison, Effect, Finding, Verdict
from evals.format import change, interval, probability, shown
from evals.report import words
from evals.report.text import printable


def document(comparisons: Sequence[Comparison]) -> str:
    """Worse is a failure, not known yet is skipped, and where a comparison is not trustworthy every test case is an error."""
    root = ElementTree.Element("testsuites", name="evals")
    suites = [_suite(comparison) for comparison in comparisons]
    root.extend(suites)
    _count(root, [case for suite in suites for case in suite.iter("testcase")], sum(one.seconds for one in comparisons))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _suite(comparison: Comparison) -> ElementTree.Element:
    name = printable(f"{comparison.b.name} against {comparison.a.name}")
    suite = ElementTree.Element("testsuite", name=name, timestamp=printable(comparison.created_at))
    properties = ElementTree.SubElement(suite, "properties")
    for term, value in (("Verdict", str(comparison.verdict)), *words.basis(comparison)):
        ElementTree.SubElement(properties, "property", name=term, value=printable(value))
    effects = words.declared(comparison)
    cases = [_case(comparison, name, effect) for effect in effects] or [_verdict(comparison, name)]
    suite.extend(cases)
    _count(suite, cases, comparison.seconds)
    return suite


def _case(comparison: Comparison, suite: str, effect: Effect) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=suite, name=printable(effect.metric.label))
    metric = effect.metric
    ends = f"{shown(metric, effect.a.value)} to {shown(metric, effect.b.value)}"
    moved = f"{change(metric, effect.difference.value)} {interval(metric, effect.difference)}"
    p = probability(words.p_value(effect))
    told = f"{metric.label} ({effect.role}): {ends}, {moved}, p {p}: {effect.finding}"
    if comparison.verdict is Verdict.UNTRUSTWORTHY:
        _result(case, "error", _reasons(comparison), told)
    elif effect.finding is Finding.WORSE:
        _result(case, "failure", told, _reasons(comparison))
    elif effect.finding is Finding.UNKNOWN:
        _result(case, "skipped", told)
    else:
        ElementTree.SubElement(case, "system-out").text = printable(told)
    return case


def _verdict(comparison: Comparison, suite: str) -> ElementTree.Element:
    """The one test case of a comparison that has no effect to show, so that nothing measured is not nothing wrong."""
    case = ElementTree.Element("testcase", classname=suite, name="verdict")
    kind = {Verdict.UNTRUSTWORTHY: "error", Verdict.WORSE: "failure"}.get(comparison.verdict, "skipped")
    _result(case, kind, str(words.headline(comparison)), _reasons(comparison))
    return case


def _result(case: ElementTree.Element, kind: str, message: str, text: str | None = None) -> None:
    result = ElementTree.SubElement(case, kind, message=printable(message))
    result.text = printable(text) if text else None


def _reasons(comparison: Comparison) -> str:
    return "\n".join(comparison.reasons)


def _count(element: ElementTree.Element, cases: Sequence[ElementTree.Element], seconds: float) -> None:
    element.set("tests", str(len(cases)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(kind) is not None for case in cases)))
    element.set("time", f"{seconds:.3f}")
