"""Real data that needs no download: random ReLU features of the digits images that scikit-learn ships."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import DeclarationError

__all__ = ["CLASSES", "Features", "relu_features"]

CLASSES = ("even_odd", "small_large")
"""How the ten digits become two classes: even against odd, or below five against the rest."""


@dataclass(frozen=True)
class Features:
    """Standardised features and labels.

    Attributes
    ----------
    features:
        (N, d), one row per image; columns have mean zero, and the mean square of all entries, which is tr K / d, is 1.
    labels:
        (N,), mean zero and variance one.
    description:
        What they are, for reports.
    """

    features: NDArray[np.float64]
    labels: NDArray[np.float64]
    description: str


def relu_features(d: int, *, classes: str = "even_odd", rng: int = 0) -> Features:
    """Random features relu(W z) of the 1797 digits images z (8 x 8), with two-class labels.

    The pixels are centred and scaled to unit mean square; W is d x 64 with entries N(0, 1/64), drawn from `rng`.

    Parameters
    ----------
    d:
        Number of features.
    classes:
        One of :data:`CLASSES`.
    rng:
        Seed of the random weights.

    Raises
    ------
    DeclarationError
        If scikit-learn is missing, or an argument is out of range.
    """
    if d < 1:
        raise DeclarationError(f"d is {d}", remedy="ask for at least one feature")
    if classes not in CLASSES:
        raise DeclarationError(f"classes is {classes!r}", remedy=f"it is one of: {', '.join(CLASSES)}")
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DeclarationError(
            "the digits images come with scikit-learn, which is not installed", remedy="pip install 'hdsym[data]'"
        ) from None
    images = load_digits()
    pixels = np.asarray(images.data, dtype=np.float64)
    digits = np.asarray(images.target)
    pixels -= pixels.mean(axis=0)
    pixels /= np.sqrt(np.mean(pixels**2))
    weights = np.random.default_rng(rng).standard_normal((pixels.shape[1], d)) / np.sqrt(pixels.shape[1])
    features = np.maximum(pixels @ weights, 0.0)
    features -= features.mean(axis=0)
    features /= np.sqrt(np.mean(features**2))
    in_first = digits % 2 == 0 if classes == "even_odd" else digits < 5
    labels = np.where(in_first, 1.0, -1.0)
    labels = (labels - labels.mean()) / labels.std()
    return Features(
        features, labels, f"ReLU features of the digits images, d = {d}, {classes.replace('_', ' against ')}"
    )
