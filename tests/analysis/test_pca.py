"""Tokens as colours: components that are fitted on some tokens and used for others."""

import numpy as np
import pytest

from vitviz.analysis.tokens.pca import ENDS, colours, principal


def coloured(fitted, tokens):
    found = principal(fitted)
    return colours(found.scores(tokens), *np.percentile(found.scores(fitted), ENDS, axis=0))


def test_principal_components_are_those_of_the_covariance():
    random = np.random.default_rng(0)
    tokens = random.normal(size=(50, 6)) * [9, 5, 3, 1, 1, 1] + 4
    found = principal(tokens)
    values, vectors = np.linalg.eigh(np.cov(tokens.T))
    for i in range(3):
        direction = vectors[:, -1 - i]
        assert abs(found.axes[i] @ direction) == pytest.approx(1)
        assert found.axes[i][np.abs(found.axes[i]).argmax()] > 0
        assert found.explained[i] == pytest.approx(values[-1 - i] / values.sum())
    drawn = coloured(tokens, tokens)
    assert drawn.shape == (50, 3)
    assert drawn.min() == 0
    assert drawn.max() == 255
    assert np.array_equal(coloured(tokens, tokens[:5]), drawn[:5]), "the colours are those of what was fitted"


@pytest.mark.parametrize("tokens", [np.ones((5, 4)), np.eye(2), np.zeros((1, 3))])
def test_tokens_that_hardly_differ_have_colours_too(tokens):
    assert np.isfinite(principal(tokens).explained).all()
    assert coloured(tokens, tokens).shape == (len(tokens), 3)
