"""The description of the API: valid, true, public, and readable without anything foreign."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from openapi_spec_validator import validate

from tests.api.conftest import Program

NOT_DUE = ("reassign", "oauth")


def test_the_description_is_valid_openapi(shared: Program) -> None:
    assert shared.spec["openapi"].startswith("3.1")
    validate(shared.spec)


def test_description_and_page_are_public(client: FlaskClient) -> None:
    assert client.get("/api/openapi.json").content_type == "application/json"
    assert client.get("/api/docs").status_code == 200


def test_every_operation_is_described_and_tells_its_errors(shared: Program) -> None:
    for operations in shared.spec["paths"].values():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            assert operation["summary"]
            assert operation["operationId"]
            assert operation["tags"]
            assert {"401", "403", "503"} <= set(operation["responses"])
            if "requestBody" in operation:
                assert {"400", "413", "415", "422"} <= set(operation["responses"])


def test_what_is_not_there_is_not_described(client: FlaskClient) -> None:
    for path in ("/api/openapi.json", "/api/docs"):
        text = client.get(path).text.lower()
        assert [word for word in NOT_DUE if word in text] == []


def test_the_page_names_every_call_and_every_key(client: FlaskClient, shared: Program) -> None:
    page = client.get("/api/docs").text
    for path, operations in shared.spec["paths"].items():
        for method in operations:
            if method != "parameters":
                assert f"{method.upper()} {path}" in page
    for schema in shared.spec["components"]["schemas"].values():
        for name in schema.get("properties", {}):
            assert re.search(rf"<code>(\w+(\[\])?\.)*{name}</code>", page), name


def test_the_page_needs_no_script_and_nothing_foreign(client: FlaskClient) -> None:
    response = client.get("/api/docs")
    main = response.text.partition("<main")[2]
    assert "<script" not in main
    assert " style=" not in main
    sources = re.findall(r'(?:src|href)="([^"]*)"', response.text)
    assert [source for source in sources if not source.startswith(("/", "#"))] == []
    assert response.headers["Content-Security-Policy"]


def test_every_link_within_the_page_leads_somewhere(client: FlaskClient) -> None:
    page = client.get("/api/docs").text
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
