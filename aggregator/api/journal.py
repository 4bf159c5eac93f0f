"""The journal for programs that pull: ``/journal``, by cursor, each record in the bytes that were hashed."""

from __future__ import annotations

from typing import Annotated, Any, Final

import pydantic
from fastapi import APIRouter, Query, Response

from aggregator.api.signed_in import SignedIn
from aggregator.journal.cursor import CURSOR_BYTES_MAX, Cursor
from aggregator.journal.lines import record_line
from aggregator.services import Services

LIMIT_MAX: Final = 500
LIMIT_DEFAULT: Final = 100


class JournalRecord(pydantic.BaseModel):
    """``open``, ``restricted`` and ``event`` stand in the answer byte for byte as they were hashed; who verifies must cut
    them out, not serialise them anew. ``withheld`` is H(salt ‖ restricted) where the names are not shown."""

    cursor: str
    chain: str
    journal_epoch: str
    seq: int
    kind: str
    received_ns: int
    hash: str
    prev_hash: str
    open: dict[str, Any]
    salt: str | None = None
    restricted: dict[str, Any] | None = None
    withheld: str | None = None
    event: dict[str, Any] | None = None


class JournalAnswer(pydantic.BaseModel):
    """``cursor`` leads on, also where no record was shown. ``at_end``: nothing more was there."""

    records: list[JournalRecord]
    cursor: str
    at_end: bool


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["journal"])

    @routes.get("/journal", summary="Records after a cursor, oldest first", response_model=JournalAnswer)
    def journal(
        caller: SignedIn,
        after: Annotated[str, Query(max_length=CURSOR_BYTES_MAX, description="a cursor; leave it away to begin")] = "",
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="records to look at")] = LIMIT_DEFAULT,
    ) -> Response:
        page = services.journal.after(caller, Cursor.decode(after) if after else Cursor(), limit)
        lines = ",\n".join(record_line(each) for each in page.records)
        at_end = "true" if page.at_end else "false"
        body = f'{{"records": [{lines}], "cursor": "{page.cursor.encode()}", "at_end": {at_end}}}'
        return Response(body, media_type="application/json")

    return routes
