"""The reference of the configuration, docs/config.md, written by ``make docs`` from its sections.

One table for each section, in the order in which a reader of ``config.yaml`` meets them. Types,
limits, defaults and meanings come from the JSON schema that pydantic makes of the classes.
"""

from collections.abc import Iterator

from mlipkd.campaign.campaign import Campaign
from mlipkd.config.section import NAME_PATTERN

INTRODUCTION = """\
# The configuration

Every key of a campaign's `config.yaml`. `make docs` writes this page from the classes of the
sections in `mlipkd/`; edit their docstrings to change it. `NAME` stands for a name of your choice,
of at most 64 letters, digits, `.`, `_` and `-`; `N` for a position in a list. Unknown keys are
errors.
"""

#: Any value that YAML can hold.
PLAIN = {"$ref": "#/$defs/JsonValue"}


def reference() -> str:
    """The whole page, in Markdown."""
    schema = Campaign.model_json_schema()
    definitions = schema.pop("$defs")
    sections = _sections(schema, "", definitions, seen=set())
    return "\n".join(
        [INTRODUCTION, *(_table(path, section, definitions) for path, section in sections)]
    )


def _sections(
    section: dict, path: str, definitions: dict, seen: set[str]
) -> Iterator[tuple[str, dict]]:
    """A section and the sections in it, each once, with the YAML path of its first occurrence."""
    yield path, section
    for key, value in section["properties"].items():
        for inner, suffix in _references(value):
            if inner not in seen:
                seen.add(inner)
                below = f"{path}.{key}{suffix}".lstrip(".")
                yield from _sections(definitions[inner], below, definitions, seen)


def _references(schema: dict, suffix: str = "") -> Iterator[tuple[str, str]]:
    """The sections that a value may hold, and the rest of the YAML path to each."""
    if "$ref" in schema:
        yield schema["$ref"].rsplit("/", 1)[1], suffix
    for choice in schema.get("anyOf", []) + schema.get("oneOf", []):
        yield from _references(choice, suffix)
    for value in schema.get("patternProperties", {}).values():
        yield from _references(value, f"{suffix}.NAME")
    if "items" in schema:
        yield from _references(schema["items"], f"{suffix}.N")


def _table(path: str, section: dict, definitions: dict) -> str:
    heading = f"`{path}`" if path else "Top level"
    if reader := section["properties"].get("reader"):
        heading += f" with `reader: {reader['const']}`"
    rows = [
        f"| `{key}` | {_type(value)} | {_default(key, value, section, definitions)} "
        f"| {_meaning(value, definitions)} |"
        for key, value in section["properties"].items()
    ]
    head = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {heading}", "", section["description"], "", *head, *rows, ""])


def _type(schema: dict) -> str:
    """The values of a key, in words."""
    if "$ref" in schema or "oneOf" in schema:
        return "section"
    if "anyOf" in schema:
        choices = [_type(choice) for choice in schema["anyOf"] if choice != {"type": "null"}]
        return " or ".join(choices).replace(f"or list of {choices[0]}", "or a list of such")
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "pattern" in schema:
        return "NAME" if schema["pattern"] == NAME_PATTERN else "text"
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if schema["type"] == "object":
        if "patternProperties" in schema:
            return f"NAME: {_type(next(iter(schema['patternProperties'].values())))}"
        values = schema["additionalProperties"]
        return "mapping" if values == PLAIN else f"integer: {_type(values)}"
    return schema["type"].replace("string", "text") + _limits(schema)


def _limits(schema: dict) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    return ",".join(f" {sign} {schema[key]}" for key, sign in signs.items() if key in schema)


def _default(key: str, schema: dict, section: dict, definitions: dict) -> str:
    if key in section.get("required", []):
        return "required"
    default = schema["default"]
    if default is None or default == {}:
        return "none"
    held = [definitions[name] for name, _ in _references(schema)]
    is_all_defaults = held and not any("required" in section for section in held)
    return "as below" if is_all_defaults else f"`{default}`"


def _meaning(schema: dict, definitions: dict) -> str:
    """The docstring of a key; pydantic drops it if it repeats that of the section it holds."""
    if "const" in schema:
        return "Selects this source."
    held = [definitions[name]["description"] for name, _ in _references(schema)]
    text = schema.get("description") or held[0].partition("\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
