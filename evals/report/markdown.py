"""A comparison, or a run by itself, as a comment on a pull request: short, and safe whatever the questions and answers say.

Knows GitHub's Markdown and its limits. Knows nothing of who posts it.
"""

import re
from collections.abc import Iterator, Sequence

from evals.comparison import Answer, Comparison, Effect, Finding
from evals.format import between, change, interval, probability, shown
from evals.measurement import Measurement
from evals.report import words
from evals.report.text import line
from rag.figures import counted

EFFECTS, SENTENCES, TAGS, FLIPS = 14, 4, 5, 6
"""Rows and sentences that are shown, flips each way: with all of them the comment keeps within 60 lines and 65,000 characters."""
_CELL, _SENTENCE, _LEAD, _LABEL = 100, 300, 500, 60

_MARKUP = {character: f"\\{character}" for character in "\\`*_[]()!|~#"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"}
"""A `$` would begin mathematics."""
_LIVE = re.compile(r"(?<!\w)@|@(?=[\w-]+\.)|#(?=\d)|:(?=//)|\bwww(?=\.)|\bGH-(?=\d)", re.IGNORECASE)
"""What begins a mention, an address, a reference to an issue or a link; a zero-width space behind it keeps it from being one."""
_TABLE = str.maketrans({**_MARKUP, "\u200b": "&#8203;"})


def comment(told: Comparison | Measurement) -> str:
    """The verdict on the first line, then effects, what else to know, and the questions that flipped, lost ones first; of a run by
    itself its means and quantiles, what to know, and the questions it answered worst.
    """
    parts = _measured(told) if isinstance(told, Measurement) else _compared(told)
    sides = "" if isinstance(told, Measurement) else f"{words.sides(told)} · "
    blocks = [*parts, [f"<sub>{inline(sides + words.foundation(told), 800)}</sub>"]]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def inline(text: str, most: int = _SENTENCE) -> str:
    """Text of any origin as one line of plain words: no markup, no mention, no link, no mathematics."""
    inert = _LIVE.sub(lambda found: f"{found[0]}\u200b", line(text, most))
    return inert.translate(_TABLE)


def _compared(comparison: Comparison) -> Iterator[list[str]]:
    declared = words.declared(comparison)
    yield [_verdict(comparison)]
    yield _effects(declared, comparison) if declared else []
    yield [*_sentences(comparison)]
    yield [*_flips(comparison)]


def _measured(measurement: Measurement) -> Iterator[list[str]]:
    yield [f"**{inline(str(words.headline(measurement)), 2 * words.NAME + 60)}**"]
    yield [*_means(measurement)]
    yield [*_problems(measurement.problems)]
    yield [*_worst(measurement)]


def _means(measurement: Measurement) -> Iterator[str]:
    """Of every metric, and of its quantiles below it."""
    yield "| metric | mean | interval | cases | missing |"
    yield "| :-- | --: | --: | --: | --: |"
    for mean in measurement.means:
        metric, estimate = mean.metric, mean.estimate
        value = shown(metric, estimate.value) if estimate else "unknown"
        numbers = value, between(metric, estimate), f"{mean.cases:,}", f"{mean.missing:,}"
        yield f"| {' | '.join(map(inline, (line(metric.label, _LABEL), *numbers)))} |"
        for one in measurement.quantiles:
            if one.metric == metric:
                label = f"{line(metric.label, _LABEL)}, p{100 * one.quantile:g}"
                cells = label, shown(metric, one.estimate.value), between(metric, one.estimate)
                yield f"| {' | '.join(map(inline, cells))} | | |"


def _worst(measurement: Measurement) -> Iterator[str]:
    if not measurement.worst:
        return
    yield "<details><summary>The worst answers</summary>"
    yield ""
    yield "| question | answer |"
    yield "| :-- | :-- |"
    metrics = {mean.metric.name: mean.metric for mean in measurement.means}
    for one in measurement.worst[:FLIPS]:
        score = inline(shown(metrics[one.metric], one.answer.score))
        yield f"| {inline(one.case.question, _CELL)} | **{score}** {_said(one.answer)} |"
    yield ""
    yield "</details>"


def _verdict(comparison: Comparison) -> str:
    headline = f"**{inline(str(words.headline(comparison)), 2 * words.NAME + 60)}**"
    lead = words.lead(comparison)
    return f"{headline}: {inline(lead, _LEAD)}" if lead else headline


def _effects(effects: Sequence[Effect], comparison: Comparison) -> list[str]:
    level, names = comparison.design.level, (inline(side.name, _LABEL) for side in (comparison.a, comparison.b))
    column = f"{words.percent(level)} interval" if all(effect.difference.level == level for effect in effects) else "interval"
    head = f"| metric (↓ lower is better) | {' | '.join(names)} | change | {column} | tolerated | p | finding |"
    return [head, "| :-- | --: | --: | --: | --: | --: | --: | :-- |", *(_effect(effect) for effect in effects[:EFFECTS])]


def _effect(effect: Effect) -> str:
    metric = effect.metric
    numbers = (
        shown(metric, effect.a.value),
        shown(metric, effect.b.value),
        change(metric, effect.difference.value),
        interval(metric, effect.difference),
        words.tolerated(effect),
        probability(words.p_value(effect)),
    )
    cells = (f"{inline(words.label(metric), _LABEL)}, {effect.role}", *map(inline, numbers), f"**{words.finding(effect)}**")
    return f"| {' | '.join(cells)} |"


def _sentences(comparison: Comparison) -> Iterator[str]:
    yield from _problems(comparison.problems)
    yield from (f"- {inline(told)}" for told in (*comparison.reasons[1:][:SENTENCES], *words.fallen(comparison)))
    lost = sorted(
        (tag for tag in comparison.tags if tag.q <= words.NOTABLE and tag.finding is Finding.WORSE), key=lambda tag: tag.q
    )
    for tag in lost[:TAGS]:
        where = f"{inline(tag.tag, _LABEL)} {inline(tag.value, _LABEL)}"
        what = f"{inline(tag.metric.label, _LABEL)} {inline(change(tag.metric, tag.difference.value))}"
        numbers = inline(interval(tag.metric, tag.difference))
        yield f"- worse on {where}: {what} {numbers}, {counted(tag.pairs, 'case')}, q {inline(probability(tag.q))}"
    yield from (f"- {inline(note)}" for note in comparison.notes[:SENTENCES])
    yield from _more(len(lost) - TAGS, "tag")


def _problems(problems: Sequence[str]) -> Iterator[str]:
    for problem in problems[:SENTENCES]:
        yield f"- **Problem:** {inline(problem)}"
    yield from _more(len(problems) - SENTENCES, "problem")


def _more(count: int, noun: str) -> Iterator[str]:
    if count > 0:
        yield f"- and {counted(count, f'more {noun}')} in the report"


def _flips(comparison: Comparison) -> Iterator[str]:
    lost, gained = ([flip for flip in comparison.flips if flip.gained is gained] for gained in (False, True))
    if not comparison.flips:
        return
    by = words.flips_by(comparison)
    yield f"<details><summary>The questions that flipped{f' ({inline(by, _LEAD)})' if by else ''}</summary>"
    yield ""
    yield f"| | question | expected | {inline(comparison.a.name, _LABEL)} | {inline(comparison.b.name, _LABEL)} |"
    yield "| :-- | :-- | :-- | :-- | :-- |"
    metrics = {effect.metric.name: effect.metric for effect in comparison.effects}
    for flip in (*lost[:FLIPS], *gained[:FLIPS]):
        metric = metrics.get(flip.metric)
        scores = [shown(metric, side.score) if metric else f"{side.score:.3f}" for side in (flip.a, flip.b)]
        cells = [f"**{inline(score)}** {_said(side)}" for score, side in zip(scores, (flip.a, flip.b), strict=True)]
        asked = (inline(text, _CELL) for text in (flip.case.question, words.expected(flip)))
        yield f"| {words.way(flip)} | {' | '.join((*asked, *cells))} |"
    yield ""
    yield "</details>"


def _said(answer: Answer) -> str:
    outcome = "not asked" if answer.outcome is None else answer.outcome.replace("_", " ")
    return " ".join(filter(None, (inline(answer.text, _CELL), "" if outcome == "answered" else f"({outcome})")))
