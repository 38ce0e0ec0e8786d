import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.rfid.epc import decode
from tests.shared_data import shared


def test_all_500_vectors_on_which_three_libraries_agree() -> None:
    vectors = json.loads(shared("data/rfid/sgtin96_vectors_500.json").read_text())
    assert len(vectors) == 500
    for vector in vectors:
        sgtin = decode(vector["hex"])
        assert sgtin is not None
        assert (sgtin.gtin, sgtin.serial, sgtin.uri) == (vector["gtin14"], str(vector["serial"]), vector["epc_uri"])


def test_the_examples_of_the_standard_annex() -> None:
    for vector in json.loads(shared("data/rfid/tds_annex_e3_vectors.json").read_text()):
        sgtin = decode(vector["hex"])
        if vector["scheme"] in ("SGTIN-96", "SGTIN-198"):
            assert sgtin is not None
            assert f"/01/{sgtin.gtin}/21/{sgtin.serial}" == unquote(vector["digital_link_path"])
        else:
            assert sgtin is None


def test_a_serial_with_a_slash_is_escaped_in_the_uri() -> None:
    sgtin = decode("3674257BF6B7A659B2C2BF100000000000000000000000000000")
    assert sgtin is not None
    assert sgtin.serial == "32a/b"
    assert sgtin.uri == "urn:epc:id:sgtin:0614141.712345.32a%2Fb"


@pytest.mark.parametrize(
    "epc",
    [
        "",
        "30",
        "zz",
        "301C257BF7194E4000001A85",  # partition 7
        "3003FFFFFFFFFFFFFFFFFFFF",  # a company prefix of more digits than its partition has
        "3674257BF6B7800000000000000000000000000000000000000000",  # 27 bytes
        "3674257BF6B780000000000000000000000000000000000000",  # no serial
        "36742579F6B7A659B2C2BF1000000000000000000000000000FFC0",  # not of the character set
        "E2000017010B016210000002",
    ],
)
def test_what_is_no_valid_sgtin_is_none(epc: str) -> None:
    assert decode(epc) is None


@given(st.binary(min_size=0, max_size=30).map(bytes.hex) | st.text(max_size=30))
def test_no_text_makes_the_decoder_raise(epc: str) -> None:
    sgtin = decode(epc)
    assert sgtin is None or len(sgtin.gtin) == 14


@given(st.binary(min_size=11, max_size=11).map(lambda rest: (b"\x30" + rest).hex()))
def test_every_gtin_that_comes_out_has_a_correct_check_digit(epc: str) -> None:
    sgtin = decode(epc)
    if sgtin is not None:
        assert sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(sgtin.gtin)) % 10 == 0
