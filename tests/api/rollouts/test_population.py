"""Many users before the real server, in two processes: who gets which variant, and what becomes of a canary that nobody watches."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from scipy.stats import binomtest

from api.rollouts.policy import load
from api.rollouts.results import results
from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Change, Status
from rag import variant as variants
from rag.ingest.ingest import ingest
from rag.ledger.database import connect
from rag.runtime import Runtime
from rag.settings import Settings
from tests.api.rollouts.traffic import written
from tests.conftest import PAGES
from tests.servers.groundwire import served
from tests.servers.provider import Call, Provider, Reply, failure

MODELS = {"now": "openai/gpt-4.1-mini", "next": "openai/gpt-4.1-nano", "broken": "openai/gpt-4o-mini"}
"""By variant; what fails is not asked for a while, so it has a model of its own."""
TRUE, FALSE = "Kettles are covered for 24 months [1].", "Kettles are covered for 900 years in Spain [1]."
CANARY = """kind = "canary"
control = "now"
candidate = "next"
stages = [25, 50, 100]
hold = 0
minimum = 40
[guardrails]
latency = { margin = 0.5, cap = 1_500 }
"""

USERS = 100
MOST = 2_000
HEARD = 2.5
"""Seconds after which every process knows of a change, also on a machine that has other things to do."""

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("population")]


@pytest.fixture(scope="module")
def settings(shop: Settings, tmp_path_factory: pytest.TempPathFactory, new_ledger: Callable[[], str | None]) -> Settings:
    """A ledger of its own, and two variants on two models."""
    folder = tmp_path_factory.mktemp("population")
    for name, model in MODELS.items():
        (folder / f"{name}.toml").write_text(f'[llm]\nmodel = "{model}"\nattempts = 1\n')
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    own = shop.model_copy(update={"home": folder / "home", "ledger": new_ledger(), "variants": folder})
    with Runtime(own) as runtime:
        ingest([str(folder / name) for name in PAGES], "shop", runtime)
    return own


class Place(NamedTuple):
    """The ledger of the server, as another process has it."""

    settings: Settings
    rollouts: Rollouts
    folder: Path

    def begin(self, name: str, text: str) -> None:
        self.rollouts.start(load(written(self.folder, text, name)), variants.names(self.settings.variants), "test")
        time.sleep(HEARD)


@pytest.fixture
def place(settings: Settings, tmp_path: Path) -> Iterator[Place]:
    engine = connect(settings.ledger_url)
    yield Place(settings, Rollouts(engine), tmp_path)
    engine.dispose()


@contextmanager
def serving(settings: Settings, upstream: Provider) -> Iterator[str]:
    options = ("--collection", "shop", "--variant", "now", "--workers", "2")
    with served(settings, *options, environment=upstream.environment) as url:
        yield url


@pytest.fixture(scope="module")
def url(settings: Settings, server: Provider) -> Iterator[str]:
    with serving(settings, server) as url:
        yield url


@asynccontextmanager
async def population(url: str) -> AsyncIterator["Population"]:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield Population(client)


@pytest.fixture
async def people(url: str) -> AsyncIterator["Population"]:
    async with population(url) as people:
        yield people


class Population:
    """Users, twelve of whom ask at once."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._turns = asyncio.Semaphore(12)
        self._asked = 0

    async def ask(self, model: str, users: int, first: int = 0) -> dict[str, httpx.Response]:
        """One question by each of `users`, by name."""
        names = [f"user {number}" for number in range(first, first + users)]
        answers = await asyncio.gather(*(self._ask(model, name) for name in names))
        return dict(zip(names, answers, strict=True))

    async def ask_until(self, model: str, done: Callable[[], bool]) -> None:
        """Ever new users, until something has happened."""
        while not await asyncio.to_thread(done):
            assert self._asked < MOST, "nothing happened"
            await self.ask(model, 24, self._asked)
            self._asked += 24

    async def variants(self, model: str) -> set[str]:
        """That users get, once all processes know what was changed."""
        await asyncio.sleep(HEARD)
        return {answer.json()["variant"] for answer in (await self.ask(model, 30)).values()}

    async def _ask(self, model: str, user: str) -> httpx.Response:
        async with self._turns:
            asked = {"question": "How long is the warranty of kettles?", "variant": model, "session": user}
            return await self._client.post("/chat", json=asked)


def played(upstream: Provider, candidate: Reply) -> None:
    """The model of the candidate answers otherwise."""

    def reply(call: Call) -> Reply:
        return Reply(pieces=(TRUE,)) if call.body["model"] in MODELS["now"] else candidate

    upstream.play(reply)


async def test_users_stay_with_their_variant_over_workers_and_restarts_and_are_split_as_said(
    place: Place, people: Population, upstream: Provider
) -> None:
    place.begin("split", 'kind = "ab"\ncontrol = "now"\ncandidate = "next"\nshare = 30\n')
    first = await people.ask("split", USERS)
    with serving(place.settings, upstream) as started_later:
        async with population(started_later) as later:
            second = await later.ask("split", USERS)
    seen = [{user: answer.json()["variant"] for user, answer in answers.items()} for answers in (first, second)]
    assert seen[0] == seen[1]
    found = Counter(seen[0].values())
    assert set(found) == {"now", "next"}
    assert binomtest(found["next"], USERS, 0.3).pvalue > 0.001
    came = results(place.rollouts, "split")
    assert (came.control.requests, came.control.units) == (2 * found["now"], found["now"])
    assert (came.candidate.requests, came.candidate.units) == (2 * found["next"], found["next"])
    assert came.sample_ratio
    assert not came.sample_ratio.flagged


@pytest.mark.parametrize(
    ("name", "candidate", "metric"),
    [
        ("invents", Reply(pieces=(FALSE,)), "hallucination rate"),
        ("dawdles", Reply(pieces=(TRUE,), first=1.5), "latency"),
        ("fails", failure(500), "error rate"),
    ],
)
async def test_a_worse_canary_is_taken_back_by_itself_within_its_first_minimum(
    place: Place, people: Population, upstream: Provider, name: str, candidate: Reply, metric: str
) -> None:
    played(upstream, candidate)
    place.begin(name, CANARY.replace("next", "broken") if name == "fails" else CANARY)
    await people.ask_until(name, lambda: place.rollouts.get(name).state.ended)
    came = results(place.rollouts, name)
    assert came.rollout.state.status is Status.ROLLED_BACK
    assert came.rollout.state.why.startswith(metric)
    assert [event.event for event in came.events] == [Change.STARTED, Change.ROLLED_BACK]
    assert next(one for one in came.guardrails if one.metric.label == metric).comparisons <= 40
    upstream.script()
    assert await people.variants(name) == {"now"}


async def test_an_equal_canary_is_promoted_by_itself(place: Place, people: Population, upstream: Provider) -> None:
    played(upstream, Reply(pieces=(TRUE,)))
    place.begin("equals", CANARY)
    await people.ask_until("equals", lambda: place.rollouts.get("equals").state.ended)
    assert [event.event for event in results(place.rollouts, "equals").events] == [
        Change.STARTED,
        Change.ADVANCED,
        Change.PROMOTED,
    ]
    assert await people.variants("equals") == {"next"}


async def test_nobody_sees_a_shadow(place: Place, people: Population, upstream: Provider) -> None:
    played(upstream, Reply(pieces=(FALSE,)))
    place.begin("unseen", 'kind = "shadow"\ncontrol = "now"\ncandidate = "next"\nshare = 100\n')
    answers = (await people.ask("unseen", 40)).values()
    assert {answer.json()["variant"] for answer in answers} == {"now"}
    assert not any("Spain" in answer.text for answer in answers)
    came = results(place.rollouts, "unseen")
    assert came.candidate.requests > 5
    assert came.candidate.hallucination
    assert came.candidate.hallucination.value == 1
    assert came.candidate.spent_nanodollars > 0


async def test_a_switch_turns_everybody_and_back(place: Place, people: Population, upstream: Provider) -> None:
    place.begin("sides", 'kind = "blue-green"\ncontrol = "now"\ncandidate = "next"\n')
    for variant in ("next", "now"):
        place.rollouts.switch("sides", "test")
        assert await people.variants("sides") == {variant}
