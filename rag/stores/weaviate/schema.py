"""How a generation is laid out in Weaviate: the schema of its collection, its objects, and the conditions on them.

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
"""Of what is written into Weaviate; another is not read."""
_CUTOFF = 40_000
"""Chunks that match a filter and are compared one by one, as recall along the graph falls where few match."""
_EVERY = "[]"
"""The facet of every chunk."""
EVERYTHING = Condition.by_property("facets").contains_any([_EVERY])
"""A condition that every chunk meets: it makes a search exact."""
NOTHING = Condition.by_property("facets").contains_any([""])


def schema(address: Address) -> dict[str, Any]:
    """How a collection is made, as the client's `collections.create` takes it."""
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
    """A chunk as an object. Its position is its id: written again, it is there once."""
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
    """What an object must meet, or None where all may pass."""
    every = [Condition.by_property("facets").contains_any(list(any_of)) for any_of in wanted(where)]
    return Condition.all_of(every) if every else None
