"""Model spec files: found, read, their mistakes explained, their options listed.

Like `spec.py` it is imported while Airflow parses DAGs, so it stays light.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from tasks.spec import Effect, ModelSpec
from tasks.spec_gates import Gate, Gates
from tasks.spec_part import SpecError, SpecPart, format_duration


def load(path: Path) -> ModelSpec:
    """Read one model spec.

    Raises
    ------
    SpecError
        If the file cannot be read, is not YAML, or says something that cannot be used; one line
        per mistake with YAML path, value, reason and remedy.
    """
    try:
        raw = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise SpecError(f"{path}: not valid YAML{where}: {problem}") from None
    if not isinstance(raw, dict):
        raise SpecError(f"{path}: expected a mapping with `model:`, `source:` …; see the README")
    try:
        spec = ModelSpec.model_validate(raw)
    except ValidationError as error:
        lines = [explain(item) for item in error.errors()]
        raise SpecError("\n".join([f"{path}: {len(lines)} mistake(s)", *lines])) from None
    if spec.model != path.stem:
        raise SpecError(
            f"{path}: 1 mistake(s)\n  model: {spec.model!r}: differs from the file's name; "
            f"rename the file to {spec.model}.yaml or write `model: {path.stem}`"
        )
    return spec


def models_folder() -> Path:
    """Return the folder of model specs: GATELATCH_MODELS, or `models` beside this package."""
    default = Path(__file__).resolve().parent.parent / "models"
    return Path(os.environ.get("GATELATCH_MODELS") or default)


def load_all() -> tuple[list[ModelSpec], list[str]]:
    """Return the usable specs of the models folder, by name, and what is wrong with the others."""
    usable, mistakes = [], []
    for path in sorted(models_folder().glob("*.yaml")):
        try:
            usable.append(load(path))
        except SpecError as error:
            mistakes.append(str(error))
    return usable, mistakes


def find(model: str) -> ModelSpec:
    """Read the spec of the model of this name. Raises SpecError, naming the models there are."""
    path = models_folder() / f"{model}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in models_folder().glob("*.yaml"))) or "none"
        raise SpecError(f"no model {model!r} in {models_folder()}; there are: {known}")
    return load(path)


def explain(item: Any) -> str:
    """Return a mistake that pydantic found in one line: YAML path, value, reason and remedy."""
    path = ".".join(str(part) for part in item["loc"]) or "(whole file)"
    value = item["input"]
    shown = "" if isinstance(value, dict | BaseModel) else f" {value!r}:"
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
    """Yield (YAML path, default, meaning) of every option, for the reference in the README."""
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
            yield f"{prefix}{name}.effect", str(field.default.effect), field.description or ""
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
    return "–" if default in (None, ()) else str(default)
