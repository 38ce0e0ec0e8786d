"""Secrets of sources: in files of their own, never in the configuration."""

from pathlib import Path

from sensors.errors import SourceError


def read_secret(path: Path, fix: str) -> str:
    """The first line of ``path``. Raises ``SourceError``, with ``fix`` where there is none to be had."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read", f"make this file with mode 0600, or {fix}") from error
    if mode & 0o007:
        raise SourceError(f"{path}: every user may read this secret", f"chmod o-rwx {path}")
    if not text or not text.isprintable() or len(text) > 1024:
        raise SourceError(f"{path}: its first line is no secret", fix)
    return text
