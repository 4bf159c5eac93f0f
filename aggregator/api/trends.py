"""A point's past: reduced for drawing, or every sample as a CSV file that a spreadsheet opens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from aggregator.api.signed_in import SignedIn
from aggregator.history.readings import Readings
from aggregator.history.reduction import kinds_of
from aggregator.history.service import WIDTH_MAX, WIDTH_MIN, RunKind, Trend
from aggregator.services import Services
from contract.events import INT64_MAX
from contract.quality import Quality

WIDTH_DEFAULT: Final = 600
ROWS_AT_ONCE: Final = 5000
BEIJING: Final = timezone(timedelta(hours=8))
BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it a spreadsheet takes UTF-8 for something else."""
HEADER: Final = "time_utc,time_beijing,value,unit,quality,late\r\n"

From = Annotated[int, Query(alias="from", ge=0, le=INT64_MAX, description="UTC nanoseconds")]
To = Annotated[int, Query(alias="to", ge=0, le=INT64_MAX, description="UTC nanoseconds")]


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["points"])

    @routes.get("/points/{organisation}/{tag}/trend", summary="Few samples that show every peak, gap and doubt")
    def trend(
        caller: SignedIn, organisation: str, tag: str, from_ns: From, to_ns: To,
        width: Annotated[int, Query(ge=WIDTH_MIN, le=WIDTH_MAX, description="buckets, such as pixels")] = WIDTH_DEFAULT,
    ) -> Trend:  # fmt: skip
        return services.trends.trend(caller, organisation, tag, from_ns, to_ns, width)

    @routes.get(
        "/points/{organisation}/{tag}/trend.csv", response_class=StreamingResponse, summary="Every sample, as CSV",
        responses={200: {"content": {"text/csv": {}}}},
    )  # fmt: skip
    def trend_csv(caller: SignedIn, organisation: str, tag: str, from_ns: From, to_ns: To) -> StreamingResponse:
        unit, readings = services.trends.samples(caller, organisation, tag, from_ns, to_ns)
        name = quote(f"{organisation}_{tag}.csv", safe="")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return StreamingResponse(csv_lines(unit, readings), media_type="text/csv; charset=utf-8", headers=headers)

    return routes


def csv_lines(unit: str, readings: Readings) -> Iterator[str]:
    """Text of many rows at a time. ``value`` is empty where there is no number."""
    yield BYTE_ORDER_MARK + HEADER
    kinds = kinds_of(readings.value, readings.quality)
    bad = tuple(RunKind).index(RunKind.BAD)
    for first in range(0, len(readings), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        columns = zip(
            readings.time_ns[rows].tolist(), readings.value[rows].tolist(), readings.quality[rows].tolist(),
            readings.late[rows].tolist(), kinds[rows].tolist(), strict=True,
        )  # fmt: skip
        yield "".join(
            f"{_time(time_ns, UTC)},{_time(time_ns, BEIJING)},{'' if kind == bad else format(value, '.12g')},{unit},"
            f"{_quality(quality)},{'late' if late else ''}\r\n"
            for time_ns, value, quality, late, kind in columns
        )


def _time(time_ns: int, zone: timezone) -> str:
    """To the millisecond; a spreadsheet knows no finer time."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, zone):%Y-%m-%d %H:%M:%S}.{rest_ns // 1_000_000:03d}"


def _quality(quality: int) -> str:
    """A quality of a newer version stands as its number."""
    return Quality(quality).name.lower() if quality in Quality.__members__.values() else f"0x{quality:02x}"
