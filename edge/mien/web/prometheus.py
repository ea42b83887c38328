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

from mien.web.mjpeg import MjpegBroadcaster
from mien.web.state import FRAME_TIME_BUCKETS_S, PageState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
GAUGE_METRICS = {
    "fps": ("mien_frames_per_second", "Frames read per second, over the last three."),
    "faces": ("mien_faces_seen", "Faces in the newest frame."),
    "camera_up": ("mien_camera_up", "1 while frames come, 0 where it is lost, paused or starting."),
    "uptime": ("mien_uptime_seconds", "Seconds since the page was opened."),
    "latency": ("mien_latency_seconds", "From exposure to result, of the newest frame."),
    "temperature": ("mien_board_temperature_celsius", "The board's temperature."),
}


class _RunCollector(Collector):
    """Reads the state when it is asked, so that nothing is counted twice."""

    def __init__(self, state: PageState, broadcaster: MjpegBroadcaster) -> None:
        self._state = state
        self._broadcaster = broadcaster

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        gauges = self._state.gauges()
        for key, (name, text) in GAUGE_METRICS.items():
            if key in gauges:
                yield GaugeMetricFamily(name, text, gauges[key])
        yield GaugeMetricFamily(
            "mien_page_viewers", "Browsers that watch the picture.", self._broadcaster.viewers
        )
        totals = self._state.totals
        yield CounterMetricFamily("mien_frames", "Frames read.", totals.frames)
        yield CounterMetricFamily("mien_camera_losses", "Times the camera was lost.", totals.losses)
        yield CounterMetricFamily(
            "mien_pictures_encoded",
            "Pictures drawn and encoded; none without a viewer.",
            self._broadcaster.encoded,
        )
        readings = CounterMetricFamily("mien_readings", "Readings.", labels=["emotion"])
        for emotion, count in totals.faces.items():
            readings.add_metric([emotion], count)
        yield readings
        buckets = [
            (str(bound), n) for bound, n in zip(FRAME_TIME_BUCKETS_S, totals.buckets, strict=True)
        ]
        yield HistogramMetricFamily(
            "mien_frame_seconds",
            "Work per frame: finding and reading its faces.",
            buckets=[*buckets, ("+Inf", totals.frames)],
            sum_value=totals.seconds,
        )


def registry_of(state: PageState, broadcaster: MjpegBroadcaster) -> CollectorRegistry:
    """Return a registry of its own, so that two runs in a process do not collide."""
    registry = CollectorRegistry()
    registry.register(_RunCollector(state, broadcaster))
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """Return the metrics as text."""
    return generate_latest(registry)
