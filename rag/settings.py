"""Where things are kept on this machine, from the environment (`GROUNDWIRE_*`).

Knows places, not behaviour: what decides an answer is in the variant. Keys of providers stay in their own variables.
"""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGE = Path(__file__).parent


class Settings(BaseSettings):
    """`GROUNDWIRE_HOME` holds everything a run makes; the other two replace the libraries that are shipped."""

    model_config = SettingsConfigDict(env_prefix="GROUNDWIRE_", frozen=True)

    home: Path = Path("data/run")
    """The ledger and the index generations."""
    prompts: Path = PACKAGE.parent / "prompts"
    """The prompt library: `<name>/v<version>.prompty`."""
    variants: Path = PACKAGE / "variants"
    """`<name>.toml`."""
    embedder: str = "onnx"
    """For collections that do not exist yet; a collection keeps the embedder it began with."""

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.home.absolute() / 'ledger.db'}"

    @property
    def index_root(self) -> Path:
        return self.home / "index"
