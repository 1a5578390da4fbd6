"""A server over rollouts that cannot be used, or not any more: it starts, tells which, and answers all else."""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlalchemy import update

from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Status
from rag.ingest.ingest import ingest
from rag.ledger.schema import rollouts
from rag.runtime import Runtime
from rag.settings import Settings
from tests.api.rollouts.traffic import policy
from tests.conftest import PAGES
from tests.servers.groundwire import served

VARIANTS = ("now", "next", "gone")
EXTRACTIVE = '[llm]\nmodel = "local/extractive"\n'

pytestmark = pytest.mark.xdist_group("unusable")


@pytest.fixture(scope="module")
def runtime(shop: Settings, tmp_path_factory: pytest.TempPathFactory, new_ledger: Callable[[], str | None]) -> Iterator[Runtime]:
    """Of `odd`, which no version of ours wrote, of `lost`, whose control is gone, of `half`, whose candidate is, and of `whole`."""
    home = tmp_path_factory.mktemp("unusable")
    for name in VARIANTS:
        (home / f"{name}.toml").write_text(EXTRACTIVE)
    for name, text in PAGES.items():
        (home / name).write_text(text)
    with Runtime(shop.model_copy(update={"home": home / "home", "ledger": new_ledger(), "variants": home})) as runtime:
        ingest([str(home / name) for name in PAGES], "shop", runtime)
        started = Rollouts(runtime.engine)
        for name, control, candidate in (("odd", "now", "next"), ("lost", "gone", "next"), ("half", "now", "gone")):
            trial = policy(name, control=control, candidate=candidate, stages=[99, 100])
            started.start(trial, VARIANTS, "test")
        started.stop("lost", "test")
        Rollouts(runtime.engine, runtime.settings).start(policy("whole", stages=[99, 100]), VARIANTS, "test")
        with runtime.engine.begin() as connection:
            connection.execute(update(rollouts).where(rollouts.c.name == "odd").values(policy='{"kind": "tenfold"}'))
        (home / "gone.toml").unlink()
        yield runtime


@pytest.fixture(scope="module")
def url(runtime: Runtime) -> Iterator[str]:
    with served(runtime.settings, "--collection", "shop", "--variant", "half") as url:
        yield url


def ask(url: str, model: str | None) -> httpx.Response:
    return httpx.post(f"{url}/chat", json={"question": "How long is the warranty of kettles?", "variant": model}, timeout=30)


def test_all_that_can_be_used_answers(url: str) -> None:
    for model in ("now", "next"):
        assert ask(url, model).json()["variant"] == model
    assert [model["id"] for model in httpx.get(f"{url}/v1/models").json()["data"]] == ["half", "lost", "next", "now", "whole"]


def test_a_candidate_whose_file_is_gone_is_taken_back(url: str, runtime: Runtime) -> None:
    assert {ask(url, None).json()["variant"] for _ in range(4)} == {"now"}
    state = Rollouts(runtime.engine).get("half").state
    assert (state.status, state.why) == (
        Status.ROLLED_BACK,
        "the candidate cannot be used: rollout half: variant gone does not exist: put its file back, or begin half anew without it",
    )


def test_a_candidate_that_is_edited_ends_its_rollout(url: str, runtime: Runtime) -> None:
    assert "next" in {ask(url, "whole").json()["variant"] for _ in range(4)}
    (runtime.settings.variants / "next.toml").write_text(f"{EXTRACTIVE}seed = 7\n")
    until = time.monotonic() + 60
    while not Rollouts(runtime.engine).get("whole").state.ended and time.monotonic() < until:
        time.sleep(0.05)
    assert {ask(url, "whole").json()["variant"] for _ in range(4)} == {"now"}
    assert "llm.seed is 7 and was 0" in httpx.get(f"{url}/experiments/whole", timeout=60).text


@pytest.mark.parametrize(("model", "status"), [("odd", 503), ("lost", 500)])
def test_what_only_the_operator_can_mend_is_no_fault_of_who_asks(url: str, model: str, status: int) -> None:
    answer = ask(url, model)
    assert (answer.status_code, answer.json()["detail"]) == (status, "the server's log says why")


def test_the_page_tells_which_and_how_to_mend_it(url: str) -> None:
    page = httpx.get(f"{url}/experiments").text
    assert "rollout odd of the ledger was written by another version of Groundwire (policy.name: Field required)" in page
    assert ">half</a>" in page


def test_a_server_of_what_cannot_be_used_does_not_start(url: str, runtime: Runtime) -> None:
    for model, told in (("odd", "rollout odd of the ledger"), ("lost", "rollout lost: variant gone does not exist")):
        with pytest.raises(RuntimeError, match=told), served(runtime.settings, "--collection", "shop", "--variant", model):
            pass
