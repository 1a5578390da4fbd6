"""Three replicas behind a real nginx, on one PostgreSQL and one index: they agree, one may die, all may be replaced."""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx
import pytest
from sqlalchemy import func, select

from api.access.keys import Key, Keys
from api.rollouts.policy import Kind, Policy
from api.rollouts.rollouts import Rollouts
from prompts.library import Library
from rag.ingest.ingest import ingest
from rag.ledger.processes import SILENT_SECONDS
from rag.ledger.schema import admissions, allowances
from rag.ledger.schema import traces as table
from rag.runtime import Runtime
from rag.settings import PACKAGE, Settings
from rag.trace import Outcome, Trace
from tests.conftest import PAGES
from tests.faults.serving import MODES, Received, asked, nanodollars, post, traces
from tests.installations import own
from tests.servers.nginx import BINARY, NEEDED, balanced
from tests.servers.postgres import Postgres
from tests.servers.provider import Call, Provider, Reply
from tests.servers.replicas import Replica, replicas

MODEL = (
    '[llm]\nmodel = "openai/gpt-4.1-mini"\nfirst_token_seconds = 240.0\ntotal_seconds = 240.0\n'
    '[retriever]\nabstain = false\n[prompts]\nanswer = "answer@{version}"\n'
)
VARIANTS = {"plain": MODEL.format(version=1), "other": MODEL.format(version=2), "labelled": MODEL.format(version="production")}
CLIENTS = 16
FRESH_SECONDS = 1.0
"""After so long nobody answers by what was known of a key before."""
AGREED_SECONDS = 60.0
"""By when all know of a change, on a machine that has other things to do."""
SETTLED_SECONDS = SILENT_SECONDS + 60
"""After so long nothing is running that a dead process began, on a machine that has other things to do."""
REQUESTS = 300
"""While one dies."""
MOST = 10_000
"""While all are replaced, which takes as long as it takes."""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("replicas"),
    pytest.mark.skipif(BINARY is None, reason=NEEDED),
]


class Team(NamedTuple):
    """The replicas, what stands before them, and what they share. The key may do everything, for 1000 dollars a day."""

    url: str
    replicas: list[Replica]
    runtime: Runtime
    key: Key
    secret: str
    provider: Provider


on_any_index = pytest.mark.parametrize("index", ["faiss", "weaviate"], indirect=True, scope="module")


@pytest.fixture(scope="module", params=["faiss"])
def index(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Where the index is: in the home, which all replicas share, or on a server."""
    if request.param == "faiss":
        yield None
        return
    with own(request.getfixturevalue("weaviate")) as place:
        yield place


@pytest.fixture(scope="module")
def team(index: str | None, tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, server: Provider) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("replicas")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    shutil.copytree(PACKAGE.parent / "prompts", folder / "prompts", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / "variants").mkdir()
    for name, text in VARIANTS.items():
        (folder / "variants" / f"{name}.toml").write_text(text)
    settings = Settings(
        home=folder / "home",
        ledger=postgres.ledger(),
        index=index,
        prompts=folder / "prompts",
        variants=folder / "variants",
        embedder="hash",
    )
    with Runtime(settings) as runtime:
        ingest([str(folder / name) for name in PAGES], "shop", runtime)
        key, secret = Keys(runtime.engine).create("everything", daily_nanodollars=1_000 * 10**9)
        options = ("--collection", "shop", "--variant", "plain", "--drain", "2", "--grace", "60")
        with (
            replicas(3, folder, settings, *options, environment=server.environment) as running,
            balanced(folder, [replica.address for replica in running]) as url,
        ):
            yield Team(url, running, runtime, key, secret, server)


@pytest.fixture(autouse=True)
def upstream(server: Provider) -> None:
    """Answers, whatever it was told to do by others."""
    server.script()


async def load(team: Team, name: str, requests: int, *, until: Callable[[], bool] = lambda: False) -> dict[str, Received]:
    """What so many requests by so many clients at a time received, by their questions; no more are begun once `until` is true."""
    numbers = iter(range(requests))
    received: dict[str, Received] = {}

    async def client() -> None:
        for number in numbers:
            if until():
                return
            question = f"What does {name} number {number} say of the warranty?"
            received[question] = await post(team.url, *asked(MODES[number % len(MODES)], question, "plain"), key=team.secret)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return received


def complete(answer: Received) -> bool:
    """Whether a client has its answer, to the end."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        return b"[DONE]" in answer.body or b"event: done" in answer.body
    return answer.status == 200 and len(answer.body) == int(answer.headers["content-length"])


async def by_each(team: Team, model: str, *, secret: str | None = None, user: str | None = None) -> list[Received]:
    """What each of the replicas answers, asked itself."""
    path, body = asked("chat", "How long is the warranty on a kettle?", model)
    body |= {"session": user} if user else {}
    return list(await asyncio.gather(*(post(replica.url, path, body, key=secret or team.secret) for replica in team.replicas)))


def found(team: Team, answers: list[Received]) -> list[Trace]:
    return [team.runtime.traces.get(answer.trace_id) for answer in answers]


def spent(team: Team, key: Key) -> tuple[int, int]:
    """What was charged, and for how many requests something is held."""
    with team.runtime.engine.connect() as connection:
        charged = connection.execute(select(allowances.c.spent_nanodollars).where(allowances.c.key_id == key.id)).scalar_one()
        held = connection.execute(select(func.count()).where(admissions.c.key_id == key.id)).scalar_one()
    return int(charged), int(held)


async def agreed(team: Team, model: str, variant: str) -> None:
    """Until each answers requests for `model` by `variant`."""
    async with asyncio.timeout(AGREED_SECONDS):
        while True:
            answers = await by_each(team, model)
            known = [answer for answer in answers if answer.status == 200]
            if [trace.variant.name for trace in found(team, known)] == [variant] * len(team.replicas):
                return
            await asyncio.sleep(0.1)


async def test_a_switch_of_variants_comes_to_hold_for_all(team: Team) -> None:
    rollouts = Rollouts(team.runtime.engine)
    rollouts.start(Policy(name="blue-green", kind=Kind.BLUE_GREEN, control="plain", candidate="other"), VARIANTS, "tests")
    for answering in ("plain", "other", "plain"):
        await agreed(team, "blue-green", answering)
        rollouts.switch("blue-green", "tests")


async def test_a_user_has_the_same_arm_everywhere_also_after_the_experiment_has_changed(team: Team) -> None:
    rollouts = Rollouts(team.runtime.engine)
    rollouts.start(Policy(name="ab", kind=Kind.AB, control="plain", candidate="other", share=50), VARIANTS, "tests")
    async with asyncio.timeout(AGREED_SECONDS):
        while {answer.status for answer in await by_each(team, "ab")} != {200}:
            await asyncio.sleep(0.1)
    arms = Counter[str | None]()
    for number in range(12):
        seen = {trace.origin.arm for trace in found(team, await by_each(team, "ab", user=f"user {number}"))}
        assert len(seen) == 1
        arms += Counter(seen)
    assert set(arms) == {"control", "candidate"}
    rollouts.promote("ab", "tests")
    await agreed(team, "ab", "other")


async def test_a_label_that_is_moved_holds_for_all_from_the_next_request_on(team: Team) -> None:
    library = Library(team.runtime.settings.prompts)
    for reference in ("answer@1", "answer@2", "answer@1"):
        library.label("production", reference)
        assert {next(iter(trace.versions.prompts)) for trace in found(team, await by_each(team, "labelled"))} == {reference}


async def test_a_key_that_is_revoked_is_refused_by_all_within_a_second(team: Team) -> None:
    keys = Keys(team.runtime.engine)
    key, secret = keys.create("leaving")
    assert [answer.status for answer in await by_each(team, "plain", secret=secret)] == [200] * 3
    keys.revoke(key.id)
    await asyncio.sleep(FRESH_SECONDS)
    assert [answer.status for answer in await by_each(team, "plain", secret=secret)] == [401] * 3


async def burst(team: Team, secret: str, name: str, requests: int) -> Counter[int]:
    questions = [f"What does {name} number {number} say of the warranty?" for number in range(requests)]
    sending = [post(team.url, *asked(MODES[n % 4], question, "plain"), key=secret) for n, question in enumerate(questions)]
    return Counter([answer.status for answer in await asyncio.gather(*sending)])


async def test_a_rate_is_one_for_all(team: Team) -> None:
    _, secret = Keys(team.runtime.engine).create("slow", per_minute=12)
    loop = asyncio.get_running_loop()
    began = loop.time()
    statuses = await burst(team, secret, "the rate", 60)
    # Two are saved up, and one is due every five seconds.
    assert set(statuses) == {200, 429}
    assert 2 <= statuses[200] <= 2 + (loop.time() - began) / 5 + 1


async def test_requests_at_once_are_counted_over_all(team: Team) -> None:
    _, secret = Keys(team.runtime.engine).create("narrow", concurrent=3)
    most = 0

    def reply(_: Call) -> Reply:
        nonlocal most
        most = max(most, sum(call.under_way for call in team.provider.calls))
        return Reply(held=True)

    team.provider.play(reply)
    asking = asyncio.create_task(burst(team, secret, "the number at once", 60))
    await team.provider.holds(3)
    team.provider.let_go()
    statuses = await asking
    assert set(statuses) == {200, 429}
    assert most == 3


async def test_a_budget_is_used_up_by_all_together_and_never_exceeded(team: Team) -> None:
    dear = Reply(prompt=300, completion=400, before=0.02)
    team.provider.script(dear)
    path, body = asked("chat", "What does a first question say of the warranty?", "plain")
    first = team.runtime.traces.get((await post(team.url, path, body, key=team.secret)).trace_id)
    assert first.cost_nanodollars
    ceiling = (await team.runtime.pipeline("plain", "shop")).max_cost(f"{body['question']} And all of the others?")
    assert ceiling is not None
    budget = ceiling + 20 * first.cost_nanodollars
    key, secret = Keys(team.runtime.engine).create("poor", daily_nanodollars=budget)
    team.provider.script(dear)
    answered = 0
    for number in range(100):
        statuses = await burst(team, secret, f"round {number}", CLIENTS)
        answered += statuses[200]
        if not statuses[200]:
            break
    assert statuses == {429: CLIENTS}
    charged, held = spent(team, key)
    assert held == 0
    assert charged == nanodollars(team.provider.ledger) == answered * first.cost_nanodollars
    assert budget - ceiling < charged <= budget


def unended(team: Team) -> int:
    """How many requests have begun and not ended."""
    with team.runtime.engine.connect() as connection:
        return connection.execute(select(func.count()).where(table.c.outcome.is_(None))).scalar_one()


async def settled(team: Team) -> None:
    """Until nothing runs any more."""
    async with asyncio.timeout(SETTLED_SECONDS):
        while True:
            if unended(team) == spent(team, team.key)[1] == 0:
                return
            await asyncio.sleep(0.5)


def reserved(team: Team, replica: Replica) -> list[int]:
    """The nano-dollars of each request that this replica has taken and not settled."""
    its_own = admissions.c.owner.startswith(f"{replica.name}.")
    with team.runtime.engine.connect() as connection:
        return list(connection.execute(select(admissions.c.reserved_nanodollars).where(its_own)).scalars())


@on_any_index
async def test_one_is_killed_and_every_request_that_was_accepted_has_one_trace(team: Team) -> None:
    team.provider.play(lambda _: Reply(between=0.05, held=len(team.provider.calls) > REQUESTS / 4))
    charged = spent(team, team.key)[0]
    loading = asyncio.create_task(load(team, "the death", REQUESTS))
    await team.provider.holds(CLIENTS)
    async with asyncio.timeout(SETTLED_SECONDS):
        while (unended(team), spent(team, team.key)[1]) != (CLIENTS, CLIENTS):  # what ended before is settled
            await asyncio.sleep(0.1)
    held = reserved(team, team.replicas[0])
    assert 0 < len(held) < CLIENTS
    assert await asyncio.to_thread(team.replicas[0].kill) == -9
    team.provider.let_go()
    received = await loading
    await settled(team)

    assert len(received) == REQUESTS
    assert {answer.status for answer in received.values()} <= {200, 502}
    answered = {question for question, answer in received.items() if complete(answer)}
    # Whoever was not being answered by the one that died has seen nothing of it.
    assert REQUESTS - CLIENTS <= len(answered) < REQUESTS
    kept = traces(team.runtime, received)
    assert max(Counter(trace.question for trace in kept).values()) == 1
    by_question = {trace.question: trace for trace in kept}
    assert all(by_question[question].outcome is Outcome.ANSWERED for question in answered)
    assert {received[question].trace_id for question in answered} == {by_question[question].id for question in answered}
    asked_of_the_model = Counter(question for call in team.provider.calls for question in received if question in call.text)
    assert set(asked_of_the_model) <= set(by_question)
    assert max(asked_of_the_model.values()) == 1
    left = [trace for trace in kept if trace.reason == "the process ended before the answer did"]
    assert len(left) == len(held)
    assert {trace.outcome for trace in left} == {Outcome.FAILED}
    assert not {trace.question for trace in left} & answered
    # What it held is charged whole; all else costs what it costs.
    costs = [trace.cost_nanodollars for trace in kept if trace not in left]
    assert spent(team, team.key)[0] - charged == sum(held) + sum(cost for cost in costs if cost)
    assert all(costs)

    team.replicas[0].start()
    await asyncio.to_thread(team.replicas[0].wait)
    assert [answer.status for answer in await by_each(team, "plain")] == [200] * 3


@on_any_index
async def test_all_are_replaced_one_after_the_other_and_no_request_is_lost(team: Team) -> None:
    team.provider.play(lambda _: Reply(before=0.8, between=0.2))
    replaced = False

    async def replace() -> None:
        nonlocal replaced
        try:
            for replica in team.replicas:
                assert await asyncio.to_thread(replica.stop) == 0
                replica.start()
                await asyncio.to_thread(replica.wait)
        finally:
            replaced = True

    received, _ = await asyncio.gather(load(team, "the change", MOST, until=lambda: replaced), replace())
    assert CLIENTS < len(received) < MOST
    lost = {question: (answer.status, answer.body[-200:]) for question, answer in received.items() if not complete(answer)}
    assert lost == {}
    kept = traces(team.runtime, received)
    assert Counter(trace.outcome for trace in kept) == {Outcome.ANSWERED: len(received)}
    assert sorted(trace.id for trace in kept) == sorted(answer.trace_id for answer in received.values())


async def test_a_stream_comes_through_as_it_is_written(team: Team) -> None:
    team.provider.play(lambda _: Reply(pieces=("It is ", "covered ", "[1]."), between=2))
    path, body = asked("chat-stream", "How long is the warranty on a kettle?", "plain")
    headers = {"Authorization": f"Bearer {team.secret}"}
    clock = asyncio.get_running_loop().time
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", f"{team.url}{path}", json=body, headers=headers) as answer,
    ):
        moments = [clock() async for line in answer.aiter_lines() if line == "event: delta"]
    assert len(moments) >= 3
    assert moments[-1] - moments[0] > 1


async def test_what_is_too_large_or_for_one_replica_alone_is_told(team: Team) -> None:
    path, body = asked("chat", "How long?", "plain")
    large = await post(team.url, path, body | {"history": "x" * 2_100_000}, key=team.secret)
    assert (large.status, json.loads(large.body)["status"]) == (413, 413)
    async with httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {team.secret}"}
        assert (await client.get(f"{team.url}/metrics", headers=headers)).status_code == 404
        assert (await client.get(f"{team.replicas[0].url}/metrics", headers=headers)).status_code in (200, 403)
        assert (await client.get(f"{team.url}/readyz")).json() == {"status": "ok"}
