"""A small MCP server on stdio, of either era, on nothing but the standard library: `small_server.py old|new`.

It does what the servers at hand do too rarely: ask in mid-call, wait to be cancelled, die, change its tools.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

Json = dict[str, Any]
MODERN = sys.argv[1] == "new"
LOCK = threading.Lock()
ANSWERS: dict[str, Json] = {}
ANSWERED = threading.Condition()
CANCELLED: dict[Any, threading.Event] = {}
LISTENING: list[Any] = []
DESCRIPTION = {"say": "Say it back."}
ENVELOPE = "io.modelcontextprotocol/"


def send(message: Json) -> None:
    with LOCK:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def notify(method: str, params: Json) -> None:
    send({"method": method, "params": params})


def changed(method: str, params: Json | None = None) -> None:
    for listener in LISTENING or [None]:
        meta = {} if listener is None else {"_meta": {ENVELOPE + "subscriptionId": listener}}
        notify(method, {**(params or {}), **meta})


def ask(method: str, params: Json) -> Json:
    """Ask the client, as servers of the handshake era do."""
    name = f"q-{len(ANSWERS)}-{time.monotonic_ns()}"
    send({"id": name, "method": method, "params": params})
    with ANSWERED:
        ANSWERED.wait_for(lambda: name in ANSWERS)
    return ANSWERS[name]


def text(said: str, **more: Any) -> Json:
    return {"content": [{"type": "text", "text": said}], **({"resultType": "complete"} if MODERN else {}), **more}


def tool(name: str, **annotations: bool) -> Json:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "x-kept": [1, {"a": None}]}
    return {
        "name": name,
        "description": DESCRIPTION.get(name, name),
        "inputSchema": schema,
        "annotations": annotations,
        "icons": [{"src": "data:,"}],
        "_meta": {"example.com/kept": True},
    }


def tools() -> list[Json]:
    plain = ["say", "count", "log", "wait", "ask", "sample", "roots", "two", "die", "morph", "fork", "connect", "fail"]
    return [*map(tool, plain), tool("die_safely", idempotentHint=True), tool("read", readOnlyHint=True)]


def form(message: str) -> Json:
    schema = {"type": "object", "properties": {"name": {"type": "string", "default": "you"}}, "required": ["name"]}
    return {"message": message, "requestedSchema": schema}


def call(request: Any, name: str, given: Json, params: Json) -> Json:
    said = str(given.get("text", ""))
    meta: Json = params.get("_meta", {})
    match name:
        case "say":
            return text(json.dumps({"said": said, "meta": meta, "others": sorted(set(params) - {"name", "_meta"})}))
        case "count":
            for done in (1, 2, 3):
                told = {"progress": done, "total": 3, "message": f"at {done}"}
                notify("notifications/progress", {"progressToken": meta.get("progressToken"), **told})
            return text("counted")
        case "log":
            for level in ("debug", "error"):
                notify("notifications/message", {"level": level, "data": {"said": said}})
            return text("logged")
        case "wait":
            with open(said + ".begun", "w"):
                pass
            CANCELLED[request].wait()
            with open(said + ".cancelled", "w"):
                pass
            return text("too late")
        case "ask" if MODERN:
            answer = params.get("inputResponses", {}).get("who")
            if answer is None:
                asked = {"method": "elicitation/create", "params": form("Who?")}
                return {"resultType": "input_required", "inputRequests": {"who": asked}, "requestState": "sealed"}
            return text(f"{answer['action']}: {answer['content']['name']}, {params['requestState']}")
        case "ask":
            return text(json.dumps(ask("elicitation/create", form(said or "Who?"))))
        case "sample":
            content = {"role": "user", "content": {"type": "text", "text": said}}
            return text(json.dumps(ask("sampling/createMessage", {"messages": [content], "maxTokens": 9})))
        case "roots":
            return text(json.dumps(ask("roots/list", {})))
        case "two":
            first = ask("elicitation/create", form("One?"))
            return text(json.dumps([first, ask("elicitation/create", form("Two?"))]))
        case "die" | "die_safely":
            os._exit(9)
        case "morph":
            DESCRIPTION["say"] = said
            if not given.get("quietly"):
                changed("notifications/tools/list_changed")
                changed("notifications/resources/updated", {"uri": "small://watched"})
            return text("changed")
        case "fork":
            script = "import time; time.sleep(600)"
            detached = subprocess.Popen([sys.executable, "-c", script, said], start_new_session=True)
            return text(str(detached.pid))
        case "connect":
            socket.create_connection(("127.0.0.1", int(said)), 5).close()
            return text("connected")
        case "read":
            with open(said) as file:
                return text(file.read())
        case _:
            raise KeyError(name)


def answer(message: Json) -> None:
    request, method, params = message["id"], message["method"], message.get("params", {})
    done = {"resultType": "complete"} if MODERN else {}
    cached = {**done, "ttlMs": 5, "cacheScope": "public"} if MODERN else {}
    info = {"name": "small", "version": "7", "title": "Small"}
    capabilities: Json = {"tools": {"listChanged": True}, "resources": {"subscribe": True, "listChanged": True}}
    capabilities |= {"prompts": {}, "completions": {}, "logging": {}}
    result: Json
    match method:
        case "initialize" if not MODERN:
            result = {"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": info}
            result |= {"instructions": "Be brief."}
        case "server/discover" if MODERN:
            result = {"supportedVersions": ["2026-07-28"], "capabilities": capabilities, "instructions": "Be brief."}
            result |= {**cached, "_meta": {ENVELOPE + "serverInfo": info}}
        case "subscriptions/listen" if MODERN:
            LISTENING.append(request)
            tagged = {"notifications": params["notifications"], "_meta": {ENVELOPE + "subscriptionId": request}}
            notify("notifications/subscriptions/acknowledged", tagged)
            CANCELLED[request].wait()
            LISTENING.remove(request)
            return
        case "tools/list" if not params.get("cursor"):
            result = {"tools": tools()[:4], "nextCursor": "rest", **cached}
        case "tools/list":
            result = {"tools": tools()[4:], **cached}
        case "resources/read":
            contents = [{"uri": params["uri"], "mimeType": "text/plain", "text": "kept"}]
            result = {"contents": contents, **cached}
        case "prompts/get" if MODERN or params["name"] == "plain":
            result = {"messages": [{"role": "user", "content": {"type": "text", "text": params["name"]}}], **done}
        case "prompts/get":
            said = json.dumps(ask("elicitation/create", form("For whom?")))
            result = {"messages": [{"role": "user", "content": {"type": "text", "text": said}}]}
        case "completion/complete":
            result = {"completion": {"values": ["a", "b"], "total": 2}, **done}
        case "resources/subscribe" | "logging/setLevel" | "resources/unsubscribe" if not MODERN:
            result = {}
        case "tools/call" if params["name"] == "fail":
            error: Json = {"code": -32021, "message": "no", "data": {"requiredCapabilities": {"sampling": {}}}}
            send({"id": request, "error": error})
            return
        case "tools/call":
            try:
                result = call(request, params["name"], params.get("arguments", {}), params)
            except (OSError, ValueError) as wrong:
                result = text(f"{type(wrong).__name__}: {wrong}", isError=True)
        case _:
            send({"id": request, "error": {"code": -32601, "message": f"Method not found: {method}"}})
            return
    send({"id": request, "result": result})


def main() -> None:
    sys.stderr.write("small server \x1b[31mstarts\x1b[0m\n")
    sys.stderr.flush()
    for line in sys.stdin:
        message: Json = json.loads(line)
        if "method" not in message:
            with ANSWERED:
                ANSWERS[message["id"]] = message.get("result") or {"error": message.get("error")}
                ANSWERED.notify_all()
        elif "id" in message:
            CANCELLED[message["id"]] = threading.Event()
            threading.Thread(target=answer, args=(message,), daemon=True).start()
        elif message["method"] == "notifications/cancelled":
            CANCELLED[message["params"]["requestId"]].set()


main()
