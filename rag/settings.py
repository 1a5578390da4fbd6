"""Where things are kept, from the environment (`GROUNDWIRE_*`).

Knows places, not behaviour: what decides an answer is in the variant. Keys of providers stay in their own variables.
"""

from pathlib import Path
from typing import Self

from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.errors import NotFoundError

PACKAGE = Path(__file__).parent


class Settings(BaseSettings):
    """`GROUNDWIRE_HOME` holds everything a run makes, but for what is kept on servers; `PROMPTS` and `VARIANTS` replace the libraries
    that are shipped."""

    model_config = SettingsConfigDict(env_prefix="GROUNDWIRE_", frozen=True)

    home: Path = Path("data/run")
    """The ledger and the index generations, unless they have places of their own."""
    ledger: str | None = None
    """`postgresql://...`; without it, SQLite in the home."""
    index: str | None = None
    """`weaviate://...` or another folder; without it, FAISS in the home."""
    prompts: Path = PACKAGE.parent / "prompts"
    """The prompt library: `<name>/v<version>.prompty`."""
    variants: Path = PACKAGE / "variants"
    """`<name>.toml`."""
    embedder: str = "onnx"
    """For collections that do not exist yet; a collection keeps the embedder it began with."""

    @property
    def ledger_url(self) -> str:
        return self.ledger or f"sqlite:///{self.home.absolute() / 'ledger.db'}"

    def existing(self) -> Self:
        """The same, where there is a ledger to be read. Raises `NotFoundError`: what only reads makes none."""
        if self.ledger is None and not (self.home / "ledger.db").exists():
            problem = f"there is nothing in the home {self.home.absolute()} yet"
            raise NotFoundError(problem, "`rag ingest PATH` fills it; set GROUNDWIRE_HOME to name another")
        return self

    @property
    def index_place(self) -> str:
        return self.index or str(self.home / "index")
