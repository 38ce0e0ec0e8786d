"""Roles and what each may do. Rules are data: the matrix of the tests reads the same table."""

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["clerk", "manager", "head_office", "integration", "operator"]
Permission = Literal[
    "figures:read",
    "customers:read",
    "customers:write",
    "customers:merge",
    "customers:erase",
    "products:read",
    "products:write",
    "purchases:read",
    "purchases:write",
    "guides:read",
    "guides:write",
    "looks:read",
]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
_CLERK: frozenset[Permission] = frozenset(
    ("figures:read", "customers:read", "customers:write", "products:read", "purchases:read", "guides:read")
)
_MANAGER: frozenset[Permission] = _CLERK | {"customers:merge", "guides:write", "looks:read"}
PEOPLE: dict[Role, frozenset[Permission]] = {
    "clerk": _CLERK,
    "manager": _MANAGER,
    "head_office": _MANAGER | {"customers:erase", "products:write", "purchases:write"},
    # Keeps the service running; sees no customer.
    "operator": frozenset(("figures:read",)),
}
"""What people may. A program has the role ``integration`` and the scopes of its key, nothing else."""
ONE_STORE: frozenset[Role] = frozenset(("clerk", "manager"))
"""Roles that are always of named stores."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``stores`` is None for every store; ``source`` is the only one that a key may write, None for any."""

    actor: str
    role: Role
    may: frozenset[Permission]
    stores: frozenset[str] | None = None
    source: str | None = None

    def of_store(self, store: str | None) -> bool:
        """Whether what belongs to this store (None: to no store) is within reach."""
        return self.stores is None or store in self.stores
