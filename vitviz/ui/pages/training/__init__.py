"""Parts shared by the pages that show a training run: Explore, Lens and Tokens."""
