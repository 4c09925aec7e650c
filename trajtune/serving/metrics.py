"""What Prometheus reads at ``/metrics``; counts alone, nothing of a career's content."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from trajtune.bundle.bundle import Bundle
from trajtune.bundle.prediction import Prediction

_SECONDS: Final = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counters of one server.

    The share of unknown titles is ``trajtune_unknown_titles_total / trajtune_titles_total``; a share over
    time needs both.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._registry = CollectorRegistry()

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"trajtune_{name}", what, labels, registry=self._registry)

        self._requests = counter("requests", "Requests answered.", "path", "status")
        self._careers = counter("careers", "Careers answered.")
        self._abstentions = counter("abstentions", "Careers without a known title.")
        self._low = counter("low_confidence", "Predictions with low confidence.")
        self._titles = counter("titles", "Titles in the careers answered.")
        self._unknown = counter("unknown_titles", "Titles that the model does not know.")
        self._seconds = Histogram(
            "trajtune_request_seconds",
            "Time from a request's first byte to its answer's last.",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        labels = {"name": bundle.path.resolve().name, "sha256": bundle.manifest.get("manifest_sha256", "")}
        about = Gauge("trajtune_bundle", "The bundle that is served.", [*labels], registry=self._registry)
        about.labels(**labels).set(1)
        gates = Gauge("trajtune_gates_passed", "1 if every gate passed.", registry=self._registry)
        gates.set(bool(bundle.manifest.get("gates_passed")))

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def answered(self, predictions: Iterable[Prediction], num_titles: int) -> None:
        """Count predictions for careers with ``num_titles`` titles in all."""
        found = list(predictions)
        self._careers.inc(len(found))
        self._abstentions.inc(sum(each.abstained for each in found))
        self._low.inc(sum(each.low_confidence and not each.abstained for each in found))
        self._titles.inc(num_titles)
        self._unknown.inc(sum(len(each.unknown_titles) for each in found))

    def text(self) -> bytes:
        """All counters in Prometheus' text format."""
        return generate_latest(self._registry)
