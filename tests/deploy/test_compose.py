"""The shipped compose file and image say what this code reads, in the right places, and keep no secret. Docker itself is not run here."""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.cli import app
from rag.ledger.database import parse_url
from rag.ledger.failures import PATIENCE_SECONDS
from rag.settings import Settings
from rag.stores.weaviate.address import Address
from tests.servers.nginx import filled_in

DEPLOY = Path(__file__).parents[2] / "deploy"
ROOT = DEPLOY.parent
OTHERS = {"FORWARDED_ALLOW_IPS", "PGPASSWORD", "WEAVIATE_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"}
"""What is read by uvicorn, libpq, our Weaviate store and the providers' clients."""
VARIABLE = re.compile(r"\$\{(\w+)(:[-?][^}]*)?\}")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REPLICAS = {name: service for name, service in SERVICES.items() if name.startswith("replica-")}
OURS = {**REPLICAS, "ingest": SERVICES["ingest"]}
EXAMPLE = (DEPLOY / ".env.example").read_text()
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def texts(value: Any) -> Iterator[str]:
    """Every text in it."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def option(service: dict[str, Any], name: str) -> str:
    command: list[str] = service["command"]
    return command[command.index(name) + 1]


def test_three_replicas_are_the_same_but_for_their_addresses() -> None:
    assert len(REPLICAS) == 3
    alike = [{key: value for key, value in service.items() if key != "networks"} for service in REPLICAS.values()]
    assert alike[0] == alike[1] == alike[2]
    addresses = [service["networks"]["default"]["ipv4_address"] for service in (*REPLICAS.values(), SERVICES["nginx"])]
    assert len(set(addresses)) == 4
    subnet = COMPOSE["networks"]["default"]["ipam"]["config"][0]["subnet"]
    assert all(address.startswith(subnet.removesuffix("0/24")) for address in addresses)
    dealt_out = ip_network(COMPOSE["networks"]["default"]["ipam"]["config"][0]["ip_range"])
    assert dealt_out.subnet_of(ip_network(subnet))
    assert not any(ip_address(address) in dealt_out for address in addresses)


def test_nginx_knows_where_the_replicas_are_and_they_know_nginx() -> None:
    environment = SERVICES["nginx"]["environment"]
    servers = re.findall(r"server (\S+):(\d+) max_fails=1 fail_timeout=1s;", environment["GROUNDWIRE_REPLICAS"])
    assert servers == [(service["networks"]["default"]["ipv4_address"], "8000") for service in REPLICAS.values()]
    assert all(
        service["environment"]["FORWARDED_ALLOW_IPS"] == SERVICES["nginx"]["networks"]["default"]["ipv4_address"]
        for service in REPLICAS.values()
    )
    template = (DEPLOY / "nginx.conf").read_text()
    assert set(VARIABLE.findall(template)) == {(name, "") for name in environment if name.startswith("GROUNDWIRE_")}
    assert "${" not in filled_in("80", ["127.0.0.1:8000"])
    (port,) = SERVICES["nginx"]["ports"]
    assert port.rpartition(":")[2] == environment["GROUNDWIRE_LISTEN"]


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_read_by_somebody_and_has_a_value_that_can_be_read(name: str) -> None:
    environment = OURS[name]["environment"]
    fields = {f"GROUNDWIRE_{field.upper()}" for field in Settings.model_fields}
    assert set(environment) <= fields | OTHERS
    assert parse_url(environment["GROUNDWIRE_LEDGER"]).host in SERVICES
    assert [node.host for node in Address.parse(environment["GROUNDWIRE_INDEX"]).nodes] == ["weaviate"]


@pytest.mark.parametrize("name", OURS)
def test_commands_are_ours_and_options_exist(name: str) -> None:
    import typer

    import rag.cli

    program, command, *options = OURS[name]["command"]
    commands = typer.main.get_command({"api": app, "rag": rag.cli.app}[program])
    known = {flag for parameter in commands.commands[command].params for flag in parameter.opts}  # type: ignore[attr-defined]
    assert {part for part in options if part.startswith("--")} <= known


def test_what_ends_has_the_time_to() -> None:
    for service in REPLICAS.values():
        ending = int(option(service, "--drain")) + int(option(service, "--grace")) + PATIENCE_SECONDS
        assert seconds(service["stop_grace_period"]) > ending
        # A replica that is back may count as failed for so long: the next one still answers then.
        assert int(option(service, "--drain")) > 1


def test_images_are_pinned_and_health_is_watched() -> None:
    for name, service in SERVICES.items():
        assert re.search(r":(\d+\.\d+[\w.-]*|local)$", service["image"]), name
        assert "/" not in service["image"] or "." not in service["image"].partition("/")[0], "a registry of its own"
        if name != "nginx":
            assert "healthcheck" in service, name
    assert SERVICES["weaviate"]["image"].endswith(":1.39.0")
    for service in OURS.values():
        assert {needed["condition"] for needed in service["depends_on"].values()} == {"service_healthy"}
        assert set(service["depends_on"]) <= set(SERVICES)


def test_what_is_kept_is_on_volumes_and_what_is_mounted_exists() -> None:
    named = set()
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = VARIABLE.sub(lambda found: found[2].removeprefix(":-"), mount).split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), mount
            else:
                named.add(source)
    assert named == set(COMPOSE["volumes"]) == {"postgres", "weaviate"}


def test_only_nginx_is_published_and_to_this_machine() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]
    assert SERVICES["nginx"]["ports"][0].startswith("${PUBLISHED:-127.0.0.1:")


def test_secrets_come_from_outside() -> None:
    used = {name for text in texts(SERVICES) for name, _ in VARIABLE.findall(text)}
    told = set(re.findall(r"^#? ?(\w+)=", EXAMPLE, re.MULTILINE))
    assert used | {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"} == told
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|_KEYS?$", name):
                assert value is None or VARIABLE.fullmatch(value), name
    assert re.search(r"^POSTGRES_PASSWORD=$", EXAMPLE, re.MULTILINE)
    assert re.search(r"^WEAVIATE_API_KEY=$", EXAMPLE, re.MULTILINE)
    assert ".env" in (DEPLOY / ".gitignore").read_text().split()


def test_the_image_installs_what_is_locked_and_runs_as_nobody_in_particular() -> None:
    assert re.search(r"^FROM python:\d+\.\d+\.\d+-slim\S*$", DOCKERFILE, re.MULTILINE)
    installed = re.findall(r"pip install (.*?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    locks = [line for line in installed if "-r" in line.split()]
    assert [line.split()[-1] for line in locks] == ["requirements/default.lock", "requirements/models.lock"]
    assert all("--require-hashes" in line for line in locks)
    assert all("--no-deps" in line for line in installed)
    assert re.search(r"^USER groundwire$", DOCKERFILE, re.MULTILINE)
    assert "HEALTHCHECK" in DOCKERFILE
    for copied in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / source).exists() for source in copied.split())
    kept = {line.removeprefix("!") for line in (DEPLOY / "Dockerfile.dockerignore").read_text().split() if line.startswith("!")}
    assert {
        source.partition("/")[0] for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for source in line.split()
    } == kept
