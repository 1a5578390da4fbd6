"""A comparison, or a run by itself, as one self-contained page: it needs no script, no network and no other file.

Knows what is shown in which order and how much of it. Knows nothing of how it is drawn: the templates lay out, `plots` draws.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evals import format
from evals.comparison import Answer, Comparison, Effect, Finding, Role
from evals.measurement import Measurement
from evals.report import plots, words
from evals.report.text import line
from evals.scorers.base import Metric
from evals.stats.quantiles import NEEDED
from prompts.difference import difference
from prompts.terminal import printable
from rag.figures import counted, price
from rag.types import Claim, Verdict

TEMPLATES = Path(__file__).parent
QUESTION, REFERENCE, ANSWER, REASON = 600, 400, 1_500, 200
"""Characters shown; the rest is in the trace."""
OPEN = 5
"""Flips shown each way without a click."""
TAGS = 100
"""Tag effects shown, the surest first."""
LATENCY = Metric(name="latency", label="latency", better="lower", unit="seconds")
MARKS = {Verdict.SUPPORTED: "✓", Verdict.UNCERTAIN: "?", Verdict.UNSUPPORTED: "✗", Verdict.CONTRADICTED: "≠"}


class Segment(NamedTuple):
    """A stretch of an answer, with the claim it is where it is one."""

    text: str
    claim: Claim | None


class Setting(NamedTuple):
    """One field of both variants, by its path in the TOML file."""

    name: str
    a: str
    b: str


def page(told: Comparison | Measurement) -> str:
    """The whole page, as HTML 5. Nothing in it that came from outside is trusted."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"line": line, "times": words.times, "counted": counted, "percent": words.percent}
    names = ("shown", "change", "between", "interval", "probability")
    environment.globals |= {name: getattr(format, name) for name in names}
    environment.globals |= {"price": price, "plots": plots, "words": words, "segments": segments, "MARKS": MARKS}
    environment.globals["limits"] = {"question": QUESTION, "reference": REFERENCE, "reason": REASON, "open": OPEN}
    template, values = (
        ("measurement.html", _measured(told)) if isinstance(told, Measurement) else ("comparison.html", _compared(told))
    )
    return printable(environment.get_template(template).render(values))


def _measured(measurement: Measurement) -> dict[str, Any]:
    run, variant = measurement.run, measurement.run.variant.model_dump()
    metrics = {mean.metric.name: mean.metric for mean in measurement.means}
    return {
        "measurement": measurement,
        "headline": words.headline(measurement),
        "run": run,
        "cards": words.cards(measurement),
        "metrics": metrics,
        "latency": metrics.get("latency", LATENCY),
        "settings": settings(variant, variant),
        "methods": _by_metric((mean.estimate.method, mean.metric.label) for mean in measurement.means if mean.estimate),
        "NEEDED": NEEDED,
    }


def _compared(comparison: Comparison) -> dict[str, Any]:
    a, b, effects = comparison.a, comparison.b, comparison.effects
    metrics = {effect.metric.name: effect.metric for effect in effects}
    tags = sorted(comparison.tags, key=lambda tag: (tag.q, tag.p))
    plane = tradeoff(comparison)
    both = settings(a.variant.model_dump(), b.variant.model_dump())
    return {
        "comparison": comparison,
        "headline": words.headline(comparison),
        "a": a,
        "b": b,
        "metrics": metrics,
        "declared": words.declared(comparison),
        "fallen": tuple(words.fallen(comparison)),
        "others": [effect for effect in effects if effect.role is Role.OTHER],
        "variances": [(one, parts) for one in comparison.variances if len(parts := plots.parts(one)) > 1],
        "paired": saving(comparison),
        "tradeoff": plane,
        "corner": plane and _corner(*plane),
        "curves": bool(a.latencies and b.latencies),
        "latency": metrics.get("latency", LATENCY),
        "notable": [tag for tag in tags if tag.q <= words.NOTABLE and tag.finding is not Finding.UNKNOWN][:TAGS],
        "tags": tags[:TAGS],
        "flips": [
            (way, total, [flip for flip in comparison.flips if flip.gained is gained])
            for way, total, gained in (("lost", comparison.lost, False), ("gained", comparison.gained, True))
        ],
        "changes": difference(a.prompt_text, b.prompt_text),
        "settings": both,
        "changed": [setting for setting in both if setting.a != setting.b and setting.name not in ("name", "description")],
        "methods": _by_metric((effect.difference.method, effect.metric.label) for effect in effects),
        "tests": _by_metric((effect.test, effect.metric.label) for effect in effects),
    }


def segments(answer: Answer) -> Iterator[Segment]:
    """Its text cut at its claims, as far as it is shown; a claim that overlaps the one before it is left out."""
    text, at = answer.text[:ANSWER], 0
    for claim in sorted(answer.claims, key=lambda claim: claim.start):
        if claim.start < at or claim.start >= len(text):
            continue
        if claim.start > at:
            yield Segment(text[at : claim.start], None)
        yield Segment(text[claim.start : claim.end], claim)
        at = claim.end
    if at < len(text):
        yield Segment(text[at:], None)
    if len(text) < len(answer.text):
        yield Segment(f" … {len(answer.text) - len(text):,} more characters", None)


def saving(comparison: Comparison) -> tuple[Metric, float] | None:
    """A metric, and how many times as many cases it would have taken without pairing: the first declared one that tells."""
    for effect in words.declared(comparison):
        naive, paired = effect.naive, effect.difference
        if naive and 0 < paired.high - paired.low < naive.high - naive.low < math.inf:
            return effect.metric, ((naive.high - naive.low) / (paired.high - paired.low)) ** 2
    return None


def tradeoff(comparison: Comparison) -> tuple[Effect, Effect] | None:
    """What an answer takes, and how good it is: cost, or latency where nothing is paid or prices are not known."""
    quality = next((effect for effect in comparison.effects if effect.role is Role.PRIMARY and _known(effect)), None)
    prices = [effect for effect in comparison.effects if _known(effect) and effect is not quality]
    paid = [effect for effect in prices if effect.metric.unit == "dollars" and (effect.a.value or effect.b.value)]
    timed = [effect for effect in prices if effect.metric.unit == "seconds"]
    price = next(iter(paid + timed), None)
    return (price, quality) if price and quality else None


def _corner(price: Effect, quality: Effect) -> str:
    """Where the plane is best."""
    up = "top" if quality.metric.better == "higher" else "bottom"
    return f"{up} {'right' if price.metric.better == 'higher' else 'left'}"


def settings(a: Mapping[str, Any], b: Mapping[str, Any], path: str = "") -> list[Setting]:
    """Every field of both, in their order."""
    found: list[Setting] = []
    for name, value in a.items():
        if isinstance(value, dict):
            found += settings(value, b[name], f"{path}{name}.")
        else:
            found.append(Setting(path + name, _setting(value), _setting(b[name])))
    return found


def _setting(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _known(effect: Effect) -> bool:
    return math.isfinite(effect.a.value) and math.isfinite(effect.b.value)


def _by_metric(pairs: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    """The metrics' labels by method, in order, each once."""
    found: dict[str, list[str]] = {}
    for method, label in pairs:
        if label not in found.setdefault(method, []):
            found[method].append(label)
    return found
