"""Where things are kept, from the environment (`GROUNDWIRE_*`).

Knows places, not behaviour: what decides an answer is in the variant. Keys of providers stay in their own variables.
"""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

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

    @property
    def index_place(self) -> str:
        return self.index or str(self.home / "index")
