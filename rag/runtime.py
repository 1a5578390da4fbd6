"""What all requests of one process share, and the one place that wires it.

Knows which backend a name stands for, and how long it stays open. Knows nothing of what a request does with it.
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
"""Generations opened at the same time, in threads of their own, so that a slow one delays only the requests that need it."""


class Runtime:
    """Opens each backend once, when it is first needed; a context manager that closes the ledger and the indexes.

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
        """The embedder of that name, which the settings or a collection have."""
        with self._embedding:
            if name not in self._embedders:
                self._embedders[name] = open_embedder(name)
            return self._embedders[name]

    def variant(self, name: str) -> Variant:
        """The variant of that name; its file is read each time, so that changes apply at once."""
        return variants.load(self.settings.variants, name)

    def retriever(self, collection: str) -> Retriever:
        """The retriever over a collection's current generation, opened on first use and after a switch to another generation."""
        current = self._current(collection)
        return current.result() if isinstance(current, Future) else current

    def _current(self, collection: str) -> "Retriever | Future[Retriever]":
        """The open retriever of the current generation; while it is opened, the future that all requests for it share."""
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
        """The calibration as `rag.validators.calibration.load` takes it: a shipped one's name, or the path of a file beside the variants."""
        known = validation.calibration in calibration.names()
        return validation.calibration if known else str(self.settings.variants / validation.calibration)

    def validator(self, validation: Validation) -> Validator:
        """The validator of a variant, without its judge; opened once for each name and calibration."""
        wanted = (validation.name, self.calibration(validation))
        with self._validating:
            if wanted not in self._validators:
                self._validators[wanted] = open_validator(*wanted)
            return self._validators[wanted]

    def rewriter(self, variant: Variant, router: Router) -> Rewriter | None:
        """The model that rewrites a question that depends on the history, called through `router`; none unless the variant names its prompt."""
        prompt = variant.prompts.rewrite
        return Rewriter(router, variant.llm.model, Library(self.settings.prompts).get(prompt), variant.llm) if prompt else None

    def judge(self, variant: Variant, router: Router) -> Judge | None:
        """The judge of claims that the validator leaves uncertain, called through `router`; none unless the variant names its model."""
        model = variant.validator.judge
        return Judge(router, model, Library(self.settings.prompts).get("grounding"), variant.llm) if model else None

    async def pipeline(self, variant: Variant | str, collection: str) -> Pipeline:
        """The pipeline of a variant, given or named, over a collection's current generation.

        Raises `ConfigurationError` for a variant that cannot be used.
        """
        made = await to_thread(self._pipeline, variant, collection)
        while isinstance(made, Future):
            # Shielded: a request that is cancelled meanwhile does not cancel the opening that others wait for.
            await shield(wrap_future(made))
            made = await to_thread(self._pipeline, variant, collection)
        return made

    def _pipeline(self, variant: Variant | str, collection: str) -> "Pipeline | Future[Retriever]":
        """The pipeline, or what to wait for before it can be made."""
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
    """Turn errors about what a variant names into a `ConfigurationError` that names the variant."""
    try:
        yield
    except UpstreamError:
        raise
    except GroundwireError as error:
        raise ConfigurationError(f"variant {variant}: {error.problem}", error.mend) from error
