"""The signing key, sealed entries, and the latest audit at the centre."""

import json
from pathlib import Path

import pytest

from edge.audit.ledger import KEY
from sync.audits import BEGIN, Entry, genuine, seal
from sync.events import Audit, decode
from sync.signing import KeyFileError, SigningKey, fingerprint, verify
from sync.store.store import CentralStore
from tests.edge.audit.making import HEARD, SETUP, keeper, result
from tests.sync.making import T0, Box

SHOP = "nanjing-road"


def entry(data: Path, now: float = T0, missed: int = 0) -> Entry:
    return keeper(data, now=now).keep(SETUP, "door", result(missed=missed), HEARD)


def test_a_key_signs_what_only_its_public_half_confirms(tmp_path: Path) -> None:
    key, other = SigningKey.open_or_make(tmp_path / "key"), SigningKey.open_or_make(tmp_path / "other")
    signature = key.sign(b"33 of 33")
    assert verify(key.public, signature, b"33 of 33")
    assert not verify(key.public, signature, b"32 of 33")
    assert not verify(other.public, signature, b"33 of 33")
    assert not verify("no key", "no signature", b"33 of 33")
    assert SigningKey.open_or_make(tmp_path / "key").public == key.public
    assert len(fingerprint(key.public)) == 16


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [(None, 0o600, "cannot be read"), ("no key", 0o600, "holds no signing key"), ("x", 0o640, "open to other users")],
)
def test_a_key_file_that_cannot_be_trusted_is_refused(tmp_path: Path, text: str | None, mode: int, said: str) -> None:
    path = tmp_path / KEY
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(KeyFileError, match=said):
        SigningKey.open(path)


def test_an_audit_that_travelled_is_still_genuine_and_one_that_was_touched_is_not(tmp_path: Path) -> None:
    sealed = entry(tmp_path)
    event = decode(Box(SHOP).send(sealed.event()).payload)
    assert isinstance(event.data, Audit)
    assert genuine(event.storeid, event.sensor, event.id, event.time, event.data)
    better = event.data.model_copy(update={"verdict": "meets", "by": "somebody-else"})
    assert not genuine(event.storeid, event.sensor, event.id, event.time, better)
    assert not genuine("elsewhere", event.sensor, event.id, event.time, event.data)


def test_the_chain_begins_with_zeros_and_names_the_entry_before(tmp_path: Path) -> None:
    first, second = entry(tmp_path), entry(tmp_path)
    assert (first.data.previous, second.data.previous) == (BEGIN, first.digest)
    key = SigningKey.open(tmp_path / KEY)
    assert seal(SHOP, first.event(), 1, BEGIN, key) == first


def test_the_centre_keeps_the_latest_audit_of_each_line_whatever_comes_first_and_however_often(
    tmp_path: Path, database: str
) -> None:
    old, new = entry(tmp_path, T0), entry(tmp_path, T0 + 86400, missed=6)
    box = Box(SHOP)
    with CentralStore(database) as store:
        store.ingest([box.send(new.event())])
        messages = [box.send(old.event()), box.send(new.event())]
        assert store.ingest(messages).duplicates == 1
        assert store.ingest(messages).stored == 0
        (row,) = store.audits(SHOP)
        assert store.audits("elsewhere") == []
    assert (row["sensor"], row["time"], row["line"]) == ("camera-1", T0 + 86400, "door")
    assert row["figures"] == json.loads(new.line)["data"]["figures"]
