"""Class names from timm's label sets or from a pretrained configuration."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

# Output dimensions of image encoders trained with captions (CLIP): their outputs are embeddings, not classes.
_EMBEDDING_DIMS = (512, 640, 768, 1024, 1280, 1536)


def is_embedding(pretrained: Mapping[str, Any], outputs: int) -> bool:
    """Return whether the outputs of a timm model are an embedding, according to its pretrained configuration."""
    own = pretrained.get("num_classes") == outputs
    return own and outputs in _EMBEDDING_DIMS and not labels_of(pretrained)


def own_labels(pretrained: Mapping[str, Any], outputs: int) -> tuple[str, ...]:
    """Class names listed in a pretrained configuration with this number of classes; () if it lists none."""
    return labels_of(pretrained) if pretrained.get("label_names") and pretrained.get("num_classes") == outputs else ()


def labels_of(pretrained: Mapping[str, Any]) -> tuple[str, ...]:
    """Class names of a timm model from its pretrained configuration; () if they are not known.

    Names in the configuration take precedence; otherwise the number of classes selects one of ImageNet's label sets.
    """
    count, names = pretrained.get("num_classes"), pretrained.get("label_names")
    if names and len(names) == count:
        descriptions = pretrained.get("label_descriptions") or {}
        return readable([str(descriptions.get(name, name)) for name in names])
    return imagenet_labels(count) if count else ()


@lru_cache(maxsize=4)
def imagenet_labels(count: int) -> tuple[str, ...]:
    """Short names of the ImageNet label set with this number of classes; () if there is none."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset({"num_classes": count})
    if subset is None:
        return ()
    info = ImageNetInfo(subset)
    if info.num_classes() != count:
        return ()
    names = readable([info.index_to_description(i) for i in range(count)])
    same = Counter(names)  # for example "crane", a bird and a machine
    return tuple(
        name if same[name] == 1 else info.index_to_description(i, detailed=True) for i, name in enumerate(names)
    )


def readable(descriptions: Sequence[str]) -> tuple[str, ...]:
    """First synonym of each description ("tabby" for "tabby, tabby cat"); the whole description if it is ambiguous."""
    first = [description.split(",")[0].strip() for description in descriptions]
    named = Counter(first)
    return tuple(
        short if named[short] == 1 else description for short, description in zip(first, descriptions, strict=True)
    )
