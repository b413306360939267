"""Stored outputs of the shipped models, and what differs from them."""

from dataclasses import replace

import numpy as np
import pytest

from vitviz.zoo import SHIPPED, assets
from vitviz.zoo.integrity import COMPONENTS, TOLERANCE, largest_error, reference_input, reference_output
from vitviz.zoo.shipped import sha256_of

ENTRIES = pytest.mark.parametrize("entry", SHIPPED.values(), ids=lambda entry: entry.name)


@ENTRIES
def test_the_stored_numbers_are_those_of_the_model(entry):
    assert len(entry.reference) == COMPONENTS
    assert reference_output(entry) == pytest.approx(np.array(entry.reference), rel=1e-4, abs=1e-4)
    assert largest_error(entry) < TOLERANCE / 10


@ENTRIES
def test_the_checksum_is_that_of_the_file_and_of_its_description(entry):
    assert sha256_of(entry.path) == entry.sha256
    described = "".join(path.read_text("utf-8") for path in (assets() / "models").glob("*.md"))
    assert entry.sha256 in described


@ENTRIES
def test_the_input_varies_and_has_the_size_that_the_app_offers(entry):
    pixels = reference_input(entry)
    assert pixels.shape[1:] == (min(entry.sizes),) * 2
    assert 0.5 < float(pixels.std()) < 0.8


def test_another_output_is_an_error():
    entry = SHIPPED["digits"]
    changed = replace(entry, reference=(entry.reference[0] + 0.1, *entry.reference[1:]))
    assert largest_error(changed) == pytest.approx(0.1 / max(map(abs, changed.reference)), rel=0.01)
    assert np.isnan(largest_error(replace(entry, reference=(float("nan"), *entry.reference[1:]))))
