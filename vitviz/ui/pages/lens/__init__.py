"""The sections of the page "Lens": what the model would say if it stopped after a layer."""
