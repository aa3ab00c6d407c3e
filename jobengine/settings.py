"""Settings: one frozen tree, read from a TOML file, the environment and flags, checked against one schema.

A flag wins over the environment (``JOBENGINE_HTTP__PORT``), which wins over the file (``[http] port``),
which wins over the default. Unknown keys are errors, with the nearest known key named. No socket is opened
and no folder made here.
"""

from __future__ import annotations

import ipaddress
import os
import platform
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_dir
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from jobengine.errors import SettingsError

PREFIX = "JOBENGINE_"
DELIMITER = "__"
CLIENT_VARIABLES = frozenset({"JOBENGINE_URL", "JOBENGINE_TOKEN_FILE", "JOBENGINE_CONFIG"})
"""Variables of the command line and the Python client, which are no settings of a service."""


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))


Folder = Annotated[Path, AfterValidator(_absolute)]


class Section(BaseModel):
    """Base of the sections: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpSettings(Section):
    """Where and how the service answers."""

    host: str = Field("127.0.0.1", description="Address to listen on; beyond loopback a key is required.")
    port: int = Field(8484, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    threads: int = Field(96, ge=4, le=1024, description="Calls answered at once; an event stream holds one.")
    max_sse_clients: int = Field(64, ge=1, le=1000, description="Event streams at once; beyond: 503.")
    max_document_bytes: int = Field(
        16 * 1024 * 1024, ge=1024, le=1024**3, description="Largest accepted request body, in bytes."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Further Host names that are accepted when listening on loopback (a proxy's)."
    )

    @property
    def url(self) -> str:
        """The address for people and clients on this host."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - not a bind
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @model_validator(mode="after")
    def _leave_threads_for_calls(self) -> HttpSettings:
        if self.max_sse_clients > self.threads - 3:
            raise ValueError("max_sse_clients must leave at least 3 of the threads for other calls")
        return self


class MediaSettings(Section):
    """What jobs may read and write."""

    roots: tuple[Folder, ...] = Field((), description="More folders of absolute media paths.")
    url_schemes: tuple[str, ...] = Field(("http", "https"), description="URL schemes that a source may have.")


class PushTargetSettings(Section):
    """Streams of another service that re-streaming jobs may write."""

    url: str
    key_file: Folder | None = None


class EngineSettings(Section):
    """How jobs are run."""

    lead_ms: int = Field(1500, ge=0, le=600_000, description="How early a worker is made ready for a start.")
    group_size: int = Field(
        500,
        ge=1,
        le=10_000,
        description="Decisions about what clients ask that are committed together at most; "
        "of triggers that fall due at once there may be more.",
    )
    heartbeat_timeout_s: float = Field(10, ge=1, le=600, description="Silence until a worker is checked.")
    orphan_grace_s: float = Field(3600, ge=1, description="How long workers outlive a service.")
    finish_timeout_s: float = Field(30, ge=1, le=3600, description="What jobs may take to finish at a stop.")
    spare_workers: int = Field(
        4,
        ge=0,
        le=64,
        description="Worker processes kept waiting for a job of their own; if any, the one that jobs share "
        "waits as well.",
    )
    restart_limit: int = Field(5, ge=0, le=1000, description="How often a worker is replaced at most.")
    restream_jobs: int = Field(0, ge=0, description="Re-streaming jobs at once at most; 0: any number.")
    restream_jobs_per_sink: int = Field(0, ge=0, description="The same for each sink.")
    restream_jobs_per_stream: int = Field(0, ge=0, description="The same for each stored stream.")
    sink_lease: Literal["queue", "refuse", "preempt"] = Field(
        "queue", description="A second job that would send one stream to one sink waits, fails or takes over."
    )
    push_targets: tuple[PushTargetSettings, ...] = Field(
        (),
        description="Other services that jobs may push to: objects with `url`, what such URLs begin with, "
        "and `key_file`, the file with the API key that is shown there.",
    )
    event_retention_days: float = Field(30, gt=0, description="How long events are kept for replay.")
    idempotency_hours: float = Field(24, gt=0, description="How long an Idempotency-Key is remembered.")
    processing_host: str = Field(
        default_factory=lambda: platform.node().lower() or "localhost",
        description="Name of this host in jobs.",
    )


class ContentsSettings(Section):
    """Where media elements are kept, how long, and what one request may bring."""

    url: str | None = Field(
        None, description="redis://host:port/number or file:///folder; default: files in data/contents."
    )
    commit_interval_ms: float = Field(
        10, ge=0, le=1000, description="How long commits to files may wait for others to share a sync."
    )
    packet_lifetime_s: float | None = Field(
        None,
        gt=0,
        description="How long the payload of a packet is kept unless its write says; none: no end.",
    )
    frame_lifetime_s: float | None = Field(
        None, gt=0, description="How long the payload of a frame is kept unless its write says; none: no end."
    )
    max_payload_bytes: int = Field(
        256 * 1024 * 1024, ge=1, le=2**32 - 1, description="Largest payload of one element, in bytes."
    )
    max_batch_bytes: int = Field(
        64 * 1024 * 1024, ge=1024, le=2**32 - 1, description="Largest batch of elements, in bytes."
    )
    hot_payload_bytes: int = Field(
        64 * 1024 * 1024, ge=0, description="Payloads kept in memory while nothing is committed, in bytes."
    )
    time_tolerance_ms: float = Field(
        5, ge=0, le=60_000, description="How far an element may be from a reference by real time."
    )
    max_wait_ms: int = Field(
        30_000, ge=0, le=600_000, description="How long a read may wait for its element."
    )
    capacity_bytes: int | None = Field(
        None,
        ge=0,
        description="Payloads of all contents together, in bytes; beyond, the oldest go. None: no bound.",
    )
    capacity_elements: int | None = Field(
        None, ge=0, description="Elements of all contents together; beyond, the oldest go. None: no bound."
    )
    sweep_interval_s: float = Field(
        1, gt=0, le=3600, description="How often payloads past their time or limits are let go."
    )
    lax: bool = Field(False, description="Elements of an unknown content or stream make it, as once in Beam.")


class ConvertSettings(Section):
    """Jobs that rules make of requests, and what recipes may reach."""

    max_waiting: int = Field(
        16, ge=1, le=500, description="Jobs that requests wait for at once; beyond: 503. Each has a worker."
    )
    result_lifetime_s: float = Field(
        10, gt=0, le=86_400, description="How long the result of a convert job without a target is kept."
    )
    finished_jobs_age_s: float | None = Field(
        86_400, gt=0, description="How long ended jobs that rules made stay in the list; none: no end."
    )
    finished_jobs: int = Field(
        10_000, ge=0, description="How many of them stay in the list at most, the newest."
    )
    copy_urls: tuple[str, ...] = Field(
        (), description="What the URLs of object stores that recipes copy to and from may begin with."
    )


class LogSettings(Section):
    """What the service says about itself, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal.")


class Settings(BaseSettings):
    """The whole tree. Make it with `load`; frozen and picklable."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        nested_model_default_partial_update=True,
    )

    data: Folder = Field(
        default_factory=lambda: Path(user_data_dir("jobengine")),
        description="Folder of the database, the media and the logs of one service.",
    )
    database_url: str | None = Field(
        None, description="sqlite:////file or postgresql://user@host/name; default: a file in data."
    )
    http: HttpSettings = HttpSettings()
    media: MediaSettings = MediaSettings()
    engine: EngineSettings = EngineSettings()
    contents: ContentsSettings = ContentsSettings()
    convert: ConvertSettings = ConvertSettings()
    log: LogSettings = LogSettings()

    @property
    def database(self) -> str:
        """The URL of the database that holds the truth about jobs."""
        return self.database_url or f"sqlite:///{self.data / 'jobengine.sqlite3'}"

    @property
    def contents_url(self) -> str:
        """The URL of the contents store, for `jobengine.contents.opening`."""
        folder = (self.data / "contents").as_uri()
        return self.contents.url or f"{folder}?commit_interval_ms={self.contents.commit_interval_ms:g}"

    @property
    def has_contents_in_files(self) -> bool:
        """Whether the contents store is embedded, not a server's."""
        return self.contents_url.startswith("file:")

    @property
    def media_base(self) -> Path:
        """Where relative media paths are."""
        return self.data / "media"

    @property
    def media_roots(self) -> tuple[Path, ...]:
        """Where absolute media paths may be besides `media_base`."""
        return self.media.roots

    @property
    def results_folder(self) -> Path:
        """Where results of convert jobs are while somebody waits for them."""
        return self.data / "results"

    @property
    def log_folder(self) -> Path:
        """Where the workers' logs are: one file per job, ``<job id>.log``."""
        return self.data / "logs"

    def worker_log(self, job_id: str) -> Path:
        """The log of a job's workers; it may not exist (yet)."""
        return self.log_folder / f"{job_id}.log"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(config: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings in force. ``flags`` are nested as in the file; None members count as not given.

    Raises SettingsError with one line for every wrong or unknown key.
    """
    read_file(config)
    model = type("Settings", (Settings,), {"model_config": SettingsConfigDict(toml_file=config)})
    strange = unknown_variables(os.environ)
    if strange:
        raise SettingsError("\n".join(strange))
    try:
        found = model(**_given(flags or {}))
    except ValidationError as error:
        raise SettingsError("\n".join(_lines(error))) from None
    return Settings.model_construct(**{name: getattr(found, name) for name in Settings.model_fields})


def origins(config: Path | None = None, flags: Mapping[str, Any] | None = None) -> dict[str, str]:
    """For every dotted key that is not at its default: ``flag``, ``environment`` or ``file``."""
    found = {key: "file" for key, _ in _flatten(read_file(config))}
    known = dict(_flatten(Settings.model_construct().model_dump()))
    found |= {key: "environment" for key in known if _variable(key) in {name.upper() for name in os.environ}}
    return found | {key: "flag" for key, _ in _flatten(_given(flags or {}))}


def read_file(config: Path | None) -> dict[str, Any]:
    """The TOML file as it stands; empty without one. Raises SettingsError if it can't be read."""
    if config is None:
        return {}
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{config} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config} is not TOML: {error}") from error


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """One sentence for every ``JOBENGINE_…`` variable that means nothing."""
    known = {_variable(key) for key in _keys(Settings)} | CLIENT_VARIABLES
    given = {name.upper() for name in environment if name.upper().startswith(PREFIX)}
    return [f"{name} is not a known variable{_hint(name, known)}" for name in sorted(given - known)]


def _variable(key: str) -> str:
    return PREFIX + key.upper().replace(".", DELIMITER)


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{prefix}{name}.")


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    nested = {key: _given(value) if isinstance(value, Mapping) else value for key, value in flags.items()}
    return {key: value for key, value in nested.items() if value is not None and value != {}}


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _lines(error: ValidationError) -> Iterator[str]:
    known = set(_keys(Settings))
    for line in error.errors(include_url=False):
        key = ".".join(str(part) for part in line["loc"])
        if line["type"] == "extra_forbidden":
            yield f"{key} is not a known key{_hint(key, known)}"
        else:
            text = line["msg"].removeprefix("Value error, ").removeprefix("Input ")
            yield f"{key or 'settings'}: {text[:1].lower()}{text[1:]}"


def _hint(key: str, known: set[str] | frozenset[str]) -> str:
    near = get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
