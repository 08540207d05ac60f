"""The text of one model spec as plain values, whatever the file holds, in bounded time and memory.

PyYAML keeps the last of two equal keys, follows aliases that multiply, and nests as deep as the
interpreter's stack. So its events are counted before anything is made of them, and each node is
looked at with its YAML path. Light, as the rest of the spec is.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import Any

import yaml

from tasks import bounds
from tasks.errors import Final

BYTES = 128 * 1024
VALUES = 20_000  # aliases counted as what they stand for
DEPTH = 24
_SCALAR = 4_096  # characters of one value
_DIGITS = 18
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}
_TAGS |= {f"tag:yaml.org,2002:{kind}" for kind in ("timestamp", "seq", "map", "merge")}
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


class UnreadableYaml(Final, ValueError):
    """A text that is no usable YAML: one line per mistake, with YAML path or line."""

    def __init__(self, *mistakes: str, at_path: bool = False) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes
        self.at_path = at_path


def text_of_file(path: Path) -> str:
    """Return the text of a file that is a regular one, or a link to one, and not too large.

    Raises
    ------
    Unreadable, OSError
        If it is not, or cannot be read.
    """
    _regular(os.stat(path).st_mode)
    # It may have changed since: nothing here waits for a writer, as opening a FIFO does.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        _regular(os.fstat(handle).st_mode)
        content = file.read(BYTES + 1)
    if len(content) > BYTES:
        raise UnreadableYaml(f"larger than {BYTES // 1024} KiB; a spec holds settings, not data")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableYaml(f"byte {error.start} is not UTF-8; save it as UTF-8") from None


def _regular(mode: int) -> None:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    if not stat.S_ISREG(mode):
        kind = kinds.get(stat.S_IFMT(mode), "no regular file")
        raise UnreadableYaml(f"is {kind}, not a file; move it out of the folder of model specs")


def parse(text: str) -> Any:
    """Return what a YAML text says.

    Raises
    ------
    Unreadable
        If it is no YAML, or more than a spec needs: too many values, too deep, a key twice, a tag
        of Python's own, numbers or characters that nothing after it can hold.
    """
    try:
        loader = _Bounded(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            walk = _Walk(loader)
            value = walk.value(root, "")
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise UnreadableYaml(_syntax(text, error)) from None
    if walk.mistakes:
        raise UnreadableYaml(*walk.mistakes, at_path=True)
    return value


def _syntax(text: str, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character)
        return f"not valid YAML at line {line}: the character U+{code:04X}; take it out"
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = getattr(error, "problem", None) or "cannot be parsed"
    return f"not valid YAML{where}: {problem}"


class _Counted:
    """How many values a node holds, itself included, and how deep they lie below it."""

    def __init__(self, anchor: str | None) -> None:
        self.anchor = anchor
        self.values = 1
        self.depth = 0

    def take(self, child: _Counted) -> None:
        self.values += child.values
        self.depth = max(self.depth, child.depth + 1)


class _Bounded(yaml.SafeLoader):
    """Counts what it composes, and stops at more values, or deeper ones, than a spec needs.

    An alias counts as all that it stands for: what walks the values later follows it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._open = [_Counted(None)]
        self._named: dict[str, _Counted] = {}

    def get_event(self) -> Any:
        event = super().get_event()  # type: ignore[no-untyped-call]
        if event is not None:
            self._count(event, event.start_mark.line + 1 if event.start_mark else 1)
        return event

    def _count(self, event: yaml.Event, line: int) -> None:
        if isinstance(event, yaml.CollectionStartEvent):
            self._open.append(_Counted(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._keep(self._open.pop())
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > _SCALAR:
                said = f"a value of {len(event.value)} characters; write {_SCALAR} at most"
                raise UnreadableYaml(f"line {line}: {said}")
            self._keep(_Counted(event.anchor))
        elif isinstance(event, yaml.AliasEvent):
            name = event.anchor or ""
            if any(node.anchor == name for node in self._open[1:]):
                said = f"the alias *{name[:40]} stands within what it names; write it out"
                raise UnreadableYaml(f"line {line}: {said}")
            self._open[-1].take(self._named.get(name) or _Counted(None))
        if len(self._open) - 1 + self._open[-1].depth > DEPTH:
            raise UnreadableYaml(
                f"line {line}: nested deeper than {DEPTH} levels; write it flatter"
            )
        if sum(node.values for node in self._open) > VALUES:
            raise UnreadableYaml(
                f"line {line}: more than {VALUES} values, aliases counted as what they stand for; "
                "a spec holds settings, not data"
            )

    def _keep(self, done: _Counted) -> None:
        self._open[-1].take(done)
        if done.anchor is not None:
            self._named[done.anchor] = done


class _Walk:
    """Makes values of nodes and notes what is wrong with them; each node is looked at once."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self.loader = loader
        self.mistakes: list[str] = []
        self._known: dict[int, Any] = {}

    def value(self, node: yaml.Node, path: str) -> Any:
        if id(node) not in self._known:
            self._known[id(node)] = self._made(node, path)
        return self._known[id(node)]

    def _made(self, node: yaml.Node, path: str) -> Any:
        if node.tag not in _TAGS:
            self._note(node, path, f"the tag {node.tag[:60]!r} means nothing here; take it out")
        elif isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            return [self.value(n, _below(path, str(i))) for i, n in enumerate(node.value)]
        else:
            return self._scalar(node, path)
        return None

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        seen: dict[str, int] = {}
        for key, part in node.value:
            if key.tag == _MERGE:
                self.value(part, _below(path, "<<"))  # merging skips what is wrong in there
            if key.tag not in (_TEXT, _MERGE):
                shown = key.value if isinstance(key, yaml.ScalarNode) else "…"
                said = f"the key {shown[:40]!r} is no text; write it in quotes"
                self._note(key, path, said)
                return {}
            line = key.start_mark.line + 1
            if key.value in seen:
                said = f"written twice, in line {seen[key.value]} too; keep one"
                self._note(key, _below(path, key.value[:60]), said)
            seen[key.value] = line
        try:
            self.loader.flatten_mapping(node)
        except yaml.YAMLError as error:
            self._note(node, path, str(getattr(error, "problem", error)))
            return {}
        return {
            self._scalar(key, path): self.value(part, _below(path, key.value))
            for key, part in node.value
            if key.tag == _TEXT
        }

    def _scalar(self, node: yaml.Node, path: str) -> Any:
        try:
            if node.tag.endswith((":int", ":float")) and len(node.value) > 40:
                raise ValueError(f"a number of {len(node.value)} characters")
            made = self.loader.construct_object(node)
        except (
            *(ValueError, OverflowError, LookupError, TypeError),
            *(AttributeError, yaml.YAMLError),  # as PyYAML meets what is not of the tag
        ) as error:
            kind = node.tag.rpartition(":")[2]
            why = str(error) if isinstance(error, ValueError | OverflowError) else "unreadable"
            said = f"{node.value[:40]!r} is no {kind} ({why}); correct it, or write it in quotes"
            self._note(node, path, said)
            return None
        if isinstance(made, int) and abs(made) >= 10**_DIGITS:
            self._note(node, path, f"a number of more than {_DIGITS} digits; write a smaller one")
        elif isinstance(made, float) and not math.isfinite(made):
            self._note(node, path, f"{node.value[:40]!r} is no finite number; write one")
        elif isinstance(made, str) and (found := bounds.NOT_IN_PROSE.search(made)):
            said = f"holds the character U+{ord(found[0]):04X}, which nothing can show; take it out"
            self._note(node, path, said)
        return made

    def _note(self, node: yaml.Node, path: str, said: str) -> None:
        where = path or "(whole file)"
        self.mistakes.append(f"{where}: {said} (line {node.start_mark.line + 1})")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
