"""Load a finished bundle and predict with it. Needs only onnxruntime and numpy, neither torch nor Ray.

Each file is checked against its hash in the manifest before it is read. The pickle is never read.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.graph import Graph
from trajtune.bundle.manifest import MODEL, VOCABULARY, check_file, read_manifest
from trajtune.bundle.outcomes import Outcomes
from trajtune.bundle.prediction import LOW_CONFIDENCE, Prediction, PredictionList
from trajtune.dataset.titles import UNKNOWN, TitleEncoder
from trajtune.errors import BundleError, SnapshotError
from trajtune.notebook import html_table

_BATCH: Final = 256
CELLS: Final = 1 << 12
"""Roles in a batch, with padding, unless one career has more; this bounds the graph's memory."""

_CACHE_SIZE: Final = 200_000
"""Titles whose index is cached; a cache hit takes a tenth of the time of normalising."""

_LONGEST_CACHED: Final = 200
"""Characters of the longest title that is cached, so that a server's memory is bounded for any input."""

OUTPUTS: Final = ("tenure_pred", "hireability", "next_role_confidence", "top5_ids", "top5_probabilities")
"""Outputs of the graph that a prediction needs; the logits are not fetched."""

SET_OUTPUTS: Final = ("title_set_ids", "title_set_size")
"""Outputs that the set of next titles needs; not every bundle has them."""


class Bundle:
    """An open bundle, which predicts the next roles of careers.

    Attributes:
        path: Directory of the bundle.
        manifest: Content of ``manifest.json``.
        encoder: Vocabulary.
        graph: Model.
        as_service: Whether titles are looked up by the TypeScript service's rule, not the vocabulary's.
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

    def __repr__(self) -> str:
        gates = {True: "passed", False: "not passed", None: "not known"}[self.manifest.get("gates_passed")]
        return f"<Bundle {self.path}: {self.encoder.vocab_size - 1:,} titles, gates {gates}>"

    def _repr_html_(self) -> str:
        rows = [(name, self.manifest.get(name, "")) for name in ("run", "snapshot", "refit_on", "as_of")]
        gates = self.manifest.get("gates", {}).items()
        rows += [(f"gate {name}", "passed" if passed else "not passed") for name, passed in gates]
        return html_table(repr(self)[1:-1], [], rows)

    def _forget(self) -> None:
        """Start with an empty cache of titles."""
        self._ids: dict[str, int] = {}
        self._seen_otherwise: dict[str, str | None] = {}
        self._all_cached = True

    def __getstate__(self) -> dict[str, Any]:
        """Return everything except the cache of titles, which is filled again after unpickling."""
        caches = ("_ids", "_seen_otherwise", "_all_cached")
        return {name: value for name, value in vars(self).items() if name not in caches}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    @property
    def outcomes(self) -> Outcomes:
        """Meaning of the bundle's tenure and hireability."""
        return Outcomes.of(self.manifest)

    def predict(self, careers: Iterable[Sequence[str]]) -> PredictionList:
        """Predict the next role of each career, in the given order.

        Args:
            careers: Titles of each career, oldest first, in any spelling.

        Returns:
            One prediction per career, as a list that also has ``to_frame()``.

        Raises:
            BundleError: If a career has no title or an empty title; names the career.
        """
        histories = list(careers)
        encoded = [
            self.encode(career, f"Career {number}") for number, career in enumerate(histories, start=1)
        ]
        columns = self.run(encoded)
        rows = zip(histories, encoded, *(columns[name].tolist() for name in self.columns), strict=True)
        return PredictionList(self._prediction(*row) for row in rows)

    def encode(self, career: Sequence[str], name: str = "The career") -> list[int]:
        """Return the indices of the titles of a career; 0 for unknown titles.

        Raises:
            BundleError: If it is not a career; the message calls it ``name``.
        """
        if isinstance(career, str):
            raise BundleError(
                f"{name} must be a list of titles, but is the text {career!r}. Put it in a list."
            )
        if not career:
            raise BundleError(f"{name} has no title. Give at least one, oldest first.")
        try:
            return [self._ids[title] for title in career]
        except (KeyError, TypeError):  # not in the cache, or not a text
            return [self._index(title, name) for title in career]

    def run(self, encoded: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
        """Return the graph's ``columns`` for encoded careers, ``[N, ...]`` each, in their order."""
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
            raise BundleError(f"{name} has the title {title!r}. Give the title as a text, or leave it out.")
        try:
            title.encode()
        except UnicodeEncodeError:
            raise BundleError(
                f"{name} has the title {title!r}, which is not valid Unicode. Fix that title."
            ) from None
        index, otherwise = self._looked_up(title)
        if len(self._ids) < _CACHE_SIZE and len(title) <= _LONGEST_CACHED:
            self._seen_otherwise.update(otherwise)
            self._ids[title] = index
        else:
            self._all_cached = False
        return index

    def _looked_up(self, title: str) -> tuple[int, dict[str, str | None]]:
        """Return a title's index and, by title, what the service takes it for if that is another."""
        own, served = self.encoder.encode(title), self.encoder.encode_as_service(title)
        index = served if self.as_service else own
        if own == served:
            return index, {}
        return index, {title: self.encoder.decode(served) if served != UNKNOWN else None}

    def service_sees(self, career: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
        """Return the value of `Prediction.service_sees` for a career that was encoded before."""
        if self._all_cached and not self._seen_otherwise:
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
    """Yield the careers in batches of at most `_BATCH`, and of at most `CELLS` roles with padding.

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
    """Round like JavaScript's ``Math.round``: halves go up."""
    return math.floor(value + 0.5)


def load_bundle(path: str | Path, *, as_service: bool = False) -> Bundle:
    """Open a bundle; every file is checked against its hash in the manifest before it is read.

    Args:
        path: Directory of the bundle.
        as_service: Whether to look titles up by the rule of the TypeScript service, which reads only the
            letters A to Z and digits, instead of the rule that the model was trained with.

    Returns:
        The bundle, ready to predict.

    Raises:
        BundleError: If there is no bundle, or a file is missing, changed or unreadable.
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
            f"{folder}: the model has {num_titles} titles, but the vocabulary has "
            f"{encoder.vocab_size}. Finalize the run again."
        )
    return Bundle(folder, manifest, encoder, graph, as_service=as_service)


def _malformed(folder: Path, name: str) -> BundleError:
    return BundleError(f"{folder / name} is malformed, though its hash is right. Finalize the run again.")
