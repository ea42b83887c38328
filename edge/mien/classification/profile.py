"""Profile: an affine map of the logits, fitted to a person, a camera or a room.

    fit = fit_profile(logits, labels, metadata, name="anna")
    fit.profile.save(Path("anna.profile.json"))
    classifier = Classifier(model, profile=load_profile(path, model.metadata))

Multinomial logistic regression on the calibrated logits, as in matrix and vector scaling (Guo et
al., "On Calibration of Modern Neural Networks", ICML 2017; Kull et al., "Beyond temperature
scaling", NeurIPS 2019), with a Gaussian prior around the identity: few pictures change little.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.atomic import write_file
from mien.classification.prediction import softmax
from mien.errors import UserError
from mien.tflite.metadata import Metadata

FORMAT = 1
SUFFIX = ".profile.json"
# Standard deviations of the prior of bias and weights, in nats of the calibrated logits. Chosen on
# simulated observers of PublicTest and on news photographs, with 1, 2, 5 and 10 pictures a class.
PRIORS = {"bias": (0.5, 0.0), "affine": (0.5, 0.1), "free": (1.0, 0.4)}
NEWTON_STEPS = 30
TOLERANCE = 1e-6  # nats, the gain of a step at which Newton's method ends
NEUTRAL = "neutral"
ABSENT_PRIOR = (0.5, 0.1)
NEUTRAL_PRIOR = (1.0, 0.0)
NEUTRAL_EVIDENCE = 4.0  # pictures as which a neutral-only calibration counts, however many it has

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Profile:
    """An affine map of one model's logits, and what it was fitted on."""

    name: str
    kind: str  # "bias", "affine" or "neutral"
    model: str  # name and version of the model
    model_sha256: str  # hex, of the model's flatbuffer
    labels: tuple[str, ...]  # in the order of the logits
    weight: tuple[tuple[float, ...], ...]  # [K][K]
    bias: tuple[float, ...]  # [K], in the scale of the logits
    pictures: dict[str, int]  # per label
    correct_before: int  # pictures that the model alone reads correctly
    correct_after: int  # pictures read correctly by a map fitted without them
    created: str  # ISO 8601, UTC
    format: int = FORMAT

    def apply(self, logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Return the mapped logits, float32 [..., K], of logits [..., K]."""
        weight, bias = np.array(self.weight), np.array(self.bias)
        return np.asarray(logits @ weight.T + bias, np.float32)

    @property
    def total(self) -> int:
        """Number of pictures that it was fitted on."""
        return sum(self.pictures.values())

    def save(self, path: Path) -> None:
        """Write the profile as JSON, atomically; raises UserError."""
        write_file(path, (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode())


@dataclass(frozen=True)
class ProfileFit:
    """Result of a fit: the profile, or the reason why there is none."""

    profile: Profile | None
    correct_before: int
    correct_after: int
    total: int  # pictures
    reason: str = ""  # a clause, where profile is None


@dataclass(frozen=True)
class _Map:
    weight: Floats  # [K, K]
    bias: Floats  # [K], of the calibrated logits

    def __call__(self, z: Floats) -> Floats:
        return z @ self.weight.T + self.bias


def fit_profile(
    logits: npt.NDArray[np.floating],
    labels: Ints,
    metadata: Metadata,
    name: str,
    groups: Ints | None = None,
    progress: Callable[[range], Any] = iter,
) -> ProfileFit:
    """Fit a profile, and measure it on pictures that were left out of the fit.

    A bias for each label is compared with a whole affine map and with no change, by the negative
    log-likelihood of pictures left out. Labels without pictures keep their logits. Pictures of the
    label "neutral" alone give a bias that makes a resting face neutral.

    Args:
        logits: float [n, K], one row a picture.
        labels: int [n], index into `metadata.labels`.
        metadata: Metadata of the model that gave the logits.
        name: Name of the profile.
        groups: int [n]; pictures of one group are left out together, as frames of one take. Each
            picture is a group of its own without it.
        progress: Wraps the range of groups, to show how far the leaving out is.

    Raises:
        UserError: If there is one label only and that is not "neutral".
    """
    z = np.asarray(logits, np.float64) / metadata.temperature
    labels = np.asarray(labels, np.int64)
    present = np.unique(labels)
    neutral = metadata.labels.index(NEUTRAL) if NEUTRAL in metadata.labels else -1
    before = int((z.argmax(axis=1) == labels).sum())
    if len(present) == 1:
        if present[0] != neutral:
            raise UserError(
                f"Only pictures of {metadata.labels[present[0]]} are given; "
                "add a second expression, or give neutral ones alone."
            )
        return _fit_neutral(z, labels, metadata, name, before)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    found = _leave_out(z, labels, groups, progress)
    gain = {kind: found["none"][0] - found[kind][0] for kind in PRIORS}  # [n], nats
    mean = {kind: float(gain[kind].mean()) for kind in PRIORS}
    error = {kind: float(gain[kind].std(ddof=1) / np.sqrt(len(z))) for kind in PRIORS}
    right = {kind: int(hits.sum()) for kind, (_, hits) in found.items()}
    better = [key for key in PRIORS if mean[key] > error[key] and right[key] > right["none"]]
    if not better:
        after = max(right[key] for key in PRIORS)
        reason = "on pictures left out of the fit the model alone does as well"
        return ProfileFit(None, before, after, len(labels), reason)
    kind = max(better, key=lambda key: mean[key])
    mapped = _fit(z, labels, *PRIORS[kind])
    profile = _profile(mapped, kind, metadata, name, labels, before, right[kind])
    return ProfileFit(profile, before, right[kind], len(labels))


def load_profile(path: str | Path, metadata: Metadata) -> Profile:
    """Read a profile that was fitted for the model with this metadata; raises UserError."""
    path = Path(path)
    try:
        fields = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check --profile.") from error
    except ValueError as error:
        raise UserError(f"{path} is not a profile; make one with mien calibrate.") from error
    profile = _checked(fields)
    if profile is None:
        raise UserError(f"{path} is not a profile; make one with mien calibrate.")
    if profile.model_sha256 != metadata.sha256 or profile.labels != metadata.labels:
        raise UserError(
            f"{path} was fitted for {profile.model}, not for {metadata.name} {metadata.version}; "
            "choose that model with --model, or calibrate anew."
        )
    return profile


def _checked(fields: Any) -> Profile | None:
    """Return a profile of parsed JSON; None where that is something else."""
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        return None
    try:
        labels = tuple(map(str, fields["labels"]))
        weight = np.array(fields["weight"], np.float64)
        bias = np.array(fields["bias"], np.float64)
        size = len(labels)
        if weight.shape != (size, size) or bias.shape != (size,):
            return None
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            return None
        return Profile(
            name=str(fields["name"]),
            kind=str(fields["kind"]),
            model=str(fields["model"]),
            model_sha256=str(fields["model_sha256"]),
            labels=labels,
            weight=tuple(tuple(map(float, row)) for row in weight),
            bias=tuple(map(float, bias)),
            pictures={str(key): int(value) for key, value in fields["pictures"].items()},
            correct_before=int(fields["correct_before"]),
            correct_after=int(fields["correct_after"]),
            created=str(fields["created"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _leave_out(
    z: Floats, labels: Ints, groups: Ints, progress: Callable[[range], Any]
) -> dict[str, tuple[Floats, npt.NDArray[np.bool_]]]:
    """Return loss [n] and hits [n] of each kind of map, each picture by maps fitted without it."""
    found = {kind: (np.zeros(len(z)), np.zeros(len(z), bool)) for kind in ("none", *PRIORS)}
    names = np.unique(groups)
    for index in progress(range(len(names))):
        out = groups == names[index]
        for kind in found:
            mapped = z[out]
            if kind != "none" and not out.all():
                mapped = _fit(z[~out], labels[~out], *PRIORS[kind])(mapped)
            p = softmax(mapped)[np.arange(out.sum()), labels[out]]
            found[kind][0][out] = -np.log(np.maximum(p, 1e-12))
            found[kind][1][out] = mapped.argmax(axis=1) == labels[out]
    return found


def _fit(
    z: Floats, labels: Ints, bias_std: float, weight_std: float, evidence: float = np.inf
) -> _Map:
    """Return the map of the highest posterior probability on logits [n, K], by Newton's method.

    Labels count alike, however many pictures each has, and all pictures together count as at most
    `evidence` ones. A label without pictures changes little: its prior is ABSENT_PRIOR.
    """
    size = z.shape[1]
    counts = np.bincount(labels, minlength=size)
    share = len(labels) / (np.count_nonzero(counts) * counts[labels])  # [n], mean 1
    share *= min(1.0, evidence / len(labels))
    centered = z - z.mean(axis=1, keepdims=True)  # what all logits share says nothing
    inputs = centered if weight_std else z[:, :0]
    x = np.concatenate([np.ones((len(z), 1)), inputs], axis=1)  # [n, d]
    scales = [(bias_std, weight_std) if n else ABSENT_PRIOR for n in counts]
    prior = np.array([[b] + [w or 1.0] * (x.shape[1] - 1) for b, w in scales]) ** -2.0  # [K, d]
    width = x.shape[1]
    theta = np.zeros((size, width))  # change of bias and weights, a row for each label
    target = np.eye(size)[labels]

    def loss(values: Floats) -> float:
        shifted = z + x @ values.T
        top = shifted.max(axis=1)
        normalizer = top + np.log(np.exp(shifted - top[:, None]).sum(axis=1))
        likelihood = shifted[np.arange(len(z)), labels] - normalizer
        return float(0.5 * (prior * values**2).sum() - (share * likelihood).sum())

    best = loss(theta)
    for _ in range(NEWTON_STEPS):
        p = softmax(z + x @ theta.T)
        gradient = ((p - target) * share[:, None]).T @ x + prior * theta
        curvature = (p[:, :, None] * (np.eye(size) - p[:, None, :]) * share[:, None, None]).T
        hessian = np.einsum("abn,nc,nd->acbd", curvature, x, x).reshape(size * width, -1)
        hessian += np.diag(prior.ravel())
        step = np.linalg.solve(hessian, gradient.ravel()).reshape(theta.shape)
        while (now := loss(theta - step)) > best and np.abs(step).max() > TOLERANCE:
            step /= 2  # a whole Newton step may overshoot
        if best - now < TOLERANCE:
            break
        theta, best = theta - step, now
    weight = np.eye(size)
    if weight_std:
        weight += theta[:, 1:] @ (np.eye(size) - 1 / size)
    return _Map(weight, theta[:, 0])


def _fit_neutral(z: Floats, labels: Ints, metadata: Metadata, name: str, before: int) -> ProfileFit:
    """Fit a bias to a resting face."""
    total = len(labels)
    mapped = _fit(z, labels, *NEUTRAL_PRIOR, NEUTRAL_EVIDENCE)
    after = int((mapped(z).argmax(axis=1) == labels).sum())
    if after <= before:
        return ProfileFit(None, before, after, total, "the model alone reads it as well")
    profile = _profile(mapped, NEUTRAL, metadata, name, labels, before, after)
    return ProfileFit(profile, before, after, total)


def _profile(
    mapped: _Map,
    kind: str,
    metadata: Metadata,
    name: str,
    labels: Ints,
    before: int,
    after: int,
) -> Profile:
    counts: Sequence[int] = np.bincount(labels, minlength=len(metadata.labels)).tolist()
    return Profile(
        name=name,
        kind=kind,
        model=f"{metadata.name} {metadata.version}",
        model_sha256=metadata.sha256,
        labels=metadata.labels,
        weight=tuple(tuple(map(float, row)) for row in mapped.weight),
        bias=tuple(float(value) for value in mapped.bias * metadata.temperature),
        pictures={label: n for label, n in zip(metadata.labels, counts, strict=True) if n},
        correct_before=before,
        correct_after=after,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
