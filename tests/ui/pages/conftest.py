import pytest

from vitviz.ui.app.jobs import background


@pytest.fixture(autouse=True)
def _pages_wait_for_slow_work(monkeypatch):
    """Let one run of a page wait for its work. A browser would run the fragment with the progress again and again."""
    monkeypatch.setattr(background, "GLANCE", 240.0)
