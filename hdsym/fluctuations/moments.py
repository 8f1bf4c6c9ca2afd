"""The moments of one step's gradient, and the covariance of one step that follows from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Moments", "StepCovariance"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Moments of u = grad_x f (l,) and g = d_theta f (r,) at one matrix of overlaps B (n, n).

    Attributes
    ----------
    gradient, fisher, slope:
        H = E[d_i u_a] / 2 (n, l), I = E[u u^T] (l, l), T = E[g] (r,).
    second, third, fourth:
        E[d_i d_j (u_a u_b)] (n, n, l, l), E[d_i (u_a u_b u_c)] (n, l, l, l), E[u_a u_b u_c u_d] (l, l, l, l).
    cross, mixed, scalars:
        E[d_i (u_a g_s)] (n, l, r), E[u_a u_b g_s] (l, l, r), E[g g^T] (r, r); empty without trained scalars.
    """

    gradient: Float
    fisher: Float
    slope: Float
    second: Float
    third: Float
    fourth: Float
    cross: Float
    mixed: Float
    scalars: Float

    @classmethod
    def of_weights(cls, gradient: Float, fisher: Float, second: Float, third: Float, fourth: Float) -> Moments:
        """Without trained scalars."""
        n, l = gradient.shape
        empty = np.zeros((n, l, 0)), np.zeros((l, l, 0)), np.zeros((0, 0))
        return cls(gradient, fisher, np.zeros(0), second, third, fourth, *empty)


class StepCovariance:
    r"""C: d^2 times the covariance of one step's change of the state (G_j, theta), as a bilinear form.

    With p_j = W^T P_j a a step with one sample changes G_j by -gamma (p_j u^T + u p_j^T) + gamma^2 lam_j rho_j u u^T
    and theta by -gamma_theta g, over d; a mini-batch averages independent ones. For weights w_j (l, n) of the rows

        sum_j <w_j, change of G_j> = -gamma sum_j p_j^T Z_j u + gamma^2 u^T c u,   Z_j = (w_j + w_j^T)[:, :l],

    so that C is of low rank, in A = sum_j lam_j G_j Z_j (n, l), c = sum_j lam_j rho_j w_j[:, :l] and the weights of
    theta, but for one term, sum_j tr(Z_j^T lam_j G_j Z_j' I), which acts in each mode alone. Over nodes that stand for
    a spectrum it is as good as they are for any weights that are smooth in lam, though G_j may have either sign there.

    Parameters
    ----------
    moments:
        At the overlaps of this state.
    lam, rho, grams:
        Eigenvalues and shares of the modes (m,), Gram matrices (m, n, n).
    gamma, rates, batch:
        Learning rates of the weights and of the trained scalars (r,), and the mini-batch size.
    """

    def __init__(
        self, moments: Moments, lam: Float, rho: Float, grams: Float, gamma: float, rates: Float, batch: float
    ) -> None:
        self.shape = (lam.size, *moments.gradient.shape[::-1])
        self.weighted = lam[:, None, None] * grams
        self.kappa = lam * rho / batch
        self.fisher, self.gamma, self.rates, self.batch = moments.fisher, gamma, rates, batch
        self.kernel = _kernel(moments, gamma)

    def features(self, w: Float) -> Float:
        """(A, c, weights of theta) of vectors w (..., m l n + r), shape (..., n l + l^2 + r)."""
        rows, scalars = self._parts(w)
        l = self.shape[1]
        A = np.einsum("mik,...mka->...ia", self.weighted, self._both_ways(rows))
        c = np.einsum("m,...mab->...ab", self.kappa, rows[..., :l])
        lead = w.shape[:-1]
        return np.concatenate([A.reshape(*lead, -1), c.reshape(*lead, -1), self.rates * scalars], axis=-1)

    def between(self, v: Float, w: Float) -> Float:
        """v^T C w for vectors (k, size) and (q, size), shape (k, q)."""
        own = self._both_ways(self._parts(w)[0])
        pulled = self.gamma**2 * np.einsum("mik,qmka,ab->qmib", self.weighted, own, self.fisher)
        alone = self._both_ways(self._parts(v)[0]).reshape(len(v), -1) @ pulled.reshape(len(w), -1).T
        result: Float = (alone + self.features(v) @ self.kernel @ self.features(w).T) / self.batch
        return result

    def dense(self) -> Float:
        """C as a matrix, (m l n + r) square."""
        m, l, n = self.shape
        size = l * n
        units = np.eye(size).reshape(size, 1, l, n)
        Z = self._both_ways(units)[:, 0]
        blocks = self.gamma**2 * np.einsum("pia,mik,qkb,ab->mpq", Z, self.weighted, Z, self.fisher, optimize=True)
        features = self.features(np.eye(m * size + self.rates.size))
        C = features @ self.kernel @ features.T
        for j in range(m):
            C[j * size : (j + 1) * size, j * size : (j + 1) * size] += blocks[j]
        result: Float = C / self.batch
        return result

    def _parts(self, w: Float) -> tuple[Float, Float]:
        size = int(np.prod(self.shape))
        return w[..., :size].reshape((*w.shape[:-1], *self.shape)), w[..., size:]

    def _both_ways(self, rows: Float) -> Float:
        """Z = (w + w^T)[:, :l], (..., n, l), of rows w (..., l, n)."""
        l = self.shape[1]
        Z = rows.swapaxes(-1, -2).copy()
        Z[..., :l, :] += rows[..., :l]
        return Z


def _kernel(m: Moments, gamma: float) -> Float:
    """Covariances of -gamma (p u^T), gamma^2 u u^T and -g by Stein's identity, the part that is not of one mode alone.

    Square, in the order n l, l^2, r.
    """
    (n, l), r = m.gradient.shape, m.slope.size
    pair = gamma**2 * m.second.transpose(0, 2, 1, 3).reshape(n * l, n * l)
    skew = -(gamma**3) * m.third.reshape(n * l, l * l)
    fourth = gamma**4 * m.fourth.reshape(l * l, l * l)
    cross, mixed = gamma * m.cross.reshape(n * l, r), -(gamma**2) * m.mixed.reshape(l * l, r)
    mean = np.concatenate([-2.0 * gamma * m.gradient.ravel(), gamma**2 * m.fisher.ravel(), -m.slope])
    whole = np.block([[pair, skew, cross], [skew.T, fourth, mixed], [cross.T, mixed.T, m.scalars]])
    result: Float = whole - np.outer(mean, mean)
    return result
