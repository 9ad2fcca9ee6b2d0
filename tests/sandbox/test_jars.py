"""Kafka's jars in the cache: once, whole, verified, whoever comes at the same time and whoever is killed."""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import MissingPartError
from core.settings import parse
from sandbox import jars

pytestmark = pytest.mark.stack


@pytest.fixture(scope="session")
def resolved() -> Path:
    """Return the user's own cache of jars, resolving them if that was never done."""
    return jars.kafka_jars(parse(os.environ).sandbox_cache_dir)


@pytest.fixture
def central(resolved: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stand in for Maven Central: hands out copies of the resolved jars, and notes who asked."""
    asked: list[Path] = []

    def resolve(work: Path) -> list[Path]:
        asked.append(work)
        shutil.copytree(resolved, work / "repository")
        return sorted((work / "repository").glob("*.jar"))

    monkeypatch.setattr(jars, "_resolve", resolve)
    return asked


def test_the_recorded_jars_are_verified(resolved: Path, tmp_path: Path) -> None:
    """The cache holds exactly the recorded files; one changed byte is named."""
    jars.verify(resolved)
    damaged = tmp_path / "jars"
    shutil.copytree(resolved, damaged)
    with (damaged / "kafka-clients-4.4.0.jar").open("ab") as jar:
        jar.write(b"\0")
    (damaged / "more.jar").touch()
    with pytest.raises(MissingPartError, match=r"kafka-clients-4\.4\.0\.jar, more\.jar"):
        jars.verify(damaged)


def test_many_at_once_resolve_once(central: list[Path], tmp_path: Path) -> None:
    """Processes that start together share one resolution, and all get the finished folder."""
    together = threading.Barrier(4)

    def ask(_: int) -> Path:
        together.wait()
        return jars.kafka_jars(tmp_path)

    with ThreadPoolExecutor(4) as threads:
        homes = set(threads.map(ask, range(4)))
    assert len(central) == 1
    jars.verify(homes.pop())
    assert not homes


def test_what_a_killed_run_left_is_cleared(central: list[Path], tmp_path: Path) -> None:
    """Half a resolution is no resolution: the next one starts anew and leaves nothing of the old."""
    left = tmp_path / f".kafka-{jars.KAFKA}.draft" / "jars"
    left.mkdir(parents=True)
    (left / "half.jar").write_bytes(b"PK")
    jars.verify(jars.kafka_jars(tmp_path))
    assert not left.exists()


def test_other_jars_than_the_recorded_are_not_kept(
    central: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository that hands out something else leaves no folder behind."""
    monkeypatch.setattr(jars, "_resolve", lambda work: [shutil.copyfile(__file__, work / "kafka_2.13-4.4.0.jar")])
    with pytest.raises(MissingPartError, match="not the recorded ones"):
        jars.kafka_jars(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f".kafka-{jars.KAFKA}.lock"]


def test_an_unreachable_repository_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a way to Maven Central the error says what to do."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(MissingPartError, match=r"cannot be had.*SANDBOX_BROKER=memory"):
        jars.kafka_jars(tmp_path)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A cache directory that cannot be made is named."""
    (tmp_path / "file").touch()
    with pytest.raises(MissingPartError, match="cannot be kept in"):
        jars.kafka_jars(tmp_path / "file" / "cache")
