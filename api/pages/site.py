"""All pages as one router.

Knows which groups of pages there are. Knows nothing of what they show.
"""

from fastapi import APIRouter

from api.pages.routes import chat, experiments, overview, prompts, reports, session, static, traces

router = APIRouter(include_in_schema=False)
for part in (static, chat, traces, overview, experiments, prompts, reports, session):
    router.include_router(part.router)
