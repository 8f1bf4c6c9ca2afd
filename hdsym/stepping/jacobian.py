r"""The Jacobian of the mode equations, and linear systems with it, at a cost that grows linearly with the modes.

Rows \\(Q_j, Y_j\\) of the Gram matrices G_j = [[Q_j, Y_j], [Y_j', T_j]] evolve, and trained scalars theta:

    Q' = -2 gamma lam (A Q + Q A + Y C + C'Y') - 2 gamma delta Q + gamma^2 lam rho I / batch
    Y' = -2 gamma lam (A Y + C'T) - gamma delta Y,      theta' = -gamma_theta T(B, theta)

where H = [A; C] (A symmetric), I and T depend on B = sum lam_j G_j and theta alone. So the Jacobian is block diagonal
over modes plus a part of rank (number of overlaps + scalars): d(rates)/d(B, theta) times d(B, theta)/d(state). In the
eigenbasis of A the blocks are triangular, with the numbers d_a = 2 gamma lam a + gamma delta on the diagonal of Y's and
d_a + d_b on that of Q's: a shifted system takes divisions, and a small dense system (Woodbury's identity).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Factors", "Jacobian"]

Float = NDArray[np.float64]
Array = NDArray[Any]

_CHUNK = 4_000_000
"""Numbers in one temporary array at most."""

_FEW = 4
"""Teachers up to which products of small matrices are written out."""


@dataclass(frozen=True, repr=False)
class Jacobian:
    """d(state)'/d(state) at one state, as its parts.

    Vectors are states (..., m * l * n + r): the rows (m, l, n) of all modes, students first and symmetric in them,
    then the scalars.

    Attributes
    ----------
    lam, rho:
        Eigenvalues and their shares of the modes, shape (m,).
    grams:
        G_j, shape (m, n, n).
    gamma, delta, batch:
        Learning rate now, regularisation, mini-batch size.
    rates:
        Learning rates of the trained scalars now, shape (r,).
    gradient:
        H, shape (n, l).
    slopes:
        Derivatives of H (n, l, c), I (l, l, c) and T (r, c) in the c = (overlaps + r) variables (B_ij, i <= j, i among
        the students, row by row; theta).
    """

    lam: Float
    rho: Float
    grams: Float
    gamma: float
    delta: float
    batch: float
    rates: Float
    gradient: Float
    slopes: tuple[Float, Float, Float]

    def __repr__(self) -> str:
        return f"Jacobian({', '.join(f'{name} {value}' for name, value in self._facts().items())})"

    def _repr_html_(self) -> str:
        from ..show import numbers

        return numbers.fields("Jacobian of the mode equations", self._facts())

    def _facts(self) -> dict[str, str]:
        modes, students, n = self.shape
        size = self._rows + self.rates.size
        facts = {"modes": f"{modes}", "size": f"{size} x {size}", "directions": f"{students} students of {n}"}
        facts |= {"scalars": f"{self.rates.size}"} if self.rates.size else {}
        slow, fast = (2 * self.gamma * float(lam) for lam in (self.lam.min(), self.lam.max()))
        return facts | {"gamma": f"{self.gamma:g}", "2 gamma lam": f"from {slow:.3g} to {fast:.3g}"}

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(modes, students, n)."""
        n, students = self.gradient.shape
        return self.lam.size, students, n

    @cached_property
    def _rows(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def basis(self) -> Float:
        """Eigenvectors of A, (l, l), which make the blocks triangular."""
        return self._eigen[1]

    @cached_property
    def decay(self) -> Float:
        """d_a = 2 gamma lam a + gamma delta, shape (m, l): how fast Y decays in the eigenbasis; Q does as d_a + d_b."""
        return 2.0 * self.gamma * self.lam[:, None] * self._eigen[0] + self.gamma * self.delta

    @cached_property
    def _eigen(self) -> tuple[Float, Float]:
        A = self.gradient[: self.gradient.shape[1]]
        values, vectors = np.linalg.eigh((A + A.T) / 2.0)
        return values, vectors

    @cached_property
    def radius(self) -> float:
        """Largest rate of decay or growth of a single mode."""
        return 2.0 * float(np.max(np.abs(self.decay), initial=0.0))

    @cached_property
    def growth(self) -> float:
        """Largest rate of growth of a single mode, zero if all decay."""
        return 2.0 * max(0.0, -float(np.min(self.decay, initial=0.0)))

    @cached_property
    def columns(self) -> Float:
        """d(rates)/d(B, theta) with the rows in the eigenbasis of A, shape (c, m * l * n + r)."""
        dH, dI, dT = self.slopes
        students = self.gradient.shape[1]
        pull = np.moveaxis(dH, -1, 0)[:, None]  # (c, 1, n, l)
        rows = pull.swapaxes(-1, -2) @ self.grams  # H'G, the rows of students
        rows[..., :students] += rows[..., :students].swapaxes(-1, -2).copy()
        rows *= -2.0 * self.gamma * self.lam[:, None, None]
        noise = (self.gamma**2 * self.lam * self.rho / self.batch)[:, None, None]
        rows[..., :students] += noise * np.moveaxis(dI, -1, 0)[:, None]
        return self._joined(self._turned(rows), -self.rates * dT.T)

    def dense(self) -> Float:
        """The matrix, ((m l n + r), (m l n + r)), acting on the symmetric part of what it is applied to."""
        return self.apply(np.eye(self.columns.shape[1])).T

    def apply(self, v: Array) -> Array:
        """The product with vectors (..., m * l * n + r)."""
        rows, scalars = self._parts(v)
        students = self.gradient.shape[1]
        rows = rows.copy()
        rows[..., :students] = (rows[..., :students] + rows[..., :students].swapaxes(-1, -2)) / 2.0
        turned = self._turned(rows)
        Y, Q = turned[..., students:], turned[..., :students]
        coupled = self._coupled(Y)
        out = np.concatenate(
            [-self._both * Q - coupled - coupled.swapaxes(-1, -2), -self.decay[..., None] * Y], axis=-1
        )
        along = self.along(self._read(self._joined(turned, scalars)))
        own, rest = self._parts(along)
        return self._joined(self._turned(out + own, back=True), rest)

    def apply_transposed(self, w: Float) -> Float:
        """The product of the transposed matrix with vectors (..., m * l * n + r)."""
        _, l, n = self.shape
        rows, scalars = self._parts(w)
        turned = self._turned(rows)
        Y, Q = turned[..., l:], turned[..., :l]
        own = -self.decay[..., None] * Y - (Q + Q.swapaxes(-1, -2)) @ self._coupling.swapaxes(-1, -2)
        change = self._joined(turned, scalars) @ self.columns.T
        row, column = self._pairs
        B = np.zeros((*w.shape[:-1], l, n))
        B[..., row, column] = change[..., : row.size]
        out = self._turned(np.concatenate([-self._both * Q, own], axis=-1), back=True)
        out = out + self.lam[:, None, None] * B[..., None, :, :]
        out[..., :l] = (out[..., :l] + out[..., :l].swapaxes(-1, -2)) / 2.0
        return self._joined(out, change[..., row.size :])

    def factor(self, shifts: Array) -> Factors:
        """What solves (shift - J) x = v for each of the shifts (s,), which may be complex."""
        count, size = self.columns.shape
        per = max(1, _CHUNK // max(1, count * size))
        pulled, parts = None, []
        for part in np.split(shifts, range(per, len(shifts), per)):
            pulled = self._own(part, self.columns)
            parts.append(self._read(pulled))
        small = np.eye(count) - np.concatenate(parts).swapaxes(-1, -2)
        return Factors(self, shifts, small, pulled if len(parts) == 1 else None)

    def _own(self, shifts: Array, v: Array) -> Array:
        """(shift - L)^-1 v for the block-diagonal part, in the eigenbasis: (s, k, size); v may lack the axis s."""
        rows, scalars = self._parts(v)
        students = self.gradient.shape[1]
        s = shifts[:, None, None, None, None]
        Y = rows[..., students:] / (s + self.decay[..., None])
        coupled = self._coupled(Y)
        Q = (rows[..., :students] - coupled - coupled.swapaxes(-1, -2)) / (s + self._both)
        return self._joined(np.concatenate([Q, Y], axis=-1), scalars / shifts[:, None, None])

    def _coupled(self, Y: Array) -> Array:
        """What rows Y (..., m, l, l*) do to those of the students: 2 gamma lam Y C, (..., m, l, l)."""
        teachers = self.shape[2] - self.shape[1]
        if teachers > _FEW:
            return Y @ self._coupling
        terms = [Y[..., k, None] * self._coupling[:, None, k] for k in range(teachers)]
        return sum(terms[1:], terms[0])  # many tiny products: faster term by term

    @cached_property
    def _coupling(self) -> Float:
        students = self.gradient.shape[1]
        return 2.0 * self.gamma * self.lam[:, None, None] * (self.gradient[students:] @ self.basis)

    def along(self, change: Array) -> Array:
        """Rates that follow from changes (..., c) of (B, theta), in the eigenbasis."""
        if not np.iscomplexobj(change):
            real: Float = change @ self.columns
            return real
        return change.real @ self.columns + 1j * (change.imag @ self.columns)  # mixed types would not go through BLAS

    @cached_property
    def _both(self) -> Float:
        return self.decay[:, :, None] + self.decay[:, None, :]

    def _read(self, v: Array) -> Array:
        """(dB, dtheta), shape (..., c), of vectors in the eigenbasis."""
        rows, scalars = self._parts(v)
        m, l, n = self.shape
        B = self._turned(
            (self.lam @ rows.reshape((*rows.shape[:-3], m, l * n))).reshape((*rows.shape[:-3], l, n)), True
        )
        row, column = self._pairs
        return np.concatenate([B[..., row, column], scalars], axis=-1)

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        row, column = np.triu_indices(self.shape[1], m=self.shape[2])
        return row, column

    def _turned(self, rows: Array, back: bool = False) -> Array:
        """Rows (..., l, n) in the eigenbasis of A, or back."""
        students = self.gradient.shape[1]
        if students == 1:
            return rows
        V = self.basis.T if not back else self.basis
        turned: Array = V @ np.concatenate([rows[..., :students] @ V.T, rows[..., students:]], axis=-1)
        return turned

    def _parts(self, v: Array) -> tuple[Array, Array]:
        size = self._rows
        return v[..., :size].reshape((*v.shape[:-1], *self.shape)), v[..., size:]

    def _joined(self, rows: Array, scalars: Array) -> Array:
        flat = rows.reshape((*rows.shape[:-3], -1))
        return np.concatenate([flat, scalars], axis=-1) if scalars.shape[-1] else flat


@dataclass(frozen=True)
class Factors:
    """(shift - J) for several shifts, ready to be solved with.

    Attributes
    ----------
    jacobian, shifts:
        J, and the shifts, shape (s,).
    small:
        The dense matrices of Woodbury's identity, shape (s, c, c).
    pulled:
        (shift - L)^-1 applied to the columns of the Jacobian, (s, c, size); ``None`` where that is large.
    """

    jacobian: Jacobian
    shifts: Array
    small: Array
    pulled: Array | None

    def __getitem__(self, chosen: slice) -> Factors:
        """Those of some of the shifts."""
        pulled = None if self.pulled is None else self.pulled[chosen]
        return Factors(self.jacobian, self.shifts[chosen], self.small[chosen], pulled)

    def solve(self, v: Array) -> Array:
        """Solutions x of (shift - J) x = v: shape (s, k, size), from vectors (k, size)."""
        J = self.jacobian
        per = max(1, _CHUNK // max(1, v.size))
        turned = J._joined(J._turned(J._parts(v)[0]), J._parts(v)[1])
        starts = range(0, len(self.shifts), per)
        found = [self[start : start + per]._solve(turned) for start in starts]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _solve(self, v: Array) -> Array:
        J = self.jacobian
        alone = J._own(self.shifts, v)
        change = np.linalg.solve(self.small, J._read(alone).swapaxes(-1, -2)).swapaxes(-1, -2)
        if self.pulled is not None:
            alone += change @ self.pulled
        else:
            alone = J._own(self.shifts, v + J.along(change))
        rows, scalars = J._parts(alone)
        return J._joined(J._turned(rows, back=True), scalars)
