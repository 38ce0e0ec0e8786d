"""Every route × role × store: what is not listed here fails, and what is listed does what it says."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dashboard.api.gate import Gate, declared, refuse_undeclared, undeclared
from sync.accounts.roles import PEOPLE, PERMISSIONS
from sync.errors import SyncError
from tests.dashboard.api.calling import Centre, centre

CLERK, MANAGER, HEAD, KEY, OPERATOR = "clerk", "manager", "head_office", "integration", "operator"
STAFF = {CLERK, MANAGER, HEAD, KEY}
EVERYBODY = {*STAFF, OPERATOR}
PUBLIC = {"", *EVERYBODY}
BOSSES = {MANAGER, HEAD, KEY}
CENTRAL = {HEAD, KEY}
# Who may use a route at all, and whether it is about one store's (then those of the other store are refused).
LISTED: dict[tuple[str, str], tuple[set[str], bool]] = {
    ("GET", "/"): (PUBLIC, False),
    ("GET", "/login"): (PUBLIC, False),
    ("GET", "/healthz"): (PUBLIC, False),
    ("GET", "/api/v1/stores"): (EVERYBODY, False),
    ("GET", "/api/v1/stores/{store}/day"): (EVERYBODY, True),
    ("GET", "/api/v1/stores/{store}/audits"): (EVERYBODY, True),
    ("GET", "/api/v1/stores/{store}/recognition"): (EVERYBODY, True),
    ("GET", "/api/v1/stores/{store}/events"): (EVERYBODY, True),
    ("GET", "/api/v1/stores/{store}/epcis"): (EVERYBODY, True),
    ("POST", "/api/v1/login"): (PUBLIC, False),
    ("POST", "/api/v1/logout"): (EVERYBODY, False),
    ("GET", "/api/v1/me"): (EVERYBODY, False),
    ("GET", "/api/v1/customers"): (STAFF, False),
    ("POST", "/api/v1/customers/find"): (STAFF, False),
    ("PUT", "/api/v1/customers"): (STAFF, True),
    ("GET", "/api/v1/customers/{customer}"): (STAFF, True),
    ("PATCH", "/api/v1/customers/{customer}"): (STAFF, True),
    ("GET", "/api/v1/customers/{customer}/timeline"): (STAFF, True),
    ("GET", "/api/v1/customers/{customer}/looks"): (BOSSES, True),
    ("POST", "/api/v1/customers/{customer}/interactions"): (STAFF, True),
    ("POST", "/api/v1/customers/{customer}/merges"): (BOSSES, True),
    ("GET", "/api/v1/customers/{customer}/merges"): (STAFF, True),
    ("POST", "/api/v1/merges/{merge}/undo"): (BOSSES, True),
    ("POST", "/api/v1/customers/{customer}/erase"): (CENTRAL, True),
    ("PUT", "/api/v1/products"): (CENTRAL, True),
    ("GET", "/api/v1/products"): (STAFF, False),
    ("GET", "/api/v1/variants/{kind}/{code}"): (STAFF, False),
    ("POST", "/api/v1/purchases"): (CENTRAL, True),
    ("GET", "/api/v1/purchases/{source}/{receipt}"): (STAFF, True),
    ("GET", "/api/v1/guides"): (STAFF, False),
    ("GET", "/api/v1/guides/{guide}"): (STAFF, True),
    ("PUT", "/api/v1/guides/{guide}"): (BOSSES, True),
    ("POST", "/api/v1/handovers"): (BOSSES, True),
}
ELSEWHERE = {
    # An endless stream, and a route with a check of its own: each has a test of its own.
    ("GET", "/api/v1/changes"),
    ("POST", "/api/v1/hooks/purchases/{source}"),
}
CALLERS = [f"{role}{at}" for role in (*PEOPLE, KEY) for at in ("", "@there")]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    with centre(f"sqlite:///{folder}/central.db", folder) as made:
        yield made


def request(made: Centre, method: str, path: str) -> tuple[str, Any]:
    """A request that does something in the store ``here``, each time with things of its own."""
    number = uuid4().hex[:12]
    customer = made.customer(number)
    leaver, successor = made.guide(f"g{number}", "here"), made.guide(f"h{number}", "here")
    head = made.client(HEAD)
    till = {"source": "till", "receipt": number, "store": "here", "day": "2026-11-20", "amount": "10"}
    assert head.post("/api/v1/purchases", json=till | {"lines": [{"sku": number, "amount": "10"}]}).status_code == 201
    merge = head.post(f"/api/v1/customers/{customer}/merges", json={"gone": made.customer(f"{number}x")}).json()["id"]
    bodies: dict[tuple[str, str], Any] = {
        ("POST", "/api/v1/login"): {"account": "clerk", "password": "four plain words here"},
        ("POST", "/api/v1/customers/find"): {"source": "till", "number": number},
        ("PUT", "/api/v1/customers"): {"source": "till", "number": number, "store": "here", "name": "王"},
        ("PATCH", "/api/v1/customers/{customer}"): {"name": "李"},
        ("POST", "/api/v1/customers/{customer}/interactions"): {"kind": "talk", "text": "😀"},
        ("POST", "/api/v1/customers/{customer}/merges"): {"gone": made.customer(f"{number}y")},
        ("PUT", "/api/v1/products"): {"sku": number, "name": "裙", "store": "here", "stock": 3},
        ("POST", "/api/v1/purchases"): till | {"receipt": f"{number}z"},
        ("PUT", "/api/v1/guides/{guide}"): {"name": "😀", "store": "here"},
        ("POST", "/api/v1/handovers"): {"leaver": leaver, "successor": successor},
    }
    filled = path.format(
        store="here",
        customer=customer,
        merge=merge,
        kind="sku",
        code=number,
        source="till",
        receipt=number,
        guide=leaver,
    )
    return filled, bodies.get((method, path))


def test_every_route_is_listed_and_every_listed_route_is_there(one: Centre) -> None:
    assert {(method, path) for method, path, _ in declared(one.app)} == set(LISTED) | ELSEWHERE


@pytest.mark.parametrize("caller", [None, *CALLERS])
@pytest.mark.parametrize("route", LISTED, ids=lambda route: " ".join(route))
def test_each_role_of_each_store_may_do_what_is_listed_and_nothing_else(
    one: Centre, route: tuple[str, str], caller: str | None
) -> None:
    roles, of_store = LISTED[route]
    role, _, elsewhere = (caller or "").partition("@")
    path, body = request(one, *route)
    status = one.client(caller).request(route[0], path, json=body, headers={"Connection": "close"}).status_code
    if role not in roles:
        assert status == (401 if caller is None else 403)
    elif of_store and elsewhere and role in {CLERK, MANAGER, KEY}:
        assert status in (403, 404)
    else:
        assert 200 <= status < 300


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_two_others_refuse_who_is_nobody(one: Centre, method: str) -> None:
    path = "/api/v1/changes" if method == "GET" else "/api/v1/hooks/purchases/till"
    assert one.client().request(method, path).status_code == 401


def test_a_route_that_says_nothing_of_permissions_fails_to_start(one: Centre) -> None:
    from fastapi import APIRouter, FastAPI

    app = FastAPI(openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None)
    add: Callable[..., Any] = Gate(app).get("/good", "public")
    add(lambda: {})
    refuse_undeclared(app)
    app.get("/open")(lambda: {})
    with pytest.raises(SyncError, match="/open does not say who may use it"):
        refuse_undeclared(app)
    other, router = FastAPI(openapi_url=None), APIRouter()
    router.get("/hidden")(lambda: {})
    other.include_router(router)
    assert undeclared(other)


def test_what_a_key_may_do_is_its_scopes_only(one: Centre) -> None:
    assert set(PERMISSIONS) >= set().union(*PEOPLE.values())
