"""Against the server of an independent implementation rather than our own fake."""

from __future__ import annotations

import asyncio
import struct
from contextlib import aclosing

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from contract.points import PointSpec, PointType
from contract.quality import Quality
from naive.modbus_registers import encode

ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
SAMPLES = {
    PointType.UINT16: 0xBEEF,
    PointType.INT16: -12_345,
    PointType.UINT32: 0xDEADBEEF,
    PointType.INT32: -1_234_567_890,
    PointType.UINT64: 2**64 - 12_345,
    PointType.INT64: -(2**60) - 7,
    PointType.FLOAT32: struct.unpack(">f", struct.pack(">f", 20.9))[0],
    PointType.FLOAT64: -1.0e-200,
}


def words(data: bytes) -> list[int]:
    return [word for (word,) in struct.iter_unpack(">H", data)]


def layout(new_point, table):
    """Every type in every order, side by side; registers, points and the values that must come."""
    registers: list[int] = []
    points: list[PointSpec] = []
    expected: dict[int, float] = {}
    for type_, number in SAMPLES.items():
        for order in ORDERS:
            id_ = len(points) + (100 if table == "holding" else 200)
            points.append(new_point(id_, f"{table}:{len(registers)}/{order}", type_))
            expected[id_] = float(number)
            registers += words(encode(type_, number, order))
    return registers, points, expected


def test_all_types_in_all_orders_from_all_tables(new_point, new_driver):
    holding, points, expected = layout(new_point, "holding")
    inputs, more, more_expected = layout(new_point, "input")
    points += more
    expected |= more_expected
    bits = [True, False, False, True, True, False, True, False, True, True, False, True]
    for table, base in (("coil", 300), ("discrete", 400)):
        points += [new_point(base + i, f"{table}:{i}", PointType.BIT) for i in range(len(bits))]
        expected |= {base + i: float(bit) for i, bit in enumerate(bits)}
    points += [new_point(500 + i, f"holding:0.{i}", PointType.BIT) for i in range(16)]
    expected |= {500 + i: float(0xBEEF >> i & 1) for i in range(16)}

    async def scenario():
        blocks = (
            [SimData(0, values=bits + [False] * 4, datatype=DataType.BITS)],
            [SimData(0, values=bits + [False] * 4, datatype=DataType.BITS)],
            [SimData(0, values=holding, datatype=DataType.REGISTERS)],
            [SimData(0, values=inputs, datatype=DataType.REGISTERS)],
        )
        server = ModbusTcpServer(SimDevice(1, simdata=blocks), address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        assert isinstance(server.transport, asyncio.Server)
        driver = new_driver(server.transport.sockets[0].getsockname()[1], *points, timeout_s=5.0)
        seen: dict[int, tuple[float, int]] = {}
        async with aclosing(driver.run()) as batches:
            while len(seen) < len(points) + 1:
                batch = await anext(batches)
                seen |= {
                    point: (value, quality)
                    for point, value, quality in zip(batch.point, batch.value, batch.quality, strict=True)
                }
        await driver.close()
        await server.shutdown()
        return seen

    seen = asyncio.run(scenario())
    assert seen == {1: (1.0, Quality.GOOD)} | {id_: (number, Quality.GOOD) for id_, number in expected.items()}
