"""`GET /metrics`: the metrics of all worker processes, in the text format of Prometheus.

Knows who may read them, and the folder that worker processes share. Knows no metric.
"""

import os
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from api.access.authentication import CallerKey
from api.problem import ForbiddenError, documented
from api.telemetry import SHARED
from api.telemetry.metrics import REGISTRY

router = APIRouter(tags=["operation"])


SAMPLE = """# HELP groundwire_requests_total Requests that ended.
# TYPE groundwire_requests_total counter
groundwire_requests_total{arm="",channel="chat",experiment="",outcome="answered",variant="default"} 12.0
"""
"""The example in the OpenAPI document."""


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    summary="Read the metrics",
    responses={200: {"content": {"text/plain": {"example": SAMPLE}}}, **documented(401, 403, 503)},
)
def get_metrics(key: CallerKey) -> Response:
    """Counters, gauges and histograms for Prometheus. If the server has keys, it takes an admin key."""
    if key is not None and not key.admin:
        raise ForbiddenError(f"the key {key.name} may not read the metrics", "show one that was made with --admin")
    return Response(generate_latest(_registry()), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


def _registry() -> CollectorRegistry:
    """The metrics of this process, or of all worker processes that share a folder."""
    folder = os.environ.get(SHARED)
    if not folder:
        return REGISTRY
    for pid in {int(file.stem.rpartition("_")[2]) for file in Path(folder).glob("gauge_live*.db")}:
        if not _is_alive(pid):
            # A worker that was killed could not reset its gauges.
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
