"""The closed system of ODEs for the Gram matrices of one eigenvalue, in symbols.

With G = W^T P W for the eigenprojection P of eigenvalue lam and rho its share of the d modes (so G = (1/d) sum V_i in
the notation of Collins-Woodfin et al., arXiv:2308.08977), H = [Dh_x | 0] and I^ = diag(I(B), 0):

    dG/dt = -2 gamma lam (G H + H^T G) - gamma delta (G P_x + P_x G) + gamma^2 lam rho I^ / batch
"""

from __future__ import annotations

from dataclasses import dataclass

from ..cas import Expr, Matrix, Symbol, sp
from ..symbols import entry_name

__all__ = ["ModeSystem", "mode_system"]


@dataclass(frozen=True)
class ModeSystem:
    """The ODE of one mode.

    Attributes
    ----------
    gram:
        Symmetric n x n matrix of symbols G_ij.
    gradient:
        n x l matrix of symbols H_ij for Dh[:, :l].
    fisher:
        Symmetric l x l matrix of symbols I_ij.
    lam, rho, gamma, delta, batch:
        Eigenvalue, its share of the modes, learning rate, regularisation, mini-batch size.
    pairs:
        Index pairs (i, j), i <= j, counted from one, that evolve: i among the students. The teacher block is constant.
    rates:
        dG_ij/dt for each pair.
    """

    gram: Matrix
    gradient: Matrix
    fisher: Matrix
    lam: Symbol
    rho: Symbol
    gamma: Symbol
    delta: Symbol
    batch: Symbol
    pairs: tuple[tuple[int, int], ...]
    rates: tuple[Expr, ...]


def _symmetric(name: str, size: int) -> Matrix:
    return sp.ImmutableMatrix(
        size, size, lambda i, j: sp.Symbol(entry_name(name, min(i, j) + 1, max(i, j) + 1), real=True)
    )


def mode_system(n_student: int, n_teacher: int) -> ModeSystem:
    """The ODE for given sizes, by multiplying the matrices out."""
    size = n_student + n_teacher
    lam, rho, gamma, delta, batch = (
        sp.Symbol(name, real=True, nonnegative=True) for name in ("lam", "rho", "gamma", "delta", "batch")
    )
    gram = _symmetric("G", size)
    fisher = _symmetric("I", n_student)
    gradient = sp.ImmutableMatrix(size, n_student, lambda i, j: sp.Symbol(entry_name("H", i + 1, j + 1), real=True))
    drift = sp.Matrix.hstack(gradient, sp.zeros(size, n_teacher))
    students = sp.diag(sp.eye(n_student), sp.zeros(n_teacher, n_teacher))
    source = sp.diag(fisher, sp.zeros(n_teacher, n_teacher))
    flow = -2 * gamma * lam * (gram * drift + drift.T * gram) - gamma * delta * (gram * students + students * gram)
    pairs = tuple((i + 1, j + 1) for i in range(n_student) for j in range(i, size))
    rates = tuple(
        sp.factor_terms(sp.expand(flow[i - 1, j - 1])) + gamma**2 * lam * rho * source[i - 1, j - 1] / batch
        for i, j in pairs
    )
    return ModeSystem(gram, gradient, fisher, lam, rho, gamma, delta, batch, pairs, rates)
