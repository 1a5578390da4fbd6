"""What all requests of one process share, and the one place that wires it.

Knows which backend serves which name, and what stays open for how long. Knows nothing of what a request does with it.
"""

import threading
from asyncio import shield, to_thread, wrap_future
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from prompts.library import Library
from rag import variant as variants
from rag.conversation.rewriter import Rewriter
from rag.embedders import open_embedder
from rag.embedders.base import Embedder
from rag.errors import ConfigurationError, GroundwireError, UpstreamError
from rag.ledger.corpus import Collection, Corpus
from rag.ledger.database import connect
from rag.ledger.traces import Traces
from rag.ledger.writer import Writer
from rag.llms.router import Router
from rag.pipeline import Pipeline
from rag.retriever import Retriever
from rag.settings import Settings
from rag.stores import open_store
from rag.validators import calibration, open_validator
from rag.validators.base import Validator
from rag.validators.judge import Judge
from rag.variant import Validation, Variant

OPENERS = 4
"""Generations that are opened at once. In threads of their own: one that takes long keeps nobody waiting who does not need it."""


class Runtime:
    """Opens what is asked for, once; a context manager that closes the ledger and the indexes.

    The router belongs to one event loop: close it there. Every method raises `GroundwireError` for what does not exist or is damaged.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = connect(settings.ledger_url)
        self.writer = Writer(self.engine)
        self.corpus = Corpus(self.engine)
        self.traces = Traces(self.engine, self.writer)
        self.store = open_store(settings.index_place)
        self.router = Router()
        self._embedders: dict[str, Embedder] = {}
        self._retrievers: dict[str, Retriever] = {}
        self._embedding = threading.Lock()
        self._validators: dict[tuple[str, str], Validator] = {}
        self._validating = threading.Lock()
        self._opening = threading.Lock()
        self._openings: dict[Collection, Future[Retriever]] = {}
        self._openers = ThreadPoolExecutor(OPENERS, "open")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._openers.shutdown(wait=False, cancel_futures=True)
        self.writer.close()
        for retriever in self._retrievers.values():
            retriever.index.close()
        self._retrievers.clear()
        self._embedders.clear()
        self.store.close()
        self.engine.dispose()

    def embedder(self, name: str) -> Embedder:
        """By its name in the settings or in a collection."""
        with self._embedding:
            if name not in self._embedders:
                self._embedders[name] = open_embedder(name)
            return self._embedders[name]

    def variant(self, name: str) -> Variant:
        """Read anew each time, so that a changed file is a changed variant."""
        return variants.load(self.settings.variants, name)

    def retriever(self, collection: str) -> Retriever:
        """Over the collection's current generation, which is opened when it is first asked for, and when another is current."""
        current = self._current(collection)
        return current.result() if isinstance(current, Future) else current

    def _current(self, collection: str) -> "Retriever | Future[Retriever]":
        """The one that is open, or its opening, for which all who come meanwhile wait together."""
        found = self.corpus.collection(collection)
        if found.generation is None:
            raise GroundwireError(f"collection {collection} is empty", f"`rag ingest PATH --collection {collection}` fills it")
        retriever = self._retrievers.get(collection)
        if retriever is not None and retriever.index.generation.id == found.generation:
            return retriever
        with self._opening:
            opening = self._openings.get(found)
            if opening is None:
                opening = self._openings[found] = self._openers.submit(self._open, found, found.generation)
                opening.add_done_callback(lambda _: self._openings.pop(found, None))
            return opening

    def _open(self, found: Collection, generation: str) -> Retriever:
        retriever = Retriever(self.embedder(found.embedder), self.store.open(found.name, generation))
        self._retrievers[found.name] = retriever
        return retriever

    def calibration(self, validation: Validation) -> str:
        """What `rag.validators.calibration.load` takes: a shipped one's name, or the path of a file beside the variants."""
        known = validation.calibration in calibration.names()
        return validation.calibration if known else str(self.settings.variants / validation.calibration)

    def validator(self, validation: Validation) -> Validator:
        """What judges the claims of a variant, but for its judge; opened once for each name and calibration."""
        wanted = (validation.name, self.calibration(validation))
        with self._validating:
            if wanted not in self._validators:
                self._validators[wanted] = open_validator(*wanted)
            return self._validators[wanted]

    def rewriter(self, variant: Variant, router: Router) -> Rewriter | None:
        """What is asked, through `router`, to make a question stand alone that rests on what was said before; by default nothing."""
        prompt = variant.prompts.rewrite
        return Rewriter(router, variant.llm.model, Library(self.settings.prompts).get(prompt), variant.llm) if prompt else None

    def judge(self, variant: Variant, router: Router) -> Judge | None:
        """What is asked, through `router`, about the claims that the validator of a variant cannot tell; by default nothing."""
        model = variant.validator.judge
        return Judge(router, model, Library(self.settings.prompts).get("grounding"), variant.llm) if model else None

    async def pipeline(self, variant: Variant | str, collection: str) -> Pipeline:
        """One variant, or the one of that name, over the collection's current generation. Raises `ConfigurationError` for a variant
        that cannot be used.
        """
        made = await to_thread(self._pipeline, variant, collection)
        while isinstance(made, Future):
            # Who leaves meanwhile does not end it for the others.
            await shield(wrap_future(made))
            made = await to_thread(self._pipeline, variant, collection)
        return made

    def _pipeline(self, variant: Variant | str, collection: str) -> "Pipeline | Future[Retriever]":
        """Or what has to be waited for before."""
        retriever = self._current(collection)
        if isinstance(retriever, Future):
            return retriever
        variant = self.variant(variant) if isinstance(variant, str) else variant
        with _configured(variant.name):
            return Pipeline(
                variant=variant,
                prompt=Library(self.settings.prompts).get(variant.prompts.answer),
                retriever=retriever,
                router=self.router,
                validator=self.validator(variant.validator),
                rewriter=self.rewriter(variant, self.router),
                judge=self.judge(variant, self.router),
                traces=self.traces,
            )


@contextmanager
def _configured(variant: str) -> Iterator[None]:
    """What a variant names and cannot be had is told as its fault."""
    try:
        yield
    except UpstreamError:
        raise
    except GroundwireError as error:
        raise ConfigurationError(f"variant {variant}: {error.problem}", error.mend) from error
