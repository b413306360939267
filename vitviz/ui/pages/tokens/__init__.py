"""The page "Tokens": what is alike in the space of the tokens, what stands out, and what can be read from it."""
