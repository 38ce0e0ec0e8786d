"""What the demonstration runs: its configuration file, and honest labels of what is recorded, emulated or simulated."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from edge.demo.media import Media
from edge.demo.probes import SIMULATED_CALIBRATION

ZONE = "Asia/Shanghai"
OPENS, CLOSES = 10, 22
DAY_S = (CLOSES - OPENS) * 3600
GUESTS_PER_HOUR = 2.0
"""Who carry garments into fitting rooms: in proportion to the visits that the video gives at that speed."""
HEAD_START_S = 4.0
"""Real seconds from the start of the processes to the opening of the store: they take about two to come up."""
PROBES = Path(__file__).parent / "probes.pcap"
CALIBRATION = Path(__file__).parent / "probes.calibration.json"
STORE = "demo"


def day_start(wall: float) -> float:
    """Opening time of the store's current date, in epoch seconds."""
    today = datetime.fromtimestamp(wall, ZoneInfo(ZONE))
    return today.replace(hour=OPENS, minute=0, second=0, microsecond=0).timestamp()


def configuration(
    media: Media, rooms: int, folder: Path, *, wall: float, speed: float, http: int, mqtt: int, reader: int
) -> dict[str, Any]:
    """``config.yaml`` of the demonstration. ``wall`` is when its clock begins to run; ports are of loopback."""
    start = day_start(wall)
    return {
        "store": {"id": STORE, "name": "迎客演示店 Yingke demo store", "timezone": ZONE,
                  "opens": f"{OPENS:02}:00", "closes": f"{CLOSES:02}:00"},
        "clock": {"began": wall, "start": start, "end": start + DAY_S, "speed": speed},
        "sensors": {
            "cameras": [
                # On the store's clock: it runs `speed` times as fast, the video at its own pace.
                {"name": "door", "url": str(media.path), "speed": 1 / speed, "time_scale": speed, "loop": True}
            ],
            "wifi": [
                {"name": "wifi", "type": "pcap", "paths": [str(folder / "probes.pcap")], "speed": speed}
            ],
            "rfid": [{"name": "fitting", "type": "llrp", "host": "127.0.0.1", "port": reader, "clock": "reader"}],
        },
        "edge": {
            "data": str(folder / "edge"),
            "heartbeat_seconds": 3.0 * speed,
            "stale_seconds": 10.0 * speed,
            "counting": {"door": {"lines": [line.config() for line in media.lines]}},
            "tryons": {"fitting": {"rooms": {str(n): f"room-{n}" for n in range(1, rooms + 1)}}},
            "devices": {"wifi": {"window_seconds": 600, "calibration": str(SIMULATED_CALIBRATION)}},
        },
        "sync": {"mqtt": {"port": mqtt}, "database": {"url": f"sqlite:///{folder / 'centre.db'}"}},
        "dashboard": {"port": http, "notes": notes(media, speed)},
    }  # fmt: skip


def notes(media: Media, speed: float) -> dict[str, str]:
    """What the page says on top, by language."""
    return {
        "en": f"Demonstration: the clock runs {speed:.0f} times as fast. Camera: {media.label}, repeated all day; "
        "the counts are real detections. RFID: an emulated reader over real LLRP. Wi-Fi: a simulated capture.",
        "zh": f"演示：时钟快 {speed:.0f} 倍。摄像头：{media.label_zh}，全天重复，计数为真实检测；"
        "RFID：模拟读写器，真实 LLRP 协议；Wi-Fi：模拟采集。",
    }


def write(config: dict[str, Any], path: Path) -> None:
    """JSON is YAML: written so, nothing needs quoting rules."""
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")
