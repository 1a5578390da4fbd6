"""`/reports` and `/runs`: what `evals` measured.

Knows which metrics the list shows, and how a report is sent. Knows nothing of how either was made.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from api.access.authentication import CallerKey
from api.pages import evaluations
from api.pages.page import HEADERS, PageRoute, page, require_all
from rag.runtime import Runtime

router = APIRouter(route_class=PageRoute)

HEADLINES = ("hallucination", "correct", "f1", "refusal_correct", "ndcg", "latency", "cost")
"""Metrics that the list of runs shows, if a run has them."""


@router.get("/reports")
def reports(request: Request, key: CallerKey) -> HTMLResponse:
    """The latest runs with their scores, and the reports that were written."""
    require_all(key)
    runtime: Runtime = request.app.state.gateway.runtime
    runs, written = evaluations.latest(runtime), evaluations.reports(runtime.settings.home)
    found = {score.metric.name: score.metric for run in runs for score in run.scores if score.metric.name in HEADLINES}
    metrics = [found[name] for name in HEADLINES if name in found]
    return page(request, "reports.html", key, runs=runs, reports=written, metrics=metrics)


@router.get("/runs/{id}")
def run(request: Request, key: CallerKey, id: str) -> HTMLResponse:
    """One run: every metric, with its interval."""
    require_all(key)
    return page(request, "run.html", key, found=evaluations.scored(request.app.state.gateway.runtime, id))


@router.get("/reports/{name:path}")
def report(request: Request, key: CallerKey, name: str) -> Response:
    """A report as it was written. It needs no other file, so it may load none."""
    require_all(key)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox allow-popups"
    path = evaluations.report(request.app.state.gateway.runtime.settings.home, name)
    return FileResponse(path, media_type="text/html", headers={**HEADERS, "Content-Security-Policy": policy})
