"""The pages that explain: sections of text, pictures and numbers, which pages string together."""
