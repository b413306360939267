"""Curated list of well-known pretrained timm models, with the properties to choose by.

The properties are stored here so that listing the models needs neither timm nor a network. A test compares them with
timm.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TimmEntry:
    """Description of a pretrained timm model.

    Attributes:
        name: name for `load`: timm's architecture and tag.
        title: common name.
        summary: one line on the model; "" for models outside the curated list.
        hub_id: repository on the Hugging Face hub; "" if the weights are elsewhere.
        parameters: number of parameters.
        patch_size: patch size in pixels.
        image_size: height and width of the input in training, pixels.
        num_classes: number of classes; 0 for a model without a classifier.
        embedding_dim: dimension of the embedding shared by images and texts (CLIP and similar models); 0 for others.
        licence: licence of the weights, as named by timm; "" if unknown.
    """

    name: str
    title: str
    summary: str
    hub_id: str
    parameters: int
    patch_size: int
    image_size: tuple[int, int]
    num_classes: int
    embedding_dim: int
    licence: str

    @property
    def download_bytes(self) -> int:
        """Approximate size of the download: four bytes per parameter."""
        return 4 * self.parameters


def _entry(
    name: str,
    title: str,
    summary: str,
    *,
    parameters: int,
    side: int = 224,
    patch_size: int = 16,
    num_classes: int = 0,
    embedding_dim: int = 0,
    licence: str = "apache-2.0",
    repository: str = "",
) -> TimmEntry:
    hub_id = f"timm/{repository or name}"
    size = (side, side)
    return TimmEntry(name, title, summary, hub_id, parameters, patch_size, size, num_classes, embedding_dim, licence)


CURATED = {
    entry.name: entry
    for entry in (
        _entry(
            "vit_small_patch14_dinov2.lvd142m",
            "DINOv2-S/14 (timm)",
            "Self-supervised; its features are used in many vision systems.",
            parameters=22_056_192,
            side=518,
            patch_size=14,
        ),
        _entry(
            "vit_small_patch14_reg4_dinov2.lvd142m",
            "DINOv2-S/14 with registers",
            "DINOv2 with four register tokens: compare its attention maps with those of the model without registers.",
            parameters=22_057_344,
            side=518,
            patch_size=14,
        ),
        _entry(
            "vit_base_patch14_dinov2.lvd142m",
            "DINOv2-B/14",
            "The base-size DINOv2: twelve heads per layer instead of six.",
            parameters=86_579_712,
            side=518,
            patch_size=14,
        ),
        _entry(
            "vit_base_patch14_reg4_dinov2.lvd142m",
            "DINOv2-B/14 with registers",
            "The base-size DINOv2 with four register tokens, which attract attention away from the patches.",
            parameters=86_582_016,
            side=518,
            patch_size=14,
        ),
        _entry(
            "vit_small_patch16_dinov3.lvd1689m",
            "DINOv3-S/16",
            "The successor of DINOv2: RoPE instead of a learned position embedding, and four register tokens.",
            parameters=21_586_944,
            side=256,
            licence="dinov3-license",
        ),
        _entry(
            "vit_small_patch8_224.dino",
            "DINO-S/8",
            "Self-supervised, and known for its attention maps: its heads segment objects without any labels.",
            parameters=21_670_272,
            patch_size=8,
        ),
        _entry(
            "vit_base_patch16_224.augreg2_in21k_ft_in1k",
            "ViT-B/16 (AugReg)",
            "The standard supervised ViT with the 1,000 classes of ImageNet, used in many papers.",
            parameters=86_567_656,
            num_classes=1000,
        ),
        _entry(
            "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
            "ViT-Ti/16 (AugReg)",
            "The smallest standard ViT: three heads per layer, fast on any laptop.",
            parameters=5_717_416,
            num_classes=1000,
        ),
        _entry(
            "deit_tiny_patch16_224.fb_in1k",
            "DeiT-Ti/16",
            "The size of ViT-Ti/16, but trained on ImageNet-1k only: compare the heads after training on less data.",
            parameters=5_717_416,
            num_classes=1000,
        ),
        _entry(
            "deit_small_distilled_patch16_224.fb_in1k",
            "DeiT-S/16, distilled",
            "Has a distillation token beside the class token, trained with a convolutional network as teacher.",
            parameters=22_436_432,
            num_classes=1000,
        ),
        _entry(
            "deit3_small_patch16_224.fb_in22k_ft_in1k",
            "DeiT III S/16",
            "The same architecture with LayerScale and an improved supervised training recipe.",
            parameters=22_059_496,
            num_classes=1000,
        ),
        _entry(
            "vit_base_patch16_clip_quickgelu_224.openai",
            "CLIP-B/16 (OpenAI)",
            "Trained on images with captions; its output is an embedding shared by images and texts.",
            parameters=86_193_152,
            embedding_dim=512,
            repository="vit_base_patch16_clip_224.openai",
        ),
        _entry(
            "vit_base_patch16_siglip_224.v2_webli",
            "SigLIP 2 B/16",
            "The image encoder of a newer CLIP: attention pooling of the patches instead of a class token.",
            parameters=92_884_224,
        ),
        _entry(
            "vit_pe_core_tiny_patch16_384.fb",
            "Perception Encoder Ti/16",
            "A CLIP model small enough for any laptop, with RoPE and attention pooling.",
            parameters=6_141_056,
            side=384,
            embedding_dim=512,
        ),
        _entry(
            "vit_base_patch16_224.mae",
            "MAE-B/16",
            "Self-supervised: trained to reconstruct images of which three quarters of the patches are masked.",
            parameters=85_798_656,
            licence="cc-by-nc-4.0",
        ),
        _entry(
            "beitv2_base_patch16_224.in1k_ft_in22k_in1k",
            "BEiT v2 B/16",
            "Uses a relative position bias, learned for each head and added to the attention scores.",
            parameters=86_530_984,
            num_classes=1000,
        ),
        _entry(
            "eva02_small_patch14_336.mim_in22k_ft_in1k",
            "EVA-02-S/14",
            "A modern design: RoPE, gated MLPs, and mean pooling of the patches instead of the class token.",
            parameters=22_129_000,
            side=336,
            patch_size=14,
            num_classes=1000,
            licence="mit",
        ),
        _entry(
            "vit_wee_patch16_reg1_gap_256.sbb_in1k",
            "ViT-Wee/16, mean-pooled",
            "Has no class token: one register token, and mean pooling of the patches.",
            parameters=13_422_568,
            side=256,
            num_classes=1000,
        ),
    )
}
