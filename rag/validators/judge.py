"""A language model as the judge of the claims that the tiers before it could not tell.

Knows what it is asked, and what its reply must hold to count. Knows no provider, and decides nothing about an answer.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prompts.fence import fence
from prompts.prompt import Prompt
from rag.errors import UpstreamError
from rag.llms.base import CallLog, CallPolicy, Request
from rag.llms.reply import UnreadableError, ask_until_readable, call_judge, json_object, one_line
from rag.llms.router import Router
from rag.types import Claim, Evidence, Message, Passage, Tier, Verdict

VERDICTS: Mapping[str, Verdict] = {
    "supported": Verdict.SUPPORTED,
    "contradicted": Verdict.CONTRADICTED,
    "unsupported": Verdict.UNSUPPORTED,
    "cannot tell": Verdict.UNCERTAIN,
}
CLAIMS = 12
"""That one call asks about; what is uncertain beyond them stays so."""
PASSAGES = 12
"""That one call shows: those the claims name first, then those found first."""
ANSWER = 8000
"""Characters of the answer that are shown around the claims."""
TOKENS_PER_CLAIM = 160
REASON = 240
"""Characters."""


class Finding(NamedTuple):
    """What the judge says of one claim."""

    verdict: Verdict
    reason: str
    evidence: Evidence | None
    """What it quotes, if that is in the passage it names."""


class Judge:
    """One model with one version of the `grounding` prompt. Calls may overlap.

    Raises `GroundwireError` where the model does not exist. The policy's fallbacks are not used, for another model is another judge.
    """

    def __init__(self, router: Router, model: str, prompt: Prompt, policy: CallPolicy) -> None:
        router.available((model,))
        self._router = router
        self._model = model
        self.prompt = prompt
        self._policy = policy.model_copy(update={"fallbacks": ()})

    @property
    def identity(self) -> str:
        """The prompt, with the beginning of its digest, and the model: `grounding@1:0f3a9c71 openai/gpt-4.1-mini`."""
        return f"{self.prompt.reference}:{self.prompt.sha256[:8]} {self._model}"

    async def judge(
        self, question: str, answer: str, claims: Sequence[Claim], passages: Sequence[Passage], log: CallLog
    ) -> list[Claim]:
        """The claims, those that were uncertain with the judge's verdict where it gave one that counts; all in at most one question.

        Supported and contradicted count only with a quotation that is in the passage it names. A call that fails or cannot be read
        leaves the claims uncertain and says so in their reasons. Nothing is asked where nothing is uncertain or there is no passage.
        """
        asked = [index for index, claim in enumerate(claims) if claim.verdict is Verdict.UNCERTAIN][:CLAIMS]
        if not asked or not passages:
            return list(claims)
        questioned = [claims[index] for index in asked]
        judged = await self._judged(question, answer, questioned, _shown(passages, questioned), log)
        replaced = dict(zip(asked, judged, strict=True))
        return [replaced.get(index, claim) for index, claim in enumerate(claims)]

    async def _judged(
        self, question: str, answer: str, claims: Sequence[Claim], passages: Sequence[Passage], log: CallLog
    ) -> list[Claim]:
        excerpt = _excerpt(answer, claims)
        stated = [claim.text for claim in claims]
        texts = [*(text for passage in passages for text in (passage.title, passage.text)), excerpt, *stated]
        values = {
            "question": question,
            "passages": passages,
            "answer": excerpt,
            "claims": stated,
            "fence": fence(texts, question),
        }

        async def ask(fault: str) -> str:
            request = Request(
                model=self._model,
                messages=tuple(Message(**message) for message in self.prompt.render(**values, fault=fault)),
                max_tokens=TOKENS_PER_CLAIM * (len(claims) + 1),
                seed=0,
                stop=self.prompt.stop,
                whole=True,
            )
            return await call_judge(self._router, request, self._policy, log)

        try:
            findings = await ask_until_readable(ask, lambda reply: _findings(reply, len(claims), passages))
        except UnreadableError as unreadable:
            return [_undecided(claim, f"the judge's reply could not be read: {unreadable}") for claim in claims]
        except UpstreamError as error:
            return [_undecided(claim, f"the judge failed: {error.problem}") for claim in claims]
        return [_decided(claim, finding) for claim, finding in zip(claims, findings, strict=True)]


def _shown(passages: Sequence[Passage], claims: Sequence[Claim]) -> list[Passage]:
    """As many as one call shows, in their own order."""
    named = {number for claim in claims for number in claim.citations}
    named.update(claim.evidence.passage for claim in claims if claim.evidence)
    ranked = sorted(range(len(passages)), key=lambda index: passages[index].number not in named)
    return [passages[index] for index in sorted(ranked[:PASSAGES])]


def _excerpt(answer: str, claims: Sequence[Claim]) -> str:
    """The answer, or where it is long as much of it as is shown, from a little before the first claim on."""
    start = max(0, min(claims[0].start - ANSWER // 4, len(answer) - ANSWER))
    return answer[start : start + ANSWER]


def _findings(text: str, count: int, passages: Sequence[Passage]) -> list[Finding]:
    """One for each claim, in order. Raises `UnreadableError`."""
    reply = json_object(text)
    findings = []
    for number in map(str, range(1, count + 1)):
        entry = reply.get(number)
        if not isinstance(entry, dict):
            raise UnreadableError(f'it has no object under "{number}"')
        word = one_line(entry.get("verdict")).casefold()
        if word not in VERDICTS:
            raise UnreadableError(f'the "verdict" under "{number}" was none of {", ".join(map(json.dumps, VERDICTS))}')
        named = [passage for passage in passages if str(passage.number) == one_line(entry.get("passage"))]
        evidence = _evidence(one_line(entry.get("quote") or ""), named[0]) if named else None
        findings.append(Finding(VERDICTS[word], one_line(entry.get("reason") or "")[:REASON], evidence))
    return findings


def _evidence(quote: str, passage: Passage) -> Evidence | None:
    """The quotation where it stands in the passage, white space aside."""
    found = re.search(r"\s+".join(map(re.escape, quote.split())), passage.text)
    if not quote or found is None:
        return None
    return Evidence(passage=passage.number, start=found.start(), end=found.end(), quote=found[0])


def _decided(claim: Claim, finding: Finding) -> Claim:
    """The claim with the judge's verdict; still uncertain where it has none, or none that it can quote a passage for."""
    verdict, reason, evidence = finding
    if verdict is Verdict.UNCERTAIN:
        return _undecided(claim, f"the judge cannot tell: {reason}")
    if verdict is not Verdict.UNSUPPORTED and evidence is None:
        return _undecided(claim, f"the judge says {verdict}, but quotes nothing that is in the passage it names")
    supported = verdict is Verdict.SUPPORTED
    disproved = tuple(number for number in claim.miscited if evidence and number != evidence.passage)
    return claim.model_copy(
        update={
            "verdict": verdict,
            "score": float(supported),
            "probability": None,
            "tier": Tier.JUDGE,
            "evidence": evidence or claim.evidence,
            "reason": reason or f"the judge says {verdict}",
            "miscited": disproved if supported else claim.citations,
        }
    )


def _undecided(claim: Claim, reason: str) -> Claim:
    """With all that the tier before said of it but the reason."""
    return claim.model_copy(update={"reason": reason})
