"""A finished bundle, read with onnxruntime, numpy and the vocabulary alone; no torch, no Ray.

Each file is compared with its hash in the manifest before it is read. The pickle is never read.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.graph import Graph
from trajtune.bundle.manifest import MODEL, VOCABULARY, check_file, read_manifest
from trajtune.bundle.outcomes import Outcomes
from trajtune.dataset.titles import UNKNOWN, TitleEncoder
from trajtune.errors import BundleError, SnapshotError

LOW_CONFIDENCE: Final = 0.6
"""Below this calibrated confidence the service flags a prediction."""

ABSTAINED: Final = ("unknown_titles", "abstained")
"""The fields of a prediction for a career without a known title."""

_BATCH: Final = 256
CELLS: Final = 1 << 12
"""Roles of a batch, padding included, unless one career has more; this bounds the graph's memory."""

_REMEMBERED: Final = 200_000  # titles whose index is kept; a title in a cache costs a tenth of normalising it
_LONGEST_REMEMBERED: Final = 200
"""Characters of a title whose index is kept, so that a server's memory is bounded whatever it is sent."""

OUTPUTS: Final = ("tenure_pred", "hireability", "next_role_confidence", "top5_ids", "top5_probabilities")
"""The outputs that a prediction needs; the logits stay in the graph."""

SET_OUTPUTS: Final = ("title_set_ids", "title_set_size")
"""The outputs that the set of next titles needs; not every bundle has them."""


@dataclass(frozen=True)
class Prediction:
    """The model's prediction for one career.

    Attributes:
        next_role: The most probable next title, as a person should read it.
        confidence: Calibrated probability that it is right, 0..1.
        low_confidence: The service's flag, `LOW_CONFIDENCE`.
        top5: Titles and their uncalibrated probabilities, best first; never the unknown title.
        tenure_min_months: Lower end of the tenure interval as the graph gives it.
        tenure_max_months: Its upper end.
        shown_min_months: Lower end as the service shows it: rounded, at least 1.
        shown_max_months: Upper end as the service shows it: rounded, at least the lower one.
        hireability: 0..1.
        shown_hireability: As the service shows it: 0..100, rounded.
        unknown_titles: Titles of the career that the vocabulary does not hold.
        service_sees: Titles of the career that the TypeScript service looks up otherwise, each with the title
            that it takes it for; None: it finds none.
        title_set: The smallest set of next titles that holds the true one with the probability that finalize
            was asked for, best first; empty if the bundle has none.
        abstained: No title of the career is known, so the other fields are no prediction; `to_dict` and
            ``trajtune predict`` leave them out.
    """

    next_role: str
    confidence: float
    low_confidence: bool
    top5: tuple[tuple[str, float], ...]
    tenure_min_months: float
    tenure_max_months: float
    shown_min_months: int
    shown_max_months: int
    hireability: float
    shown_hireability: int
    unknown_titles: tuple[str, ...]
    service_sees: tuple[tuple[str, str | None], ...] = ()
    title_set: tuple[str, ...] = ()
    abstained: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON values.

        Returns:
            The fields by name; of a career without a known title ``unknown_titles`` and ``abstained`` alone.
        """
        fields = asdict(self)
        return {name: fields[name] for name in ABSTAINED} if self.abstained else fields


class Bundle:
    """An open bundle directory: predicts, and describes itself.

    Attributes:
        path: The directory.
        manifest: The content of ``manifest.json``.
        encoder: The vocabulary.
        graph: The model.
        as_service: Titles are looked up as the TypeScript service does it, and not by the vocabulary's rule.
    """

    def __init__(
        self,
        path: Path,
        manifest: dict[str, Any],
        encoder: TitleEncoder,
        graph: Graph,
        *,
        as_service: bool = False,
    ) -> None:
        self.path, self.manifest, self.encoder, self.graph = path, manifest, encoder, graph
        self.as_service = as_service
        self._forget()
        with_sets = SET_OUTPUTS[0] in graph.outputs
        self.columns: tuple[str, ...] = (*OUTPUTS, *SET_OUTPUTS) if with_sets else OUTPUTS

    def _forget(self) -> None:
        """Start with an empty cache of titles."""
        self._ids: dict[str, int] = {}
        self._seen_otherwise: dict[str, str | None] = {}
        self._all_remembered = True

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the cache of titles, which grows again where the bundle is unpickled."""
        caches = ("_ids", "_seen_otherwise", "_all_remembered")
        return {name: value for name, value in vars(self).items() if name not in caches}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    @property
    def outcomes(self) -> Outcomes:
        """What its tenure and hireability stand for."""
        return Outcomes.of(self.manifest)

    def predict(self, careers: Iterable[Sequence[str]]) -> list[Prediction]:
        """Predict what comes next in each career, in the order given.

        Args:
            careers: The titles of each, oldest first, as people write them.

        Returns:
            A prediction for each.

        Raises:
            BundleError: For a career without a title, or with an empty one; names it.
        """
        histories = list(careers)
        encoded = [
            self.encode(career, f"Career {number}") for number, career in enumerate(histories, start=1)
        ]
        columns = self.run(encoded)
        rows = zip(histories, encoded, *(columns[name].tolist() for name in self.columns), strict=True)
        return [self._prediction(*row) for row in rows]

    def encode(self, career: Sequence[str], name: str = "The career") -> list[int]:
        """The indices of a career's titles, 0 for unknown ones.

        Raises:
            BundleError: If it is not a career; calls it ``name``.
        """
        if isinstance(career, str):
            raise BundleError(
                f"{name} must be a list of titles, but is the text {career!r}. Put it in a list."
            )
        if not career:
            raise BundleError(f"{name} has no title. Give at least one, oldest first.")
        try:
            return [self._ids[title] for title in career]
        except (KeyError, TypeError):  # a new title, or not a text
            return [self._index(title, name) for title in career]

    def run(self, encoded: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
        """The graph's ``columns`` for careers that `encode` gave, ``[N, ...]`` each, in their order."""
        lengths = np.fromiter((len(ids) for ids in encoded), np.int64, count=len(encoded))
        # Sorted by length, so that a batch has little padding.
        order = np.argsort(lengths, kind="stable")
        columns: dict[str, NDArray[Any]] = {}
        for batch in _batches(order, lengths):
            longest = int(lengths[batch[-1]])
            inside = np.arange(longest) < lengths[batch, None]
            title_ids = np.zeros((len(batch), longest), np.int64)
            title_ids[inside] = [index for i in batch.tolist() for index in encoded[i]]
            for name, values in self.graph.run(title_ids, lengths[batch], self.columns).items():
                if name not in columns:
                    columns[name] = np.empty((len(encoded), *values.shape[1:]), values.dtype)
                columns[name][batch] = values
        return columns or {name: np.empty(0) for name in self.columns}

    def _index(self, title: object, name: str) -> int:
        if not isinstance(title, str) or not title.strip():
            raise BundleError(f"{name} holds the title {title!r}. Give the title's text or leave it out.")
        try:
            title.encode()
        except UnicodeEncodeError:
            raise BundleError(
                f"{name} holds the title {title!r}, which is not valid Unicode. Fix that title."
            ) from None
        index, otherwise = self._looked_up(title)
        if len(self._ids) < _REMEMBERED and len(title) <= _LONGEST_REMEMBERED:
            self._seen_otherwise.update(otherwise)
            self._ids[title] = index
        else:
            self._all_remembered = False
        return index

    def _looked_up(self, title: str) -> tuple[int, dict[str, str | None]]:
        """A title's index; and, by title, what the service takes it for if that is another."""
        own, served = self.encoder.encode(title), self.encoder.encode_as_service(title)
        index = served if self.as_service else own
        if own == served:
            return index, {}
        return index, {title: self.encoder.decode(served) if served != UNKNOWN else None}

    def service_sees(self, career: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
        """What `Prediction.service_sees` holds for a career that `encode` was given."""
        if self._all_remembered and not self._seen_otherwise:
            return ()
        pairs = []
        for title in career:
            otherwise = self._seen_otherwise if title in self._ids else self._looked_up(title)[1]
            if title in otherwise:
                pairs.append((title, otherwise[title]))
        return tuple(pairs)

    def _prediction(
        self,
        career: Sequence[str],
        encoded: Sequence[int],
        tenure: Sequence[float],
        hireability: Sequence[float],
        confidence: Sequence[float],
        top_ids: Sequence[int],
        probabilities: Sequence[float],
        set_ids: Sequence[int] = (),
        set_size: Sequence[int] = (0,),
    ) -> Prediction:
        titles = [self.encoder.decode(index) for index in top_ids]
        shown_min = max(1, rounded(tenure[0]))
        return Prediction(
            next_role=titles[0],
            confidence=confidence[0],
            low_confidence=confidence[0] < LOW_CONFIDENCE,
            top5=tuple(zip(titles, probabilities, strict=True)),
            tenure_min_months=tenure[0],
            tenure_max_months=tenure[1],
            shown_min_months=shown_min,
            shown_max_months=max(shown_min, rounded(tenure[1])),
            hireability=hireability[0],
            shown_hireability=rounded(100 * hireability[0]),
            unknown_titles=tuple(t for t, index in zip(career, encoded, strict=True) if index == UNKNOWN),
            service_sees=self.service_sees(career),
            title_set=tuple(self.encoder.decode(index) for index in set_ids[: set_size[0]]),
            abstained=not any(encoded),
        )


def _batches(order: NDArray[np.intp], lengths: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Careers in batches of at most `_BATCH`, and of at most `CELLS` roles with padding.

    Args:
        order: Careers ``[N]``, by rising length.
        lengths: Roles of each career ``[N]``.
    """
    first = 0
    while first < len(order):
        batch = order[first : first + _BATCH]
        while len(batch) > 1 and len(batch) * lengths[batch[-1]] > CELLS:
            batch = batch[: len(batch) // 2]
        yield batch
        first += len(batch)


def rounded(value: float) -> int:
    """JavaScript's ``Math.round``: halves go up."""
    return math.floor(value + 0.5)


def load_bundle(path: str | Path, *, as_service: bool = False) -> Bundle:
    """Open a bundle after comparing every file it reads with its hash in the manifest.

    Args:
        path: The bundle's directory.
        as_service: Look titles up as the TypeScript service does, which reads the letters A to Z and digits
            alone, and not by the rule that the model was trained with.

    Returns:
        The bundle, ready to predict.

    Raises:
        BundleError: If there is no bundle, or a file is missing, altered or unreadable.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    for name in (MODEL, VOCABULARY):
        check_file(folder, name, manifest)
    # Bundles without this record were trained with the service's rule.
    by = manifest.get("titles", {"identity": "service"})["identity"]
    try:
        encoder = TitleEncoder.load(folder / VOCABULARY, by)
    except SnapshotError as error:
        raise _malformed(folder, VOCABULARY) from error
    try:
        graph = Graph(folder / MODEL)
        num_titles = graph.vocab_size
    except Exception as error:
        raise _malformed(folder, MODEL) from error
    if num_titles != encoder.vocab_size:
        raise BundleError(
            f"{folder}: the model knows {num_titles} titles and the vocabulary {encoder.vocab_size}. "
            "Finalize the run again."
        )
    return Bundle(folder, manifest, encoder, graph, as_service=as_service)


def _malformed(folder: Path, name: str) -> BundleError:
    return BundleError(f"{folder / name} is malformed, though its hash is right. Finalize the run again.")
