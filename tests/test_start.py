"""Starts: the weights and the Gram matrices they imply must be two views of the same thing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import hdsym as hd
from hdsym.errors import DeclarationError
from hdsym.start import Start

SPECTRA = [
    hd.spectrum.identity(d=40),
    hd.spectrum.power_law(0.6, d=40),
    hd.spectrum.eigenvalues(np.random.default_rng(0).choice([0.0, 1.0, 4.0], 40)),
    hd.spectrum.from_data(np.random.default_rng(1).standard_normal((15, 40))),
]


def blocks(start: Start, spectrum: hd.Spectrum, l: int, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    W = np.concatenate(start.weights(spectrum, l, n), axis=1)
    level = spectrum.level_of_coordinate()
    return W, np.array([W[level == j].T @ W[level == j] for j in range(len(spectrum.levels))])


@pytest.mark.parametrize("spectrum", SPECTRA, ids=str)
@pytest.mark.parametrize(("l", "n"), [(1, 1), (2, 2), (3, 1), (1, 3)])
def test_random_grams_belong_to_the_weights(spectrum: hd.Spectrum, l: int, n: int) -> None:
    start = hd.start.random(norm=1.5, cosine=0.3, teacher_norm=0.7, rng=3)
    W, expected = blocks(start, spectrum, l, n)
    G = start.grams(spectrum, l, n)
    assert pytest.approx(expected, abs=1e-15) == G
    gram = G.sum(axis=0)
    assert np.diag(gram) == pytest.approx([1.5**2] * l + [0.7**2] * n, rel=1e-13)
    for i in range(min(l, n)):
        assert gram[i, l + i] == pytest.approx(0.3 * 1.5 * 0.7, rel=1e-12)
    assert np.einsum("jab,j->ab", G, spectrum.levels) == pytest.approx(W.T @ (spectrum.eigenvalues()[:, None] * W))


@pytest.mark.parametrize("cosine", [1.0, -1.0, 1 - 1e-8, 0.0])
def test_random_is_exact_at_the_edges(cosine: float) -> None:
    X0, Xstar = hd.start.random(norm=1.0, cosine=cosine, rng=0).weights(SPECTRA[0], 1, 1)
    assert (X0.T @ Xstar).item() == pytest.approx(cosine, abs=1e-14)
    assert np.linalg.norm(X0) == pytest.approx(1.0, abs=1e-14)


def test_random_without_dimension_is_the_limit() -> None:
    G = hd.start.random(norm=2.0, cosine=0.5, rng=0).grams(hd.spectrum.identity(), 1, 1)
    assert pytest.approx(np.array([[[4.0, 1.0], [1.0, 1.0]]])) == G


def test_one_seed_one_start() -> None:
    first, again = (hd.start.random(rng=7).weights(SPECTRA[1], 1, 1)[0] for _ in range(2))
    other = hd.start.random(rng=8).weights(SPECTRA[1], 1, 1)[0]
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    plain = np.random.default_rng(7).standard_normal((40, 2))
    assert abs(np.corrcoef(first[:, 0], plain[:, 0])[0, 1]) < 0.9  # the simulation's own draws are not reused


def test_generators_and_fresh_entropy() -> None:
    generator = np.random.default_rng(5)
    first, second = hd.start.random(rng=generator), hd.start.random(rng=generator)
    assert first.entropy == hd.start.random(rng=np.random.default_rng(5)).entropy
    assert first.entropy != second.entropy
    fresh = hd.start.random()
    assert fresh.entropy != hd.start.random().entropy
    again = hd.start.random(rng=fresh.entropy)
    assert np.array_equal(fresh.weights(SPECTRA[0], 1, 1)[0], again.weights(SPECTRA[0], 1, 1)[0])


def test_arrays_in_either_basis() -> None:
    spectrum = SPECTRA[3]
    rng = np.random.default_rng(4)
    X0, Xstar = rng.standard_normal((40, 1)), rng.standard_normal(40)
    eigen = hd.start.arrays(X0, Xstar)
    assert np.array_equal(eigen.weights(spectrum, 1, 1)[1][:, 0], Xstar)
    assert spectrum.basis is not None
    original = hd.start.arrays(spectrum.basis @ X0, spectrum.basis @ Xstar, basis="original")
    assert original.grams(spectrum, 1, 1) == pytest.approx(eigen.grams(spectrum, 1, 1), abs=1e-12)
    _, expected = blocks(eigen, spectrum, 1, 1)
    assert eigen.grams(spectrum, 1, 1) == pytest.approx(expected)
    no_basis = hd.start.arrays(X0, Xstar, basis="original")
    assert np.array_equal(no_basis.weights(SPECTRA[0], 1, 1)[0], X0)


@pytest.mark.parametrize("spectrum", [*SPECTRA[:3], hd.spectrum.power_law(0.9, d=2000)], ids=str)
@pytest.mark.parametrize("gram", [[[2.0, 0.5], [0.5, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]])
def test_overlaps_are_spread_evenly(spectrum: hd.Spectrum, gram: list[list[float]]) -> None:
    (Q, M), (_, T) = gram
    start = hd.start.overlaps(Q=Q, M=M, T=T)
    G = start.grams(spectrum, 1, 1)
    assert pytest.approx(spectrum.fractions[:, None, None] * np.array(gram)) == G
    W = np.concatenate(start.weights(spectrum, 1, 1), axis=1)
    assert pytest.approx(np.array(gram), abs=1e-13) == W.T @ W
    B = W.T @ (spectrum.eigenvalues()[:, None] * W)
    assert pytest.approx(spectrum.mean * np.array(gram), abs=1e-11) == B  # theory and simulation start together


def test_overlaps_by_blocks() -> None:
    rng = np.random.default_rng(6)
    W = rng.standard_normal((9, 5))
    gram = W.T @ W
    start = hd.start.overlaps(Q=gram[:2, :2], M=gram[:2, 2:], T=gram[2:, 2:])
    X0, Xstar = start.weights(hd.spectrum.power_law(0.5, d=100), 2, 3)
    assert X0.T @ Xstar == pytest.approx(gram[:2, 2:], abs=1e-12)
    assert start.grams(hd.spectrum.identity(), 2, 3)[0] == pytest.approx(gram)


@pytest.mark.parametrize("values", [[1.0, 1.0, 5.0], [3.0, 2.0], [1.0, 0.0, 0.0, 0.0]])
def test_spreading_where_the_eigenvalues_do_not_permit_balance(values: list[float]) -> None:
    X0, Xstar = hd.start.overlaps(1.0, 0.2, 1.0).weights(hd.spectrum.eigenvalues(values), 1, 1)
    assert (X0.T @ X0).item() == pytest.approx(1.0)
    assert (X0.T @ Xstar).item() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hd.start.random(norm=-1.0), "norm is -1"),
        (lambda: hd.start.random(cosine=1.5), r"cosine is 1\.5"),
        (lambda: hd.start.random(teacher_norm=np.nan), "teacher_norm is nan"),
        (lambda: hd.start.random(rng="seed"), "rng is 'seed'"),
        (lambda: hd.start.random(rng=-3), "rng is -3"),
        (lambda: hd.start.overlaps(1.0, 2.0, 1.0), r"smallest eigenvalue of W\^T W is -1"),
        (lambda: hd.start.overlaps(-1.0, 0.0, 1.0), "positive semi-definite"),
        (lambda: hd.start.overlaps(np.eye(2), [0.0, 0.1, 0.2], 1.0), "M has shape"),
        (lambda: hd.start.overlaps([[1.0, 0.2], [0.1, 1.0]], np.zeros((2, 2)), np.eye(2)), "not symmetric"),
        (lambda: hd.start.arrays(np.ones(3), np.ones(4)), "X0 has 3 rows and Xstar 4"),
        (lambda: hd.start.arrays(np.ones(3), np.ones(3), basis="fourier"), "basis is 'fourier'"),
        (lambda: hd.start.arrays([], []), r"X0 has shape \(0, 1\)"),
        (lambda: hd.start.arrays([np.nan, 0.0], [0.0, 0.0]), r"entry \(0,\) is nan"),
        (lambda: hd.start.arrays([1.0], [1.0]), "do not fit into d = 1"),
        (lambda: hd.start.random(rng=0).weights(hd.spectrum.identity(d=3), 2, 2), "do not fit into d = 3"),
        (lambda: hd.start.random(rng=0).weights(hd.spectrum.identity(), 1, 1), "no dimension"),
        (lambda: hd.start.arrays(np.ones(3), np.ones(3)).grams(hd.spectrum.identity(d=5), 1, 1), "d = 3.*d = 5"),
        (lambda: hd.start.arrays(np.ones(3), np.ones(3)).grams(hd.spectrum.identity(), 1, 1), "no dimension"),
        (lambda: hd.start.arrays(np.ones(3), np.ones(3)).grams(hd.spectrum.identity(d=3), 2, 1), "X0 has 1 columns"),
        (lambda: hd.start.overlaps(1.0, 0.0, 1.0).grams(hd.spectrum.identity(), 2, 1), r"\(1, 1\).*\(2, 1\)"),
    ],
)
def test_mistakes_name_the_offender(make: object, message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        make()  # type: ignore[operator]
    assert caught.value.remedy


def test_uninformed_students_have_the_law_of_uniform_directions() -> None:
    """Moments in closed form, each to 5 standard errors: 40 of them would be missed once in 40,000 seeds."""
    counts = np.array([1, 2, 17])
    spectrum, norm, l, d = hd.spectrum.eigenvalues(np.repeat([2.0, 1.0, 0.5], counts)), 1.3, 2, 20
    start = hd.start.uninformed(norm=norm, teacher_norm=0.8, rng=1)
    mean, rng = start.grams(spectrum, l, 2), np.random.default_rng(0)
    G = start.draw_grams(rng, mean, counts, l, 20_000)
    assert np.array_equal(mean[:, l:, l:], hd.start.random(teacher_norm=0.8, rng=1).grams(spectrum, l, 2)[:, l:, l:])
    assert np.all(G[:, :, l:, l:] == mean[:, l:, l:])
    assert np.einsum("rmaa->ra", G[:, :, :l, :l]) == pytest.approx(np.full((len(G), l), norm**2))
    values = np.linalg.eigvalsh(G)
    assert values.min() > -1e-12
    assert np.abs(values[:, 0, :3]).max() < 1e-12  # one direction, rank one
    assert np.abs(values[:, 1, :2]).max() < 1e-12
    W = np.array([np.concatenate(start.draw_weights(rng, spectrum, l, 2), axis=1) for _ in range(1000)])
    level = spectrum.level_of_coordinate()
    by_hand = np.stack([np.einsum("rka,rkb->rab", W[:, level == j], W[:, level == j]) for j in range(3)], axis=1)
    share, target = counts / d, np.einsum("maa->ma", mean[:, l:, l:])
    for drawn in (G, by_hand):
        expected = [
            (drawn[..., 0, 0], norm**2 * share),
            (drawn[..., 0, 0] ** 2, norm**4 * (share**2 + 2 * share * (1 - share) / (d + 2))),
            (drawn[..., 0, 2] ** 2, norm**2 * target[:, 0] / d),
            (drawn[..., 1, 3] ** 2, norm**2 * target[:, 1] / d),
            (drawn[..., 0, 2] * drawn[..., 1, 2], np.zeros(3)),
            (drawn.sum(axis=1)[:, 0, 1] ** 2, np.array(norm**4 / d)),
            (drawn[..., 0, 0] * drawn[..., 0, 2] ** 2, norm**4 * target[:, 0] * (counts + 2) / (d * (d + 2))),
        ]
        for values, wanted in expected:
            error = values.std(axis=0) / np.sqrt(len(values))
            assert np.all(np.abs(values.mean(axis=0) - wanted) < 5 * error + 1e-15)


def test_an_uninformed_start_has_no_weights_of_its_own_and_says_so() -> None:
    start = hd.start.uninformed(rng=1)
    with pytest.raises(DeclarationError, match="draw_weights"):
        start.weights(SPECTRA[0], 1, 1)
    with pytest.raises(DeclarationError, match="norm is -1"):
        hd.start.uninformed(norm=-1.0)
    assert repr(start) == "uninformed(norm=1, teacher_norm=1, rng=1)"
    limit = start.grams(hd.spectrum.identity(), 2, 1)
    assert pytest.approx(np.eye(3)[None]) == limit
    path = hd.derive(hd.zoo.phase_retrieval()).solve(hd.Problem(SPECTRA[0], start, 0.1), t=1)
    assert "escape_distribution" in path.attrs["note"]
    assert float(abs(path.cosine).max()) == 0.0
