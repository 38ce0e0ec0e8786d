"""A member's face is taken in: consent before anything is captured, nobody twice, and sealed parcels for other stores.

What is enrolled comes as vectors (``models.enrolment``); this keeps them, or says why not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sync.members.errors import MemberError
from sync.members.register import FILING_WARNING, Register, Vectors
from sync.members.sealed import Parcel, pack
from sync.signing import SigningKey

Near = Callable[[Mapping[str, Vectors], Vectors], Sequence[str]]
"""The members, of those given with their vectors, who may be the same person as the last argument."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What was kept: ``parcels`` are the other stores for which a sealed template waits.

    ``without_key`` are stores that the member named and whose box has no key in the configuration. ``warning`` is set
    where a filing duty comes near (PRIVACY rule 13).
    """

    member: str
    model: str
    parcels: tuple[str, ...]
    without_key: tuple[str, ...]
    warning: str | None = None


def must_agree(register: Register, member: str, now: float) -> None:
    """Before a picture is opened or a camera is. Raises ``MemberError`` (``no_consent``)."""
    if not register.allows(member, "recognition", now):
        raise MemberError(
            "no_consent",
            f"{member} has not agreed to recognition in store {register.store}",
            f"show the text and record the answer first: yingke consent give {member} --purpose recognition "
            "--by GUIDE --adult",
        )


def keep(
    register: Register,
    member: str,
    model: str,
    vectors: Vectors,
    now: float,
    by: str,
    near: Near,
    *,
    same_person_known: bool = False,
    stores: Mapping[str, str] | None = None,
    key: SigningKey | None = None,
) -> Enrolled:
    """Seal and keep ``vectors`` (``(n, size)``), and overwrite them. ``stores``: sealing keys of other stores' boxes.

    Raises ``MemberError``: ``no_consent``; ``known`` when somebody else here may be the same person.
    """
    try:
        must_agree(register, member, now)
        others = {each.member: each.vectors for each in register.gallery(model, now).templates if each.member != member}
        same = list(near(others, vectors))
        for rows in others.values():
            rows[:] = 0
        if same and not same_person_known:
            raise MemberError(
                "known",
                f"this may be the same person as {', '.join(same)}, who is enrolled here",
                "find out which membership is theirs; where both are to stay: --same-person-known",
            )
        # Made before anything is kept: a key that is none then refuses the whole of it.
        parcels, without = _parcels(register, member, model, vectors, now, stores or {}, key)
        register.enrol(member, model, vectors, now, by)
        for parcel, signed in parcels:
            register.send(str(parcel.id), member, signed, now)
    finally:
        vectors[:] = 0
    count = register.enrolled()
    warning = (
        f"{count} faces are enrolled: in China a filing duty starts at 100,000" if count >= FILING_WARNING else None
    )
    return Enrolled(member, model, tuple(parcel.to for parcel, _ in parcels), without, warning)


def _parcels(
    register: Register,
    member: str,
    model: str,
    vectors: Vectors,
    now: float,
    keys: Mapping[str, str],
    signing: SigningKey | None,
) -> tuple[list[tuple[Parcel, str]], tuple[str, ...]]:
    given = [each for each in register.consents(member) if each.purpose == "recognition"][-1:]
    named = [store for store in given[0].stores if store != register.store]
    made, without = [], []
    for store in named:
        if store not in keys or signing is None:
            without.append(store)
            continue
        try:
            parcel = pack(register.store, store, keys[store], member, model, vectors, given, now)
        except ValueError as error:
            raise MemberError(
                "file", f"the sealing key of {store} is none", f"correct edge.recognition.stores.{store}: yingke keys"
            ) from error
        made.append((parcel, parcel.signed(signing).decode()))
    return made, tuple(without)
