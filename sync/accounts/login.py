"""One login: the wait, the password, the session. The slow hash runs between transactions, not within one."""

from sqlalchemy import Engine

from sync.accounts import throttle, users
from sync.accounts.errors import LoginError
from sync.accounts.passwords import Passwords
from sync.accounts.throttle import Kind
from sync.store.database import reading, translated, writing


def login(engine: Engine, passwords: Passwords, account: str, password: str, address: str, now: float) -> str:
    """The token of a new session. Raises ``LoginError``, with the same words whatever was wrong."""
    who: dict[Kind, str] = {"account": account, "address": address}
    with reading(engine) as connection:
        wait = throttle.wait(connection, who, now)
        known = users.password_of(connection, account)
    if wait > 0:
        raise LoginError("too many wrong logins", f"wait {wait:.0f} s, or ask head office", wait)
    good = passwords.fits(known, password)
    with translated(), writing(engine) as connection:
        # Disabled, or given another password, while the hash was computed: then this one opens nothing.
        if good and users.password_of(connection, account) == known:
            throttle.right(connection, account)
            return users.open_session(connection, account, now)
        throttle.wrong(connection, who, now)
    raise LoginError("account and password do not fit", "try again, or ask head office for a new password")
