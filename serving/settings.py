"""What the environment says: the one place where it is read.

Every field is an environment variable `THRESHER_<FIELD>`; the four that other tools share keep those tools' names.
"""

from pathlib import Path
from typing import Literal

from platformdirs import user_cache_dir, user_data_dir
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent.errors import BadInput


class Settings(BaseSettings):
    """Where things are kept and where the LLM is."""

    model_config = SettingsConfigDict(env_prefix="THRESHER_", frozen=True, extra="ignore", env_ignore_empty=True)

    cache: Path = Field(default_factory=lambda: Path(user_cache_dir("thresher")))
    """Can be made again: weights, the engine's environment, its state and log, prepared data. Shared by all clones."""
    home: Path = Field(default_factory=lambda: Path(user_data_dir("thresher")))
    """Cannot be made again: the database of runs and what they produced."""
    data: Path | None = None
    """Folder of local copies of data sets: `<folder>/<card>/train.jsonl` and `test.jsonl`; empty: none."""
    model: str = "qwen2.5-0.5b-instruct"
    """The LLM: a name of the catalogue or a folder."""
    encoder: str = "all-minilm-l6-v2"
    """Embeds texts for strategies and filters, and is what a BERT student starts from: a name of the catalogue or a
    folder with a Hugging Face encoder."""
    port: int = Field(default=8011, ge=1024, le=65535)
    """The engine's port on the loopback interface."""
    engine_url: str = ""
    """Base URLs of OpenAI-compatible servers, separated by commas; empty: an engine of our own on `port`."""
    api_key: SecretStr | None = None
    """Sent to the servers named by `engine_url`, never written down."""
    gpu: bool | None = None
    """Whether the engine uses a GPU; empty: where the driver's `nvidia-smi` finds one."""
    engine_timeout: float = Field(default=900.0, gt=0)
    """Seconds until an engine that has not become healthy is given up."""
    llm_timeout: float = Field(default=300.0, gt=0)
    """Seconds without a byte after which a question to the LLM is given up and asked again."""
    torch_index: str = "https://download.pytorch.org/whl/cpu"
    """PyTorch's index of CPU builds: asked where pip's own configuration does not lead to one."""
    database: str = ""
    """URL of the database; empty: SQLite, `thresher.db` under `home`."""
    host: str = "127.0.0.1"
    """Where the service listens. Beyond the loopback interface it refuses to without API keys."""
    service_port: int = Field(default=8010, ge=0, le=65535)
    """The service's port; 0: any free one."""
    runs_at_once: int = Field(default=1, ge=1, le=64)
    """Runs that the service works on at the same time; the others wait in line."""
    queued_runs: int = Field(default=100, ge=1)
    """Unfinished runs that the service accepts at most."""
    body_bytes: int = Field(default=1 << 28, ge=1024)
    """Longest request body; uploads are streamed, all others are read into memory and bounded by a 16th of it."""
    items: int = Field(default=1_000_000, ge=1)
    """Examples of one data set or one request at most."""
    rate: float = Field(default=200.0, ge=0.0)
    """Requests a second that one API key (or one address) may make on average; 0: any number."""
    review_lease: float = Field(default=600.0, gt=0)
    """Seconds that a person holds an item."""
    log_format: Literal["text", "json"] = "text"
    """How the service writes its log, on standard error: a line a record either way."""
    log_level: Literal["debug", "info", "warning"] = "info"
    """`debug` adds a line for each question to the LLM and for each look at health and numbers."""
    hub: str = Field(default="https://huggingface.co", validation_alias=AliasChoices("THRESHER_HUB", "HF_ENDPOINT"))
    hub_offline: bool = Field(default=False, validation_alias=AliasChoices("THRESHER_HUB_OFFLINE", "HF_HUB_OFFLINE"))
    hub_token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("THRESHER_HUB_TOKEN", "HF_TOKEN"))

    @property
    def urls(self) -> tuple[str, ...]:
        """The servers of `engine_url`, each with its `/v1`; empty where the engine is our own."""
        return split_urls(self.engine_url)


def split_urls(text: str) -> tuple[str, ...]:
    """`http://a:1, http://b:2/v1/` → `("http://a:1/v1", "http://b:2/v1")`.

    Raises:
        BadInput: one of them is no http address.
    """
    urls: list[str] = []
    for part in (piece.strip().rstrip("/") for piece in text.split(",")):
        if not part:
            continue
        if not part.startswith(("http://", "https://")):
            raise BadInput(f"engine URL {part!r} is no http address", "give it as http://host:port/v1")
        urls.append(part if part.endswith("/v1") else f"{part}/v1")
    return tuple(dict.fromkeys(urls))


def load() -> Settings:
    """The settings of this process.

    Raises:
        BadInput: a variable holds something that its field cannot be.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "a setting"
        name = field if field.isupper() else f"THRESHER_{field.upper()}"
        raise BadInput(f"{name} is {first.get('input')!r}: {first['msg']}", "correct or unset the variable") from None
