"""Printing expressions for numpy, node type by node type. An unknown node raises and names itself."""

from __future__ import annotations

from typing import ClassVar

from ..cas import Expr, sp
from ..errors import CodegenError
from ..ir.guards import bounded, clipped, difference, floored, inverse_mills, weighted
from ..special import log_ndtr, logsumexp, offzero, owens_t, residual, sigmoid, softplus
from ..userfunction import UserFunction

__all__ = ["NumpyPrinter"]

SUM, PRODUCT, UNARY, POWER, ATOM = 1, 2, 3, 4, 5


class NumpyPrinter:
    """Text of an expression in numpy and scipy.special, vectorised, with no more brackets than needed."""

    TARGET: ClassVar[str] = "numpy"
    REMEDY: ClassVar[str] = "use functions from hdsym.functions.KNOWN, or add the function to the printer"
    LARGER: ClassVar[str] = "np.maximum"
    ROOT: ClassVar[str] = "np.sqrt"
    LOGADD: ClassVar[str] = "np.logaddexp"
    CALLS: ClassVar[dict[object, str]] = {
        sp.exp: "np.exp",
        sp.log: "np.log",
        sp.sin: "np.sin",
        sp.cos: "np.cos",
        sp.tanh: "np.tanh",
        sp.sinh: "np.sinh",
        sp.cosh: "np.cosh",
        sp.atan: "np.arctan",
        sp.atan2: "np.arctan2",
        sp.asin: "np.arcsin",
        sp.sign: "np.sign",
        sp.Abs: "np.abs",
        sp.erf: "special.erf",
        sp.erfc: "special.erfc",
        sigmoid: "special.expit",
        owens_t: "special.owens_t",
        log_ndtr: "special.log_ndtr",
    }

    def __call__(self, expr: Expr) -> str:
        return self._print(expr)[0]

    def factor(self, expr: Expr) -> str:
        """The text of an expression that something is to be multiplied with."""
        return self._bracket(expr, PRODUCT)

    def _print(self, expr: Expr) -> tuple[str, int]:
        for kind, method in self.METHODS.items():
            if isinstance(expr, kind):
                printed: tuple[str, int] = getattr(self, method)(expr)
                return printed
        call = self.CALLS.get(type(expr))
        if call is None:
            raise CodegenError(
                f"{expr} contains {type(expr).__name__!r}, which the {self.TARGET} target cannot print",
                remedy=self.REMEDY,
            )
        return f"{call}({', '.join(map(self._argument, expr.args))})", ATOM

    def _argument(self, expr: Expr) -> str:
        """The text of an argument of a function."""
        return self(expr)

    def _bracket(self, expr: Expr, level: int) -> str:
        text, own = self._print(expr)
        return text if own >= level else f"({text})"

    def _symbol(self, expr: Expr) -> tuple[str, int]:
        return expr.name, ATOM

    def _rational(self, expr: Expr) -> tuple[str, int]:
        if expr.q == 1:
            return f"{expr.p}.0", ATOM if expr.p >= 0 else UNARY
        return f"{expr.p} / {expr.q}", PRODUCT

    def _float(self, expr: Expr) -> tuple[str, int]:
        return repr(float(expr)), ATOM if expr >= 0 else UNARY

    def _pi(self, expr: Expr) -> tuple[str, int]:
        return "np.pi", ATOM

    def _e(self, expr: Expr) -> tuple[str, int]:
        return "np.e", ATOM

    def _add(self, expr: Expr) -> tuple[str, int]:
        terms = sorted(expr.args, key=lambda a: (a.could_extract_minus_sign(), sp.default_sort_key(a)))
        text = self._bracket(terms[0], SUM)
        for term in terms[1:]:
            negative = term.could_extract_minus_sign() and not term.is_Add
            sign, shown = (" - ", -term) if negative else (" + ", term)
            text += sign + self._bracket(shown, PRODUCT)
        return text, SUM

    def _mul(self, expr: Expr) -> tuple[str, int]:
        if expr.could_extract_minus_sign():
            return f"-{self._bracket(-expr, PRODUCT)}", UNARY
        above, below = [], []
        for factor in expr.as_ordered_factors():
            base, exponent = factor.as_base_exp()
            if factor.is_Rational:
                above += [sp.Integer(factor.p)] if factor.p != 1 else []
                below += [sp.Integer(factor.q)] if factor.q != 1 else []
            elif exponent.is_Rational and exponent < 0 and not isinstance(factor, sp.exp):
                below.append(base**-exponent)
            else:
                above.append(factor)
        numerator = " * ".join(self._bracket(f, PRODUCT + 1) for f in above) or "1.0"
        return self._quotient(numerator, below) if below else (numerator, PRODUCT)

    def _quotient(self, numerator: str, below: list[Expr]) -> tuple[str, int]:
        """A product over a product of other factors."""
        denominator = " * ".join(self._bracket(f, PRODUCT + 1) for f in below)
        return f"{numerator} / {denominator if len(below) == 1 else f'({denominator})'}", PRODUCT

    def _exp(self, expr: Expr) -> tuple[str, int]:
        return f"{self.CALLS[sp.exp]}({self._argument(expr.args[0])})", ATOM

    def _pow(self, expr: Expr) -> tuple[str, int]:
        base, exponent = expr.as_base_exp()
        if exponent.is_Rational and exponent < 0:
            return self._quotient("1.0", [base**-exponent])
        if exponent == sp.Rational(1, 2):
            return f"{self.ROOT}({self._argument(base)})", ATOM
        power = str(exponent) if exponent.is_Integer else f"({self(exponent)})"
        return f"{self._bracket(base, ATOM)}**{power}", POWER

    def _softplus(self, expr: Expr) -> tuple[str, int]:
        return f"{self.LOGADD}(0.0, {self(expr.args[0])})", ATOM

    def _logsumexp(self, expr: Expr) -> tuple[str, int]:
        text = self(expr.args[0])
        for arg in expr.args[1:]:
            text = f"{self.LOGADD}({text}, {self(arg)})"
        return text, ATOM

    def _user(self, expr: Expr) -> tuple[str, int]:
        return f"{type(expr).__name__}({self(expr.args[0])})", ATOM

    def _inverse_mills(self, expr: Expr) -> tuple[str, int]:
        return f"np.sqrt(2.0 / np.pi) / special.erfcx(-({self(expr.args[0])}) / np.sqrt(2.0))", PRODUCT

    def _clipped(self, expr: Expr) -> tuple[str, int]:
        return f"{self.LARGER}({self(expr.args[0])}, 0.0)", ATOM

    def _weighted(self, expr: Expr) -> tuple[str, int]:
        weight, value = expr.args
        shown = self(weight)
        return self._choice(f"{shown} == 0.0", "0.0", f"{shown} * {self._bracket(value, PRODUCT + 1)}"), ATOM

    def _bounded(self, expr: Expr) -> tuple[str, int]:
        value, floor, *covariances = map(self, expr.args)
        tests = [f"({c})**2 <= {floor}" for c in covariances]
        condition = tests[0] if len(tests) == 1 else " | ".join(f"({test})" for test in tests)
        return self._choice(condition, f"{self.LARGER}({value}, {floor})", value), ATOM

    def _offzero(self, expr: Expr) -> tuple[str, int]:
        value = self(expr.args[0])
        return self._choice(f"{value} == 0.0", "1e-150", value), ATOM

    def _difference(self, expr: Expr) -> tuple[str, int]:
        first, second = expr.args
        return f"({self(first)} - {self._bracket(second, PRODUCT)})", ATOM

    def _residual(self, expr: Expr) -> tuple[str, int]:
        variance, taken = expr.args
        return f"{self.LARGER}({self(variance - taken)}, 1e-18 * {self._bracket(variance, PRODUCT + 1)})", ATOM

    def _floored(self, expr: Expr) -> tuple[str, int]:
        return f"{self.LARGER}({self(expr.args[0])}, {self(expr.args[1])})", ATOM

    @staticmethod
    def _choice(condition: str, first: str, second: str) -> str:
        """`first` where the condition holds, else `second`."""
        return f"np.where({condition}, {first}, {second})"

    METHODS: ClassVar[dict[type, str]] = {
        sp.Symbol: "_symbol",
        sp.Rational: "_rational",
        sp.Float: "_float",
        type(sp.pi): "_pi",
        type(sp.E): "_e",
        sp.Add: "_add",
        sp.Mul: "_mul",
        sp.exp: "_exp",
        sp.Pow: "_pow",
        softplus: "_softplus",
        logsumexp: "_logsumexp",
        UserFunction: "_user",
        clipped: "_clipped",
        floored: "_floored",
        inverse_mills: "_inverse_mills",
        weighted: "_weighted",
        bounded: "_bounded",
        offzero: "_offzero",
        residual: "_residual",
        difference: "_difference",
    }
