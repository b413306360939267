"""The sections of the page "Lens": the model's prediction if it stopped after a layer."""
