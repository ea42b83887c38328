"""/metrics: what Prometheus collects, by prometheus-client."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mien.web.mjpeg import Pictures
from mien.web.state import BUCKETS, State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
GAUGES = {
    "fps": ("mien_frames_per_second", "Frames read per second, over the last three."),
    "faces": ("mien_faces_seen", "Faces in the newest frame."),
    "camera_up": ("mien_camera_up", "1 while frames come, 0 where it is lost, paused or starting."),
    "uptime": ("mien_uptime_seconds", "Seconds since the page was opened."),
    "latency": ("mien_latency_seconds", "From exposure to result, of the newest frame."),
    "temperature": ("mien_board_temperature_celsius", "The board's temperature."),
}


class _Run(Collector):
    """Reads the state when it is asked, so that nothing is counted twice."""

    def __init__(self, state: State, pictures: Pictures) -> None:
        self._state = state
        self._pictures = pictures

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        gauges = self._state.gauges()
        for key, (name, text) in GAUGES.items():
            if key in gauges:
                yield GaugeMetricFamily(name, text, gauges[key])
        yield GaugeMetricFamily(
            "mien_page_viewers", "Browsers that watch the picture.", self._pictures.viewers
        )
        totals = self._state.totals
        yield CounterMetricFamily("mien_frames", "Frames read.", totals.frames)
        yield CounterMetricFamily("mien_camera_losses", "Times the camera was lost.", totals.losses)
        yield CounterMetricFamily(
            "mien_pictures_encoded",
            "Pictures drawn and encoded; none without a viewer.",
            self._pictures.encoded,
        )
        readings = CounterMetricFamily("mien_readings", "Readings.", labels=["emotion"])
        for emotion, count in totals.faces.items():
            readings.add_metric([emotion], count)
        yield readings
        buckets = [(str(bound), n) for bound, n in zip(BUCKETS, totals.buckets, strict=True)]
        yield HistogramMetricFamily(
            "mien_frame_seconds",
            "Work per frame: finding and reading its faces.",
            buckets=[*buckets, ("+Inf", totals.frames)],
            sum_value=totals.seconds,
        )


def registry_of(state: State, pictures: Pictures) -> CollectorRegistry:
    """Return a registry of its own, so that two runs in a process do not collide."""
    registry = CollectorRegistry()
    registry.register(_Run(state, pictures))
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """Return the metrics as text."""
    return generate_latest(registry)
