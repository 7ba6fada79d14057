"""Numbers for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from unblur.service.order import Job

__all__ = ["Counters"]

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Counters:
    """The metrics of one application.

    Args:
        states: counts the jobs in each state.
        version: of unblur.
    """

    def __init__(self, states: Callable[[], dict[str, int]], version: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "unblur_requests",
            "Requests answered.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "unblur_request_seconds",
            "Time of requests.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._jobs = Counter(
            "unblur_jobs_ended",
            "Jobs that came to an end here.",
            ["method", "state", "code"],
            registry=self.registry,
        )
        self._job_seconds = Histogram(
            "unblur_job_seconds",
            "Time of jobs.",
            ["method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        Gauge("unblur_info", "Version.", ["version"], registry=self.registry).labels(version).set(1)
        self.registry.register(_States(states))

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def job(self, job: Job, state: str, code: str | None, seconds: float) -> None:
        """Count a job that came to an end."""
        self._jobs.labels(job.order.method, state, code or "").inc()
        self._job_seconds.labels(job.order.method).observe(seconds)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self.registry)


class _States(Collector):
    """Asks the table when somebody looks."""

    def __init__(self, states: Callable[[], dict[str, int]]) -> None:
        self._states = states

    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily("unblur_jobs", "Jobs in the table.", labels=["state"])
        found = self._states()
        for state in ("queued", "running", "done", "failed", "cancelled", "gone"):
            family.add_metric([state], found.get(state, 0))
        return [family]

    def describe(self) -> list[GaugeMetricFamily]:
        return []
