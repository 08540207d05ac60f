"""Model spec files: found, read, their mistakes explained, their options listed.

Like the rest of the spec it is imported while Airflow parses DAGs, so it stays light.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, timedelta
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from tasks.spec import spec_yaml
from tasks.spec.gate_options import Gate, Gates
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError, SpecPart, format_duration
from tasks.spec.policy_options import Effect

_SHOWN = 20  # mistakes of one file
_LENGTH = 120  # characters of a value or YAML path in a mistake


def load_spec(path: Path) -> ModelSpec:
    """Read one model spec.

    Raises
    ------
    SpecError
        If the file cannot be read, is not YAML, or says something that cannot be used, whatever it
        is; one line per mistake with YAML path, value, reason and remedy.
    """
    try:
        return _load(path)
    except SpecError as error:
        raise SpecError(_printable(str(error))) from None
    except Exception as error:  # one file never costs another model its DAGs
        raise SpecError(_printable(_unforeseen(path, error))) from None


def _load(path: Path) -> ModelSpec:
    try:
        return _said(path, spec_yaml.text_of_file(path))
    except OSError as error:
        raise SpecError(
            f"{path}: cannot be read: {error.strerror}; make it a readable file, or remove it"
        ) from None
    except spec_yaml.UnreadableYaml as error:
        if error.at_path:
            raise SpecError(_listed(path, [f"  {line}" for line in error.mistakes])) from None
        raise SpecError(f"{path}: {error}") from None


@lru_cache(maxsize=512)  # by its text: who was forked behind this spec need not parse it again
def _said(path: Path, text: str) -> ModelSpec:
    raw = spec_yaml.parse(text)
    if not isinstance(raw, dict):
        raise SpecError(f"{path}: expected a mapping with `model:`, `source:` …; see docs/spec.md")
    spec = checked(raw, str(path))
    if spec.model != path.stem:
        raise SpecError(
            f"{path}: 1 mistake(s)\n  model: {spec.model!r}: differs from the file's name; "
            f"rename the file to {spec.model}.yaml or write `model: {path.stem}`"
        )
    return spec


def checked(raw: Any, origin: str) -> ModelSpec:
    """Return the spec that this is.

    Raises
    ------
    SpecError
        If it cannot be used; names where it is from, and in one line per mistake YAML path, value
        and remedy.
    """
    try:
        return ModelSpec.model_validate(raw)
    except ValidationError as error:
        raise SpecError(
            _listed(origin, [explain_mistake(item) for item in error.errors()])
        ) from None


def _listed(origin: object, lines: list[str]) -> str:
    more = [f"  … and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join([f"{origin}: {len(lines)} mistake(s)", *lines[:_SHOWN], *more])


def _unforeseen(path: Path, error: Exception) -> str:
    kind = type(error).__name__
    return f"{path}: cannot be used ({kind}: {str(error)[:200]}); compare it with docs/spec.md"


def _printable(text: str) -> str:
    """Return a text that databases and terminals take: names of files may be any bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def models_folder() -> Path:
    """Return the folder of model specs: GATELATCH_MODELS, or `models` beside this package."""
    default = Path(__file__).resolve().parents[2] / "models"
    return Path(os.environ.get("GATELATCH_MODELS") or default)


def list_specs(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the model specs of a folder by name, and what is wrong with the folder and its files.

    Hidden files are left alone: editors and Kubernetes keep theirs there.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        said = "make it a readable folder, or name another one in GATELATCH_MODELS"
        return [], [
            _printable(f"the folder of model specs {folder} cannot be read: {reason}; {said}")
        ]
    known = [folder / name for name in names if name.endswith(".yaml")]
    alike = [name for name in names if name.lower().endswith((".yml", ".yaml"))]
    strange = [
        _printable(f"{folder / name}: not read, as its name does not end in .yaml; rename it")
        for name in alike
        if not name.endswith(".yaml")
    ]
    return known, strange


def load_all(folder: Path | None = None) -> tuple[list[ModelSpec], list[str]]:
    """Return the usable specs of the models folder, by name, and what is wrong with the others."""
    paths, mistakes = list_specs(folder or models_folder())
    usable = []
    for path in paths:
        try:
            usable.append(load_spec(path))
        except SpecError as error:
            mistakes.append(str(error))
    return usable, mistakes


def find(model: str) -> ModelSpec:
    """Read the spec of the model of this name. Raises SpecError, naming the models there are."""
    folder = models_folder()
    paths, mistakes = list_specs(folder)
    # Compared with what is there, not put together to a path: a name may be any text.
    for path in paths:
        if path.name == f"{model}.yaml":
            return load_spec(path)
    known = ", ".join(path.stem for path in paths) or "none"
    told = "".join(f"\n{said}" for said in mistakes)
    raise SpecError(_printable(f"no model {model[:200]!r} in {folder}; there are: {known}{told}"))


def explain_mistake(item: Any) -> str:
    """Return a mistake that pydantic found in one line: YAML path, value, reason and remedy."""
    path = _short(".".join(str(part) for part in item["loc"])) or "(whole file)"
    value = item["input"]
    shown = "" if isinstance(value, dict | BaseModel) else f" {_short(_told(value))}:"
    reason = item["msg"].removeprefix("Value error, ")
    part, field = _locate(item["loc"])
    remedy = f" ({field.description})" if field is not None and field.description else ""
    if item["type"] == "extra_forbidden" and part is not None:
        close = get_close_matches(str(item["loc"][-1]), part.model_fields, n=1)
        known = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(part.model_fields)}"
        return f"  {path}: unknown option; {known}"
    if item["type"] == "missing":
        return f"  {path}: missing; add it{remedy}"
    return f"  {path}:{shown} {reason}{remedy}"


def _told(value: object) -> str:
    return str(value) if isinstance(value, date) else repr(value)


def _short(text: str) -> str:
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]} …"


def _locate(loc: tuple[Any, ...]) -> tuple[type[BaseModel] | None, Any]:
    """Return the spec part and the field that a YAML path ends in."""
    part: type[BaseModel] | None = ModelSpec
    field = None
    for depth, name in enumerate(loc, start=1):
        if part is None or name not in part.model_fields:
            return part, None
        field = part.model_fields[name]
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        part = part if depth == len(loc) else (inner[0] if inner else None)
    return part, field


def options() -> Iterator[tuple[str, str, str]]:
    """Yield (YAML path, default, meaning) of every option, for the reference in docs/spec.md."""
    yield from _options(ModelSpec, "")


def _options(part: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in part.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, SpecPart)]
        if get_origin(field.annotation) is tuple:
            yield f"{prefix}{name}", _shown_default(field), field.description or ""
        elif inner == [Gate]:
            yield f"{prefix}{name}", "see below", field.description or ""
        elif inner == [Effect]:
            off = field.default is None
            default = "–" if off else str(field.default.effect)
            yield f"{prefix}{name}.effect", default, field.description or ""
        elif inner:
            yield from _options(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _shown_default(field), field.description or ""
    if part is Gates:
        yield from _options(Gate, f"{prefix}<metric>.")


def _shown_default(field: Any) -> str:
    if field.is_required():
        return "required"
    default = field.default
    if isinstance(default, timedelta):
        return format_duration(default)
    if default in (None, (), {}):
        return "–"
    # As YAML writes it, for the reader copies it from here.
    if isinstance(default, tuple):
        return f"[{', '.join(default)}]"
    return str(default).lower() if isinstance(default, bool) else str(default)
