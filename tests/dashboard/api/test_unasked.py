"""Requests that nobody thought of (schemathesis): never a server error, and nothing for who is nobody."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from dashboard.api.gate import declared
from tests.dashboard.api.calling import Centre, centre

SKIPPED = {"/api/v1/changes"}
"""An endless stream."""
CASES = 12
"""Requests of each kind, per route and caller: a short run."""


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    folder: Path = tmp_path_factory.mktemp("unasked")
    with centre(f"sqlite:///{folder}/central.db", folder) as made:
        yield made


@pytest.mark.parametrize("who", [None, "head_office", "integration"])
def test_no_request_makes_the_centre_fail_or_shows_anything_to_nobody(one: Centre, who: str | None) -> None:
    schema = schemathesis.openapi.from_dict(one.app.openapi())
    public = {(method, path) for method, path, needs in declared(one.app) if needs == "public"}
    client, asked = one.client(who), 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path in SKIPPED or operation.path.endswith("/logout"):
            continue

        @settings(
            max_examples=CASES,
            database=None,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation=st.just(operation), data=st.data())
        def ask(operation: Any, data: st.DataObject) -> None:
            nonlocal asked
            case = data.draw(operation.as_strategy())
            arguments = case.as_transport_kwargs(base_url=one.address)
            headers = {k: v for k, v in arguments["headers"].items() if k.lower() not in ("cookie", "authorization")}
            sent = {name: arguments[name] for name in ("json", "params") if arguments.get(name) is not None}
            try:
                request = client.build_request(case.method, arguments["url"], headers=headers, **sent)
            except (httpx.InvalidURL, UnicodeEncodeError, ValueError):
                return  # It cannot be said over HTTP.
            answer = client.send(request)
            asked += 1
            assert answer.status_code < 500, (request.url, answer.text)
            if who is None and (case.method.upper(), case.path) not in public:
                assert answer.status_code >= 400

        ask()
    assert asked > 100
