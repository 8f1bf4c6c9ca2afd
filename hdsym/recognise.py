"""Hand-written forms that overflow or have kinks, rewritten into the functions the engine and the targets know.

1 / (1 + exp(-u)), exp(u) / (1 + exp(u)), log(1 + exp(u)), log cosh u, log(exp(u) + exp(v) + ...), softmax, Max, Min,
Piecewise with affine conditions.
"""

from __future__ import annotations

from .cas import Expr, sp
from .errors import DeclarationError
from .special import logsumexp, sigmoid, softplus

__all__ = ["as_signs", "recognise"]


def recognise(expr: Expr) -> Expr:
    """The same function in its stable or canonical form."""
    if expr.has(sp.Piecewise):
        expr = expr.replace(lambda e: isinstance(e, sp.Piecewise), as_signs)
    if expr.has(sp.Max, sp.Min):
        expr = expr.replace(_is_pair, _to_abs)
    if not expr.has(sp.exp, sp.cosh):
        return expr
    return (
        expr.replace(_is_log_cosh, _to_log_cosh)
        .replace(_is_log_of_sum, _to_logsumexp)
        .replace(_is_inverse_sum, _to_inverse_sum)
        .replace(_is_split_softmax, _to_one_exponential)
        .replace(_is_logistic, _to_logistic)
        .replace(_is_exp_times_sigmoid, _to_sigmoid)
    )


def _is_pair(expr: Expr) -> bool:
    return isinstance(expr, sp.Max | sp.Min) and len(expr.args) == 2


def _to_abs(expr: Expr) -> Expr:
    first, second = expr.args
    sign = 1 if isinstance(expr, sp.Max) else -1
    return (first + second + sign * _magnitude(first - second)) / 2


def _magnitude(difference: Expr) -> Expr:
    """The absolute value; of a polynomial that is a product factor by factor: |u^2 - v^2| = |u - v| |u + v|."""
    if not difference.free_symbols or not difference.is_polynomial(*difference.free_symbols):
        return sp.Abs(difference)
    constant, factors = sp.factor_list(difference)
    if sum(multiplicity for _, multiplicity in factors) < 2:
        return sp.Abs(difference)
    return sp.Abs(constant) * sp.Mul(*(sp.Abs(factor) ** multiplicity for factor, multiplicity in factors))


def _is_log_cosh(expr: Expr) -> bool:
    return isinstance(expr, sp.log) and isinstance(expr.args[0], sp.cosh)


def _to_log_cosh(expr: Expr) -> Expr:
    u = expr.args[0].args[0]
    return softplus(2 * u) - u - sp.log(2)


def _exponents(expr: Expr) -> tuple[Expr, ...] | None:
    """The u_i of a sum of exp(u_i) with positive coefficients, constants included; ``None`` if it is not one."""
    if not isinstance(expr, sp.Add) or not expr.has(sp.exp):
        return None
    found = []
    for term in expr.args:
        coefficient, rest = term.as_independent(sp.exp, as_Add=False)
        if not coefficient.is_positive or (rest != 1 and not isinstance(rest, sp.exp)):
            return None
        found.append((rest.args[0] if rest != 1 else sp.S.Zero) + sp.log(coefficient))
    return tuple(found)


def _is_log_of_sum(expr: Expr) -> bool:
    return isinstance(expr, sp.log) and _exponents(expr.args[0]) is not None


def _to_logsumexp(expr: Expr) -> Expr:
    exponents = _exponents(expr.args[0])
    return expr if exponents is None else logsumexp(*exponents)


def _is_inverse_sum(expr: Expr) -> bool:
    return isinstance(expr, sp.Pow) and bool(expr.exp.is_negative) and _exponents(expr.base) is not None


def _to_inverse_sum(expr: Expr) -> Expr:
    exponents = _exponents(expr.base)
    return expr if exponents is None else sp.exp(expr.exp * logsumexp(*exponents))


def _is_split_softmax(expr: Expr) -> bool:
    return (
        isinstance(expr, sp.Mul) and expr.has(logsumexp, softplus) and sum(isinstance(f, sp.exp) for f in expr.args) > 1
    )


def _to_one_exponential(expr: Expr) -> Expr:
    """exp(a) exp(-logsumexp(...)) as one exponential, which neither overflows nor depends on a common shift."""
    exponent = sp.Add(*(f.args[0] for f in expr.args if isinstance(f, sp.exp)))
    return sp.Mul(sp.exp(exponent), *(f for f in expr.args if not isinstance(f, sp.exp)))


def _is_logistic(expr: Expr) -> bool:
    """An exponential with a softplus in its exponent: a power of a sigmoid."""
    return isinstance(expr, sp.exp) and expr.has(softplus)


def _to_logistic(expr: Expr) -> Expr:
    """exp(-n softplus(u)) = sigmoid(-u)^n."""
    kept, factors = [], []
    for term in sp.Add.make_args(expr.args[0]):
        coefficient, rest = term.as_coeff_Mul()
        if isinstance(rest, softplus) and coefficient.is_Integer and coefficient < 0:
            factors.append(sigmoid(-rest.args[0]) ** (-coefficient))
        else:
            kept.append(term)
    return sp.Mul(sp.exp(sp.Add(*kept)), *factors)


def _is_exp_times_sigmoid(expr: Expr) -> bool:
    return isinstance(expr, sp.Mul) and expr.has(sigmoid) and expr.has(sp.exp)


def _to_sigmoid(expr: Expr) -> Expr:
    """exp(-k w) sigmoid(w)^n = sigmoid(-w)^k sigmoid(w)^(n - k) for 0 < k <= n."""
    exponentials = [f for f in expr.args if isinstance(f, sp.exp)]
    others = [f for f in expr.args if not isinstance(f, sp.exp)]
    exponent = sp.Add(*(f.args[0] for f in exponentials))
    for position, factor in enumerate(others):
        base, power = factor.as_base_exp()
        if not isinstance(base, sigmoid) or not power.is_Integer or power < 1:
            continue
        ratio = sp.cancel(-exponent / base.args[0])
        if ratio.is_Integer and 0 < ratio <= power:
            others[position] = sigmoid(-base.args[0]) ** ratio * base ** (power - ratio)
            return sp.Mul(*others)
    return expr


def as_signs(expr: Expr) -> Expr:
    """A Piecewise as sum_k v_k 1[condition k, none before it], the indicators written with signs.

    Raises
    ------
    DeclarationError
        If it has no value somewhere, or a condition is not an inequality.
    """
    total, remaining = sp.S.Zero, sp.S.One
    for value, condition in expr.args:
        inside = _indicator(condition)
        total += value * remaining * inside
        remaining *= 1 - inside
    if remaining != 0:
        raise DeclarationError(
            f"{expr} has no value where none of its conditions holds", remedy="end it with (value, True)"
        )
    return total


def _indicator(condition: Expr) -> Expr:
    """1 where the condition holds, else 0; equality holds on a set of measure zero and counts as never."""
    if condition in (sp.true, sp.false):
        return sp.Integer(int(bool(condition)))
    if isinstance(condition, sp.StrictLessThan | sp.LessThan):
        return _negative(condition.lhs, condition.rhs)
    if isinstance(condition, sp.StrictGreaterThan | sp.GreaterThan):
        return _negative(condition.rhs, condition.lhs)
    if isinstance(condition, sp.And):
        return sp.Mul(*(_indicator(c) for c in condition.args))
    if isinstance(condition, sp.Or):
        return 1 - sp.Mul(*(1 - _indicator(c) for c in condition.args))
    if isinstance(condition, sp.Not):
        return 1 - _indicator(condition.args[0])
    if isinstance(condition, sp.Equality | sp.Unequality):
        return sp.Integer(int(isinstance(condition, sp.Unequality)))
    raise DeclarationError(f"the condition {condition} is not one hdsym knows", remedy="use <, >, & and |")


def _negative(small: Expr, large: Expr) -> Expr:
    """1 where small < large; abs(u) < c with a positive constant c is -c < u < c, whose kinks are affine in u."""
    if isinstance(small, sp.Abs) and large.is_positive:
        u = small.args[0]
        return (sp.sign(u + large) - sp.sign(u - large)) / 2
    if isinstance(large, sp.Abs) and small.is_positive:
        return 1 - _negative(large, small)
    return (1 - sp.sign(small - large)) / 2
