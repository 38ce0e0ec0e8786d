"""Configuration of a camera that Frigate watches for us."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Topic = Annotated[str, Field(pattern=r"^[^+#/\s][^+#\s]{0,100}$")]
_Label = Annotated[str, Field(pattern=r"^[^+#/\s]{1,64}$")]
_Side = Annotated[int, Field(ge=16, le=8192)]


class FrigateConfig(BaseModel):
    """One camera of a Frigate that publishes over MQTT. Its lines and zones stand in ``edge.counting``, as ours do."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")] = Field(description="the sensor's name in events")
    camera: _Label = Field(description="the camera's name in Frigate's configuration")
    detect: tuple[_Side, _Side] = Field(description="width and height of Frigate's detect stream: its boxes are pixels")
    topic: _Topic = Field(default="frigate", description="Frigate's mqtt.topic_prefix")
    labels: Annotated[tuple[_Label, ...], Field(min_length=1)] = ("person",)
