"""Write the JSON Schemas of the event contract: ``python -m sync.schema_files docs/schema``."""

import sys
from pathlib import Path

from sync.events import schemas


def write(directory: Path) -> list[Path]:
    """Make ``directory`` hold exactly the generated schemas; returns the files that changed or went."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = schemas()
    changed = []
    for path in sorted(directory.glob("*.json")):
        if path.name not in wanted:
            path.unlink()
            changed.append(path)
    for name, text in wanted.items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def differences(directory: Path) -> list[str]:
    """The names of schema files that are missing, changed or too many in ``directory``."""
    wanted = schemas()
    found = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.json")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


if __name__ == "__main__":
    for changed_file in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/schema")):
        print(changed_file)
