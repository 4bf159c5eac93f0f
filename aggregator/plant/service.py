"""The schematic map as one person may see it: ``register.toml`` cut down to the person's scope."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.folder import Folder
from aggregator.people.rights import Caller, Right
from aggregator.people.service import PeopleService
from aggregator.plant.points import PointBook
from aggregator.plant.register import Detector, Enterprise, Feature, Park, Source
from aggregator.plant.register_file import FILE_NAME, RegisterFile
from aggregator.store import db
from contract.ids import PointKey


@dataclass(frozen=True, slots=True)
class MapView:
    """``park`` is None while no register was set. ``is_current``: the file as it lies there could be read."""

    park: Park | None
    enterprises: tuple[Enterprise, ...]
    sources: tuple[Source, ...]
    detectors: tuple[Detector, ...]
    features: tuple[Feature, ...]
    is_current: bool


class MapService:
    """Safe to call from several threads."""

    def __init__(self, folder: Folder, people: PeopleService, book: PointBook) -> None:
        self._folder = folder
        self._people = people
        self._book = book
        self._file = RegisterFile(folder.path / FILE_NAME)

    def names(self, caller: Caller) -> dict[str, dict[str, str]]:
        """Path → name by language, of the enterprises and sources in the person's scope. Raises RefusedError."""
        person = self._people.require(caller, Right.SEE)
        register = self._file.read().register
        named: list[Enterprise | Source] = [*register.enterprise, *register.source]
        return {each.org: each.name.model_dump() for each in named if person.may(Right.SEE, each.org)}

    def view(self, caller: Caller) -> MapView:
        """Raises RefusedError. Roads and buildings belong to nobody; sources and detectors are those of the scope."""
        person = self._people.require(caller, Right.SEE)
        reading = self._file.read()
        register = reading.register
        with db.open_reader(self._folder.database).begin() as connection:
            claims = self._book.claims(connection)
        sources = tuple(each for each in register.source if person.may(Right.SEE, each.org))
        mine = {each.org.split("/")[0] for each in sources}

        def is_mine(detector: Detector) -> bool:
            claim = claims.get(PointKey(detector.organisation, detector.tag))
            return person.may(Right.SEE, detector.organisation if claim is None else claim[0].spec.org)

        return MapView(
            register.park,
            tuple(each for each in register.enterprise if each.org in mine or person.may(Right.SEE, each.org)),
            sources,
            tuple(each for each in register.detector if is_mine(each)),
            register.feature,
            is_current=not reading.faults,
        )
