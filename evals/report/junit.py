"""Comparisons and runs as JUnit XML, which every CI can show: a suite each, a test case a metric.

Knows that format. Knows nothing of what CI makes of it.
"""

from collections.abc import Sequence
from xml.etree import ElementTree

from evals.comparison import Comparison, Effect, Estimate, Finding, Role, Verdict
from evals.format import between, change, interval, probability, shown
from evals.measurement import Measurement
from evals.report import words
from evals.scorers.base import Metric
from prompts.terminal import printable


def document(told: Sequence[Comparison | Measurement]) -> str:
    """Of the metrics that decide a comparison, worse is a failure, not known yet is skipped. Of a run by itself, every metric and
    quantile is told, and what is not known is skipped. Where either is not trustworthy, every test case is an error.
    """
    root = ElementTree.Element("testsuites", name="evals")
    suites = [_measured(one) if isinstance(one, Measurement) else _compared(one) for one in told]
    root.extend(suites)
    _count(root, [case for suite in suites for case in suite.iter("testcase")], sum(one.seconds for one in told))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _compared(comparison: Comparison) -> ElementTree.Element:
    name = printable(f"{comparison.b.name} against {comparison.a.name}")
    suite = _suite(name, comparison, ("Verdict", str(comparison.verdict)))
    cases = [_case(comparison, name, effect) for effect in words.declared(comparison)]
    cases += [_unmeasured(comparison, name, metric, role) for metric, role in words.unmeasured(comparison)]
    suite.extend(cases)
    _count(suite, cases, comparison.seconds)
    return suite


def _measured(measurement: Measurement) -> ElementTree.Element:
    name = printable(measurement.run.name)
    suite = _suite(name, measurement)
    means = [(mean.metric.label, mean.metric, mean.estimate, mean.missing) for mean in measurement.means]
    quantiles = [(f"{one.metric.label} p{100 * one.quantile:g}", one.metric, one.estimate, 0) for one in measurement.quantiles]
    cases = [_number(measurement, name, *told) for told in means + quantiles]
    suite.extend(cases)
    _count(suite, cases, measurement.seconds)
    return suite


def _suite(name: str, told: Comparison | Measurement, *verdict: tuple[str, str]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=name, timestamp=printable(told.created_at))
    properties = ElementTree.SubElement(suite, "properties")
    for term, value in (*verdict, *words.basis(told)):
        ElementTree.SubElement(properties, "property", name=term, value=printable(value))
    return suite


def _number(
    measurement: Measurement, suite: str, label: str, metric: Metric, estimate: Estimate | None, missing: int
) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=suite, name=printable(label))
    value = f"{shown(metric, estimate.value)}, {between(metric, estimate)}" if estimate else "unknown"
    told = f"{label}: {value}" + (f", {missing:,} missing" if missing else "")
    if not measurement.trustworthy:
        _result(case, "error", "\n".join(measurement.problems), told)
    elif estimate is None:
        _result(case, "skipped", told)
    else:
        ElementTree.SubElement(case, "system-out").text = printable(told)
    return case


def _case(comparison: Comparison, suite: str, effect: Effect) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=suite, name=printable(effect.metric.label))
    metric = effect.metric
    ends = f"{shown(metric, effect.a.value)} → {shown(metric, effect.b.value)}"
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


def _unmeasured(comparison: Comparison, suite: str, metric: str, role: Role) -> ElementTree.Element:
    """Of a declared metric that decided nothing, so that nothing measured is not nothing wrong."""
    case = ElementTree.Element("testcase", classname=suite, name=printable(metric))
    few = " on enough cases" if any(effect.metric.name == metric for effect in comparison.effects) else ""
    told = f"{metric} ({role}): not measured{few}, see the report's problems"
    if comparison.verdict is Verdict.UNTRUSTWORTHY:
        _result(case, "error", _reasons(comparison), told)
    else:
        _result(case, "skipped", told, "\n".join((*comparison.problems, *comparison.notes)))
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
