"""Audit of a copy of FER-2013: counts, bad files, duplicates and conflicting labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from mien.console import table
from numpy.typing import NDArray

from mien_train.data.duplicates import BLANK, identical_groups, near_duplicate_groups
from mien_train.data.fer2013 import SPLITS, Dataset
from mien_train.data.labels import LABELS

KINDS = {"identical": "byte-identical", "near_identical": "identical or nearly"}
MAX_SKIPPED_SHOWN = 20  # the JSON names all


def audit(dataset: Dataset) -> dict[str, Any]:
    """Return the findings as plain values; takes about half a minute for the whole of FER-2013."""
    spread = np.concatenate(
        [dataset.images[i : i + 4096].std(axis=(1, 2)) for i in range(0, len(dataset), 4096)]
    )
    return {
        "images": len(dataset),
        "counts": {
            split: {
                name: int(np.sum((dataset.splits == split) & (dataset.labels == index)))
                for index, name in enumerate(LABELS)
            }
            for split in SPLITS
            if np.any(dataset.splits == split)
        },
        "problems": [{"name": p.name, "reason": p.reason} for p in dataset.problems],
        "blank": [dataset.names[i] for i in np.flatnonzero(spread < BLANK)],
        "identical": _groups(dataset, identical_groups(dataset)),
        "near_identical": _groups(dataset, near_duplicate_groups(dataset)),
    }


def _groups(dataset: Dataset, groups: list[NDArray[np.int64]]) -> dict[str, Any]:
    splits = [set(dataset.splits[group].tolist()) for group in groups]
    in_train = [group for group, found in zip(groups, splits, strict=True) if "train" in found]
    return {
        "files": sum(map(len, groups)),
        "groups": len(groups),
        "across_splits": sum(len(found) > 1 for found in splits),
        "two_labels": sum(len(set(dataset.labels[group].tolist())) > 1 for group in groups),
        "twin_in_train": {
            split: sum(int(np.sum(dataset.splits[group] == split)) for group in in_train)
            for split in SPLITS[1:]
            if np.any(dataset.splits == split)
        },
        "members": [
            [{"name": dataset.names[i], "label": LABELS[dataset.labels[i]]} for i in group]
            for group in groups
        ],
    }


def to_text(found: dict[str, Any]) -> str:
    """The findings as a person reads them."""
    counts = found["counts"]
    rows = [["class", *counts]]
    rows += [[name, *(f"{counts[split][name]:,}" for split in counts)] for name in LABELS]
    rows.append(["all", *(f"{sum(classes.values()):,}" for classes in counts.values())])
    problems = found["problems"]
    lines = [table(rows, right=range(1, len(rows[0]))), ""]
    lines.append(f"unreadable or odd-sized files, skipped: {len(problems)}")
    lines += [f"  {p['name']}: {p['reason']}" for p in problems[:MAX_SKIPPED_SHOWN]]
    if len(problems) > MAX_SKIPPED_SHOWN:
        lines.append(f"  and {len(problems) - MAX_SKIPPED_SHOWN} more (--json lists all)")
    if found["blank"]:
        lines.append(f"blank images: {len(found['blank'])}")
    for key, kind in KINDS.items():
        groups = found[key]
        lines += [
            "",
            f"{kind}: {groups['files']:,} files in {groups['groups']:,} groups",
            f"  {groups['across_splits']:,} groups across splits, "
            f"{groups['two_labels']:,} with two labels",
        ]
        for split, twins in groups["twin_in_train"].items():
            total = sum(counts[split].values())
            share = f"{twins:,} of {total:,} {split} images ({twins / total:.1%})"
            lines.append(f"  {share} have a copy in train")
    return "\n".join(lines)
