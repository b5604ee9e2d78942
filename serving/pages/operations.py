"""The page of operations, from the service's own document; the usual ones fetch scripts from elsewhere."""

import json
from typing import Any, NamedTuple, cast

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from serving.pages.drawing import page

router = APIRouter(include_in_schema=False)
Node = dict[str, Any]


class Field(NamedTuple):
    """One parameter, or one field of a body."""

    name: str
    where: str
    kind: str
    needed: bool
    said: str


class Operation(NamedTuple):
    method: str
    path: str
    summary: str
    said: str
    fields: list[Field]
    asked: list[tuple[str, str]]
    """Media type and example of each form of the request."""
    answered: list[tuple[str, str]]
    """What an answer is (status and media type), and an example of it."""


@router.get("/docs")
def operations(request: Request) -> HTMLResponse:
    """From the service's own OpenAPI document."""
    document: Node = request.app.openapi()
    tags: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, each in methods.items():
            tag = each.get("tags", ["other"])[0]
            tags.setdefault(tag, []).append(_operation(document, method, path, each))
    return page("docs.html", tags=tags)


def _operation(document: Node, method: str, path: str, each: Node) -> Operation:
    fields = [_field(document, p["name"], p["in"], p) for p in each.get("parameters", [])]
    body: Node = each.get("requestBody", {}).get("content", {})
    fields += _fields(document, body.get("application/json", {}).get("schema", {}))
    return Operation(
        method=method.upper(),
        path=path,
        summary=each.get("summary", ""),
        said=each.get("description", ""),
        fields=fields,
        asked=_examples(document, body),
        answered=[
            (f"{status} {media}", text)
            for status, answer in each["responses"].items()
            if status.isdigit()
            for media, text in _examples(document, answer.get("content", {}))
        ],
    )


def _fields(document: Node, schema: Node) -> list[Field]:
    schema = _schema(document, schema)
    needed = schema.get("required", [])
    properties: Node = schema.get("properties", {})
    return [
        _field(document, name, "body", {"schema": each, "required": name in needed})
        for name, each in properties.items()
    ]


def _field(document: Node, name: str, where: str, given: Node) -> Field:
    schema: Node = given.get("schema", {})
    said = given.get("description") or schema.get("description") or ""
    return Field(name, where, _kind(document, schema), bool(given.get("required")), said)


def _kind(document: Node, schema: Node) -> str:
    """A type in a few words."""
    if "$ref" in schema:
        found = _schema(document, schema)
        return str(found["title"]) if "properties" in found else _kind(document, found)
    if "enum" in schema or "const" in schema:
        return " or ".join(json.dumps(each) for each in schema.get("enum", [schema.get("const")]))
    several = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if several:
        return " or ".join(dict.fromkeys(_kind(document, each) for each in cast(list[Node], several)))
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _schema(document: Node, schema: Node) -> Node:
    """What a reference stands for."""
    while "$ref" in schema:
        found: Any = document
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _examples(document: Node, content: Node) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for media, each in content.items():
        schema: Node = each.get("schema", {})
        given = [each["example"]] if "example" in each else schema.get("examples", [])
        given = given or _schema(document, schema).get("examples", [])
        found += [(media, one if isinstance(one, str) else json.dumps(one, indent=1)) for one in given[:1]]
    return found
