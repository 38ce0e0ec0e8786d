"""Members of a box by command: what they agreed to, their codes and cards, and who looked at them."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from sync.members.consent import PURPOSES, How, Language

if TYPE_CHECKING:
    from sync.members.consent import Consent
    from sync.members.register import Register
    from sync.members.settings import MembersFile

CONFIG = click.option(
    "--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True
)
JSON = click.option("--json", "as_json", is_flag=True, help="Only JSON on standard output.")
BY = click.option("--by", required=True, help="who does it, such as guide-7")
PURPOSE = click.option("--purpose", type=click.Choice(PURPOSES), required=True)
LANGUAGE = click.option("--language", type=click.Choice(get_args(Language)), default="zh", show_default=True)
CODE_DAYS = 365


def opened(path: Path) -> "tuple[MembersFile, Register]":
    """The configuration and the register of the box; enter the latter."""
    from sync.members.register import Register
    from sync.members.settings import MembersFile
    from sync.settings import load

    config = load(path, MembersFile)
    return config, Register(config.edge.data, config.store.id)


def the_member(member: str) -> str:
    """The reference as it is written; raises ``MemberError`` for anything that is none."""
    import re

    from sync.members.errors import MemberError

    if not re.fullmatch(r"M-[0-9A-Z]{4,26}", member):
        raise MemberError("unknown", f"{member!r} is no member's reference", "write it as on their card: M-0417")
    return member


@click.group()
def consent() -> None:
    """What a member agreed to: show it, record it, take it back; one purpose at a time."""


@consent.command()
@click.argument("member")
@CONFIG
@JSON
def show(member: str, path: Path, as_json: bool) -> None:
    """Every entry of MEMBER's, oldest first, and what is in force now."""
    from sync.clock import clock

    config, register = opened(path)
    with register:
        entries = register.consents(the_member(member))
        now = clock(config.clock)()
        force = [purpose for purpose in PURPOSES if register.allows(member, purpose, now)]
        erased = register.tombstone(member)
    if as_json:
        document = {
            "member": member,
            "inForce": force,
            "erased": erased is not None,
            "entries": [each.model_dump(mode="json") for each in entries],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for each in entries:
        where = ", ".join(each.stores) or "this store"
        click.echo(
            f"{each.moment}  {each.act:9}  {each.purpose}  text {each.version} {each.language} {each.digest[:12]}  "
            f"by {each.taken_by} ({each.how})  for {where}"
        )
    click.echo(f"in force: {', '.join(force) or 'nothing'}")
    if erased is not None:
        click.echo("this member was erased here")


@consent.command()
@click.argument("member")
@PURPOSE
@LANGUAGE
@BY
@click.option("--how", type=click.Choice(get_args(How)), default="paper", show_default=True, help="how they said so")
@click.option("--adult", is_flag=True, help="they said that they are of age; needed for recognition")
@click.option("--store", "stores", multiple=True, help="a store that they named; none: this one")
@CONFIG
def give(
    member: str, purpose: Any, language: Any, by: str, how: Any, adult: bool, stores: tuple[str, ...], path: Path
) -> None:
    """Record that MEMBER agreed, after they read the text that this prints."""
    entry = _record(path, member, "given", purpose, language, by, how, adult=adult, stores=stores)
    click.echo(f"recorded for {member}: {purpose} given, by {by} ({how}), {entry.moment}")


@consent.command()
@click.argument("member")
@PURPOSE
@LANGUAGE
@BY
@click.option("--how", type=click.Choice(get_args(How)), default="command", show_default=True, help="how they said so")
@CONFIG
def withdraw(member: str, purpose: Any, language: Any, by: str, how: Any, path: Path) -> None:
    """Record that MEMBER takes it back. Recognition: the template is deleted at once. Profile: the card is."""
    entry = _record(path, member, "withdrawn", purpose, language, by, how, quiet=True)
    click.echo(f"recorded for {member}: {purpose} withdrawn, by {by}, {entry.moment}")


@consent.command(name="text")
@PURPOSE
@LANGUAGE
@JSON
def consent_text(purpose: Any, language: Any, as_json: bool) -> None:
    """The words in force, to be shown before anything is asked."""
    from sync.members.consent import text

    shown = text(purpose, language)
    if as_json:
        click.echo(json.dumps({**shown.model_dump(), "digest": shown.digest}, ensure_ascii=False))
        return
    click.echo(shown.words)
    click.echo(f"version {shown.version}, digest {shown.digest}")


def _record(
    path: Path,
    member: str,
    act: Any,
    purpose: Any,
    language: Any,
    by: str,
    how: Any,
    *,
    adult: bool = False,
    stores: tuple[str, ...] = (),
    quiet: bool = False,
) -> "Consent":
    from pydantic import ValidationError

    from sync.clock import clock
    from sync.members.consent import Consent, text
    from sync.members.errors import MemberError

    config, register = opened(path)
    shown = text(purpose, language)
    try:
        entry = Consent(
            member=the_member(member),
            purpose=purpose,
            act=act,
            time=clock(config.clock)(),
            version=shown.version,
            digest=shown.digest,
            language=language,
            taken_by=by,
            how=how,
            # Who names another store means this one too, where they are asked.
            stores=tuple(dict.fromkeys((config.store.id, *stores))) if stores else (),
            adult=adult,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        option = {"taken_by": "--by", "stores": "--store"}.get(field, field)
        raise MemberError(
            "unknown", f"{option} {first['input']!r} is no name", "names are 1 to 32 of a-z, 0-9 and -, such as guide-7"
        ) from None
    if not quiet:
        click.echo(shown.words)
        click.echo(f"version {shown.version}, digest {shown.digest}")
    with register:
        register.record([entry])
    return entry


@click.command(name="member-code")
@click.argument("member")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="good up to and including this day; default: a year")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="write the QR code to this file")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="write the QR code to this file")
@CONFIG
def member_code(member: str, until: Any, png: Path | None, svg: Path | None, path: Path) -> None:
    """The code that MEMBER shows instead of a face: their reference and a day, signed by this box or centre.

    Prints its text; --png and --svg write the QR code. It holds no name and no number of theirs.
    """
    from datetime import datetime

    from sync.clock import clock
    from sync.members import codes
    from sync.members.register import Register
    from sync.members.settings import MembersFile
    from sync.order_taker import box_key
    from sync.settings import load
    from sync.signing import SigningKey

    config = load(path, MembersFile)
    today = datetime.fromtimestamp(clock(config.clock)(), config.store.zone).date()
    last: date = until.date() if until else today + timedelta(days=CODE_DAYS)
    if last < today:
        raise click.BadParameter(f"{last} is over", param_hint="--until")
    key = SigningKey.open_or_make(config.centre.key) if config.centre else box_key(config.edge.data)
    text = codes.make(the_member(member), last, key)
    if config.centre is None and (config.edge.data / "members.db").exists():
        with Register(config.edge.data, config.store.id) as register:
            if register.tombstone(member) is not None:
                click.echo(f"{member} was erased here: this code opens no card until they join again", err=True)
    for file in filter(None, (png, svg)):
        _write_qr(text, file, "png" if file is png else "svg")
    click.echo(text)


def _write_qr(text: str, file: Path, kind: str) -> None:
    import segno

    try:
        segno.make(text, error="m", micro=False).save(str(file), kind=kind, scale=8, border=4)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error


@click.group()
def members() -> None:
    """The members whom this box serves: what clerks may see of them, their cards, and who looked."""


@members.command(name="import")
@click.argument("cards", type=click.Path(dir_okay=False, path_type=Path))
@CONFIG
@JSON
def import_cards(cards: Path, path: Path, as_json: bool) -> None:
    """Take in what clerks may see of members: CARDS is a JSON list. Each needs the member's consent to a profile.

    The right ones go in, every wrong one is named; the exit code is 1 where one was refused.
    """
    from pydantic import ValidationError

    from sync.clock import clock
    from sync.members.cards import CustomerCard
    from sync.members.errors import MemberError

    config, register = opened(path)
    now = clock(config.clock)()
    refused: list[dict[str, Any]] = []
    taken = 0
    with register:
        for number, document in enumerate(_documents(cards), 1):
            whose = document.get("member") if isinstance(document, dict) else None
            try:
                register.keep_card(CustomerCard.model_validate(document), now)
                taken += 1
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                why = f"{'.'.join(map(str, first['loc'])) or 'the entry'}: {first['msg']}"
                refused.append({"entry": number, "member": whose, "problem": why})
            except MemberError as error:
                if error.code == "file":
                    raise
                refused.append({"entry": number, "member": whose, "problem": f"{error}; {error.fix}"})
    if as_json:
        click.echo(json.dumps({"taken": taken, "refused": refused}, ensure_ascii=False))
    else:
        click.echo(f"{taken} cards taken in")
        for each in refused:
            click.echo(f"refused: entry {each['entry']} ({each['member']}): {each['problem']}", err=True)
    if refused:
        raise SystemExit(1)


def _documents(cards: Path) -> list[Any]:
    from sync.members.errors import MemberError

    try:
        found = json.loads(cards.read_text(encoding="utf-8"))
    except OSError as error:
        raise MemberError("file", f"{cards} cannot be read: {error.strerror}", "check the path") from error
    except ValueError as error:
        raise MemberError("file", f"{cards} is no JSON: {error}", "write it as a JSON list of cards") from error
    if not isinstance(found, list):
        raise MemberError("file", f"{cards} holds no list", "write it as a JSON list of cards")
    return found


@members.command()
@click.argument("epc")
@click.argument("member")
@BY
@CONFIG
def card(epc: str, member: str, by: str, path: Path) -> None:
    """MEMBER carries the RFID card with this EPC (hex). Needs their consent to a profile."""
    from sync.clock import clock
    from sync.events import is_epc
    from sync.members.errors import MemberError

    config, register = opened(path)
    now = clock(config.clock)()
    if not is_epc(epc.upper()):
        raise MemberError("unknown", f"{epc!r} is no EPC", "give it in hex, as yingke rfid decode prints it")
    with register:
        if not register.allows(the_member(member), "profile", now):
            raise MemberError(
                "no_consent",
                f"{member} has not agreed to a profile",
                f"record it first: yingke consent give {member} --purpose profile --by {by}",
            )
        register.bind_card(epc, member, now, by)
    click.echo(f"card {epc.upper()} is {member}'s")


@members.command()
@click.argument("member")
@CONFIG
@JSON
def looks(member: str, path: Path, as_json: bool) -> None:
    """Who looked at MEMBER, and what the box did with their data. The member may have this list."""
    from sync.events import utc

    _, register = opened(path)
    with register:
        found = register.looks(the_member(member))
    entries = [{"time": utc(each.time).isoformat(timespec="seconds"), **each.body} for each in found]
    if as_json:
        click.echo(json.dumps({"member": member, "looks": entries}, ensure_ascii=False))
        return
    for entry in entries:
        rest = ", ".join(f"{name} {value}" for name, value in entry.items() if name not in ("time", "who", "what"))
        click.echo(f"{entry['time']}  {entry['who']}  {entry['what']}{f'  ({rest})' if rest else ''}")


@members.command()
@CONFIG
def verify(path: Path) -> None:
    """Check that no entry about consents and looks was altered or taken out."""
    from sync.members.errors import MemberError

    config, register = opened(path)
    with register:
        altered = register.verify()
    if altered is not None:
        raise MemberError(
            "altered",
            f"entry {altered} of {config.edge.data / 'members.db'} was altered, or one before it is missing",
            "restore the file from a backup, and find out who can write to it",
        )
    click.echo("every entry is as it was written")
