"""Writes src/infermeter/schema.py: the published JSON Schemas as types of Python.

A value keeps the form that it has in the file, so a `TypedDict` describes it and nothing converts it: members that a
later version adds stay where they are. Two hundred types written by hand would rot; these are made from the same
schemas that the instrument holds its own output against.

    python3 python/tools/make_schema.py            writes the file
    python3 python/tools/make_schema.py --check    ends with 1 where it is not as the schemas say
"""

import json
import keyword
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "docs" / "src" / "schemas"
TARGET = ROOT / "python" / "src" / "infermeter" / "schema.py"

# Which schemas, and the name of the type of each whole value. The file of a run comes first: records of every version
# are of it.
PUBLISHED = {
    "run.json": "Manifest",
    "run": "Report",
    "repeat": "RepeatAnswer",
    "sweep": "SweepAnswer",
    "search": "SearchReport",
    "compare": "CompareAnswer",
}
WIDTH = 118
HEAD = '''"""What infermeter leaves on disk and prints for programs, as types: made from its JSON Schemas, do not edit.

Each type is a `dict` at run time, read from JSON as it stands there. A member that is not required may be missing:
nothing that does not exist is 0. Units are in the description of a member or in its name (`_ns`, `_ms`, `_per_s`).
Write it anew with `python3 python/tools/make_schema.py`.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Union

'''
# Those that are told without being asked for.
PERCENTILES = ("p50", "p90", "p95", "p99", "p99.9")
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


class Types:
    """The types found so far, by name, each with where its text is made from."""

    def __init__(self) -> None:
        self.schemas: dict[str, dict] = {}

    def add(self, name: str, schema: dict) -> None:
        """A type of several schemas has the members of all, and requires what all require."""
        known = self.schemas.get(name)
        self.schemas[name] = schema if known is None else both(known, schema)


def both(first: dict, second: dict) -> dict:
    if first == second or "properties" not in first or "properties" not in second:
        return first
    required = [name for name in first.get("required", []) if name in second.get("required", [])]
    properties = {**second["properties"], **first["properties"]}
    return {**first, "properties": properties, "required": required}


def gather() -> Types:
    types = Types()
    for file, name in PUBLISHED.items():
        schema = json.loads((SCHEMAS / f"{file}.json").read_text(encoding="utf-8"))
        for inner, definition in schema["$defs"].items():
            types.add(inner, definition)
        whole = {key: value for key, value in schema.items() if key not in ("$defs", "$schema", "$id", "title")}
        if name in types.schemas:
            sys.exit(f"{file}: a type is called {name} already")
        types.add(name, whole)
    return types


class Writer:
    """Text of types; a type without a name of its own gets that of where it stands."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self.parts: list[str] = []
        self.aliases: list[str] = []
        self.named = set(types.schemas)

    def everything(self) -> str:
        for name, schema in self.types.schemas.items():
            self.define(name, schema)
        # Aliases name types in quotes, so they may stand in front.
        return HEAD + "\n".join(self.aliases) + "\n\n\n" + "\n\n\n".join(self.parts) + "\n"

    def define(self, name: str, schema: dict) -> None:
        if is_members(schema):
            self.parts.append(self.typed_dict(name, schema))
            return
        comment = wrapped("# ", schema.get("description", ""))
        self.aliases.append(f"{comment}{name} = {self.quoted(schema, name)}")

    def quoted(self, schema: dict, place: str) -> str:
        """A type as a value that Python evaluates: unions by `Union`, names in quotes."""
        names = self.alternatives(schema, place)
        literal = [name for name in names if is_literal(name)]
        other = [name if name == "None" else f'"{name}"' for name in names if not is_literal(name)]
        parts = ([joined_literal(literal)] if literal else []) + other
        return parts[0] if len(parts) == 1 else f"Union[{', '.join(parts)}]"

    def typed_dict(self, name: str, schema: dict) -> str:
        required = schema.get("required", [])
        schema = {**schema, "properties": {**schema["properties"], **by_pattern(schema)}}
        members = {
            member: (self.annotation(inner, name + camel(member)), inner.get("description", ""))
            for member, inner in schema["properties"].items()
        }
        there = {member: of for member, of in members.items() if member in required}
        maybe = {member: of for member, of in members.items() if member not in required}
        doc = textwrap.indent(docstring(schema.get("description", "")), "    ")
        texts = []
        bases = []
        # What a class cannot spell (`rate-profile`, `p99.9`) takes the form of a call.
        if there and maybe or not all(map(is_word, members)):
            for suffix, part, total in (("Required", there, True), ("Optional", maybe, False)):
                if part:
                    texts.append(one(f"_{name}{suffix}", "", part, total))
                    bases.append(f"_{name}{suffix}")
            texts.append(f"class {name}({', '.join(bases)}):\n{doc}")
        else:
            texts.append(one(name, doc, members, not maybe))
        return "\n\n\n".join(texts)

    def annotation(self, schema: dict, place: str) -> str:
        names = self.alternatives(schema, place)
        literal = [name for name in names if is_literal(name)]
        other = [name for name in names if not is_literal(name)]
        if literal:
            other.insert(0, joined_literal(literal))
        return " | ".join(dict.fromkeys(other))

    def alternatives(self, schema: dict, place: str) -> list[str]:
        """The types that a value may have, as text; a constant is a `Literal` of one."""
        if schema is True or not isinstance(schema, dict):
            return ["Any"]
        if "$ref" in schema:
            return [schema["$ref"].rsplit("/", 1)[1]]
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self.several(schema[several], place)
        if "const" in schema:
            return [f"Literal[{literal(schema['const'])}]"]
        if "enum" in schema:
            return [f"Literal[{literal(value)}]" for value in schema["enum"]]
        kinds = schema.get("type")
        if kinds is None:
            return ["Any"]
        kinds = kinds if isinstance(kinds, list) else [kinds]
        return [self.kind(kind, schema, place) for kind in kinds]

    def several(self, schemas: list, place: str) -> list[str]:
        found = []
        for number, schema in enumerate(schemas, 1):
            found.extend(self.alternatives(schema, f"{place}{number}" if is_members(schema) else place))
        return list(dict.fromkeys(found))

    def kind(self, kind: str, schema: dict, place: str) -> str:
        if kind == "array":
            return f"list[{self.annotation(schema.get('items', True), place)}]"
        if kind != "object":
            return PLAIN[kind]
        if is_members(schema):
            if place in self.named:
                sys.exit(f"two types are called {place}")
            self.named.add(place)
            self.parts.append(self.typed_dict(place, schema))
            return place
        values = list(schema.get("patternProperties", {}).values())
        more = schema.get("additionalProperties", True)
        if isinstance(more, dict):
            values.append(more)
        inner = [self.annotation(value, place) for value in values]
        return f"dict[str, {' | '.join(dict.fromkeys(inner)) or 'Any'}]"


def by_pattern(schema: dict) -> dict:
    """Percentiles beside other members: a `TypedDict` has no patterns, so those that are told unasked are named."""
    values = [value for pattern, value in schema.get("patternProperties", {}).items() if pattern.startswith("^p")]
    return {name: value for value in values for name in PERCENTILES}


def is_members(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "object" and "properties" in schema


def is_word(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def is_literal(name: str) -> bool:
    return name.startswith("Literal[")


def joined_literal(names: list[str]) -> str:
    values = [name[len("Literal[") : -1] for name in names]
    return f"Literal[{', '.join(dict.fromkeys(values))}]"


def literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def camel(name: str) -> str:
    words = "".join(c if c.isalnum() else " " for c in name).split()
    return "".join(word[:1].upper() + word[1:] for word in words)


def one(name: str, doc: str, members: dict, total: bool) -> str:
    """A `TypedDict` whose members are all required, or all not."""
    if all(map(is_word, members)):
        ending = "" if total else ", total=False"
        lines = [f"class {name}(TypedDict{ending}):"]
        lines += [doc + "\n"] if doc else []
        for member, (annotation, description) in members.items():
            lines.append(textwrap.indent(wrapped("# ", description), "    ") + f"    {member}: {annotation}")
        return "\n".join(lines)
    lines = [f"{name} = TypedDict(", f'    "{name}",', "    {"]
    for member, (annotation, description) in members.items():
        comment = textwrap.indent(wrapped("# ", description), " " * 8)
        lines.append(f"{comment}        {json.dumps(member)}: {json.dumps(annotation)!s},".replace('\\"', "'"))
    return "\n".join([*lines, "    },", f"    total={total},", ")"])


def docstring(text: str) -> str:
    text = text or "Without a description."
    if len(text) <= WIDTH - 12:
        return f'"""{text}"""'
    return '"""' + "\n".join(textwrap.wrap(text, WIDTH - 8)) + '\n"""'


def wrapped(mark: str, text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - 10)
    return "".join(f"{mark}{line}\n" for line in lines)


def main() -> None:
    text = Writer(gather()).everything()
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text(encoding="utf-8") != text:
            sys.exit(f"{TARGET.relative_to(ROOT)} is not as the schemas say: run python3 python/tools/make_schema.py")
    elif sys.argv[1:]:
        sys.exit(f"unknown argument {sys.argv[1]}: --check, or none")
    else:
        TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
