"""Class names: from timm's lists, or from a pretrained configuration."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

# What the head of an image model that was trained with captions gives out: embeddings, which are not classes.
_EMBEDDING_WIDTHS = (512, 640, 768, 1024, 1280, 1536)


def is_embedding(pretrained: Mapping[str, Any], outputs: int) -> bool:
    """Whether the outputs of a timm model are an embedding, going by its pretrained configuration."""
    own = pretrained.get("num_classes") == outputs
    return own and outputs in _EMBEDDING_WIDTHS and not labels_of(pretrained)


def own_labels(pretrained: Mapping[str, Any], outputs: int) -> tuple[str, ...]:
    """The class names that a pretrained configuration spells out for this many outputs; () if it does not."""
    return labels_of(pretrained) if pretrained.get("label_names") and pretrained.get("num_classes") == outputs else ()


def labels_of(pretrained: Mapping[str, Any]) -> tuple[str, ...]:
    """The class names of a timm model, from its pretrained configuration; () if nobody knows them.

    Names in the configuration win; else the number of classes tells which of ImageNet's label sets it is.
    """
    count, names = pretrained.get("num_classes"), pretrained.get("label_names")
    if names and len(names) == count:
        words = pretrained.get("label_descriptions") or {}
        return readable([str(words.get(name, name)) for name in names])
    return imagenet_labels(count) if count else ()


@lru_cache(maxsize=4)
def imagenet_labels(count: int) -> tuple[str, ...]:
    """The readable names of the ImageNet label set with this many classes; () if there is none."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset({"num_classes": count})
    if subset is None:
        return ()
    info = ImageNetInfo(subset)
    if info.num_classes() != count:
        return ()
    names = readable([info.index_to_description(i) for i in range(count)])
    same = Counter(names)  # the crane that flies and the one that lifts
    return tuple(
        name if same[name] == 1 else info.index_to_description(i, detailed=True) for i, name in enumerate(names)
    )


def readable(descriptions: Sequence[str]) -> tuple[str, ...]:
    """The first synonym of each description: "tabby, tabby cat" becomes "tabby"; all of them where it names several."""
    first = [description.split(",")[0].strip() for description in descriptions]
    named = Counter(first)
    return tuple(
        short if named[short] == 1 else description for short, description in zip(first, descriptions, strict=True)
    )
