"""The pages that explain: sections of text, pictures and numbers, a folder for each page, and what both share."""
