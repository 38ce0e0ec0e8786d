"""Configuration of sync: sane without a file, secrets only by file or environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from sync.config import DatabaseConfig, MqttConfig, SecretError, SyncConfig, read_secret


def test_everything_has_a_default() -> None:
    config = SyncConfig()
    assert config.mqtt.port == 1883
    assert config.relay.window > config.ingest.batch_rows
    assert config.outbox.keep_confirmed_days == 7
    assert config.database.resolved() == "sqlite:///yingke.db"


@pytest.mark.parametrize(
    "values",
    [
        {"mqtt": {"port": 0}},
        {"mqtt": {"hots": "x"}},
        {"mqtt": {"password_file": "x"}},
        {"mqtt": {"tls": {"certificate": "x"}}},
        {"mqtt": {"retry_min": 9, "retry_max": 1}},
        {"outbox": {"max_rows": 0}},
        {"database": {"url": "mysql://x/y"}},
        {"database": {"url": "postgresql+psycopg://u:secret@h/d"}},
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SyncConfig.model_validate(values)


def test_a_refused_database_password_is_told_where_it_belongs() -> None:
    with pytest.raises(ValidationError, match="password_file or YINGKE_DATABASE_PASSWORD"):
        DatabaseConfig(url="postgresql+psycopg://u:secret@h/d")


def test_a_secret_is_the_first_line_of_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("s3cret\nand a note\n")
    path.chmod(0o600)
    assert read_secret(path) == "s3cret"
    assert MqttConfig(username="edge", password_file=path).password() == "s3cret"
    path.chmod(0o644)
    with pytest.raises(SecretError, match="open to every user") as caught:
        read_secret(path)
    assert str(path) in caught.value.fix


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_secret_is_one_line_with_a_fix(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SecretError):
        read_secret(path)
    path.unlink()
    with pytest.raises(SecretError, match="cannot be read"):
        read_secret(path)


def test_the_database_password_comes_from_the_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql+psycopg://yingke@db:5432/yingke"
    monkeypatch.setenv("YINGKE_DATABASE_PASSWORD", "p@ss/word")
    assert DatabaseConfig(url=url).resolved() == "postgresql+psycopg://yingke:p%40ss%2Fword@db:5432/yingke"
    path = tmp_path / "password"
    path.write_text("other")
    path.chmod(0o600)
    assert ":other@" in DatabaseConfig(url=url, password_file=path).resolved()
    assert DatabaseConfig().resolved() == "sqlite:///yingke.db"
