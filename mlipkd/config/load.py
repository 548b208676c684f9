"""Reading a YAML file into a section: all faults at once, each with its place and the remedy."""

import difflib
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from mlipkd.config.section import Faults
from mlipkd.errors import InputError

S = TypeVar("S", bound=BaseModel)


class ConfigError(InputError):
    """A configuration with faults; one line for each."""

    def __init__(self, path: Path | str, faults: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{path}: {where}: {what}" for where, what in faults))
        self.faults = faults


class _Loader(yaml.SafeLoader):
    """YAML's plain values, without repeated keys, of which PyYAML silently keeps the last."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        """A mapping as it is in the file, before ``<<`` is merged in, which its keys override.

        Raises:
            MarkedYAMLError: a key is given twice.
        """
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in lines:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} stands in line {lines[name]} already",
                    problem_mark=key.start_mark,
                )
            lines[name] = line
        return node


def load_section(section: type[S], path: Path | str) -> S:
    """Read a YAML file into a section.

    Raises:
        ConfigError: all faults, each with its YAML path.
    """
    try:
        content = _Loader(Path(path).read_text()).get_single_data()
    except OSError as error:
        raise InputError(
            f"{path}: expected a YAML file ({error.strerror}); check the path"
        ) from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f"line {place.line + 1}" if place else "somewhere"
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(path, [(line, f"{problem}; fix the YAML there")]) from error
    return parse_section(section, content, path)


def parse_section(section: type[S], content: object, path: Path | str) -> S:
    """Check already read YAML against a section; ``path`` only names it in messages."""
    if not isinstance(content, dict):
        raise ConfigError(
            path, [("top level", f"expected a mapping, got {type(content).__name__}")]
        )
    try:
        return section.model_validate(content)
    except ValidationError as error:
        raise ConfigError(path, _faults(error, section)) from None


def _faults(error: ValidationError, section: type[BaseModel]) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    for detail in error.errors(include_url=False):
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, Faults):
            faults.extend(cause.faults)
            continue
        place = ".".join(str(part) for part in detail["loc"] if part != "[key]") or "top level"
        faults.append((place, _sentence(detail, cause, section)))
    return faults


def _sentence(detail, cause: object, section: type[BaseModel]) -> str:
    """A fault as a sentence: what was expected, what came, what to do."""
    if detail["type"] == "extra_forbidden":
        key = str(detail["loc"][-1])
        known = _keys(section)
        if key in known:
            return "no key of this section; docs/config.md tells of which it is one"
        close = difflib.get_close_matches(key, sorted(known), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "remove it"
        return f"unknown key; {hint}"
    if detail["type"] == "missing":
        return "expected a value, got none; add the key"
    if detail["type"] == "string_pattern_mismatch":
        return (
            "expected a name of at most 64 letters, digits, '.', '_' or '-', got "
            f"{detail['input']!r}; rename it"
        )
    if cause is not None:
        return str(cause)
    if detail["type"] == "too_short":
        return "expected at least one entry, got none; add one"
    if detail["type"] == "union_tag_not_found":
        key = detail["ctx"]["discriminator"]
        return f"expected the key {key}, got none; add it, docs/config.md lists its values"
    if detail["type"] == "union_tag_invalid":
        known, came = detail["ctx"]["expected_tags"], detail["ctx"]["tag"]
        return f"expected {detail['ctx']['discriminator']} to be one of {known}, got {came!r}"
    expected = detail["msg"].replace("Input should", "expected it to")
    return (
        f"{expected[0].lower()}{expected[1:]}, got {detail['input']!r}; docs/config.md tells more"
    )


def _keys(section: type[BaseModel], seen: set | None = None) -> set[str]:
    """All keys of a section and of the sections in it."""
    seen = set() if seen is None else seen
    if section in seen:
        return set()
    seen.add(section)
    keys = set(section.model_fields)
    for field in section.model_fields.values():
        for inner in _sections_in(field.annotation):
            keys |= _keys(inner, seen)
    return keys


def _sections_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for part in getattr(annotation, "__args__", ()) for inner in _sections_in(part)]
