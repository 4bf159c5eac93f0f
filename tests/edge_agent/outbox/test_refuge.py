"""A disk that takes nothing at a start: the outbox goes on in memory and comes home, and nobody's numbers repeat."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from contract.errors import StoreError
from contract.ids import Epoch
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.refuge import Place, choose
from edge_agent.settings import memory_folder
from edge_agent.settings.memory_folder import in_use, refuge_of


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch) -> Path:
    made = tmp_path / "memory"
    made.mkdir()
    monkeypatch.setattr(memory_folder, "MEMORY", made)
    return made


@pytest.fixture
def disk(tmp_path, require_system) -> Iterator[SimpleNamespace]:
    """A small file system of its own, which can be filled and made read-only."""
    mount, umount = require_system("mount"), require_system("umount")
    place = tmp_path / "disk"
    place.mkdir()
    mounting = [mount, "-t", "tmpfs", "-o", "size=2m", "none", place]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount")

    def remount(how: str) -> None:
        subprocess.run([mount, "-o", f"remount,{how}", place], check=True)

    def fill() -> None:
        with pytest.raises(OSError, match="No space"), (place / "filler").open("wb") as file:
            while True:
                file.write(bytes(4096))

    yield SimpleNamespace(path=place / "data", remount=remount, fill=fill, empty=(place / "filler").unlink)
    subprocess.run([umount, "-l", place], check=True)


def test_a_disk_that_is_well_is_used_and_left_as_it_was(tmp_path):
    assert choose(tmp_path / "data", 0) == Place(tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())
    assert in_use(tmp_path / "data") == tmp_path / "data"


def test_where_no_folder_can_be_made_the_outbox_is_in_memory(tmp_path, bench, run):
    (tmp_path / "file").touch()
    place = choose(tmp_path / "file" / "data", 0)
    assert place.disk_fault == "Not a directory"
    assert place.directory == in_use(tmp_path / "file" / "data") == refuge_of(tmp_path / "file" / "data")
    bench.directory = place.directory
    run(_append(bench, 3))


@pytest.mark.parametrize("refusal", ["full", "read-only"])
def test_numbers_chain_and_conditions_go_on_in_memory_and_come_home(disk, bench, run, refusal):
    bench.directory = choose(disk.path, 0).directory
    epoch = run(_append(bench, 3))
    _refuse(disk, refusal)
    place = choose(disk.path, 0)
    assert place.disk_fault
    bench.directory = place.directory
    assert run(_append(bench, 3)) == epoch
    _relent(disk, refusal)
    assert choose(disk.path, 0) == Place(disk.path)
    assert not place.directory.exists()
    bench.directory = disk.path

    async def judge() -> None:
        store = bench.open()
        receiver = bench.receiver(store)
        await receiver.drain(store)
        assert (store.epoch, store.replaced, list(receiver.records)) == (epoch, None, [*range(1, 9)])
        assert [each.tag for each in store.conditions()[1]] == ["AT-0"]
        await store.close()

    run(judge())


def test_a_disk_too_small_for_what_memory_holds_is_not_touched(disk, bench, run):
    bench.directory = choose(disk.path, 0).directory
    run(_append(bench, 3))
    disk.fill()
    before = (disk.path / "events.db").read_bytes()
    bench.directory = choose(disk.path, 0).directory
    run(_append(bench, 40, bytes(10_000)))
    disk.empty()
    (disk.path / "filler").write_bytes(bytes(2 * 2**20 - 600_000))
    place = choose(disk.path, 0)
    assert place.disk_fault == "No space left on device"
    assert (disk.path / "events.db").read_bytes() == before
    assert not list(disk.path.glob(".*.new"))


def test_a_disk_that_filled_up_under_a_running_agent_makes_no_second_one(disk, bench, run):
    async def scenario() -> None:
        bench.directory = choose(disk.path, 0).directory
        store = bench.open()
        disk.fill()
        with pytest.raises(StoreError, match="in use by another process"):
            choose(disk.path, 0)
        disk.empty()
        await store.close()

    run(scenario())


@pytest.mark.parametrize("foreign", ["open to others", "a link"])
def test_a_folder_in_memory_that_somebody_else_may_have_laid_there_is_not_used(tmp_path, foreign):
    (tmp_path / "file").touch()
    directory = tmp_path / "file" / "data"
    if foreign == "a link":
        refuge_of(directory).symlink_to(tmp_path)
    else:
        refuge_of(directory).mkdir()
        refuge_of(directory).chmod(0o777)
    assert in_use(directory) == directory
    with pytest.raises(StoreError, match="not this user's own folder"):
        choose(directory, 0)


async def _append(bench, count: int, ballast: bytes = b"") -> Epoch:
    store: EventStore = bench.open()
    store.append([bench.event(n=n, ballast=ballast.hex()) for n in range(count)])
    if store.start_number == 1:
        store.append([bench.condition("AT-0", 2)])
    else:
        store.append([bench.event()])
    await store.flush()
    await store.close()
    return store.epoch


def _refuse(disk: SimpleNamespace, refusal: str) -> None:
    disk.fill() if refusal == "full" else disk.remount("ro")


def _relent(disk: SimpleNamespace, refusal: str) -> None:
    disk.empty() if refusal == "full" else disk.remount("rw")
