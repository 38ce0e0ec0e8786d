"""What really runs, for people: the sign for the door and a data protection impact assessment, from the configuration.

PRIVACY rule 14. Nothing is said that the configuration does not say or the code does not do; what only the company can
know is left open and marked. Engineering, not legal advice.
"""

import html
from dataclasses import dataclass
from datetime import date
from typing import Any

from edge.config import EdgeFile
from edge.paper_words import DPIA, SIGN
from sync.members.consent import Language


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sign and the assessment are about. Names are those of the configuration."""

    store: str
    cameras: tuple[str, ...]
    frigate: tuple[str, ...]
    wifi: tuple[str, ...]
    wifi_minutes: float
    rfid_rooms: tuple[str, ...]
    """Readers of fitting rooms and trays."""
    rfid_cards: tuple[str, ...]
    staff_badges: bool
    codes: tuple[str, ...]
    wifi_login: bool
    mode: str
    watched: tuple[str, ...]
    profile: str | None
    encoder: str | None
    queue_days: float
    """How long confirmed events stay on the box."""
    arrival_days: int
    tryon_days: int
    """How long the centre keeps them; totals stay."""
    recognition: Any
    """The section, for the attestation and the override."""


def facts(config: EdgeFile) -> Facts:
    """Read the configuration."""
    edge, sensors = config.edge, config.sensors
    windows = [edge.devices[wifi.name].window_seconds for wifi in sensors.wifi if wifi.name in edge.devices]
    windows += [access_point.window_seconds for access_point in edge.access_points.values()]
    encoder = None
    if edge.recognition.mode != "off":
        from models.encoders import chosen

        encoder = chosen(config.models)
    return Facts(
        store=config.store.name or config.store.id,
        cameras=tuple(camera.name for camera in sensors.cameras),
        frigate=tuple(camera.name for camera in sensors.frigate),
        wifi=tuple(wifi.name for wifi in (*sensors.wifi, *sensors.access_points)),
        wifi_minutes=max(windows, default=0) / 60,
        rfid_rooms=tuple(sorted(edge.tryons)),
        rfid_cards=tuple(sorted(edge.member_cards)),
        staff_badges=bool(edge.badges),
        codes=tuple(sorted(edge.codes)),
        # The section is the tablet server's; here only whether it stands there.
        wifi_login=isinstance(config.tablet, dict) and bool(config.tablet.get("wifi_login")),
        mode=edge.recognition.mode,
        watched=tuple(sorted(edge.recognition.watched)),
        profile=edge.recognition.profile,
        encoder=encoder,
        queue_days=config.sync.outbox.keep_confirmed_days,
        arrival_days=config.sync.retention.arrival_days,
        tryon_days=config.sync.retention.tryon_days,
        recognition=edge.recognition,
    )


def _said(known: Facts) -> list[str]:
    """The keys of the sentences that are true of this box."""
    keys = []
    if known.cameras or known.frigate:
        keys.append("cameras")
    if known.frigate:
        keys.append("frigate")
    keys.append({"off": "face_off", "check_in": "face_check_in", "entrance": "face_entrance"}[known.mode])
    if known.codes or known.rfid_cards or known.mode != "off":
        keys.append("without_face")
    if known.rfid_cards:
        keys.append("cards")
    if known.wifi_login:
        keys.append("wifi_login")
    keys.append("wifi_on" if known.wifi else "wifi_off")
    if known.rfid_rooms:
        keys.append("rfid")
    return keys


def sign_html(config: EdgeFile, language: Language) -> str:
    """The sign, as one page that prints on A4."""
    known, words = facts(config), SIGN[language]
    named = {"minutes": f"{known.wifi_minutes:g}"}
    points = "".join(f"<li>{html.escape(words[key].format(**named))}</li>\n" for key in _said(known))
    return f"""<!doctype html>
<html lang="{"zh-CN" if language == "zh" else "en"}">
<head>
<meta charset="utf-8">
<title>{html.escape(words["title"])} · {html.escape(known.store)}</title>
<style>
@page {{ size: A4; margin: 18mm }}
body {{ font: 17pt/1.5 "Noto Sans SC", "PingFang SC", "Microsoft YaHei", system-ui, sans-serif; color: #111;
  background: #fff; max-width: 175mm; margin: 0 auto; padding: 6mm 0 }}
h1 {{ font-size: 30pt; line-height: 1.2; margin: 0 0 2mm }}
p.store {{ margin: 0 0 6mm; color: #444 }}
li {{ margin: 0 0 4mm }}
footer {{ border-top: 1px solid #777; margin-top: 8mm; padding-top: 4mm; font-size: 13pt; color: #333 }}
.open {{ border-bottom: 1px solid #111; display: inline-block; min-width: 70mm }}
</style>
</head>
<body>
<h1>{html.escape(words["title"])}</h1>
<p class="store">{html.escape(known.store)}</p>
<ul>
{points}</ul>
<footer>
<p>{html.escape(words["rights"])}</p>
<p>{html.escape(words["company"])} <span class="open">&nbsp;</span></p>
<p>{html.escape(words["contact"])} <span class="open">&nbsp;</span></p>
</footer>
</body>
</html>
"""


def dpia_markdown(config: EdgeFile, language: Language, today: date) -> str:
    """A data protection impact assessment: filled in where the configuration tells, marked where only people can."""
    known, words = facts(config), DPIA[language]
    lines = [
        f"# {words['title']} · {known.store}",
        "",
        words["made"].format(day=today),
        "",
        f"## {words['what']}",
        "",
        f"| {words['part']} | {words['use']} | {words['kept']} |",
        "|---|---|---|",
    ]
    lines += [f"| {words[f'row_{key}'].format(**_names(known, words))} |" for key in _rows(known)]
    lines += ["", f"## {words['recognition']}", ""]
    lines += [f"- {line}" for line in _recognition(known, words)]
    for key in ("measures", "risks", "open"):
        lines += ["", f"## {words[key]}", "", *(f"- {line}" for line in words[f"{key}_list"].split("\n"))]
    return "\n".join(lines) + "\n"


def _rows(known: Facts) -> list[str]:
    rows = []
    if known.cameras:
        rows.append("cameras")
    if known.frigate:
        rows.append("frigate")
    if known.wifi:
        rows.append("wifi")
    if known.rfid_rooms:
        rows.append("rfid")
    if known.rfid_cards:
        rows.append("cards")
    if known.codes:
        rows.append("codes")
    if known.wifi_login:
        rows.append("wifi_login")
    if known.staff_badges:
        rows.append("badges")
    if known.mode != "off":
        rows.append("faces")
    return [*rows, "consents"]


def _names(known: Facts, words: dict[str, str]) -> dict[str, str]:
    def listed(names: tuple[str, ...]) -> str:
        return ", ".join(names) or words["none"]

    return {
        "cameras": listed(known.cameras),
        "frigate": listed(known.frigate),
        "wifi": listed(known.wifi),
        "minutes": f"{known.wifi_minutes:g}",
        "rfid": listed(known.rfid_rooms),
        "cards": listed(known.rfid_cards),
        "codes": listed(known.codes),
        "watched": listed(known.watched),
        "encoder": known.encoder or words["none"],
        "days": f"{known.queue_days:g}",
        "arrival_days": str(known.arrival_days),
        "tryon_days": str(known.tryon_days),
    }


def _recognition(known: Facts, words: dict[str, str]) -> list[str]:
    lines = [words[f"mode_{known.mode}"].format(**_names(known, words))]
    if known.mode == "off":
        return lines
    section = known.recognition
    lines.append(f"{words['profile']}: {known.profile}; {words['encoder']}: {known.encoder}")
    if known.mode == "entrance":
        said = section.attestation
        stated = (said.jurisdiction, said.legal_basis, said.dpia, f"{said.signed_by}, {said.date}")
        lines.append(f"{words['attestation']}: {'; '.join(stated)}")
        lines.append(f"{words['limit']}: {section.most_false_alerts:.1%}")
        if section.override is not None:
            lines.append(f"{words['override']}: {section.override.reason} ({section.override.signed_by})")
    return lines
