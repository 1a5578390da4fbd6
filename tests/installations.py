"""An installation of its own on a Weaviate that tests share, gone afterwards."""

import itertools
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from weaviate import WeaviateClient

from rag.stores.weaviate.address import Address
from rag.stores.weaviate.cluster import Cluster
from tests.servers.weaviate import installation

_NUMBERS = itertools.count()


@contextmanager
def own(place: str, **options: str) -> Iterator[str]:
    """The place of an installation that nobody else has; what it kept is dropped."""
    place = installation(place, f"t{os.getpid()}n{next(_NUMBERS)}", **options)
    try:
        yield place
    finally:
        with closing(Cluster(Address.parse(place))) as cluster:
            cluster.call(lambda client: _forget(client, f"Groundwire_{cluster.address.name}_"))


def _forget(client: WeaviateClient, prefix: str) -> None:
    for alias in client.alias.list_all():
        if alias.startswith(prefix):
            client.alias.delete(alias_name=alias)
    client.collections.delete([name for name in client.collections.list_all() if name.startswith(prefix)])
