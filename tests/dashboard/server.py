"""A stand-in for W&B's server: it admits one user, knows some runs, and stores the views that are saved."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import loopback

KEY = "a" * 40
USER = {"id": "VXNlcjox", "entity": "poet", "username": "poet", "email": None, "flags": "{}", "admin": False}


class Server:
    """Stores in `saved` the views that clients saved, in `unknown` the queries without an answer here."""

    def __init__(self, project: str, runs: int) -> None:
        self.project, self.runs = project, runs
        self.saved: list[dict[str, Any]] = []
        self.unknown: list[str] = []

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "upsertView" in query:
            self.saved.append(variables)
            view = {"id": f"Vmlldzo{len(self.saved)}", "name": variables.get("name"), "displayName": "", "type": "runs",
                    "description": "", "spec": variables["spec"], "project": {"id": "1", "name": self.project, "entityName": "poet"},
                    "createdAt": "2026-11-21T00:00:00", "updatedAt": "2026-11-21T00:00:00"}  # fmt: skip
            return {"upsertView": {"view": view, "inserted": True}}
        if "runCount" in query:
            exists = variables["project"] == self.project
            runs = {
                "totalCount": self.runs,
                "edges": [],
                "pageInfo": {"endCursor": None, "hasNextPage": False},
            }
            return {
                "project": {"internalId": "1", "readOnly": False, "runCount": self.runs, "runs": runs}
                if exists
                else None
            }
        if "GetProjects" in query:
            node = {"__typename": "Project", "id": "1", "name": self.project, "entityName": "poet",
                    "createdAt": "2026-11-21T00:00:00", "isBenchmark": False, "user": None}  # fmt: skip
            page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
            return {"models": {"pageInfo": page, "edges": [{"node": node}]}}
        if "viewer" in query.lower():
            return {"viewer": USER | {"teams": {"edges": []}, "apiKeys": {"edges": []}}, "serverInfo": {}}
        self.unknown.append(" ".join(query.split()))
        return {}


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """Yield the address of the server while it runs."""

    def respond(path: str, body: bytes) -> dict[str, Any]:
        if path != "/graphql":
            return {}
        query = json.loads(body)
        return {"data": server.answer(query["query"], query.get("variables") or {})}

    with loopback.serving(respond) as address:
        yield address
