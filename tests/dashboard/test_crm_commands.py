"""The commands of the CRM as people type them."""

import json
from pathlib import Path

import pytest

from sync.crm import bindings, customers
from sync.store.database import open_engine, reading
from tests.sync.crm.making import csv_file
from yingke import main


@pytest.fixture
def config(database: str, tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    sections = {
        "store": {"id": "s1", "timezone": "Asia/Shanghai"},
        "sync": {"database": {"url": database}},
        "dashboard": {"orders": {"key": str(tmp_path / "centre.key")}},
    }
    path.write_text(json.dumps(sections))
    return path


MEMBERS = [("C1", "王芳", "13812345678", "guide-7"), ("C2", "李雷", "12", "guide-7")]


def test_an_import_tells_what_it_did_and_ends_with_three_when_rows_were_wrong(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv_file(tmp_path / "members.csv", ("会员号", "姓名", "手机", "导购"), MEMBERS)
    command = ["import", "customers", str(path), "--config", str(config)]
    assert main([*command, "--dry-run"]) == 3
    assert "1 would be new" in capsys.readouterr().out
    assert main([*command, "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["new"], said["wrong"], said["errors"]) == (1, 1, f"{path}.errors.csv")
    assert said["mapping"] == {"number": "会员号", "name": "姓名", "phone": "手机", "guide": "导购"}
    assert main(command) == 3
    assert "0 are new, 0 changed, 1 the same; 1 rows wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--map", "number"], "not FIELD=COLUMN"),
        (["--currency", "yuan"], "three capital letters"),
        (["--timezone", "Mars/Olympus"], "no time zone"),
        (["--source", "Till 1"], "small letters"),
    ],
)
def test_a_wrong_option_is_wrong_usage(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    path = csv_file(tmp_path / "m.csv", ("number",), [("1",)])
    assert main(["import", "customers", str(path), "--config", str(config), *more]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_handover_by_command_moves_the_customers_and_tells_the_boxes(
    config: Path, database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv_file(tmp_path / "members.csv", ("会员号", "导购"), [("C1", "guide-7"), ("C2", "guide-7")])
    assert main(["import", "customers", str(path), "--config", str(config)]) == 0
    command = ["handover", "guide-7", "guide-8", "--by", "manager", "--config", str(config)]
    assert main(command) == 1
    assert "there is no guide guide-8" in capsys.readouterr().err
    assert main([*command, "--new", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["customers"], said["stores"]) == (2, ["s1"])
    engine = open_engine(database)
    with reading(engine) as connection:
        assert len(bindings.customers_of(connection, "guide-8")) == 2
    engine.dispose()


def test_an_erasure_at_head_office_reaches_the_crm(
    config: Path, database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv_file(tmp_path / "members.csv", ("number", "phone"), [("C1", "13812345678")])
    assert main(["import", "customers", str(path), "--config", str(config)]) == 0
    engine = open_engine(database)
    with reading(engine) as connection:
        who = customers.by_number(connection, "main", "C1")
    assert who is not None
    with pytest.raises(SystemExit):
        main(["erase", who, "--by", "head-office", "--wait", "0", "--config", str(config)])
    with reading(engine) as connection:
        assert customers.by_number(connection, "main", "C1") is None
    engine.dispose()
    capsys.readouterr()
    assert main(["import", "customers", str(path), "--config", str(config)]) == 3
