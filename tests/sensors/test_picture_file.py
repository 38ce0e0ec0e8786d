"""Picture files as people have them: of every kind, damaged, linked, named in any script."""

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from sensors.errors import FormatError
from sensors.picture_file import picture_files, read_picture


def picture(file: Path, *shape: int, kind: type = np.uint8) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), np.full(shape or (8, 12, 3), 200 if kind is np.uint8 else 51400, kind))
    return file


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("a.jpg", (8, 12, 3), np.uint8),
        ("grey.png", (8, 12), np.uint8),
        ("clear.png", (8, 12, 4), np.uint8),
        ("deep.png", (8, 12, 3), np.uint16),
        ("李娜 💍.webp", (8, 12, 3), np.uint8),
        ("scan.tif", (8, 12, 3), np.uint8),
    ],
)
def test_every_usual_kind_becomes_eight_bits_of_colour(
    tmp_path: Path, name: str, shape: tuple[int, ...], kind: type
) -> None:
    image = read_picture(picture(tmp_path / name, *shape, kind=kind))
    assert image.shape == (8, 12, 3)
    assert image.dtype == np.uint8
    assert abs(int(image[4, 6, 1]) - 200) <= 2


def test_a_picture_that_was_taken_upright_is_turned_upright(tmp_path: Path) -> None:
    plain = picture(tmp_path / "a.jpg").read_bytes()
    # EXIF with one entry: orientation 6, a quarter turn.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(plain[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + plain[2:])
    assert read_picture(turned).shape == (12, 8, 3)


def test_what_is_no_picture_says_so_and_what_to_take(tmp_path: Path) -> None:
    whole = picture(tmp_path / "a.jpg", 64, 64, 3).read_bytes()
    for name, content in {"empty.jpg": b"", "text.png": b"hello", "head.jpg": whole[:40]}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match="no picture that can be read") as refused:
            read_picture(tmp_path / name)
        assert refused.value.reason == "unreadable"
    with pytest.raises(FormatError, match="cannot be read"):
        read_picture(tmp_path / "absent.jpg")


def test_a_picture_of_more_pixels_than_can_be_held_is_refused_and_ends_nothing(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    side = (60_000).to_bytes(4, "big")
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", side + side + b"\x08\x02\0\0\0")
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(FormatError, match="too many pixels") as refused:
        read_picture(tmp_path / "bomb.png")
    assert refused.value.reason == "too_large"


def test_folders_are_searched_through_links_but_not_back_up_and_hidden_files_left_out(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    picture(root / "Anna B" / "1.JPG")
    picture(root / "._1.jpg")
    picture(elsewhere / "2.png")
    (root / "李娜").symlink_to(elsewhere)
    (root / "loop").symlink_to("..")
    (root / "gone.jpg").symlink_to("nowhere.jpg")
    (root / "note.txt").write_text("x")
    found = [file.relative_to(root).as_posix() for file in picture_files(root)]
    assert found == ["Anna B/1.JPG", "gone.jpg", "李娜/2.png"]
