"""Brokers as children: ready when entered, gone when left, mended when they fall over."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.broker import Broker, BrokerError, NatsServer, find
from tests.sync.children import ROOT, until


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody waited for is not alive either.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc").exists() else True


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_broker_listens_while_it_is_entered_and_is_gone_afterwards(make_broker: Callable[[str], Broker]) -> None:
    broker = make_broker("nats")
    assert listening(broker.port)
    pid = broker.pid
    broker.__exit__(None, None, None)
    assert not listening(broker.port)
    assert not alive(pid)


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(BrokerError, match=f"port {port} on 127.0.0.1 is taken") as caught,
            NatsServer(tmp_path, port),
        ):
            pass
    assert "sync.mqtt.port" in caught.value.fix


def test_a_broker_that_is_not_installed_is_one_clear_line() -> None:
    with pytest.raises(BrokerError, match="no-such-broker is not installed") as caught:
        find("no-such-broker", "install it")
    assert caught.value.fix == "install it"


def test_a_broker_that_cannot_start_says_its_own_reason(tmp_path: Path) -> None:
    (tmp_path / "jetstream").write_text("a file where the folder should be")
    with pytest.raises(BrokerError, match="ended at once") as caught, NatsServer(tmp_path):
        pass
    assert "nats-server.log" in caught.value.fix


def test_a_supervised_broker_that_dies_is_started_again_on_the_same_port(tmp_path: Path) -> None:
    with NatsServer(tmp_path, supervise=True) as broker:
        port, pid = broker.port, broker.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: broker.pid != pid and listening(port), 15)
        pid = broker.pid
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux kernel ends a child with its parent")
def test_a_broker_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib, sync.broker as b\n"
        "with b.NatsServer(pathlib.Path(sys.argv[1])) as n: print(n.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not alive(pid), 10)
