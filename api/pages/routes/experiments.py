"""`/experiments`: the rollouts, and the results of one.

Knows who may see them. Knows nothing of how results are computed.
"""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.access.authentication import CallerKey
from api.gateway import Gateway
from api.pages.page import PageRoute, page, require_all
from api.rollouts.results import results

router = APIRouter(route_class=PageRoute)


@router.get("/experiments")
def experiments(request: Request, key: CallerKey) -> HTMLResponse:
    """The rollouts, latest first."""
    require_all(key)
    gateway: Gateway = request.app.state.gateway
    rollouts = gateway.rollouts
    return page(request, "experiments.html", key, rollouts=rollouts.all(), unreadable=rollouts.unreadable())


@router.get("/experiments/{name}")
def experiment(request: Request, key: CallerKey, name: str) -> HTMLResponse:
    """The results of one rollout, with their uncertainty."""
    require_all(key)
    gateway: Gateway = request.app.state.gateway
    return page(request, "experiment.html", key, found=results(gateway.rollouts, name))
