"""A trace as a case: what somebody asked, kept to be asked again.

Knows what a trace can vouch for. Knows no file, and adds nothing that is not in the question or the answer.
"""

from collections.abc import Hashable, Iterable

from evals.cases import UNREAD, Case, asked
from rag.answer.citations import citations, uncited
from rag.errors import GroundwireError
from rag.trace import Outcome, Trace
from rag.types import Verdict


def promoted(trace: Trace) -> Case:
    """The case of a trace that has ended, tagged `review: needed`: what a validator and a refusal say, a person has yet to confirm.

    Its gold documents are those that supported claims rest on. It has a reference only where every claim is supported: the claims
    without their citations. It is unanswerable where it was refused. Raises `GroundwireError` while the request runs.
    """
    if trace.outcome is None:
        raise GroundwireError(f"trace {trace.id} is still running", "promote it when it has ended")
    documents = {passage.number: passage.document_id for passage in trace.passages}
    supported = [claim for claim in trace.claims if claim.verdict is Verdict.SUPPORTED]
    rested_on = (claim.evidence.passage for claim in supported if claim.evidence)
    vouched = trace.outcome is Outcome.ANSWERED and supported and len(supported) == len(trace.claims)
    return Case(
        id=f"trace-{trace.id}",
        question=trace.question,
        references=(" ".join(_bare(claim.text) for claim in supported),) if vouched else (),
        gold_ids=tuple(dict.fromkeys(documents[number] for number in rested_on if number in documents)),
        answerable=trace.outcome is not Outcome.REFUSED,
        history=trace.history,
        where=trace.where,
        tags={"source": "trace", UNREAD[0]: UNREAD[1], "variant": trace.variant.name, "outcome": trace.outcome.value},
    )


def distinct(cases: Iterable[Case]) -> list[Case]:
    """The first of those that ask the same, in their order: what is asked often tells no more than once."""
    first: dict[Hashable, Case] = {}
    for case in cases:
        first.setdefault(asked(case), case)
    return list(first.values())


def _bare(text: str) -> str:
    return uncited(text, citations(text)).text.strip()
