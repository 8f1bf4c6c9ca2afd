"""A headless Chromium that is spoken to through a pipe, in the DevTools protocol: no other package is needed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
    "--window-size=1400,1000",
]


def program() -> str | None:
    """Where Chromium is, if it is on the PATH."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One tab; `complaints` collects what pages logged as errors, threw, or failed to load."""

    def __init__(self, profile: Path) -> None:
        low_commands, self._write = os.pipe()
        self._read, low_answers = os.pipe()
        commands, answers = (fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 10) for low in (low_commands, low_answers))
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "bash", str(program()), *QUIET,
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (low_commands, low_answers, commands, answers):
            os.close(end)
        self._left, self._count, self._session = b"", 0, ""
        self.complaints: list[str] = []
        (tab,) = (t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=tab["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def open(self, address: str) -> None:
        """Go to a page and wait until it has loaded."""
        self.complaints.clear()
        self._send("Page.navigate", url=address)
        for message in self._messages():
            if message.get("method") == "Page.loadEventFired":
                return

    def evaluate(self, script: str) -> Any:
        """The value of an expression, or of the promise that it gives."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def call(self, method: str, **params: Any) -> Any:
        """The result of a command."""
        number = self._send(method, **params)
        for message in self._messages():
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
        raise AssertionError("the browser has gone")

    def _send(self, method: str, **params: Any) -> int:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._count

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\0" not in self._left:
                chunk = os.read(self._read, 1 << 20)
                if not chunk:
                    return
                self._left += chunk
            text, _, self._left = self._left.partition(b"\0")
            message = json.loads(text)
            self._listen(message.get("method", ""), message.get("params", {}))
            yield message

    def _listen(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(params["args"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent" and params["request"]["url"].partition(":")[0] in ("http", "https"):
            self.complaints.append(f"asks the network for {params['request']['url']}")


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser that is closed in the end."""
    with Browser(profile) as found:
        yield found
