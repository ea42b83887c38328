"""Audit of a copy of FER-2013: counts, bad files, duplicates, conflicting labels, pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien_train.data.duplicates import BLANK, identical_groups, near_duplicate_groups
from mien_train.data.fer2013 import SPLITS, Dataset
from mien_train.data.integrity import IntegrityResult, fingerprint
from mien_train.data.labels import LABELS

MAX_SKIPPED_SHOWN = 20  # the JSON names all


@dataclass(frozen=True)
class DuplicateGroups:
    """Images that are copies of each other."""

    members: list[NDArray[np.int64]]  # indices into the data set, one array per group
    across: list[int]  # numbers of the groups that stand in more than one split
    conflicts: list[int]  # numbers of the groups that carry more than one label
    twins: dict[str, int]  # per test split: how many of its images have a copy in train

    @property
    def files(self) -> int:
        """How many images stand in a group."""
        return sum(len(group) for group in self.members)


@dataclass(frozen=True)
class Audit:
    """The findings."""

    dataset: Dataset
    identical: DuplicateGroups  # byte for byte
    near: DuplicateGroups  # identical or nearly: one photograph, see mien_train.data.duplicates
    pixels: dict[str, IntegrityResult]  # per split
    blank: list[int]  # indices of images that show nothing


def audit(dataset: Dataset) -> Audit:
    """Audit a data set; takes about half a minute for the whole of FER-2013."""
    spread = np.concatenate(
        [dataset.images[i : i + 4096].std(axis=(1, 2)) for i in range(0, len(dataset), 4096)]
    )
    return Audit(
        dataset=dataset,
        identical=_groups(dataset, identical_groups(dataset)),
        near=_groups(dataset, near_duplicate_groups(dataset)),
        pixels=fingerprint(dataset),
        blank=[int(i) for i in np.flatnonzero(spread < BLANK)],
    )


def _groups(dataset: Dataset, members: list[NDArray[np.int64]]) -> DuplicateGroups:
    across, conflicts = [], []
    twins = {split: 0 for split in SPLITS[1:] if np.any(dataset.splits == split)}
    for number, group in enumerate(members):
        splits = dataset.splits[group]
        if len(set(splits.tolist())) > 1:
            across.append(number)
        if len(set(dataset.labels[group].tolist())) > 1:
            conflicts.append(number)
        if "train" in splits:
            for split in twins:
                twins[split] += int(np.sum(splits == split))
    return DuplicateGroups(members, across, conflicts, twins)


def counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """How many images of each class each split has, `{split: {label: n}}`."""
    return {
        split: {
            name: int(np.sum((dataset.splits == split) & (dataset.labels == index)))
            for index, name in enumerate(LABELS)
        }
        for split in SPLITS
        if np.any(dataset.splits == split)
    }


def warnings(found: Audit) -> list[str]:
    """Sentences about what a user of this copy must know."""
    out = []
    for split, verdict in found.pixels.items():
        if verdict.form == "altered":
            off = ", ".join(
                f"{name} {verdict.measured[name]:.1f} instead of {verdict.expected[name]:.1f}"
                for name in verdict.deviates
            )
            out.append(
                f"the pixels of {split} were altered ({off}): figures measured on this copy "
                "compare with no others; download FER-2013 again"
            )
        if verdict.images != verdict.published:
            out.append(
                f"{split} has {verdict.images} images, not the {verdict.published} as published"
            )
    return out


def to_json(found: Audit) -> dict[str, object]:
    """All findings as plain values; every group with the names of its members."""
    data = found.dataset
    return {
        "images": len(data),
        "counts": counts(data),
        "problems": [{"name": p.name, "reason": p.reason} for p in data.problems],
        "pixels": {split: verdict.to_json() for split, verdict in found.pixels.items()},
        "blank": [data.names[i] for i in found.blank],
        "identical": _groups_json(data, found.identical),
        "near_identical": _groups_json(data, found.near),
        "warnings": warnings(found),
    }


def _groups_json(data: Dataset, groups: DuplicateGroups) -> dict[str, object]:
    return {
        "files": groups.files,
        "groups": len(groups.members),
        "across_splits": len(groups.across),
        "two_labels": len(groups.conflicts),
        "twin_in_train": groups.twins,
        "members": [
            [{"name": data.names[i], "label": LABELS[data.labels[i]]} for i in group]
            for group in groups.members
        ],
    }


def to_text(found: Audit) -> str:
    """The findings as a person reads them."""
    data = found.dataset
    table = counts(data)
    lines = ["".join(["class".ljust(10), *(split.rjust(12) for split in table)])]
    for name in LABELS:
        lines.append("".join([name.ljust(10), *(f"{table[s][name]:12,}" for s in table)]))
    lines.append("".join(["all".ljust(10), *(f"{sum(table[s].values()):12,}" for s in table)]))
    lines += ["", _problems_text(data)]
    if found.blank:
        lines.append(f"blank images: {len(found.blank)}")
    lines += ["", *_groups_text("byte-identical", found.identical, table)]
    lines += ["", *_groups_text("identical or nearly", found.near, table)]
    forms = {
        "exact": "exactly the Kaggle archive's",
        "alike": "statistically as published (fer2013.csv, PrivateTest, a part, or encoded again)",
        "altered": "ALTERED",
    }
    lines += ["", *(f"pixels of {s}: {forms[v.form]}" for s, v in found.pixels.items())]
    lines += [f"warning: {sentence}" for sentence in warnings(found)]
    return "\n".join(lines)


def _problems_text(data: Dataset) -> str:
    if not data.problems:
        return "unreadable or odd-sized files: none"
    shown = [f"  {p.name}: {p.reason}" for p in data.problems[:MAX_SKIPPED_SHOWN]]
    if len(data.problems) > MAX_SKIPPED_SHOWN:
        shown.append(f"  and {len(data.problems) - MAX_SKIPPED_SHOWN} more (--json lists all)")
    head = f"unreadable or odd-sized files, skipped: {len(data.problems)}"
    return "\n".join([head, *shown])


def _groups_text(
    kind: str, groups: DuplicateGroups, table: dict[str, dict[str, int]]
) -> Sequence[str]:
    lines = [
        f"{kind}: {groups.files:,} files in {len(groups.members):,} groups",
        f"  {len(groups.across):,} groups across splits, {len(groups.conflicts):,} with two labels",
    ]
    for split, twins in groups.twins.items():
        total = sum(table[split].values())
        lines.append(
            f"  {twins:,} of {total:,} {split} images ({twins / total:.1%}) have a copy in train"
        )
    return lines
