"""`/static`: style, scripts and the icon.

Knows how long a browser may keep them. Knows nothing of what they do.
"""

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from api.pages.page import STATIC, PageRoute
from rag.errors import NotFoundError

router = APIRouter(route_class=PageRoute)

ONE_YEAR = "public, max-age=31536000, immutable"
"""Addresses contain a digest of the content, so that a copy never becomes outdated."""


@router.get("/static/{name}")
@router.get("/static/{version}/{name}")
async def static(name: str) -> Response:
    """A file by its name. Below a version, so are the modules that it imports."""
    if name not in STATIC:
        raise NotFoundError(f"there is no file {name}", "reload the page")
    return FileResponse(STATIC[name], headers={"Cache-Control": ONE_YEAR, "X-Content-Type-Options": "nosniff"})
