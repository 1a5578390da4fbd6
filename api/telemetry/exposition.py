"""`GET /metrics`: what was counted, in the text format of Prometheus, by all worker processes together.

Knows who may read it, and the folder that worker processes share. Knows nothing of what is counted.
"""

import os
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from api.access.authentication import Shown
from api.problem import ForbiddenError, documented
from api.telemetry import SHARED
from api.telemetry.metrics import REGISTRY

router = APIRouter(tags=["operation"])


SAMPLE = """# HELP groundwire_requests_total Requests that ended.
# TYPE groundwire_requests_total counter
groundwire_requests_total{arm="",channel="chat",experiment="",outcome="answered",variant="default"} 12.0
"""
"""For OpenAPI."""


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    summary="Read the metrics",
    responses={200: {"content": {"text/plain": {"example": SAMPLE}}}, **documented(401, 403, 503)},
)
def metrics(key: Shown) -> Response:
    """Counters, gauges and histograms for Prometheus; where keys exist, an administrator's is asked for."""
    if key is not None and not key.admin:
        raise ForbiddenError(f"the key {key.name} may not read the metrics", "show one that was made with --admin")
    return Response(generate_latest(_registry()), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


def _registry() -> CollectorRegistry:
    """Of this process, or of all that share a folder."""
    folder = os.environ.get(SHARED)
    if not folder:
        return REGISTRY
    for pid in {int(file.stem.rpartition("_")[2]) for file in Path(folder).glob("gauge_live*.db")}:
        if not _lives(pid):
            # A worker that was killed could not say that its requests are over.
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
    together = CollectorRegistry()
    MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
    return together


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
