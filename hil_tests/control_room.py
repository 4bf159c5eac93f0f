"""A person at the control room, as a program: signs in over HTTP, sees what stands, acts on it.

The demo and tests use it where a person would use the pages. What the server says is passed on as it is (mappings of its
JSON); what it refuses is a ``Refused`` with the server's code.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import httpx

TIMEOUT_S: Final = 30.0
"""A busy machine answers late; only one that does not answer at all ends a run."""
MOVED_ON: Final = "moved_on"

AlarmJson = dict[str, Any]
"""One alarm as ``GET /api/v1/alarms`` shows it."""


class ControlRoomError(RuntimeError):
    """The control room cannot be reached, or answers what no control room answers."""


class Refused(ControlRoomError):  # noqa: N818 - a refusal is an answer, as in HTTP
    """``code`` is the problem's, such as ``moved_on`` or ``not_allowed``."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status = status
        self.code = code
        super().__init__(f"{code} ({status}): {detail}")


class ControlRoom:
    """``with ControlRoom(base_url) as room: room.sign_in("operator", password)``. Every call raises ControlRoomError."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=f"{base_url}/api/v1", timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def sign_in(self, name: str, password: str) -> dict[str, Any]:
        """Who one is then: name, role, scope, rights."""
        me: dict[str, Any] = self._ask("POST", "/session", {"name": name, "password": password, "bearer": True})
        self._http.headers["authorization"] = f"Bearer {me.pop('token')}"
        return me

    def sign_out(self) -> None:
        self._ask("DELETE", "/session")

    def standing(self) -> list[AlarmJson]:
        """Every alarm that is not normal, or held; the most urgent first."""
        alarms: list[AlarmJson] = self._ask("GET", "/alarms")
        return alarms

    def act(self, action: str, alarm: AlarmJson, **more: Any) -> AlarmJson:
        """Do it to the alarm as it was seen; how it stands afterwards."""
        name = alarm["instance"] or f"{alarm['organisation']}/{alarm['tag']}/{alarm['kind']}"
        done: AlarmJson = self._ask("POST", f"/alarms/{name}/{action}", {"seen": alarm["revision"], **more})
        return done

    def get(self, path: str, **query: str | int) -> Any:
        """Anything else that can be read, such as ``/points``."""
        return self._ask("GET", path, query=query)

    def _ask(self, method: str, path: str, body: Any = None, query: dict[str, str | int] | None = None) -> Any:
        try:
            answer = self._http.request(method, path, json=body, params=query)
            content = answer.json() if answer.content else None
        except (httpx.HTTPError, ValueError) as error:
            raise ControlRoomError(f"{method} {path}: {type(error).__name__}: {error}") from error
        if answer.is_success:
            return content
        problem = content if isinstance(content, dict) else {}
        raise Refused(answer.status_code, problem.get("code", ""), problem.get("detail", answer.text[:200]))
