"""The contract of a link, on NATS, on Mosquitto and on the fake that other tests use."""

import random
import threading
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from sync.broker import Broker as Child
from sync.broker import free_port
from sync.config import MqttConfig, TlsConfig
from sync.mqtt import OFFLINE, ONLINE, Broker, Link, LinkLost, Message, MqttBroker, Retry, Session
from tests.fakes import FakeBroker, matches

Kill = Callable[[], None]


@pytest.fixture(params=["fake", "nats", "mosquitto"])
def broker_and_kill(request: pytest.FixtureRequest, make_broker: Callable[[str], Child]) -> tuple[Broker, Kill]:
    if request.param == "fake":
        fake = FakeBroker()
        return fake, fake.kill
    child = make_broker(request.param)
    return MqttBroker(MqttConfig(port=child.port)), child.kill


@pytest.fixture
def broker(broker_and_kill: tuple[Broker, Kill]) -> Broker:
    return broker_and_kill[0]


def take(link: Link, count: int, seconds: float = 10.0) -> list[Message]:
    """Receive ``count`` messages without acknowledging them."""
    messages: list[Message] = []
    deadline = time.monotonic() + seconds
    while len(messages) < count and time.monotonic() < deadline:
        message = link.receive(0.1)
        if message is not None:
            messages.append(message)
    return messages


def settle(link: Link) -> None:
    """Until the broker has everything that was published."""
    deadline = time.monotonic() + 10
    while link.unacknowledged and time.monotonic() < deadline:
        link.receive(0.05)
    assert not link.unacknowledged


def test_a_message_reaches_the_subscriptions_that_match_and_no_other(broker: Broker) -> None:
    with (
        broker.connect(Session("reader", (("yingke/v1/+/events/+", 1),))) as reader,
        broker.connect(Session("writer")) as writer,
    ):
        for topic in ("yingke/v1/a/alerts", "yingke/v1/a/events/visit", "yingke/v1/b/events/zone"):
            writer.publish(topic, topic.encode())
        settle(writer)
        messages = take(reader, 2)
        assert [message.payload.decode() for message in messages] == [message.topic for message in messages]
        assert {message.topic for message in messages} == {"yingke/v1/a/events/visit", "yingke/v1/b/events/zone"}
        assert reader.receive(0.2) is None


def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(broker: Broker) -> None:
    session = Session(f"centre-{uuid4().hex[:8]}", (("t/+", 1),), persistent=True)
    with broker.connect(session) as reader, broker.connect(Session("writer")) as writer:
        for number in range(6):
            writer.publish("t/x", b"%d" % number)
        settle(writer)
        for message in take(reader, 6)[:3]:
            reader.acknowledge(message)
        # A broker takes the packets of a connection in order: who has the answer to this has taken what went before.
        reader.publish("elsewhere", b"")
        settle(reader)
    with broker.connect(session) as reader:
        assert sorted(message.payload for message in take(reader, 3)) == [b"3", b"4", b"5"]


def test_a_persistent_session_gets_what_came_while_it_was_away(broker: Broker) -> None:
    session = Session(f"centre-{uuid4().hex[:8]}", (("t/+", 1),), persistent=True)
    with broker.connect(session):
        pass
    with broker.connect(Session("writer")) as writer:
        writer.publish("t/x", b"while away")
        settle(writer)
    with broker.connect(session) as reader:
        assert [message.payload for message in take(reader, 1)] == [b"while away"]


def test_available_says_online_while_connected_and_offline_after_a_clean_end(broker: Broker) -> None:
    with broker.connect(Session("watcher", (("box/available", 1),))) as watcher:
        with broker.connect(Session("box", available="box/available")) as box:
            settle(box)
            assert take(watcher, 1)[0].payload == ONLINE
        assert take(watcher, 1)[0].payload == OFFLINE
    with broker.connect(Session("late", (("box/available", 1),))) as late:
        assert take(late, 1)[0].payload == OFFLINE


def come_and_crash(broker: Broker) -> None:
    with broker.connect(Session("box", available="box/available")) as box:
        settle(box)
        raise ZeroDivisionError


def test_the_last_will_says_offline_when_the_connection_breaks(broker: Broker) -> None:
    with broker.connect(Session("watcher", (("box/available", 1),))) as watcher:
        with pytest.raises(ZeroDivisionError):
            come_and_crash(broker)
        assert take(watcher, 1)[0].payload == ONLINE
        assert take(watcher, 1)[0].payload == OFFLINE


def use(link: Link, seconds: float = 10.0) -> None:
    """Use a link until it is lost, or for ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        link.receive(0.1)
        link.publish("t", b"?")


def test_a_link_to_a_broker_that_was_killed_is_lost(broker_and_kill: tuple[Broker, Kill]) -> None:
    broker, kill = broker_and_kill
    with broker.connect(Session("box", (("t", 1),))) as link:
        kill()
        with pytest.raises(LinkLost):
            use(link)


def test_two_connections_of_one_name_do_not_both_live(broker: Broker) -> None:
    session = Session("same", (("t", 1),))
    with broker.connect(session) as first, broker.connect(session), pytest.raises(LinkLost):
        use(first)


def test_a_broker_that_is_down_is_one_line_with_a_fix() -> None:
    port = free_port()
    with (
        pytest.raises(LinkLost, match=f"127.0.0.1:{port}") as caught,
        MqttBroker(MqttConfig(port=port)).connect(Session("box")),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert caught.value.fix


def test_a_port_that_does_not_speak_mqtt_is_lost_after_the_configured_time() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = MqttConfig(port=listener.getsockname()[1], connect_timeout=0.3)
        with pytest.raises(LinkLost, match="no answer"), MqttBroker(config).connect(Session("box")):
            pass


def test_tls_files_that_are_missing_are_named_before_anything_is_sent(tmp_path: object) -> None:
    config = MqttConfig.model_validate({"tls": {"ca": f"{tmp_path}/none.pem"}})
    assert isinstance(config.tls, TlsConfig)
    with pytest.raises(LinkLost, match="TLS files"), MqttBroker(config).connect(Session("box")):
        pass


def test_waits_grow_within_their_bounds_and_a_new_reason_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    waits: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waits.append(timeout)
            return False

    retry = Retry("relay", 0.5, 30.0, random.Random(1))
    for _ in range(50):
        retry.wait(LinkLost("down", "start it"), Stop())
    assert all(0.5 <= wait <= 30 for wait in waits)
    assert max(waits[:2]) <= 2
    assert max(waits) > 15
    assert len({round(wait, 3) for wait in waits}) > 40
    retry.wait(LinkLost("another reason", "look"), Stop())
    assert [record.getMessage() for record in caplog.records] == [
        "relay: down; trying again until it works (start it)",
        "relay: another reason; trying again until it works (look)",
    ]


@pytest.mark.parametrize(
    ("item", "topic", "covers"),
    [("a/+/c", "a/b/c", True), ("a/+", "a/b/c", False), ("a/#", "a/b/c", True), ("a", "b", False)],
)
def test_the_fake_matches_topics_as_mqtt_does(item: str, topic: str, covers: bool) -> None:
    assert matches(item, topic) is covers
