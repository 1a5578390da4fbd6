"""`api keys`: a secret is printed once, budgets are exact, lists say what was spent today."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner, Result

from api.access.cli import app, nanodollars
from api.access.keys import Keys
from prompts.errors import GroundwireError
from rag.ledger.database import opened
from rag.ledger.schema import allowances
from rag.settings import Settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GROUNDWIRE_LEDGER", ledger_url)
    monkeypatch.setenv("COLUMNS", "120")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, catch_exceptions=False)


def test_a_key_is_made_shown_once_and_found() -> None:
    made = run("create", "website", "--collection", "guide", "-c", "shop", "--model", "canary", "--per-minute", "60")
    secret = made.stdout.strip()
    assert "It is not shown again." in made.stderr
    listed = run("list")
    with opened(Settings().ledger_url) as engine:
        key = Keys(engine).find(secret)
    assert key is not None
    assert (key.collections, key.models, key.per_minute, key.admin) == (("guide", "shop"), ("canary",), 60, False)
    for shown in (key.id, "website", "collections guide, shop", "models canary", "60"):
        assert shown in listed.stdout
    assert secret not in listed.stdout + run("list", "--json").stdout


def test_what_a_key_may_use_and_is_not_there_is_noted() -> None:
    made = run("create", "web", "-c", "nop", "--model", "default", "--model", "nope")
    assert made.exit_code == 0
    assert "note: there is no collection nop yet; there is none\n" in made.stderr
    assert "note: there is no variant or rollout nope yet; there is default, extractive, hosted\n" in made.stderr
    assert "no variant or rollout default" not in made.stderr


def test_as_json_a_key_has_its_secret_once_and_its_limits() -> None:
    made = json.loads(run("create", "operator", "--admin", "--concurrent", "4", "--daily-budget", "2.50", "--json").stdout)
    secret = made.pop("secret")
    assert secret.startswith(f"gw_{made['id']}_")
    assert json.loads(run("list", "--json").stdout) == {**made, "spent_nanodollars": 0}
    assert (made["admin"], made["concurrent"], made["daily_nanodollars"]) == (True, 4, 2_500_000_000)


def test_a_list_says_what_was_spent_today() -> None:
    for name in ("today", "yesterday"):
        run("create", name, "--daily-budget", "1")
    with opened(Settings().ledger_url) as engine, engine.begin() as connection:
        today, yesterday = Keys(engine).all()
        for key, day in ((today, datetime.now(UTC).date().isoformat()), (yesterday, "2020-01-01")):
            row = update(allowances).where(allowances.c.key_id == key.id)
            connection.execute(row.values(day=day, spent_nanodollars=250_000_001))
    listed = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [key["spent_nanodollars"] for key in listed] == [250_000_001, 0]
    assert "$0.250000001" in run("list").stdout


def test_a_revoked_key_stays_in_the_list() -> None:
    id = json.loads(run("create", "website", "--json").stdout)["id"]
    assert f"website ({id}) was revoked at 20" in run("revoke", id).stdout
    first = run("list", "--json").stdout
    run("revoke", id)
    assert run("list", "--json").stdout == first
    assert "revoked" in run("list").stdout
    with pytest.raises(GroundwireError, match="no key has the id nope"):
        run("revoke", "nope")


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [("2.50", 2_500_000_000), ("0", 0), ("0.000000001", 1), ("1e2", 100_000_000_000), ("999999999.999999999", 10**18 - 1)],
)
def test_a_budget_is_exact(dollars: str, expected: int) -> None:
    assert nanodollars(dollars) == expected


@pytest.mark.parametrize("dollars", ["", "two", "nan", "inf", "-inf", "-1", "0.0000000001", "1000000000", "1e400", "2,50", "$2"])
def test_what_is_no_budget_is_told(dollars: str) -> None:
    with pytest.raises(GroundwireError, match="--daily-budget"):
        run("create", "website", "--daily-budget", dollars)
    assert run("list", "--json").stdout == ""


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_a_name_is_needed(name: str) -> None:
    with pytest.raises(GroundwireError, match="1 to 100 characters"):
        run("create", name)


def test_brackets_in_a_name_are_text() -> None:
    run("create", "[/b] website")
    assert "[/b] website" in run("list").stdout


def test_the_commands_are_light() -> None:
    program = "import sys, api.access.cli; print(*{'sqlalchemy', 'fastapi', 'litellm', 'scipy', 'rich.table'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split() == []
