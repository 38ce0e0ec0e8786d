"""Real brokers and real databases for every test that wants one."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from sync.broker import Broker, BrokerError, Mosquitto, NatsServer, find, free_port

BROKERS: dict[str, Callable[[Path], NatsServer | Mosquitto]] = {
    "nats": lambda data: NatsServer(data, ack_wait_seconds=1),
    "mosquitto": Mosquitto,
}
POSTGRES_HOMES = ("/usr/lib/postgresql/17", "/usr/lib/postgresql/16", "/usr/lib/postgresql/15", "/usr/local", "/usr")


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[[str], Broker]]:
    """Starts a broker by name, ``nats`` or ``mosquitto``, for this test; skips where it is not installed."""
    running: list[Broker] = []

    def make(name: str) -> Broker:
        broker: Broker = BROKERS[name](tmp_path / f"{name}-{len(running)}")
        try:
            find({"nats": "nats-server"}.get(name, name), "")
        except BrokerError as error:
            pytest.skip(str(error))
        broker.__enter__()
        running.append(broker)
        return broker

    yield make
    for broker in running:
        broker.__exit__(None, None, None)


@pytest.fixture(params=list(BROKERS))
def broker(request: pytest.FixtureRequest, make_broker: Callable[[str], Broker]) -> Broker:
    """A running broker: the test runs once on each."""
    return make_broker(request.param)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server of this test run, without a database name; skips where it is not installed."""
    home = next((Path(path) for path in POSTGRES_HOMES if (Path(path) / "bin/initdb").exists()), None)
    if home is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    as_root = os.geteuid() == 0
    if as_root and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    user = ["runuser", "-u", "postgres", "--"] if as_root else []
    # Short, because a socket's path may have 107 bytes; and open on the way to it for the server's user.
    folder = Path(f"/tmp/yingke-pg-{os.getpid()}-{uuid4().hex[:6]}")
    folder.mkdir(mode=0o700)
    if as_root:
        shutil.chown(folder, "postgres")
    data, port = folder / "data", free_port()
    try:
        _run([*user, str(home / "bin/initdb"), "-D", str(data), "-U", "yingke", "-A", "trust", "-E", "UTF8"])
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=on -c shared_buffers=32MB"
        control = [*user, str(home / "bin/pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
        _run([*control, "-o", settings, "start"])
        try:
            yield f"postgresql+psycopg://yingke@127.0.0.1:{port}"
        finally:
            _run([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, cwd="/tmp")
    assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"


def _fresh_postgres(server: str) -> str:
    import psycopg

    name = f"t{uuid4().hex}"
    with psycopg.connect(server.replace("+psycopg", "") + "/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{server}/{name}"


@pytest.fixture
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Makes an empty database by kind, ``sqlite`` or ``postgresql``; returns its URL."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/central-{uuid4().hex}.db"
        return _fresh_postgres(request.getfixturevalue("postgres"))

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str:
    """The URL of an empty database: the test runs once on each kind."""
    return make_database(request.param)
