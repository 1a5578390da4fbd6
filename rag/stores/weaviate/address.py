"""Where a Weaviate cluster is and how it is used, as a `weaviate://` URL says it.

Knows the form of the URL and the variables beside it. Knows no client, and nothing of what is kept there.
"""

import ipaddress
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl

from pydantic import Field, ValidationError, model_validator

from rag.errors import ConfigurationError
from rag.types import Value

KEY = "WEAVIATE_API_KEY"
"""The variable with the API key: a URL is shown and logged, so it is never in there."""
CERTIFICATES = "SSL_CERT_FILE"
"""The variable with the file of the authorities that are trusted, as other programs have it."""
Port = Annotated[int, Field(gt=0, lt=65_536)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_FORM = "weaviate://HOST:PORT,HOST:PORT/NAME?grpc=PORT&replication=N"
_URL = re.compile(r"weaviate(\+https)?://([^/?#]*)/?([^?#]*)(?:\?([^#]*))?")
_HOST = re.compile(r"(\[([^\]]*)\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)(?::([0-9]{1,5}))?")
_PATIENCE = 6
"""Times as long is tried again what writes: nobody waits for it with a question, and what it would lose took long."""


class Node(Value):
    """Where one server listens."""

    host: str
    port: Port
    grpc: Port

    @model_validator(mode="after")
    def _require_two_ports(self) -> Self:
        if self.port == self.grpc:
            raise ValueError(f"{self.port} is its port for HTTP and for gRPC: Weaviate has two")
        return self

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Options(Value):
    """How a cluster is used: what stands behind the `?`."""

    replication: int = Field(default=1, ge=1)
    """Copies of every chunk."""
    consistency: Literal["one", "quorum", "all"] = "quorum"
    """How many of the copies must have answered."""
    shards: int = Field(default=1, ge=1)
    """Parts that a generation is divided into; BM25 counts words in each of its own."""
    connect_timeout: Seconds = 2.0
    """To wait for a connection, and for a node to say that it is ready."""
    timeout: Seconds = 5.0
    """To wait for the answer to a question."""
    retry: Seconds = 10.0
    """From the beginning of a search in which it is tried again, on one node after another."""

    @property
    def patience(self) -> float:
        """Seconds in which what writes is tried again."""
        return _PATIENCE * self.retry


class Address(Options):
    """Where a cluster is, and how it is used."""

    nodes: tuple[Node, ...]
    secure: bool
    name: str = Field(default="main", pattern=r"^[a-z0-9]{1,32}$")
    """The installation: several may share a cluster."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises `ConfigurationError` that says what is wrong with it, without what may be a secret."""
        if "@" in url:
            raise ConfigurationError("GROUNDWIRE_INDEX has a user or a password in it", f"leave it out and set {KEY}")
        try:
            return cls.model_validate(_fields(url))
        except ValueError as error:
            raise ConfigurationError(
                f"GROUNDWIRE_INDEX {url.partition('?')[0]} cannot be used: {_reason(error)}",
                f"write it as {_FORM}; the guide's page on Weaviate has all settings",
            ) from error


def _fields(url: str) -> dict[str, Any]:
    parts = _URL.fullmatch(url)
    if not parts:
        raise ValueError("it is not of that form")
    secure, netloc, path, query = parts.groups(default="")
    options = dict(parse_qsl(query, keep_blank_values=True))
    hosts, ports = netloc.split(","), options.pop("grpc", "50051").split(",")
    if len(ports) not in (1, len(hosts)):
        raise ValueError(f"it has {len(ports)} gRPC ports for {len(hosts)} hosts: give one for all, or one for each")
    return {
        "nodes": [_node(host, port) for host, port in zip(hosts, ports * (len(hosts) // len(ports)), strict=True)],
        "secure": bool(secure),
        "name": path.rstrip("/") or "main",
        **Options.model_validate(options).model_dump(),
    }


def _node(host: str, grpc: str) -> dict[str, str]:
    parts = _HOST.fullmatch(host)
    if not parts:
        raise ValueError("its hosts are not HOST or HOST:PORT, separated by commas")
    if parts[2] is not None:
        ipaddress.IPv6Address(parts[2])
    return {"host": parts[1], "port": parts[3] or "8080", "grpc": grpc}


def _reason(error: ValueError) -> str:
    """What is wrong, and in which setting."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"
