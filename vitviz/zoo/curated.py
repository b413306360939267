"""Pretrained models of timm that people ask for, with the facts that a person chooses by.

The facts are written down so that a list of models needs neither timm nor a network; a test compares each of them with
what timm says.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TimmEntry:
    """A pretrained model of timm, described without its weights.

    Attributes:
        name: what `load` calls it: timm's architecture and tag.
        title: what people call it.
        summary: one line on why it is interesting; empty for models that are not in the curated list.
        hub_id: its repository on the Hugging Face hub; empty if the weights are somewhere else.
        parameters: how many numbers it learned.
        patch: side of a patch, pixels.
        image_size: height and width of the input that it was trained for, pixels.
        classes: classes that it tells apart; 0 for a model without a classifier.
        embedding: width of the image embedding that it shares with texts (CLIP and its kin); 0 for other models.
        licence: of the weights, in timm's words; empty if timm does not know it.
    """

    name: str
    title: str
    summary: str
    hub_id: str
    parameters: int
    patch: int
    image_size: tuple[int, int]
    classes: int
    embedding: int
    licence: str

    @property
    def download_bytes(self) -> int:
        """About how large the download is: four bytes for each parameter."""
        return 4 * self.parameters


def _entry(
    name: str,
    title: str,
    summary: str,
    *,
    parameters: int,
    side: int = 224,
    patch: int = 16,
    classes: int = 0,
    embedding: int = 0,
    licence: str = "apache-2.0",
    repository: str = "",
) -> TimmEntry:
    hub_id = f"timm/{repository or name}"
    return TimmEntry(name, title, summary, hub_id, parameters, patch, (side, side), classes, embedding, licence)


CURATED = {
    entry.name: entry
    for entry in (
        _entry(
            "vit_small_patch14_dinov2.lvd142m",
            "DINOv2 S/14",
            "Learned without labels; the features that many others build on.",
            parameters=22_056_192,
            side=518,
            patch=14,
        ),
        _entry(
            "vit_small_patch14_reg4_dinov2.lvd142m",
            "DINOv2 S/14 with registers",
            "Four more tokens that belong to no patch: compare it with the model that has none.",
            parameters=22_057_344,
            side=518,
            patch=14,
        ),
        _entry(
            "vit_base_patch14_dinov2.lvd142m",
            "DINOv2 B/14",
            "The larger DINOv2: twelve heads a layer instead of six.",
            parameters=86_579_712,
            side=518,
            patch=14,
        ),
        _entry(
            "vit_base_patch14_reg4_dinov2.lvd142m",
            "DINOv2 B/14 with registers",
            "The larger DINOv2 with four registers: see how much attention they draw from the patches.",
            parameters=86_582_016,
            side=518,
            patch=14,
        ),
        _entry(
            "vit_small_patch16_dinov3.lvd1689m",
            "DINOv3 S/16",
            "The successor of DINOv2: rotary positions instead of learned ones, and four registers.",
            parameters=21_586_944,
            side=256,
            licence="dinov3-license",
        ),
        _entry(
            "vit_small_patch8_224.dino",
            "DINO S/8",
            "The model that made attention maps famous: its heads outline objects that nobody labelled.",
            parameters=21_670_272,
            patch=8,
        ),
        _entry(
            "vit_base_patch16_224.augreg2_in21k_ft_in1k",
            "ViT B/16 (AugReg)",
            "The classic: a supervised ViT with ImageNet's 1,000 classes, and the default of many papers.",
            parameters=86_567_656,
            classes=1000,
        ),
        _entry(
            "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
            "ViT Ti/16 (AugReg)",
            "The smallest classic: three heads a layer, quick enough for any laptop.",
            parameters=5_717_416,
            classes=1000,
        ),
        _entry(
            "deit_tiny_patch16_224.fb_in1k",
            "DeiT Ti/16",
            "As small, but trained on ImageNet-1k alone: see what less data does to the heads.",
            parameters=5_717_416,
            classes=1000,
        ),
        _entry(
            "deit_small_distilled_patch16_224.fb_in1k",
            "DeiT S/16, distilled",
            "Beside the class token it has a second one that learned from a convolutional teacher.",
            parameters=22_436_432,
            classes=1000,
        ),
        _entry(
            "deit3_small_patch16_224.fb_in22k_ft_in1k",
            "DeiT III S/16",
            "A better supervised recipe for the same architecture, with LayerScale.",
            parameters=22_059_496,
            classes=1000,
        ),
        _entry(
            "vit_base_patch16_clip_quickgelu_224.openai",
            "CLIP B/16 (OpenAI)",
            "Learned from pictures and their captions; its output lives in one space with texts.",
            parameters=86_193_152,
            embedding=512,
            repository="vit_base_patch16_clip_224.openai",
        ),
        _entry(
            "vit_base_patch16_siglip_224.v2_webli",
            "SigLIP 2 B/16",
            "The image side of a newer CLIP: no class token, an attention layer pools the patches instead.",
            parameters=92_884_224,
        ),
        _entry(
            "vit_pe_core_tiny_patch16_384.fb",
            "Perception Encoder Ti/16",
            "A CLIP small enough for any laptop, with rotary positions and pooling by attention.",
            parameters=6_141_056,
            side=384,
            embedding=512,
        ),
        _entry(
            "vit_base_patch16_224.mae",
            "MAE B/16",
            "Learned by painting in the missing three quarters of each picture, without labels or captions.",
            parameters=85_798_656,
            licence="cc-by-nc-4.0",
        ),
        _entry(
            "beitv2_base_patch16_224.in1k_ft_in22k_in1k",
            "BEiT v2 B/16",
            "Positions enter as a bias on the attention itself: relative ones, learned for each head.",
            parameters=86_530_984,
            classes=1000,
        ),
        _entry(
            "eva02_small_patch14_336.mim_in22k_ft_in1k",
            "EVA-02 S/14",
            "A modern mixture: rotary positions, gated MLPs, and the patches' mean where others read the class token.",
            parameters=22_129_000,
            side=336,
            patch=14,
            classes=1000,
            licence="mit",
        ),
        _entry(
            "vit_wee_patch16_reg1_gap_256.sbb_in1k",
            "ViT Wee/16, mean-pooled",
            "No class token at all: one register and the mean of the patches decide.",
            parameters=13_422_568,
            side=256,
            classes=1000,
        ),
    )
}
