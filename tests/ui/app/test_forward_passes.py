"""The number of forward passes that the pages need for one image."""

import torch

from tests.support.app_pages import opened
from vitviz.model import hooks
from vitviz.model.vit import ViT
from vitviz.ui.app import cache
from vitviz.ui.app.registry import offered


def test_all_pages_together_need_two_passes_for_what_they_show_unedited(monkeypatch):
    cache.clear()
    images, passes, forward, page = [], [], ViT.forward, ""

    def counted(self, pixels):
        images.append(pixels[0])
        if torch.equal(pixels[0], images[0]) and not hooks.is_edited() and not torch.is_grad_enabled():
            passes.append(page)
        return forward(self, pixels)

    monkeypatch.setattr(ViT, "forward", counted)
    for page in (entry.name for entry in offered()):
        assert not opened(page, model="digits", image="digit-4").exception
    assert len(images) > len(passes), "pages also run edited images and gradients"
    assert len(passes) == 2, passes
