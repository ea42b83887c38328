"""Check: cameras that each back-end finds, and permissions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mien.doctor.check import Check
from mien.errors import UserError
from mien.sources import picamera, v4l2
from mien.sources.images import natural
from mien.sources.v4l2 import Ioctl, describe_modes, video_modes

GROUP = "sudo usermod -aG video $USER, then log in again"


def cameras(ioctl: Ioctl | None = None) -> Iterator[Check]:
    """Check cameras and permissions."""
    yield permissions()
    count = 0
    for check in (*_pi_cameras(), *_usb_cameras(ioctl)):
        count += 1
        yield check
    if not count:
        remedy = "plug a webcam in, or check the ribbon of the Pi camera (power off first)"
        yield Check("cameras", "warn", "none found; files and streams can be read", remedy)


def permissions() -> Check:
    """Check whether this user may open every camera that the system has."""
    nodes = sorted(v4l2.DEV.glob("video[0-9]*"), key=natural)
    closed = [str(path) for path in nodes if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        return Check("permissions", "fail", f"this user may not use {', '.join(closed)}", GROUP)
    groups = _groups()
    found = "in the group video" if "video" in groups else "not in the group video"
    if _root():
        found = "root"
    if not nodes and "video" not in groups and not _root():
        return Check("permissions", "warn", found, GROUP)
    if not nodes:
        return Check("permissions", "ok", found)
    return Check("permissions", "ok", f"may use all of /dev/video* ({found})")


def _usb_cameras(ioctl: Ioctl | None) -> Iterator[Check]:
    for number, camera in enumerate(v4l2.usb_cameras()):
        name = f"camera usb:{number}"
        found = f"{camera.path} ({camera.card})"
        try:
            offered = video_modes(camera.path, ioctl)
        except OSError as error:
            remedy = f"close what uses it: fuser -v {camera.path}"
            yield Check(name, "warn", f"{found} does not open: {error.strerror}", remedy)
            continue
        if not offered:
            remedy = "pull its plug and put it in again"
            yield Check(name, "warn", f"{found} offers no mode", remedy)
            continue
        yield Check(name, "ok", f"{found}: {describe_modes(offered)}")


def _pi_cameras() -> Iterator[Check]:
    try:
        infos = picamera._picamera2().global_camera_info()
    except picamera.PicameraMissing:
        return  # the package has a check of its own
    for number, info in enumerate(infos):
        if "/usb" in info.get("Id", ""):
            continue  # libcamera lists USB cameras too
        name = f"camera picamera:{number}"
        model = info.get("Model", "camera")
        try:
            camera = picamera._open(number)
        except UserError as error:
            yield Check(name, "warn", f"{model}: {error}", "sudo systemctl stop mien")
            continue
        try:
            yield Check(name, "ok", f"{model}: {_sensor_modes(camera)}")
        finally:
            camera.close()


def _sensor_modes(camera: Any) -> str:
    """Return sizes and rates of a Pi camera's sensor."""
    try:
        return ", ".join(
            "{}x{} at {:.3g}/s".format(*mode["size"], mode["fps"]) for mode in camera.sensor_modes
        )
    except Exception as error:  # of some sensors picamera2 cannot list them
        return f"opens; its modes cannot be listed ({error})"


def _groups() -> set[str]:
    try:
        import grp
    except ImportError:
        return set()
    names = set()
    for number in os.getgroups():
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return names


def _root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
