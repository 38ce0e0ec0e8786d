"""What happens in a company, through the API, on SQLite and PostgreSQL."""

import hmac
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.dashboard.api.calling import PASSWORD, SECRET, TEXT, Centre, centre
from tests.sync.crm.making import NOW

ROOT = Path(__file__).resolve().parents[3]
API = "/api/v1"


def till(receipt: str, **more: Any) -> dict[str, Any]:
    return {"source": "till", "receipt": receipt, "store": "here", "day": "2026-11-20 15:00", "amount": "99.00"} | more


def push(client: httpx.Client, body: bytes, time: float, secret: str = SECRET) -> httpx.Response:
    mark = hmac.new(secret.encode(), f"{time:.0f}.".encode() + body, sha256).hexdigest()
    headers = {"Yingke-Signature": f"t={time:.0f},v1={mark}", "Content-Type": "application/json"}
    return client.post(f"{API}/hooks/purchases/till", content=body, headers=headers)


def test_a_purchase_comes_in_and_stands_in_the_time_line(made: Centre) -> None:
    key, clerk = made.client("integration"), made.client("clerk")
    line = {"sku": "D-1", "units": 1, "amount": "99.00"}
    assert key.post(f"{API}/purchases", json=till("R1", customer="77", lines=[line])).status_code == 201
    (found,) = clerk.post(f"{API}/customers/find", json={"source": "till", "number": "77"}).json()["customers"]
    (entry,) = clerk.get(f"{API}/customers/{found['customer']}/timeline").json()["entries"]
    assert (entry["kind"], entry["receipt"], entry["amount"]) == ("sale", "R1", "99.00")
    looks = made.client("manager").get(f"{API}/customers/{found['customer']}/looks").json()["looks"]
    assert sorted((look["actor"], look["act"]) for look in looks) == [
        ("clerk", "found"),
        ("clerk", "viewed"),
        ("manager", "viewed"),
    ]


def test_the_same_request_again_is_done_once_and_the_same_key_for_another_is_refused(made: Centre) -> None:
    key, who = made.client("integration"), made.customer("1")
    headers = {"Idempotency-Key": "abc"}
    path, body = f"{API}/customers/{who}/interactions", {"kind": "talk", "text": TEXT}
    first, second = (key.post(path, json=body, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    (entry,) = key.get(f"{API}/customers/{who}/timeline").json()["entries"]
    assert entry["text"] == TEXT
    assert key.post(path, json=body | {"text": "other"}, headers=headers).status_code == 409
    assert key.post(f"{API}/purchases", json=till("R1")).json()["outcome"] == "new"
    assert key.post(f"{API}/purchases", json=till("R1")).json()["outcome"] == "same"
    assert key.post(f"{API}/purchases", json=till("R1", amount="98")).status_code == 409


def test_two_customers_who_are_one_are_merged_and_taken_apart_again(made: Centre) -> None:
    manager, one, two = made.client("manager"), made.customer("1"), made.customer("2")
    merge = manager.post(f"{API}/customers/{one}/merges", json={"gone": two, "reason": TEXT}).json()["id"]
    assert manager.get(f"{API}/customers/{two}").json()["customer"] == one
    assert manager.post(f"{API}/merges/{merge}/undo").status_code == 200
    assert manager.get(f"{API}/customers/{two}").json()["customer"] == two
    (row,) = manager.get(f"{API}/customers/{one}/merges").json()["merges"]
    assert (row["reason"], row["undone_by"]) == (TEXT, "manager")
    assert manager.post(f"{API}/merges/{merge}/undo").status_code == 409


def test_a_guide_leaves_and_the_customers_are_the_successors(made: Centre) -> None:
    manager = made.client("manager")
    leaver, successor = made.guide("li-na", "here"), made.guide("wang-fang", "here")
    who = made.customer("1", guide=leaver)
    done = manager.post(f"{API}/handovers", json={"leaver": leaver, "successor": successor}).json()
    assert (done["customers"], done["stores"]) == (1, ["here", "there"])
    assert manager.get(f"{API}/customers/{who}").json()["guide"] == successor
    assert manager.post(f"{API}/handovers", json={"leaver": leaver, "successor": successor}).status_code == 409


def test_html_and_emoji_come_back_as_they_were_written_and_control_characters_do_not_come_in(made: Centre) -> None:
    key = made.client("integration")
    body = {"source": "till", "number": "<i>7</i>😀", "store": "here", "name": TEXT, "note": TEXT, "tags": "👗"}
    who = key.put(f"{API}/customers", json=body).json()["customer"]
    answer = key.get(f"{API}/customers/{who}")
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert (told["name"], told["note"], told["tags"]) == (TEXT, TEXT, ["👗"])
    assert key.put(f"{API}/customers", json=body | {"name": "a\x00b"}).status_code == 422


def test_an_object_that_the_client_has_is_not_sent_again(made: Centre) -> None:
    clerk, who = made.client("clerk"), made.customer("1")
    tag = clerk.get(f"{API}/customers/{who}").headers["ETag"]
    again = clerk.get(f"{API}/customers/{who}", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert clerk.patch(f"{API}/customers/{who}", json={"name": "新"}).status_code == 200
    assert clerk.get(f"{API}/customers/{who}", headers={"If-None-Match": tag}).status_code == 200


def test_the_list_comes_in_pages_and_holds_whom_the_store_serves(made: Centre) -> None:
    mine = {made.customer(str(n)) for n in range(5)}
    made.customer("9", store="there")
    clerk, cursor, seen = made.client("clerk"), None, []
    while True:
        page = clerk.get(f"{API}/customers", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [each["customer"] for each in page["customers"]]
        if (cursor := page["cursor"]) is None:
            break
    assert (len(seen), set(seen)) == (5, mine)


def test_a_customer_of_another_store_cannot_be_taken_over_by_writing_ones_own_into_it(made: Centre) -> None:
    made.customer("9", store="there")
    body = {"source": "till", "number": "9", "store": "here", "name": "mine"}
    assert made.client("clerk").put(f"{API}/customers", json=body).status_code == 404
    assert (
        made.client("head_office")
        .post(f"{API}/customers/find", json={"source": "till", "number": "9"})
        .json()["customers"][0]["store"]
        == "there"
    )


def test_an_erased_customer_is_gone_and_does_not_come_back(made: Centre) -> None:
    head, who = made.client("head_office"), made.customer("1")
    assert head.post(f"{API}/customers/{who}/erase").json()["erased"] == [who]
    assert head.get(f"{API}/customers/{who}").status_code == 404
    assert head.put(f"{API}/customers", json={"source": "till", "number": "1", "name": "x"}).status_code == 409


def test_a_signed_receipt_is_taken_once_and_a_forged_or_late_one_is_not(made: Centre) -> None:
    client, body = made.client(), json.dumps(till("W1")).encode()
    assert push(client, body, NOW).json()["outcome"] == "new"
    assert push(client, body, NOW).json()["outcome"] == "same"
    assert push(client, body, NOW, "another secret").status_code == 401
    assert push(client, body, NOW - 301).status_code == 401
    assert push(client, body, NOW + 301).status_code == 401


def test_the_receipt_in_the_document_is_taken_in(made: Centre) -> None:
    block = re.search(r"```json\n(.*?)```", (ROOT / "docs/till.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert block
    assert len(block[1].splitlines()) <= 40
    receipt = json.loads(block[1].replace("nanjing-road", "here"))
    assert made.client("integration").post(f"{API}/purchases", json=receipt).status_code == 201


def test_wrong_logins_cost_time_and_the_clock_gives_it_back(made: Centre) -> None:
    client = made.client()
    wrong, right = ({"account": "clerk", "password": word} for word in ("not this one", PASSWORD))
    assert [client.post(f"{API}/login", json=wrong).status_code for _ in range(6)] == [401] * 5 + [429]
    refused = client.post(f"{API}/login", json=right)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "31")
    made.time[0] += 31
    answer = client.post(f"{API}/login", json=right)
    assert answer.status_code == 204
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in answer.headers["set-cookie"].split(";")}


def test_a_session_ends_by_logout_by_disabling_and_by_time(made: Centre) -> None:
    from sync.accounts import users
    from sync.store.database import writing

    out, late, gone = made.client("clerk"), made.client("manager"), made.client("operator")
    cookie = dict(out.cookies)
    assert out.post(f"{API}/logout").status_code == 204
    assert httpx.get(f"{made.address}{API}/me", cookies=cookie).status_code == 401
    with writing(made.office.engine) as connection:
        users.disable(connection, "operator", NOW)
    assert gone.get(f"{API}/me").status_code == 401
    assert late.get(f"{API}/me").status_code == 200
    made.time[0] += 12 * 3600 + 1
    assert late.get(f"{API}/me").status_code == 401


def test_another_site_cannot_write_with_the_session(made: Centre) -> None:
    clerk, who = made.client("clerk"), made.customer("1")
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert clerk.patch(f"{API}/customers/{who}", json={"name": "x"}, headers=headers).status_code == 403


@pytest.mark.parametrize("path", [f"{API}/stores", f"{API}/stores/here/day"])
def test_figures_are_open_on_this_machine_until_the_first_account(
    path: str, make_database: Any, tmp_path: Path
) -> None:
    with centre(make_database("sqlite"), tmp_path, accounts=False) as made:
        assert made.client().get(path).status_code == 200
        assert made.client().get(f"{API}/customers").status_code == 403
    with centre(make_database("sqlite"), tmp_path) as made:
        assert made.client().get(path).status_code == 401
