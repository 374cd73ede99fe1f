"""A stand-in for W&B's server: it admits one user, knows some runs, and stores the views that are saved."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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


def request_handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            body = {}
            if self.path == "/graphql":
                query = json.loads(request)
                body = {"data": server.answer(query["query"], query.get("variables") or {})}
            response = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(response)))
            self.end_headers()
            self.wfile.write(response)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """Yield the address of the server while it runs."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), request_handler(server))
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
