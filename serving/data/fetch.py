"""Bringing data sets: each card's sources in their order, the first that has it here."""

from pathlib import Path
from typing import Literal, Self

from agent.errors import BadInput, ModelError
from evaluation.archives import unpack
from evaluation.datasets import DataCard, Fetched
from evaluation.sources import HubSet, LocalCopy, PackagedArchive, Source
from serving.connect import Setting
from serving.data import hub, local
from serving.data.missing import Missing
from serving.models import wheels
from serving.models.catalogue import Archive
from serving.models.hub import Hub, HubUnavailable
from serving.settings import Settings
from serving.system import pip_calls
from serving.system.atomic import Say
from serving.system.progress import Watch, unwatched

Kind = Literal["local", "packaged", "hub"]


class DataFetcher:
    """An `evaluation.datasets.Fetcher`: local copies, then packaged archives, then the hub.

    Args:
        say: is told which source is passed over, and why.
        only: the kind of source to take; None: the first of the card's that is there.
        pip: puts an archive into a folder.
    """

    def __init__(
        self,
        settings: Settings,
        say: Say,
        watch: Watch = unwatched,
        *,
        only: Kind | None = None,
        pip: wheels.Fetch = pip_calls.fetch,
    ) -> None:
        self._settings = settings
        self._say = say
        self._watch = watch
        self._only = only
        self._pip = pip

    @classmethod
    def of(cls, setting: Setting, only: Kind | None = None) -> Self:
        """With the settings of everything else, told about in the same place."""
        return cls(setting.settings, setting.say, setting.watch, only=only)

    @property
    def folder(self) -> Path:
        """Where what was fetched is kept."""
        return self._settings.cache / "data"

    def fetch(self, card: DataCard) -> Fetched:
        """The tables of the first source that has the data set here.

        Raises:
            BadInput: none has, or the one that has it is damaged or of another version.
            ModelError: an archive that was fetched is not the one that the card names.
        """
        passed: list[tuple[Kind, str]] = []
        for source in card.sources:
            if self._only not in (None, source.kind):
                continue
            try:
                found = self._from(card, source)
            except Missing as why:
                passed.append((source.kind, str(why)))
                continue
            for kind, reason in passed:
                if kind != "local" or self._settings.data is not None:
                    self._say(f"note: {card.name} comes from another place than {kind}: {reason}")
            return found
        tried = "; ".join(f"{kind}: {why}" for kind, why in passed) or f"its card names no {self._only} source"
        what = f"the data set {card.name!r} cannot be had ({tried})"
        raise BadInput(what, f"put {card.name}/train.jsonl and test.jsonl into the folder that THRESHER_DATA names")

    def whence(self, card: DataCard) -> str:
        """Where `fetch` would look first, without fetching."""
        folder = self._settings.data
        for source in card.sources:
            match source:
                case LocalCopy() if folder is not None and (folder / card.name).is_dir():
                    return "local copy"
                case PackagedArchive():
                    here = "here" if (self.folder / source.wheel).is_file() else f"{source.size / 1e6:.0f} MB to fetch"
                    return f"{source.distribution} {source.version}, {here}"
                case HubSet():
                    return f"hub {source.repository}{'' if source.verified else ', never tried'}"
                case _:
                    continue
        return "a local copy is needed"

    def needs_no_hub(self, card: DataCard) -> bool:
        """Whether there is a local copy, or a package to fetch it from."""
        folder = self._settings.data
        kinds = {source.kind for source in card.sources}
        return "packaged" in kinds or (folder is not None and (folder / card.name).is_dir())

    def _from(self, card: DataCard, source: Source) -> Fetched:
        match source:
            case LocalCopy():
                if self._settings.data is None:
                    raise Missing("THRESHER_DATA names no folder")
                return local.copy(card, source, self._settings.data)
            case PackagedArchive():
                return unpack(source, self._archive(source).read_bytes())
            case HubSet():
                return self._hub(source)

    def _archive(self, source: PackagedArchive) -> Path:
        wanted = Archive(project=source.distribution, version=source.version, sha256=source.sha256, size=source.size)
        return wheels.fetched(wanted, self.folder, self._by_pip, self._watch)

    def _by_pip(self, archive: Archive, folder: Path, watch: Watch) -> Path:
        try:
            return self._pip(archive, folder, watch)
        except ModelError as error:  # the index has nothing to give; one that gives something wrong is another matter
            raise Missing(str(error)) from error

    def _hub(self, source: HubSet) -> Fetched:
        asked = self._settings
        try:
            # The library tries for minutes where nobody answers; this gives up after seconds.
            Hub("" if asked.hub_offline else asked.hub, asked.hub_token).has_data(source.repository)
        except HubUnavailable as error:
            raise Missing(f"{source.repository} cannot be read there ({error})") from error
        return hub.hub_set(source, self.folder / "hub", asked.hub_token.get_secret_value() if asked.hub_token else None)
