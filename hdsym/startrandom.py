"""Starts in random directions: one draw for all runs, or, uninformed, one for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .errors import DeclarationError
from .spectrum import Spectrum
from .startbase import Start, check_fits

__all__ = ["RandomStart", "UninformedStart"]

Float = NDArray[np.float64]

_STREAM = 0x57A27
"""Spawn key of the start's random stream: one seed given to both start and simulation gives independent draws."""


@dataclass(frozen=True, repr=False)
class RandomStart(Start):
    """Uniformly random directions with given norms and cosines; see :func:`random`."""

    norm: float
    cosine: float
    teacher_norm: float
    entropy: int
    n_student: int | None = None
    n_teacher: int | None = None

    def __repr__(self) -> str:
        norms = f"norm={self.norm:g}, cosine={self.cosine:g}, teacher_norm={self.teacher_norm:g}"
        counts = {"n_student": self.n_student, "n_teacher": self.n_teacher}
        shown = "".join(f", {name}={count}" for name, count in counts.items() if count is not None)
        return f"random({norms}, rng={self.entropy}{shown})"

    @property
    def directions(self) -> tuple[int | None, int | None]:
        return self.n_student, self.n_teacher

    def check(self, spectrum: Spectrum) -> None:
        if spectrum.d is not None:
            check_fits(spectrum.d, self.n_student or 1, self.n_teacher or 1)

    def weights(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> tuple[Float, Float]:
        d, n = spectrum.dimension(), n_student + n_teacher
        self._check_sizes(n_student, n_teacher)
        check_fits(d, n_student, n_teacher)
        stream = np.random.SeedSequence(self.entropy, spawn_key=(_STREAM,))
        frame, _ = np.linalg.qr(np.random.default_rng(stream).standard_normal((d, n)))
        W = frame @ self._coefficients(n_student, n_teacher)
        return W[:, :n_student], W[:, n_student:]

    def grams(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> Float:
        if spectrum.d is not None and len(spectrum.levels) > 1:
            return super().grams(spectrum, n_student, n_teacher)
        self._check_sizes(n_student, n_teacher)
        self.check(spectrum)  # one eigenvalue: W^T W has no randomness, and no arrays are drawn
        C = self._coefficients(n_student, n_teacher)
        return spectrum.fractions[:, None, None] * (C.T @ C)

    def _check_sizes(self, n_student: int, n_teacher: int) -> None:
        for name, given, wanted in (
            ("n_student", self.n_student, n_student),
            ("n_teacher", self.n_teacher, n_teacher),
        ):
            if given not in (None, wanted):
                raise DeclarationError(
                    f"the start has {name} = {given}, the model has {wanted}", remedy=f"leave {name} out of the start"
                )

    def _coefficients(self, n_student: int, n_teacher: int) -> Float:
        """(n, n) columns of W in an orthonormal frame: teachers orthogonal, student i tilted towards teacher i."""
        n = n_student + n_teacher
        C = np.zeros((n, n))
        C[:n_teacher, n_student:] = self.teacher_norm * np.eye(n_teacher)
        sine = np.sqrt((1 - self.cosine) * (1 + self.cosine))
        for i in range(n_student):
            paired = i < n_teacher
            C[n_teacher + i, i] = self.norm * (sine if paired else 1.0)
            if paired:
                C[i, i] = self.norm * self.cosine
        return C


@dataclass(frozen=True, repr=False)
class UninformedStart(Start):
    """A target that is the same for every run, and students drawn anew by each; see :func:`hdsym.start.uninformed`."""

    norm: float
    teacher_norm: float
    entropy: int
    n_student: int | None = None
    n_teacher: int | None = None
    drawn: ClassVar[bool] = True
    note: ClassVar[str] = (
        "every run draws a start of its own; this is the limit d -> infinity, where no student has overlap with the "
        "target. If that is a saddle, single runs leave it at random times: theory.escape_distribution(problem, t, "
        "level=...)"
    )

    def __repr__(self) -> str:
        counts = {"n_student": self.n_student, "n_teacher": self.n_teacher}
        shown = "".join(f", {name}={count}" for name, count in counts.items() if count is not None)
        return f"uninformed(norm={self.norm:g}, teacher_norm={self.teacher_norm:g}, rng={self.entropy}{shown})"

    @property
    def directions(self) -> tuple[int | None, int | None]:
        return self.n_student, self.n_teacher

    @property
    def _symmetric(self) -> RandomStart:
        """One with the same target."""
        return RandomStart(self.norm, 0.0, self.teacher_norm, self.entropy, self.n_student, self.n_teacher)

    def check(self, spectrum: Spectrum) -> None:
        self._symmetric.check(spectrum)

    def weights(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> tuple[Float, Float]:
        raise DeclarationError(
            "an uninformed start has no weights of its own: every run draws them",
            remedy="draw them: start.draw_weights(rng, spectrum, n_student, n_teacher); or start from "
            "hd.start.random(...), the same for all runs",
        )

    def grams(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> Float:
        """Means over all draws, which are their limit: students without overlap with the target, or each other."""
        G = np.zeros((len(spectrum.levels), n_student + n_teacher, n_student + n_teacher))
        G[:, :n_student, :n_student] = self.norm**2 * spectrum.fractions[:, None, None] * np.eye(n_student)
        G[:, n_student:, n_student:] = self._symmetric.grams(spectrum, n_student, n_teacher)[:, n_student:, n_student:]
        return G

    def draw_weights(
        self, rng: np.random.Generator, spectrum: Spectrum, n_student: int, n_teacher: int
    ) -> tuple[Float, Float]:
        X = rng.standard_normal((spectrum.dimension(), n_student))
        target = self._symmetric.weights(spectrum, n_student, n_teacher)[1]
        return X * (self.norm / np.linalg.norm(X, axis=0)), target

    def draw_grams(
        self, rng: np.random.Generator, grams: Float, multiplicities: NDArray[np.int64], n_student: int, count: int
    ) -> Float:
        rows, along, rest = _parts(rng, grams[:, n_student:, n_student:], multiplicities, n_student, count)
        size = np.einsum("rmka,rmka->ra", along, along) + np.einsum("rmka,rmka->ra", rest, rest)
        scale = (self.norm / np.sqrt(size))[:, None, None, :]
        along, rest = along * scale, rest * scale
        G = np.repeat(grams[None], count, axis=0)
        shared = np.einsum("rmka,mkb->rmab", along, rows)
        G[..., :n_student, n_student:], G[..., n_student:, :n_student] = shared, shared.swapaxes(-1, -2)
        G[..., :n_student, :n_student] = sum(np.einsum("rmka,rmkb->rmab", part, part) for part in (along, rest))
        return G


def _parts(
    rng: np.random.Generator, target: Float, counts: NDArray[np.int64], students: int, runs: int
) -> tuple[Float, Float, Float]:
    """Standard normal students in each eigenspace, up to rotations that leave the target alone.

    Coordinates of the target (m, t, t) and of the students (runs, m, t, l) where the target lies; and a factor
    (runs, m, l, l) of the Gram matrix of the rest, by Bartlett's decomposition of the Wishart distribution.
    """
    m, t = target.shape[:2]
    values, vectors = np.linalg.eigh(target)
    rows = np.sqrt(np.maximum(values, 0.0))[:, :, None] * vectors.swapaxes(1, 2)  # ascending: the last ones count
    inside = np.minimum(counts, t)
    there = np.arange(t) >= t - inside[:, None]
    along = rng.standard_normal((runs, m, t, students)) * there[:, :, None]
    freedom = (counts - inside)[:, None] - np.arange(students)
    lengths = np.sqrt(rng.chisquare(np.maximum(freedom, 1), (runs, m, students)))
    rest = np.triu(rng.standard_normal((runs, m, students, students)), 1) + lengths[..., None] * np.eye(students)
    return rows * there[:, :, None], along, rest * (freedom > 0)[:, :, None]
