"""Reading ``config.yaml``: every problem is named with its line and the fix. The only module that imports PyYAML."""

import difflib
import json
from collections.abc import Sequence
from datetime import time
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from sync.errors import SyncError
from sync.events import Name

Location = Sequence[int | str]


class ConfigError(SyncError):
    """The configuration cannot be used; ``str()`` holds one line per problem, each with file and line number."""


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        close = difflib.get_close_matches(name, available_timezones(), 1)
        raise ValueError(f"unknown time zone; {f'did you mean {close[0]}?' if close else 'for example Asia/Shanghai'}")
    return name


def _clock_time(value: object) -> object:
    # YAML 1.1 reads an unquoted 10:00 as the sexagesimal number 600; it is meant as a time of day all the same.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    return value


TimeOfDay = Annotated[time, BeforeValidator(_clock_time)]


class StoreConfig(BaseModel):
    """One store: its name in topics, its name for people, and when it is open (for display and coverage only)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    name: str = ""
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    opens: TimeOfDay = time(0)
    closes: TimeOfDay = time(0)
    """Midnight means the end of the day."""

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> "StoreConfig":
        if self.closes != time(0) and self.closes <= self.opens:
            raise ValueError("closes must be later than opens (00:00 means midnight at the end of the day)")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The store's time zone."""
        return ZoneInfo(self.timezone)


ModelT = TypeVar("ModelT", bound=BaseModel)


def load(path: Path, model: type[ModelT]) -> ModelT:
    """Read and check one file against ``model``. Raises ``ConfigError``."""
    tree, document = _composed(path)
    try:
        return model.model_validate(document if document is not None else {})
    except ValidationError as error:
        lines, fixes = [], []
        for problem in error.errors(include_url=False):
            line, dotted = _find(tree, problem["loc"])
            lines.append(f"{path}:{line}: {dotted}: {_reason(problem)}")
            fixes.append(_fix(problem, dotted, model))
        raise ConfigError("\n".join(lines), "; ".join(dict.fromkeys(fixes))) from None


def parse(path: Path) -> Any:
    """The file as plain lists, dictionaries and values, unchecked. Raises ``ConfigError`` when it is no YAML."""
    return _composed(path)[1]


def _composed(path: Path) -> tuple[yaml.Node | None, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file", "give the file with --config, or start from the example") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", "check the path and its permissions") from None
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not YAML: {error.problem}", "check indentation and quotes there") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}", "save the file as UTF-8 text") from None


def _find(tree: yaml.Node | None, location: Location) -> tuple[int, str]:
    """The line of the deepest part of ``location`` that stands in the file, and its dotted name."""
    node, line, names = tree, 1, []
    for part in location:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    node, line = value, key.start_mark.line + 1
                    names.append(str(part))
                    break
            else:
                if part == location[-1]:
                    names.append(str(part))
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
            names.append(str(part))
    return line, ".".join(names) or "(the whole file)"


def _reason(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "unknown key"
    if problem["type"] == "missing":
        return "is missing"
    return str(problem["msg"]).removeprefix("Value error, ")


def _fix(problem: Any, dotted: str, model: type[BaseModel]) -> str:
    if problem["type"] == "extra_forbidden":
        known = _keys_beside(problem["loc"], model.model_json_schema())
        close = difflib.get_close_matches(str(problem["loc"][-1]), known, 1)
        return f"did you mean {close[0]}?" if close else f"remove {dotted}; known here: {', '.join(known)}"
    if problem["type"] == "missing":
        return f"add {dotted}"
    return f"correct {dotted}" if problem["loc"] else "the line above says what does not fit together"


def _keys_beside(location: Location, schema: Any) -> list[str]:
    """The keys that the schema knows where ``location`` ends (over all alternatives of a union)."""
    here = _alternatives(schema, schema)
    for part in location[:-1]:
        deeper: list[Any] = []
        for option in here:
            child = option.get("items") if isinstance(part, int) else option.get("properties", {}).get(part)
            if child is None and not isinstance(part, int) and isinstance(option.get("additionalProperties"), dict):
                child = option["additionalProperties"]
            if child is not None:
                deeper += _alternatives(child, schema)
        # pydantic puts the tag of a discriminated union into the location: it is no key of the file.
        here = deeper or here
    return sorted({key for option in here for key in option.get("properties", {})})


def _alternatives(node: Any, root: Any) -> list[Any]:
    if "$ref" in node:
        return _alternatives(root["$defs"][node["$ref"].rsplit("/", 1)[1]], root)
    options = node.get("oneOf") or node.get("anyOf")
    return [leaf for option in options for leaf in _alternatives(option, root)] if options else [node]


def merged_schema(models: Sequence[type[BaseModel]]) -> str:
    """One JSON Schema for the whole file, for editors: each section as the model that interprets it declares it."""
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    required: set[str] = set()
    for model in models:
        schema = model.model_json_schema()
        definitions |= schema.get("$defs", {})
        required |= set(schema.get("required", []))
        for name, part in schema["properties"].items():
            # A section that a process accepts without reading it is declared Any there: a bare title.
            if name not in properties or set(properties[name]) <= {"title", "default"}:
                properties[name] = part
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Yingke configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": sorted(required),
        "$defs": definitions,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)
