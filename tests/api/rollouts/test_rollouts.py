"""The state of rollouts: each change is done once, by whoever comes first, and leaves a row in the audit."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from api.rollouts.controller import Controller
from api.rollouts.policy import Kind
from api.rollouts.rollouts import Choice, Rollouts
from api.rollouts.state import Arm, Change, State, Status, now
from rag.errors import ConfigurationError, GroundwireError, NotFoundError, StorageError
from rag.ledger.database import connect
from rag.settings import Settings
from tests.api.rollouts.traffic import VARIANTS, policy

UNITS = [f"user {number}" for number in range(300)]


@pytest.fixture
def rollouts(engine: Engine) -> Rollouts:
    return Rollouts(engine)


def audit(rollouts: Rollouts, name: str = "trial") -> list[tuple[str, Change, str]]:
    return [(event.actor, event.event, event.detail) for event in rollouts.events(name)]


def variants(rollouts: Rollouts, model: str = "trial") -> set[str]:
    return {rollouts.choose(model, unit).variant for unit in UNITS}


def test_a_name_that_is_no_rollout_is_a_variant(rollouts: Rollouts) -> None:
    assert rollouts.choose("careful", "user 1") == Choice("careful")
    assert rollouts.names() == []


def test_a_rollout_decides_from_its_start_to_beyond_its_end(rollouts: Rollouts) -> None:
    rollouts.start(policy(kind="ab", description="shorter answers"), VARIANTS, "ann")
    assert variants(rollouts) == {"now", "next"}
    assert rollouts.promote("trial", "bob", "looks good").state.status is Status.PROMOTED
    assert variants(rollouts) == {"next"}
    assert rollouts.rollback("trial", "ann", "it does not").state.why == "it does not"
    assert variants(rollouts) == {"now"}
    assert rollouts.names() == ["trial"]
    assert audit(rollouts) == [
        ("ann", Change.STARTED, "shorter answers"),
        ("bob", Change.PROMOTED, "looks good"),
        ("ann", Change.ROLLED_BACK, "it does not"),
    ]


def test_a_restart_assigns_as_before(rollouts: Rollouts, engine: Engine) -> None:
    rollouts.start(policy(stages=[30, 100]), VARIANTS, "ann")
    again = Rollouts(engine)
    assert [again.choose("trial", unit) for unit in UNITS] == [rollouts.choose("trial", unit) for unit in UNITS]


def test_an_ended_rollout_is_replaced_by_one_of_its_name(rollouts: Rollouts) -> None:
    rollouts.start(policy(), VARIANTS, "ann")
    with pytest.raises(GroundwireError, match="rollout trial is running: `api rollout stop trial` ends it"):
        rollouts.start(policy(kind="ab"), VARIANTS, "ann")
    rollouts.stop("trial", "ann")
    started = rollouts.start(policy(kind="ab"), VARIANTS, "ann")
    assert (started.policy.kind, started.revision, started.state.ended) == (Kind.AB, 2, False)
    assert rollouts.get("trial") == started == rollouts.all()[0]
    assert len(audit(rollouts)) == 3


def test_names_are_of_one_thing(rollouts: Rollouts) -> None:
    with pytest.raises(GroundwireError, match="rollout other has the name of a variant: rename its file"):
        rollouts.start(policy("other"), VARIANTS, "ann")
    with pytest.raises(NotFoundError, match="variant never does not exist: there are next, now, other"):
        rollouts.start(policy(candidate="never"), VARIANTS, "ann")
    with pytest.raises(NotFoundError, match="rollout trial does not exist"):
        rollouts.stop("trial", "ann")
    assert rollouts.names() == []


@pytest.mark.parametrize("end", [Rollouts.stop, Rollouts.promote, Rollouts.rollback])
def test_what_has_ended_does_not_end_again(rollouts: Rollouts, end: Callable[..., object]) -> None:
    rollouts.start(policy(), VARIANTS, "ann")
    rollouts.stop("trial", "ann")
    with pytest.raises(GroundwireError, match="rollout trial has ended: stopped"):
        end(rollouts, "trial", "ann")
    assert len(audit(rollouts)) == 2


def test_who_comes_too_late_to_end_it_knows_by_then_that_it_has_ended(engine: Engine) -> None:
    ours = Rollouts(engine)
    ours.start(policy(kind="ab"), VARIANTS, "ann")
    Rollouts(engine).rollback("trial", "another process")
    assert variants(ours) == {"now", "next"}
    with pytest.raises(GroundwireError, match="rollout trial has ended: rolled back"):
        ours.rollback("trial", "ann")
    assert variants(ours) == {"now"}


def test_a_switch_is_one_change_and_the_same_goes_back(rollouts: Rollouts) -> None:
    rollouts.start(policy(kind="blue-green"), VARIANTS, "ann")
    assert variants(rollouts) == {"now"}
    assert rollouts.switch("trial", "ann").state.active is Arm.CANDIDATE
    assert variants(rollouts) == {"next"}
    rollouts.switch("trial", "ann")
    assert variants(rollouts) == {"now"}
    assert [event for _, event, _ in audit(rollouts)] == [Change.STARTED, Change.SWITCHED, Change.SWITCHED]


def test_only_a_blue_green_is_switched(rollouts: Rollouts) -> None:
    rollouts.start(policy(), VARIANTS, "ann")
    with pytest.raises(GroundwireError, match="of kind canary: only a blue-green is switched"):
        rollouts.switch("trial", "ann")


def test_of_many_who_try_a_step_one_takes_it(engine: Engine) -> None:
    Rollouts(engine).start(policy(), VARIANTS, "ann")
    barrier = threading.Barrier(8)

    def race(number: int) -> int:
        own = connect(str(engine.url))
        mine, taken = Rollouts(own), 0
        for stage in range(1, 6):
            barrier.wait()
            mine.refresh()
            rollout = mine.running()[0]
            barrier.wait()
            taken += mine.step(rollout, Change.ADVANCED, State(stage=stage % 3, since=now()), f"worker {number}")
        own.dispose()
        return taken

    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(race, range(8)))
    assert sum(taken) == 5
    found = Rollouts(engine)
    assert found.get("trial").revision == 5
    assert len(audit(found)) == 6


def test_a_step_from_what_was_is_not_taken(rollouts: Rollouts) -> None:
    stale = rollouts.start(policy(), VARIANTS, "ann")
    rollouts.stop("trial", "ann")
    assert not rollouts.step(stale, Change.ADVANCED, State(stage=1, since=now()), "worker")
    assert rollouts.get("trial").state.status is Status.STOPPED
    assert len(audit(rollouts)) == 2


@pytest.mark.anyio
async def test_other_processes_come_to_know_and_no_query_holds_up_the_loop(engine: Engine) -> None:
    ours, theirs = Rollouts(engine), Rollouts(engine)
    asking: set[int] = set()
    event.listen(engine, "before_cursor_execute", lambda *_: asking.add(threading.get_ident()))
    running = asyncio.create_task(Controller(ours).run())
    try:
        await asyncio.to_thread(theirs.start, policy(kind="blue-green"), VARIANTS, "ann")
        await told(ours, "now")
        await asyncio.to_thread(theirs.switch, "trial", "ann")
        await told(ours, "next")
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert asking
    assert threading.get_ident() not in asking


async def told(rollouts: Rollouts, variant: str) -> None:
    """Until requests are answered by `variant`."""
    async with asyncio.timeout(30):
        while rollouts.choose("trial", "user 1").variant != variant:
            await asyncio.sleep(0.002)


@pytest.mark.anyio
async def test_a_database_that_fails_ends_nothing(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    rollouts = Rollouts(engine)
    rollouts.start(policy(kind="blue-green"), VARIANTS, "ann")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE rollouts RENAME TO away"))
    running = asyncio.create_task(Controller(rollouts).run())
    async with asyncio.timeout(30):
        while "rollouts go on as they were known" not in caplog.text:
            await asyncio.sleep(0.01)
    assert not running.done()
    assert variants(rollouts) == {"now"}
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO rollouts"))
    await asyncio.to_thread(Rollouts(engine).switch, "trial", "ann")
    await told(rollouts, "next")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def damage(engine: Engine, name: str = "trial") -> None:
    """As a version would that knows other states."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE rollouts SET state = '{\"mood\": 1}' WHERE name = :name"), {"name": name})


def test_a_row_of_another_version_is_told_once_and_keeps_nothing_else_from_its_place(
    rollouts: Rollouts, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    rollouts.start(policy(), VARIANTS, "ann")
    rollouts.start(policy("fine", kind="ab"), VARIANTS, "ann")
    damage(engine)
    found = Rollouts(engine)
    found.refresh()
    told = (
        "rollout trial of the ledger was written by another version of Groundwire (state.since: Field required): run that version"
    )
    assert caplog.text.count(told) == 1
    assert [str(error).startswith(told) for error in found.unreadable()] == [True]
    assert found.names() == ["fine"] == [rollout.name for rollout in found.all()]
    assert variants(found, "fine") == {"now", "next"}
    for asked in (lambda: found.choose("trial", "user 1"), lambda: found.fallback_variant("trial"), lambda: found.get("trial")):
        with pytest.raises(StorageError, match="rollout trial of the ledger was written by another version"):
            asked()
    with pytest.raises(StorageError, match="`api rollout start FILE`"):
        found.stop("trial", "ann")
    found.start(policy(kind="ab"), VARIANTS, "ann")
    assert variants(found) == {"now", "next"}
    assert found.unreadable() == []


def test_what_another_version_changes_goes_on_as_it_was_known(rollouts: Rollouts, engine: Engine) -> None:
    rollouts.start(policy(kind="ab"), VARIANTS, "ann")
    rollouts.start(policy("fine", kind="blue-green"), VARIANTS, "ann")
    damage(engine)
    Rollouts(engine).switch("fine", "bob")
    rollouts.refresh()
    assert variants(rollouts, "fine") == {"next"}
    assert variants(rollouts) == {"now", "next"}
    assert len(rollouts.unreadable()) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the variants."""
    (tmp_path / "variants").mkdir()
    for name in VARIANTS:
        (tmp_path / "variants" / f"{name}.toml").touch()
    return tmp_path / "variants"


def test_a_variant_takes_the_name_of_a_rollout_that_has_ended(engine: Engine, folder: Path) -> None:
    rollouts = Rollouts(engine, Settings(variants=folder))
    rollouts.start(policy(kind="ab"), VARIANTS, "ann")
    rollouts.promote("trial", "ann")
    assert variants(rollouts) == {"next"}
    (folder / "trial.toml").touch()
    rollouts.refresh()
    assert variants(rollouts) == {"trial"}
    assert rollouts.fallback_variant("trial") == "trial"
    with pytest.raises(GroundwireError, match="rollout trial has ended: promoted"):
        rollouts.rollback("trial", "ann")
    with pytest.raises(GroundwireError, match="rollout trial has the name of a variant"):
        rollouts.start(policy(), [*VARIANTS, "trial"], "ann")
    (folder / "trial.toml").unlink()
    rollouts.refresh()
    assert variants(rollouts) == {"next"}


def test_a_running_rollout_keeps_its_name_and_it_is_told(engine: Engine, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rollouts = Rollouts(engine, Settings(variants=folder))
    rollouts.start(policy(kind="ab"), VARIANTS, "ann")
    (folder / "trial.toml").touch()
    for _ in range(3):
        rollouts.refresh()
    assert variants(rollouts) == {"now", "next"}
    assert caplog.text.count("variant trial has the name of a running rollout") == 1


def test_a_variant_that_is_gone_is_told_with_its_rollout(engine: Engine, folder: Path) -> None:
    rollouts = Rollouts(engine, Settings(variants=folder))
    rollouts.start(policy(), VARIANTS, "ann")
    (folder / "next.toml").unlink()
    assert rollouts.fallback_variant("trial") == "now"
    rollouts.require("trial", "now")
    rollouts.require("another", "never")
    with pytest.raises(ConfigurationError, match="rollout trial: variant next does not exist: put its file back"):
        rollouts.require("trial", "next")
    rollouts.promote("trial", "ann")
    with pytest.raises(ConfigurationError, match="rollout trial: variant next does not exist: put its file back"):
        rollouts.fallback_variant("trial")
