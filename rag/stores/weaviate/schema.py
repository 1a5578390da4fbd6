"""How a generation is laid out in Weaviate: the schema of its collection, its objects, and filters on them.

Knows the names and indexes of properties. Knows no connection.
"""

from typing import Any
from uuid import UUID

from weaviate.classes.config import (
    Configure,
    DataType,
    Property,
    StopwordsPreset,
    Tokenization,
    VectorDistances,
    VectorFilterStrategy,
)
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter as Condition

from rag.embedders.base import Vectors
from rag.stores.facets import facets, wanted
from rag.stores.weaviate.address import Address
from rag.text import analyzer
from rag.types import Chunk, Filter

LAYOUT = 1
"""The version of the layout; generations of another are not read."""
_CUTOFF = 40_000
"""If no more chunks than this match a filter, all of them are compared: few matches lower the recall of the graph."""
_EVERY = "[]"
"""A facet that every chunk has."""
EVERYTHING = Condition.by_property("facets").contains_any([_EVERY])
"""A condition that every chunk meets: it makes a search exact."""
NOTHING = Condition.by_property("facets").contains_any([""])
"""A condition that no chunk meets."""


def schema(address: Address) -> dict[str, Any]:
    """The arguments of the client's `collections.create`."""
    return {
        "properties": [
            Property(
                name="terms",
                data_type=DataType.TEXT,
                tokenization=Tokenization.WHITESPACE,
                index_filterable=False,
                index_searchable=True,
            ),
            Property(
                name="facets",
                data_type=DataType.TEXT_ARRAY,
                tokenization=Tokenization.FIELD,
                index_filterable=True,
                index_searchable=False,
            ),
            Property(name="chunk", data_type=DataType.TEXT, index_filterable=False, index_searchable=False),
        ],
        "vector_config": Configure.Vectors.self_provided(
            vector_index_config=Configure.VectorIndex.hnsw(
                distance_metric=VectorDistances.DOT,
                filter_strategy=VectorFilterStrategy.ACORN,
                flat_search_cutoff=_CUTOFF,
            )
        ),
        "inverted_index_config": Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
        "replication_config": Configure.replication(factor=address.replication, async_enabled=address.replication > 1),
        "sharding_config": Configure.sharding(desired_count=address.shards),
    }


def stored(position: int, chunk: Chunk, text: str, vector: Vectors) -> DataObject[Any, Any]:
    """A chunk as an object. Its position is its id, so writing it twice stores it once."""
    return DataObject(
        uuid=UUID(int=position),
        properties={
            "terms": " ".join(analyzer.terms(chunk.embedded, chunk.language)),
            "facets": [_EVERY, *facets(chunk.metadata)],
            "chunk": text,
        },
        vector=vector.tolist(),
    )


def condition(where: Filter) -> Any:
    """The client's form of a filter; null if it has no conditions."""
    every = [Condition.by_property("facets").contains_any(list(any_of)) for any_of in wanted(where)]
    return Condition.all_of(every) if every else None
