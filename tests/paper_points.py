"""Judge scores of arXiv 2505.24768 (Llama-2-7B), as read off its figures, and the slopes that its table prints."""

LEVELS = (0, 16, 33, 50, 66, 83, 100)  # percent of the types

# Strategy -> size -> score at each level; None where a marker is hidden behind another.
SCORES = {
    "instruction/macro": {
        10_000: (49.44, 49.03, 50.8, 49.31, 52.22, 49.2, 52.56),
        20_000: (54.86, 55.75, 55.88, 56.97, 54.32, 56.5, 57.44),
        30_000: (57.98, 59.95, 59.5, 59.88, 59.27, 59.41, 60.69),
    },
    "instruction/meso": {
        10_000: (45.17, 48.15, 49.37, 48.76, 49.92, 49.1, 52.02),
        20_000: (53.71, 52.22, 56.08, 54.19, 56.83, 56.36, 56.49),
        30_000: (55.81, 59.54, 59.75, 59.0, 58.53, 60.49, 58.93),
    },
    "instruction/micro": {
        10_000: (52.63, 51.47, 52.15, 50.59, 51.0, 49.31, 45.92),
        20_000: (59.0, 57.17, 57.1, 58.19, 57.51, 57.03, 54.59),
        30_000: (62.19, 61.31, 60.63, 59.61, 60.29, 61.1, 59.61),
    },
    "response/macro": {
        10_000: (50.73, 49.37, 51.14, 51.61, 52.29, 51.2, 50.32),
        20_000: (55.88, 57.98, None, 58.12, 58.66, None, 56.56),
        30_000: (58.73, 60.83, 62.59, 62.12, 60.69, 60.29, 60.63),
    },
    "response/meso": {
        10_000: (44.69, 50.53, 52.08, 50.25, 51.47, 50.46, 50.66),
        20_000: (54.66, 53.78, 56.56, 57.85, 57.24, 58.46, 55.95),
        30_000: (56.22, 60.36, 61.24, 61.3, 61.64, 61.78, 59.2),
    },
    "response/micro": {
        10_000: (47.68, 52.76, 53.44, 55.0, 56.15, 54.05, 54.25),
        20_000: (51.47, 55.07, 59.34, 59.54, 61.31, 58.32, 59.14),
        30_000: (54.12, 57.1, 59.47, 61.44, 63.27, 62.66, 64.83),
    },
}

SIZES = (10_000, 20_000, 30_000)
PRINTED = {  # slope at each size
    "instruction/macro": (2.37, 1.67, 1.45),
    "instruction/meso": (4.93, 3.75, 2.07),
    "instruction/micro": (-5.45, -2.83, -1.80),
    "response/macro": (0.73, 0.97, 0.59),
    "response/meso": (3.61, 1.71, 2.00),
    "response/micro": (5.35, 6.68, 10.06),
}
DIFFER = {("response/meso", 20_000), ("response/meso", 30_000), ("response/macro", 20_000)}  # cells whose points give another slope


def rows() -> list[dict[str, object]]:
    """One row a run, under the names that an estimate reads."""
    return [
        {"side": name.partition("/")[0], "layer": name.partition("/")[2], "size": size, "level": level, "score": score}
        for name, sizes in SCORES.items()
        for size, scores in sizes.items()
        for level, score in zip(LEVELS, scores, strict=True)
        if score is not None
    ]
