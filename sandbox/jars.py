"""Kafka's jars: resolved once from Maven Central into a cache that all checkouts of a user share."""

from __future__ import annotations

import hashlib
import shutil
from importlib.resources import files
from pathlib import Path

import orjson

from core import logs
from core.errors import MissingPartError
from sandbox.locks import exclusive

KAFKA = "4.4.0"
COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA}", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5!")
"""Kafka, and what takes its log lines to Log4j (`!`: versions that this one recommends are not for Kafka)."""
WAIT_S = 300.0
FIX = (
    "Let this machine reach Maven Central (HTTPS_PROXY is honoured), copy SANDBOX_CACHE_DIR from a machine that has "
    "the jars, set SANDBOX_BROKER=memory, or name your own Kafka with KAFKA_BOOTSTRAP_SERVERS"
)

_log = logs.get(__name__)


def kafka_jars(cache: Path) -> Path:
    """Return the folder of Kafka's jars, resolving them first where that was never finished.

    The folder appears by a rename, whole and verified: its being there is the mark that all is done. Processes that
    come at the same time wait for the first. Raises MissingPartError when the jars cannot be had.
    """
    home = cache / f"kafka-{KAFKA}"
    if home.is_dir():
        return home
    try:
        with exclusive(cache / f".kafka-{KAFKA}.lock", wait_s=WAIT_S):
            if not home.is_dir():
                _install(home, cache / f".kafka-{KAFKA}.draft")
    except (OSError, TimeoutError) as error:
        raise MissingPartError(f"Kafka's jars cannot be kept in {cache}: {error}", fix=FIX) from error
    return home


def _install(home: Path, draft: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)  # what a killed run left
    draft.mkdir(parents=True)
    try:
        _log.info("resolving Kafka's jars, once", coordinates=COORDINATES, into=str(home))
        jars = draft / "jars"
        jars.mkdir()
        for jar in _resolve(draft):
            jar.rename(jars / jar.name)
        verify(jars)
        jars.rename(home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _resolve(work: Path) -> list[Path]:
    """Download into `work` and return the jars' paths."""
    # Imported here: no other command should pay for it.
    from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    try:
        maven = MavenContext(repo_cache=work / "repository", resolver=PythonResolver())
        builder = EnvironmentBuilder(context=maven, cache_dir=work, link_strategy=LinkStrategy.HARD)
        made = builder.from_endpoint("+".join(COORDINATES))
    except Exception as error:
        # The resolver has no error type of its own: connection, XML, file and value errors all mean the same here.
        raise MissingPartError(f"Kafka's jars ({COORDINATES[0]}) cannot be had: {_brief(error)}", fix=FIX) from error
    return sorted(Path(made.path).glob("*/*.jar"))


def verify(folder: Path) -> None:
    """Compare the folder with the recorded SHA-256 sums. Raises MissingPartError naming what differs."""
    wanted: dict[str, str] = orjson.loads(files("sandbox").joinpath("kafka_jars.json").read_bytes())
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}
    if differing := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise MissingPartError(f"Kafka's jars are not the recorded ones: {', '.join(differing)}", fix=FIX)


def _brief(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:300]
