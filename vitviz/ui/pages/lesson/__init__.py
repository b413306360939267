"""Parts shared by the lesson pages "Image to sequence" and "Attention"."""
