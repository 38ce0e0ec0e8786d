"""Changing single values of ``config.yaml`` and leaving the rest, comments too, as it is. Holds ruamel.yaml."""

import contextlib
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import ScalarToken
from ruamel.yaml.util import load_yaml_guess_indent

from sync.settings import ConfigError, parse

Keys = tuple[str, ...]
Check = Callable[[Path], object]
"""Reads a whole file and raises ``ConfigError`` when it cannot be used."""


class ChangedMeanwhile(ConfigError):
    """Somebody else wrote the file after it was read."""


class SettingsFile:
    """One reading of the file. ``revision`` names its bytes: ``rewrite`` refuses when they are others by then."""

    def __init__(self, path: Path) -> None:
        """Raises ``ConfigError`` when it cannot be read or is no YAML."""
        self.path = path
        data = _read(path)
        self.revision = _digest(data)
        self._document = parse(path)

    def value(self, *keys: str) -> Any:
        """What stands under the keys, as plain lists, dictionaries and numbers; None where nothing does."""
        here = self._document
        for key in keys:
            here = here.get(key) if isinstance(here, dict) else None
        return here


def rewrite(path: Path, revision: str, changes: Sequence[tuple[Keys, Any]], check: Check) -> str:
    """Put each value under its keys (None removes them), and return the new revision.

    The new text goes to a file beside it, is checked by ``check``, and takes the place of the old one in one step; the
    old one stays as ``NAME.bak``. Items of a list that have a ``name`` keep their comments when it is found again.
    Raises ``ChangedMeanwhile``, or ``ConfigError`` with the line and the fix; then nothing was changed.
    """
    path = path.resolve()
    before = _read(path)
    if _digest(before) != revision:
        raise _changed(path)
    text = _edited(path, before.decode("utf-8"), changes)
    status = path.stat()
    try:
        with _beside(path, text.encode("utf-8"), status) as fresh, _beside(path, before, status) as backup:
            try:
                check(fresh)
                _unharmed(fresh, path, changes)
            except ConfigError as error:
                raise ConfigError(str(error).replace(str(fresh), str(path)), error.fix) from None
            if _digest(_read(path)) != revision:
                raise _changed(path)
            backup.replace(path.with_name(f"{path.name}.bak"))
            fresh.replace(path)
            _sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written: {error.strerror}", "check the folder's permissions and the disk's space"
        ) from error
    return _digest(text.encode("utf-8"))


def _changed(path: Path) -> ChangedMeanwhile:
    return ChangedMeanwhile(
        f"{path}: somebody changed this file meanwhile", "reload the page, look at what is there now, and draw again"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}", "give the file with --config, or start from the example"
        ) from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _edited(path: Path, text: str, changes: Sequence[tuple[Keys, Any]]) -> str:
    try:
        yaml, document = _loaded(text)
        for keys, value in changes:
            _put(document, keys, value)
        edited = _dumped(yaml, document)
        missing = _missing(_comments(text), _comments(edited))
        if missing:
            # A comment that stood inside what was removed: it is kept above the section that was changed.
            yaml, document = _loaded(edited)
            _above(document, changes[0][0], missing)
            edited = _dumped(yaml, document)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: {error.problem}", "correct it there in an editor") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: {error}", "correct it in an editor") from None
    return edited


def _loaded(text: str) -> tuple[YAML, CommentedMap]:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 16
    _, sequence, offset = load_yaml_guess_indent(text)
    yaml.indent(mapping=2, sequence=sequence or 4, offset=2 if offset is None else offset)
    document = yaml.load(text)
    return yaml, document if isinstance(document, CommentedMap) else CommentedMap()


def _dumped(yaml: YAML, document: CommentedMap) -> str:
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _put(document: CommentedMap, keys: Keys, value: Any) -> None:
    here = document
    for key in keys[:-1]:
        if not isinstance(here.get(key), CommentedMap):
            if value is None:
                return
            here[key] = CommentedMap()
        here = here[key]
    last, present = keys[-1], here.get(keys[-1])
    if value is None:
        _remove(here, last)
    elif value and isinstance(value, list) and isinstance(present, CommentedSeq):
        _merge(present, value)
    elif present != value:
        place = list(here).index(last) if last in here else len(here)
        _remove(here, last)
        here.insert(place, last, _node(value, flow=False))


def _remove(section: CommentedMap, key: str) -> None:
    section.pop(key, None)
    # What is written above the first item of a list hangs on the list's key, and would come out where it is no YAML.
    section.ca.items.pop(key, None)


def _merge(present: CommentedSeq, wanted: Sequence[dict[str, Any]]) -> None:
    """Make the list hold what is wanted, item by item, so that an item's comments stay with it."""
    flow = bool(present[0].fa.flow_style()) if present and isinstance(present[0], CommentedMap) else True
    names = [item.get("name") for item in wanted]
    for index in reversed(range(len(present))):
        if present[index].get("name") not in names:
            del present[index]
    for place, item in enumerate(wanted):
        known = [each.get("name") for each in present]
        if item.get("name") not in known:
            present.insert(place, _node(item, flow=flow))
            continue
        if (stands := known.index(item.get("name"))) != place:
            present.insert(place, present.pop(stands))
        old = present[place]
        for key in [key for key in old if key not in item]:
            del old[key]
        for key, value in item.items():
            if key not in old or old[key] != value:
                old[key] = _node(value, flow=True)


def _node(value: Any, *, flow: bool) -> Any:
    """The value with styles: what has names in it block or flow as asked, lists of numbers in one line."""
    if isinstance(value, dict):
        node = CommentedMap({key: _node(each, flow=True) for key, each in value.items()})
        (node.fa.set_flow_style if flow else node.fa.set_block_style)()
        return node
    if isinstance(value, list):
        items = CommentedSeq(_node(each, flow=True) for each in value)
        rows = value and isinstance(value[0], dict)
        (items.fa.set_block_style if rows and not flow else items.fa.set_flow_style)()
        return items
    return value


def _comments(text: str) -> list[str]:
    """Every comment of the file, in order, without its spaces."""
    found, end = [], 0
    spans = [(t.start_mark.index, t.end_mark.index) for t in YAML().scan(text) if isinstance(t, ScalarToken)]
    for start, stop in [*spans, (len(text), len(text))]:
        for line in text[end:start].splitlines():
            before, mark, rest = line.partition("#")
            if mark and (not before or before[-1] in " \t,]}:-" or not before.strip()):
                found.append(f"#{rest}".strip())
        end = max(end, stop)
    return found


def _missing(before: Iterable[str], after: Iterable[str]) -> list[str]:
    left, missing = list(after), []
    for comment in before:
        if comment in left:
            left.remove(comment)
        else:
            missing.append(comment)
    return missing


def _above(document: CommentedMap, keys: Keys, comments: Sequence[str]) -> None:
    """Put the comments above the deepest of the keys that is there."""
    here, owner, depth = document, document, 0
    key = keys[0]
    for each in keys:
        if not isinstance(here, CommentedMap) or each not in here:
            break
        owner, key, here = here, each, here[each]
        depth += 1
    text = "\n".join(comment.removeprefix("#").removeprefix(" ") for comment in comments)
    owner.yaml_set_comment_before_after_key(key, before=text, indent=2 * max(0, depth - 1))


def _unharmed(fresh: Path, path: Path, changes: Sequence[tuple[Keys, Any]]) -> None:
    """The new file says what the old one says, but for the changes: a list used twice by an anchor would not."""
    # A fresh copy of every part: what an anchor shares is one object, and would change in both places here, too.
    wanted = _plain(parse(path))
    wanted = wanted if isinstance(wanted, dict) else {}
    for keys, value in changes:
        here = wanted
        for key in keys[:-1]:
            if not isinstance(here.get(key), dict):
                here[key] = {}
            here = here[key]
        here[keys[-1]] = value
    if _plain(parse(fresh)) != _plain(wanted):
        raise ConfigError(
            f"{path}: this file cannot be changed safely here", "write the section without & and * in an editor first"
        )


def _plain(value: Any) -> Any:
    """Without what says nothing: keys without a value, and sections that are empty."""
    if isinstance(value, dict):
        inner = {key: _plain(each) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each not in (None, {})}
    return [_plain(each) for each in value] if isinstance(value, list) else value


@contextlib.contextmanager
def _beside(path: Path, data: bytes, status: os.stat_result) -> Iterator[Path]:
    """A file of the same folder, mode and owner that holds ``data`` durably; removed unless it was moved away."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".yaml", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), status.st_mode & 0o777)
            with contextlib.suppress(PermissionError):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
