"""The address of a Weaviate cluster and how to use it, parsed from a `weaviate://` URL.

Knows the form of the URL and the variables beside it. Knows no client, and nothing of what is stored there.
"""

import ipaddress
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl

from pydantic import Field, ValidationError, model_validator

from rag.errors import ConfigurationError
from rag.types import Value

KEY = "WEAVIATE_API_KEY"
"""The variable with the API key. It is never part of the URL, which is shown and logged."""
CERTIFICATES = "SSL_CERT_FILE"
"""The variable with the file of trusted authorities, the same that other programs read."""
Port = Annotated[int, Field(gt=0, lt=65_536)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_FORM = "weaviate://HOST:PORT,HOST:PORT/NAME?grpc=PORT&replication=N"
_URL = re.compile(r"weaviate(\+https)?://([^/?#]*)/?([^?#]*)(?:\?([^#]*))?")
_HOST = re.compile(r"(\[([^\]]*)\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)(?::([0-9]{1,5}))?")
_PATIENCE = 6
"""Writes retry this many times longer than searches: no reader is waiting, and a failed build is expensive."""


class Node(Value):
    """The host and ports of one server."""

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
    """How to use a cluster: the part of the URL behind the `?`."""

    replication: int = Field(default=1, ge=1)
    """Number of copies of every chunk."""
    consistency: Literal["one", "quorum", "all"] = "quorum"
    """How many of the copies must have answered."""
    shards: int = Field(default=1, ge=1)
    """Parts a generation is divided into. BM25 counts words in each part separately."""
    connect_timeout: Seconds = 2.0
    """How long to wait for a connection, and for a node's answer that it is ready."""
    timeout: Seconds = 5.0
    """How long to wait for the result of a search."""
    retry: Seconds = 10.0
    """How long to retry a search, on one node after another, from its first attempt on."""

    @property
    def patience(self) -> float:
        """How long to retry a write, in seconds."""
        return _PATIENCE * self.retry


class Address(Options):
    """A cluster's nodes, and how to use them."""

    nodes: tuple[Node, ...]
    secure: bool
    name: str = Field(default="main", pattern=r"^[a-z0-9]{1,32}$")
    """The name of the installation: several may share a cluster."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a `weaviate://` URL. Raises `ConfigurationError`, which quotes no part that may be a secret."""
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
    """The first fault, with the setting it is in."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"
