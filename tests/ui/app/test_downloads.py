"""Downloads from the app: how large they may be, alone and together, and where others are served."""

from types import SimpleNamespace

import pytest

import vitviz
from tests.support.app_pages import explore
from tests.ui.app.test_picker import open_catalogue
from vitviz.ui.app import catalogue, models


def test_a_download_that_is_too_large_for_this_server(monkeypatch):
    monkeypatch.setenv("VITVIZ_MAX_DOWNLOAD_GB", "0.1")
    app = explore()
    open_catalogue(app)
    assert app.button(key="use_vit_small_patch14_dinov2.lvd142m").label == "Download 88 MB"
    large = app.button(key="use_vit_base_patch14_dinov2.lvd142m")
    assert (large.label.partition(":")[0], large.disabled) == ("346 MB", True)
    monkeypatch.setenv("VITVIZ_MAX_DOWNLOAD_GB", "much")
    open_catalogue(app)
    assert not app.exception
    assert "set it to a number of gigabytes" in app.error[0].value.replace("\\", "")


@pytest.mark.parametrize(
    ("address", "headers", "offers"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("localhost", {}, True),
        ("0.0.0.0", {}, False),
        (None, {}, False),
        ("192.168.1.7", {}, False),
        ("vitviz.example.org", {}, False),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, False),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, False),
    ],
)
def test_where_others_are_served_nothing_is_downloaded_unless_told(address, headers, offers, monkeypatch):
    monkeypatch.delenv("VITVIZ_MAX_DOWNLOAD_GB", raising=False)
    surroundings = SimpleNamespace(get_option=lambda _: address, context=SimpleNamespace(headers=headers))
    monkeypatch.setattr(models, "st", surroundings)
    assert models.largest_download() == (2e9 if offers else 0)
    monkeypatch.setenv("VITVIZ_MAX_DOWNLOAD_GB", "3")
    assert models.largest_download() == 3e9


def test_all_downloads_together_are_bounded(monkeypatch):
    monkeypatch.setenv("VITVIZ_MAX_DOWNLOAD_GB", "2")
    monkeypatch.setenv("VITVIZ_MAX_DOWNLOADS_GB", "0.1")
    monkeypatch.setattr(catalogue, "_downloaded", {})
    small = "vit_small_patch14_dinov2.lvd142m"
    other = "vit_small_patch14_reg4_dinov2.lvd142m"
    catalogue._count(small)
    catalogue._count(small)  # who asks again joins the same download
    with pytest.raises(vitviz.ModelError, match="download limit"):
        catalogue._count(other)
    app = explore()
    open_catalogue(app)
    button = app.button(key=f"use_{other}")
    assert button.disabled
    catalogue._uncount(small)
    catalogue._count(other)
