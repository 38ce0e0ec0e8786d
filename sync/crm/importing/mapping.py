"""Which column is which field: guessed from its name, said with ``--map``, remembered for files of one shape."""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Literal

from sqlalchemy import Connection, select

from sync.crm import tables
from sync.crm.errors import CrmError
from sync.crm.ids import millis
from sync.store.database import insert

Kind = Literal["customers", "products", "purchases"]
FIELDS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "customers": {
        "number": (
            "customer",
            "customer id",
            "customer number",
            "member number",
            "会员号",
            "会员编号",
            "会员卡号",
            "客户编号",
        ),
        "member": ("reference", "yingke", "迎客编号"),
        "kind": ("type", "客户类型"),
        "name": ("full name", "customer name", "姓名", "会员姓名", "客户姓名"),
        "salutation": ("title", "称呼"),
        "level": ("tier", "等级", "会员等级"),
        "phone": ("mobile", "telephone", "phone number", "手机", "手机号", "手机号码", "电话"),
        "mail": ("email", "e-mail", "邮箱", "电子邮箱"),
        "birthday": ("birth date", "date of birth", "生日", "出生日期"),
        "calendar": ("birthday calendar", "历法"),
        "anniversary": ("wedding day", "纪念日", "结婚纪念日"),
        "store": ("shop", "门店", "所属门店"),
        "guide": ("clerk", "导购", "专属导购", "导购编号"),
        "joined": ("member since", "joined on", "入会日期", "注册日期"),
        "tags": ("tag", "标签"),
        "size": ("sizes", "尺码"),
        "taste": ("tastes", "likes", "喜好", "偏好"),
        "note": ("notes", "remark", "备注"),
    },
    "products": {
        "sku": ("variant", "item number", "货号", "商品编码", "规格编码"),
        "gtin": ("ean", "barcode", "条码", "商品条码"),
        "epc": ("rfid",),
        "style": ("product", "style number", "款号", "款式"),
        "name": ("product name", "title", "品名", "商品名称", "名称"),
        "category": ("group", "类别", "品类"),
        "colour": ("color", "颜色"),
        "size": ("尺码", "规格"),
        "price": ("list price", "价格", "吊牌价", "零售价"),
        "store": ("shop", "门店"),
        "stock": ("quantity", "units", "库存", "数量"),
    },
    "purchases": {
        "receipt": ("receipt number", "order", "order number", "小票号", "单号", "订单号"),
        "day": ("date", "time", "sold at", "日期", "时间", "销售日期", "购买日期"),
        "customer": ("customer id", "customer number", "member number", "会员号", "会员编号", "客户编号"),
        "amount": ("total", "paid", "金额", "实收", "实付金额"),
        "currency": ("币种",),
        "units": ("quantity", "number", "件数", "数量"),
        "kind": ("type", "类型", "单据类型"),
        "returned": ("returns receipt", "original receipt", "原单号", "原小票号"),
        "channel": ("渠道",),
        "store": ("shop", "门店"),
        "guide": ("clerk", "导购", "导购编号"),
        "sku": ("variant", "item number", "货号", "商品编码"),
        "gtin": ("ean", "barcode", "条码", "商品条码"),
        "epc": ("rfid",),
    },
}
"""Each field with the names that files give it, besides its own."""
NEEDED: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "customers": (("number", "phone", "mail"),),
    "products": (("sku", "gtin"),),
    "purchases": (("receipt",), ("day",), ("amount",)),
}
"""Of each of these, at least one."""
_NOISE = re.compile(r"[\s_\-./()（）:：]+")


def plain(name: str) -> str:
    """A column's name without what people write differently."""
    return _NOISE.sub("", name).casefold()


def shape(header: Sequence[str]) -> str:
    """Stands for the columns of a file, in order."""
    return sha256("\x1f".join(plain(name) for name in header).encode("utf-8", "replace")).hexdigest()


def chosen(kind: Kind, header: Sequence[str], said: Mapping[str, str], remembered: Mapping[str, str]) -> dict[str, int]:
    """The column of each field: as said, else as remembered, else by its name. Raises ``CrmError`` (``invalid``).

    A field that is said to be ``-`` is left out.
    """
    fields = FIELDS[kind]
    for field in said:
        if field not in fields:
            raise CrmError("invalid", f"{kind} have no field {field}", f"one of {', '.join(fields)}")
    columns: dict[str, int] = {}
    for index, name in enumerate(header):
        columns.setdefault(plain(name), index)
    found: dict[str, int] = {}
    for field, names in fields.items():
        asked = said.get(field, remembered.get(field))
        if asked == "-":
            continue
        if asked is not None:
            if plain(asked) not in columns:
                raise CrmError("invalid", f"there is no column {asked}", f"the columns: {_listed(header)}")
            found[field] = columns[plain(asked)]
            continue
        place = next((columns[plain(name)] for name in (field, *names) if plain(name) in columns), None)
        if place is not None and place not in found.values():
            found[field] = place
    for choices in NEEDED[kind]:
        if not any(field in found for field in choices):
            raise CrmError(
                "invalid",
                f"no column is the {' or '.join(choices)}",
                f"say which: --map {choices[0]}=COLUMN; the columns: {_listed(header)}",
            )
    return found


def remembered(connection: Connection, kind: Kind, header: Sequence[str]) -> dict[str, str]:
    """What was chosen for the last file of this shape; nothing when there was none."""
    table = tables.import_mapping
    where = table.c.kind == kind, table.c.shape == shape(header)
    body = connection.scalar(select(table.c.body).where(*where))
    return {} if body is None else dict(json.loads(body))


def remember(connection: Connection, kind: Kind, header: Sequence[str], mapping: Mapping[str, int], now: float) -> None:
    """Keep a choice for files of this shape: also what was left out."""
    body = {field: header[mapping[field]] if field in mapping else "-" for field in FIELDS[kind]}
    statement = insert(connection, tables.import_mapping)
    values = {name: statement.excluded[name] for name in ("body", "used")}
    row = {"kind": kind, "shape": shape(header), "body": json.dumps(body, ensure_ascii=False), "used": millis(now)}
    connection.execute(statement.on_conflict_do_update(index_elements=["kind", "shape"], set_=values), [row])


def _listed(header: Sequence[str]) -> str:
    return ", ".join(name[:40] for name in header[:40]) or "none"
