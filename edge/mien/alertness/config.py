"""Thresholds of the alertness signals and events, with their sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AlertnessConfig:
    """When a signal can be told and when an event begins. Times in s, angles in degrees.

    FHWA 1998: Dinges and Grace, "PERCLOS: A Valid Psychophysiological Measure of Alertness As
    Assessed by Psychomotor Vigilance", FHWA-MCRT-98-006. Euro NCAP: "Assessment Protocol, Safety
    Assist, Safe Driving", driver state monitoring.
    """

    # Closure: FHWA's P80, an eye is closed from 80 % on. The level at which it counts as open
    # again lies higher, so that a value on the threshold does not count as many blinks.
    closed: float = 0.2  # openness, 0 to 1
    reopened: float = 0.4  # openness, 0 to 1

    # A blink of an alert person takes 0.1 to 0.4 s (Stern et al., "Blink rate: a possible measure
    # of fatigue", 1994); a longer one is a long blink.
    long_blink_s: float = 0.5
    microsleep_s: float = 1.0  # Euro NCAP: eyes closed for 1 to 3 s
    sleep_s: float = 3.0  # Euro NCAP: more than 3 s
    unresponsive_s: float = 6.0  # Euro NCAP: eyes closed, or looking away, for 6 s

    # FHWA 1998 on the road: 6 % awake, 10 to 12 % at microsleeps.
    perclos: float = 0.12  # share of the window
    perclos_over: float = 0.10  # share under which the event is over
    window_s: float = 60.0  # FHWA's minute, for PERCLOS and blinks
    window_least_s: float = 30.0  # eyes seen within it; fewer say nothing of a minute

    # A yawn lasts 4 to 7 s with the mouth wide open for more than one (Provine, "Yawning as a
    # stereotyped action pattern", 1986); a word or a laugh does not keep it open for so long.
    # Of the held-out no_yawn faces (hands, cups, masks) one in eight is above 0.8.
    yawn: float = 0.8  # probability of a mouth as wide open as in a yawn
    yawn_s: float = 1.2
    yawns: int = 3  # within yawns_window_s
    yawns_window_s: float = 300.0

    # The head's angles count from the person's own (the baseline): where the camera stands shall
    # not matter.
    down: float = 20.0  # pitch
    turned: float = 30.0  # yaw
    looking_yaw: float = 20.0  # towards the camera within these
    looking_pitch: float = 15.0
    head_drop_s: float = 1.0  # a head that sinks by `down` within it drops

    # Beyond these the eyes cannot be told; nor with the head `down`, for its lids look closed.
    readable_yaw: float = 20.0  # the far eye is foreshortened
    readable_side: float = 60.0  # px, the face's
    readable_light: float = 20.0  # gray levels, mean of the eyes' crops
    readable_contrast: float = 3.0  # gray levels, standard deviation of the eyes' crops
    readable_seen: float = 0.5  # probability that the eyes are not hidden, mean of readable_seen_s
    readable_seen_s: float = 0.5
    readable_rate: float = 8.0  # readings a second: a blink must not fall between two

    baseline_s: float = 30.0  # first seconds of a track that its own values are taken from
    baseline_least_s: float = 5.0  # readings that a baseline needs
