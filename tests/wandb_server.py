"""What a W&B server tells its clients, on loopback: enough of it for `wandb sweep`, `wandb agent` and online runs.

W&B's own server comes as a container alone. The clients here are W&B's: its commands, its agent and wandb-core.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests import loopback

ENTITY, PROJECT, SWEEP = "me", "tangsweep", "sweep123"
KEY = "0123456789" * 4  # of the form that W&B's clients ask for
CREATED = "2026-01-01T00:00:00"
PROJECT_NODE = {"id": "p", "name": PROJECT, "entity": {"id": "e", "name": ENTITY}}


class ReceivedRun:
    """What the server was told of a run."""

    def __init__(self) -> None:
        self.group = ""
        self.config: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.files: set[str] = set()
        self.is_finished = False


class WandbServer:
    """Proposes each of `proposals` to the agent that asks, one run at a time, and keeps what runs send.

    A run of `to_stop` is stopped as soon as it has sent a row.
    """

    def __init__(self, proposals: list[Mapping[str, Any]], to_stop: frozenset[str] = frozenset()) -> None:
        self.definition = ""  # the sweep's YAML
        self.runs: dict[str, ReceivedRun] = {}
        self._proposals = deque((f"run{k}", settings) for k, settings in enumerate(proposals, start=1))
        self._to_stop = set(to_stop)

    def answer(self, operation: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data that a GraphQL operation asks for. Raises KeyError for one that is unknown."""
        name = str(variables.get("name") or "")
        run = {"id": name, "name": name, "displayName": name, "sweepName": SWEEP, "project": PROJECT_NODE}
        if operation == "UpsertSweep":
            self.definition = variables["config"]
        elif operation == "UpsertBucket":
            self._receive_config(variables)
        return {
            "Viewer": lambda: {
                "viewer": {
                    "id": "u",
                    "entity": ENTITY,
                    "username": ENTITY,
                    "flags": "{}",
                    "teams": {"edges": []},
                }
            },
            "ServerFeaturesQuery": lambda: {"serverInfo": {"features": []}},
            "UpsertSweep": lambda: {"upsertSweep": {"sweep": {"name": SWEEP, "project": PROJECT_NODE}}},
            "SweepWithRuns": lambda: {"project": {"sweep": self._sweep()}},
            "CreateAgent": lambda: {"createAgent": {"agent": {"id": "agent"}}},
            "Heartbeat": lambda: {"agentHeartbeat": self._beat(json.loads(variables["runState"]))},
            "RunResumeStatus": lambda: {"model": PROJECT_NODE | {"bucket": None}},
            "UpsertBucket": lambda: {
                "upsertBucket": {"bucket": run | {"historyLineCount": 0}, "inserted": True}
            },
            "CreateRunFiles": lambda: {"createRunFiles": self._uploads(variables["run"], variables["files"])},
            "ArtifactType": lambda: {"project": {"artifact": None}},
            # As if the server had the table already: nothing is uploaded twice.
            "CreateArtifact": lambda: {
                "createArtifact": {
                    "artifact": {
                        "id": "a",
                        "state": "COMMITTED",
                        "artifactSequence": {"latestArtifact": {"id": "a"}},
                    }
                }
            },
        }[operation]()

    def _sweep(self) -> dict[str, Any]:
        empty = dict.fromkeys(("description", "bestLoss", "controller", "scheduler"))
        times = dict.fromkeys(("createdAt", "heartbeatAt", "updatedAt"), CREATED)
        shown = {"id": "s", "name": SWEEP, "method": "random", "state": "RUNNING", "config": self.definition}
        return shown | empty | times | {"earlyStopJobRunning": False, "runs": {"edges": []}}

    def _beat(self, running: Mapping[str, bool]) -> dict[str, Any]:
        commands: list[dict[str, Any]] = [
            {"type": "stop", "run_id": name}
            for name in running
            if name in self._to_stop and self._has_rows(name)
        ]
        if not running and self._proposals:
            name, settings = self._proposals.popleft()
            arguments = {key: {"value": value} for key, value in settings.items()}
            commands = [{"type": "run", "run_id": name, "program": "src/train.py", "args": arguments}]
        elif not running:
            commands = [{"type": "exit"}]
        return {"agent": {"id": "agent"}, "commands": json.dumps(commands)}

    def _has_rows(self, name: str) -> bool:
        return name in self.runs and bool(self.runs[name].history or self.runs[name].summary)

    def _receive_config(self, variables: Mapping[str, Any]) -> None:
        run = self.runs.setdefault(variables["name"], ReceivedRun())
        run.group = variables.get("groupName") or run.group
        config = json.loads(variables.get("config") or "{}")
        run.config |= {key: entry["value"] for key, entry in config.items()}

    def _uploads(self, run: str, names: list[str]) -> dict[str, Any]:
        files = [{"name": name, "uploadUrl": f"{self.address}/upload/{run}/{name}"} for name in names]
        return {"runID": run, "uploadHeaders": [], "files": files}

    def receive(self, path: str, body: bytes) -> None:
        """Keep what a run sends: rows, its summary, that it has ended; names of files."""
        kind, _, rest = path.strip("/").partition("/")
        if kind == "upload":
            name, _, file = rest.partition("/")
            self.runs[name].files.add(file)
        elif kind == "files":
            run, sent = self.runs[rest.split("/")[2]], json.loads(body)
            files = sent.get("files", {})
            for line in files.get("wandb-history.jsonl", {}).get("content", []):
                run.history.append(json.loads(line))
            for line in files.get("wandb-summary.json", {}).get("content", []):
                run.summary = json.loads(line)
            run.is_finished = run.is_finished or bool(sent.get("complete"))

    @contextmanager
    def running(self) -> Iterator["WandbServer"]:
        """Serve until the block ends."""

        def respond(path: str, body: bytes) -> dict[str, Any]:
            if path != "/graphql":
                self.receive(path, body)
                return {}
            query = json.loads(body)
            operation = query.get("operationName") or query["query"].split("(")[0].split()[1]
            return {"data": self.answer(operation, query.get("variables") or {})}

        with loopback.serving(respond) as self.address:
            yield self
