"""Stored answers, scored again without a call.

Knows runs and scorers. Knows nothing of how answers came about.
"""

from asyncio import to_thread
from collections.abc import Mapping, Sequence

from evals.cases import Case, gold_missing
from evals.execution.runs import Run, Runs
from evals.judge import CORRECT
from evals.scorers import score
from evals.scorers.base import Scorer
from rag.runtime import Runtime


async def rescore(runs: Runs, run: Run, runtime: Runtime, scorers: Sequence[Scorer]) -> int:
    """Score the stored traces of a run again; what a judge said stays. Returns how many there are."""
    results = await to_thread(lambda: list(runs.results(run.id)))
    gone = gold_missing([result.case for result in results], await to_thread(runtime.corpus.documents, run.collection))
    for result in results:
        trace = await to_thread(runtime.traces.get, result.trace_id)
        judged = {name: value for name, value in result.scores.items() if name == CORRECT.name}
        scores = await to_thread(score, trace, scorable(result.case, gone), scorers)
        renewed = result.model_copy(update={"scores": scores | judged, "scorers": tuple(one.identity for one in scorers)})
        await runs.record(run.id, renewed)
    return len(results)


def scorable(case: Case, gone: Mapping[str, tuple[str, ...]]) -> Case:
    """The case less the gold documents that the collection does not have: nothing could have found them."""
    lost = gone.get(case.id, ())
    return case.model_copy(update={"gold_ids": tuple(id for id in case.gold_ids if id not in lost)}) if lost else case
