"""A real application over a real central database, and callers of every role."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI

from dashboard.api.office import Office
from dashboard.app import create_app
from dashboard.server import PageServer
from sync.accounts import keys, users
from sync.accounts.passwords import Passwords
from sync.accounts.roles import PEOPLE, PERMISSIONS
from sync.crm import customers, guides
from sync.crm.customers import CustomerIn, Profile
from sync.settings import StoreConfig
from sync.signing import SigningKey
from sync.store.database import writing
from sync.store.store import CentralStore
from tests.sync.crm.making import NOW

STORES = [StoreConfig(id="here", timezone="Asia/Shanghai"), StoreConfig(id="there", timezone="Asia/Shanghai")]
PASSWORD = "four plain words here"
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
"""What is tested here is not how slow the hash is."""
SECRET = "a secret of the till"
TEXT = "<b>王芳</b> 👗 & \"'"


@dataclass
class Centre:
    app: FastAPI
    office: Office
    time: list[float]
    address: str = ""
    key: dict[str, str] = field(default_factory=dict)
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, who: str | None = None) -> httpx.Client:
        """``who`` is ``ROLE``, ``ROLE@there`` or nobody; people log in, programs send their key."""
        client = httpx.Client(base_url=self.address, timeout=20)
        self.clients.append(client)
        if who is not None and who.startswith("integration"):
            client.headers["Authorization"] = f"Bearer {self.key[who]}"
        elif who is not None:
            body = {"account": who.replace("_", "-").replace("@", "."), "password": PASSWORD}
            answer = client.post("/api/v1/login", json=body)
            assert answer.status_code == 204, answer.text
        return client

    def customer(self, number: str, store: str | None = "here", **more: Any) -> str:
        with writing(self.office.engine) as connection:
            profile = Profile(name=TEXT, store=store)
            customers.put(connection, [CustomerIn("till", number, profile=profile, **more)], NOW, "test")
            return str(customers.keys_of(connection, [("till", number)])["till", number].customer)

    def guide(self, name: str, store: str) -> str:
        with writing(self.office.engine) as connection:
            guides.put(connection, name, TEXT, store, NOW)
        return name


@contextmanager
def centre(database: str, tmp_path: Any, accounts: bool = True) -> Iterator[Centre]:
    with CentralStore(database) as store:
        time = [NOW]
        key = SigningKey.open_or_make(tmp_path / "orders.key")
        office = Office(store.engine, STORES, lambda: time[0], CHEAP, {"till": SECRET}, key)
        made = Centre(create_app(store, STORES, lambda: time[0], {}, simulated=False, office=office), office, time)
        if accounts:
            hashed = CHEAP.hashed(PASSWORD)
            with writing(store.engine) as connection:
                for place in ("here", "there"):
                    at = "" if place == "here" else "@there"
                    for role in PEOPLE:
                        stores = [] if role in ("head_office", "operator") else [place]
                        name = f"{role}{at}".replace("_", "-").replace("@", ".")
                        users.add(connection, name, hashed, role, stores, NOW)
                    name = f"integration{at}"
                    made.key[name] = keys.add(connection, name[:32], PERMISSIONS, [place], None, NOW)
        with serving(made):
            yield made


@contextmanager
def serving(made: Centre) -> Iterator[None]:
    server = PageServer(made.app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        made.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield
        finally:
            for client in made.clients:
                client.close()
            server.should_exit = True
            thread.join()
