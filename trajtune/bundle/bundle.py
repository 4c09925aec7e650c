"""Load a finished bundle and predict with it. Needs only onnxruntime and numpy, neither torch nor Ray.

Each file is checked against its hash in the manifest before it is read. The pickle is never read.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.graph import Graph
from trajtune.bundle.manifest import MODEL, VOCABULARY, check_file, read_manifest
from trajtune.bundle.outcomes import Outcomes
from trajtune.dataset.titles import UNKNOWN, TitleEncoder
from trajtune.errors import BundleError
from trajtune.notebook import html_table

if TYPE_CHECKING:
    import pandas as pd

LOW_CONFIDENCE: Final = 0.6
"""Calibrated confidence below which the service flags a prediction."""

ABSTAINED: Final = ("unknown_titles", "abstained")
"""Fields of a prediction for a career without a known title."""

_BATCH = 256
_SHOWN_IN_NOTEBOOK = 20  # predictions
_CACHE_SIZE = 1_000_000  # titles whose index is cached; a cache hit takes a tenth of the time of normalising
OUTPUTS: Final = ("tenure_pred", "hireability", "next_role_confidence", "top5_ids", "top5_probabilities")
"""Outputs of the graph that a prediction needs; the logits are not fetched."""

SET_OUTPUTS: Final = ("title_set_ids", "title_set_size")
"""Outputs that the set of next titles needs; not every bundle has them."""


@dataclass(frozen=True)
class Prediction:
    """The prediction for one career.

    Attributes:
        next_role: Most probable next title, in its readable form.
        confidence: Calibrated probability that the next title is correct, 0..1.
        low_confidence: Whether the confidence is below `LOW_CONFIDENCE`, as the service flags it.
        top5: Titles and their uncalibrated probabilities, best first; never the unknown title.
        tenure_min_months: Lower end of the tenure interval, in months.
        tenure_max_months: Upper end of the tenure interval, in months.
        shown_min_months: Lower end as the service shows it: rounded, at least 1.
        shown_max_months: Upper end as the service shows it: rounded, at least the lower end.
        hireability: Probability of hireability, 0..1.
        shown_hireability: Hireability as the service shows it: 0..100, rounded.
        unknown_titles: Titles of the career that are not in the vocabulary.
        service_sees: Titles of the career that the TypeScript service resolves differently, each with the
            title that the service finds; None: it finds none.
        title_set: Smallest set of next titles that contains the true title with the probability set for
            finalize, best first; empty if the bundle has no sets.
        abstained: Whether no title of the career is known. The other fields are then not a prediction, and
            `to_dict` and ``trajtune predict`` leave them out.
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

    def __repr__(self) -> str:
        if self.abstained:
            return "<Prediction: none, because no title of the career is known>"
        tenure = f"{self.shown_min_months} to {self.shown_max_months} months"
        return f"<Prediction {self.next_role} ({self.confidence:.0%}), {tenure}>"

    def _repr_html_(self) -> str:
        rows = [] if self.abstained else [(title, f"{share:.1%}") for title, share in self.top5]
        return html_table(repr(self)[1:-1], ["title", "before calibration"], rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON values.

        Returns:
            The fields by name; only ``unknown_titles`` and ``abstained`` for a career without a known title.
        """
        fields = asdict(self)
        return {name: fields[name] for name in ABSTAINED} if self.abstained else fields


class PredictionList(list[Prediction]):
    """Predictions in the order of the careers, which can be turned into a data frame."""

    def to_frame(self) -> "pd.DataFrame":
        """The predictions as rows.

        Returns:
            A column for each field of `Prediction`; of a career without a known title, ``unknown_titles`` and
            ``abstained`` alone have a value.
        """
        import pandas as pd

        names = [field.name for field in fields(Prediction)]
        return pd.DataFrame([prediction.to_dict() for prediction in self], columns=names)

    def _repr_html_(self) -> str:
        header = ["next role", "confidence", "tenure in months", "hireability", "unknown titles"]
        rows = [
            ("none", "", "", "", ", ".join(each.unknown_titles))
            if each.abstained
            else (
                each.next_role,
                f"{each.confidence:.0%}",
                f"{each.shown_min_months} to {each.shown_max_months}",
                f"{each.shown_hireability}",
                ", ".join(each.unknown_titles),
            )
            for each in self[:_SHOWN_IN_NOTEBOOK]
        ]
        return html_table(f"{len(self):,} predictions", header, rows)


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
        self._ids: dict[str, int] = {}
        self._seen_otherwise: dict[str, str | None] = {}
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
        for first in range(0, len(order), _BATCH):
            batch = order[first : first + _BATCH]
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
        own, served = self.encoder.encode(title), self.encoder.encode_as_service(title)
        index = served if self.as_service else own
        if len(self._ids) < _CACHE_SIZE:
            self._ids[title] = index
        if own != served and len(self._seen_otherwise) < _CACHE_SIZE:
            self._seen_otherwise[title] = self.encoder.decode(served) if served != UNKNOWN else None
        return index

    def service_sees(self, career: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
        """Return the value of `Prediction.service_sees` for a career that was encoded before."""
        if not self._seen_otherwise:
            return ()
        return tuple(
            (title, self._seen_otherwise[title]) for title in career if title in self._seen_otherwise
        )

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
    encoder = TitleEncoder.load(folder / VOCABULARY, by)
    graph = Graph(folder / MODEL)
    if graph.vocab_size != encoder.vocab_size:
        raise BundleError(
            f"{folder}: the model has {graph.vocab_size} titles, but the vocabulary has "
            f"{encoder.vocab_size}. Finalize the run again."
        )
    return Bundle(folder, manifest, encoder, graph, as_service=as_service)
