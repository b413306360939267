"""The user's own classes: their images, the head fitted on them, and its figures."""

from __future__ import annotations

import streamlit as st

from ....zoo.heads import LinearHead
from ...app import state
from ...app.jobs import background
from ...app.settings import bound
from ...components.class_sets import Actions, ShownClass, ShownImage, class_sets
from ...components.gallery import gallery
from . import collection, figures, fitting, image_features, measured_accuracy, relevance
from .collection import CLASSES
from .fitting import TaughtSet
from .image_features import FeatureSetup
from .settings import PLACE, SAMPLES_TO

ENOUGH = 3  # images of a class, from which on figures are worth reading
Pending = list[background.Request]

_ACTIONS = Actions(
    add_image=collection.add_image,
    add_class=collection.add_class,
    rename_class=collection.rename_class,
    remove_class=collection.remove_class,
    remove_images=collection.remove_images,
    move_images=collection.move_images,
    report=collection.add_problem,
)


def draw(choice: state.Choice) -> None:
    """Draw the classes and the samples that can be added to them."""
    shown = [
        ShownClass(
            one.number, one.name, [ShownImage(image.mark, image.picked.name, image.thumbnail) for image in one.images]
        )
        for one in CLASSES.get()
    ]
    limits = {"least": collection.LEAST_CLASSES, "most": collection.MOST_CLASSES, "longest": collection.LONGEST_NAME}
    class_sets(shown, _ACTIONS, **limits, key="teach_class_sets")
    with st.expander("Add samples"):
        _samples(choice)
    st.caption("Your images stay in the server's memory until about a minute after this tab is closed or reloaded.")


def _samples(choice: state.Choice) -> None:
    names = {one.number: one.name for one in CLASSES.get()}
    number = SAMPLES_TO.get() if SAMPLES_TO.get() in names else next(iter(names))
    bound(
        st.selectbox,
        "Add to",
        list(names),
        key="teach_samples_to",
        value=number,
        take=SAMPLES_TO.set,
        format_func=lambda one: names.get(one, ""),
        width=240,
    )
    samples = state.samples_for(choice.model)

    def add(name: str) -> None:
        collection.add_image(number, name, samples[name], sample=True)

    gallery("Samples", samples, chosen=None, on_choose=add, columns=6, titles=False, key="teach_samples")


def fit(setup: FeatureSetup) -> tuple[TaughtSet, LinearHead | None, Pending]:
    """Compute features in the background and fit the head once they are known.

    Returns:
        The images, the head (None if it cannot be fitted yet), and the remaining work.
    """
    taught = fitting.set_of(setup, CLASSES.get())
    images = [image.picked for image in taught.images]
    missing = image_features.missing(setup, images)
    steps = [image_features.step(setup, missing)] if missing else []
    key = steps[0].key if steps else ("features", setup.key)
    work = background.Work(
        key, PLACE, "teach_features", "Compute the features", steps, keeps_parts=True, autostart=True
    )
    with st.container():  # fixed position
        pending = background.start_button(work)
    features = image_features.features(setup, images)
    if features is None or not taught.can_be_fitted:
        if not taught.can_be_fitted:
            measured = measured_accuracy.sentence(setup)
            advice = f"Add images to two classes, best {ENOUGH} or more to each."
            st.info(f"{advice}  \n{measured}" if measured else advice)
        return taught, None, pending
    return taught, fitting.head(taught, features, fitting.known(taught)), pending


def draw_figures(taught: TaughtSet) -> Pending:
    """Draw accuracy, confusion matrix and notes of the head, and return the remaining work."""
    setup = taught.setup
    features = image_features.features(setup, [image.picked for image in taught.images])
    if features is None:
        return []
    if not taught.can_be_measured:
        st.info("Add a second image to each class, so that one can be left out for a test.")
        return []
    measured = fitting.known(taught)
    steps = [] if measured is not None else [fitting.measuring(taught, features)]
    work = background.Work(("cross-validation", *taught.key), PLACE, "teach_measure", "Test", steps, autostart=True)
    found = st.container()
    with st.container():
        pending = background.start_button(work)
    if measured is not None:
        result = fitting.with_names(measured, taught)
        with found:
            figures.accuracy(result, figures.method_label(result))
            figures.confusion(result)
            figures.notes(fitting.notes(measured, taught))
    return pending


def draw_least_certain(taught: TaughtSet) -> None:
    """Draw the images of which the head is least certain, once they are known."""
    measured = fitting.known(taught) if taught.can_be_measured else None
    features = image_features.features(taught.setup, [image.picked for image in taught.images])
    if measured is not None and features is not None:
        figures.least_certain(taught, features, fitting.with_names(measured, taught))


def draw_relevance(taught: TaughtSet) -> Pending:
    """Draw the mean maps of the classes, and return the remaining work."""
    features = image_features.features(taught.setup, [image.picked for image in taught.images])
    if features is None:
        return []
    if taught.setup.fit == "native":
        st.caption("Mean maps need images of one size; choose another fit than Native.")
        return []
    found = relevance.known(taught)
    steps = [] if found is not None else [relevance.step(taught, fitting.fitted(taught, features))]
    work = background.Work(("class maps", *taught.key), PLACE, "teach_maps", "Compute the maps", steps, autostart=True)
    with st.container():
        pending = background.start_button(work)
    if found is not None:
        relevance.draw(taught, found)
    return pending


def thumbnails(taught: TaughtSet) -> tuple[tuple[bytes, ...], ...]:
    """Return the thumbnails of each class."""
    return tuple(
        tuple(image.thumbnail for image, one in zip(taught.images, taught.ranks, strict=True) if one == rank)
        for rank in range(len(taught.names))
    )
