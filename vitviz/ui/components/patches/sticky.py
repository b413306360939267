"""Sticky position of a large picture on phones, above a scrollable gallery."""


def sticky_style(picker: str, small: str) -> str:
    """Return the style for a picker in the first of two columns and a gallery in the second, by their keys.

    A sticky element stays within its containing block. The boxes between it and the row of columns are therefore
    removed from the layout; patches.css does the same inside the component, where only variables apply.
    """
    column, block = '[data-testid="stColumn"]', '[data-testid="stVerticalBlock"]'
    its_block, its_column = f"{block}:has(> .st-key-{picker})", f"{column}:has(> {block} > .st-key-{picker})"
    return f"""<style>
@media (max-width: 640px) and (min-height: 500px) {{
  {its_column}, {its_block}, .st-key-{picker}, .st-key-{picker} div {{ display: contents !important; }}
  [data-testid="stHorizontalBlock"]:has(> {column} > {block} > .st-key-{picker}) {{ row-gap: 0.8rem; }}
  .st-key-{picker} {{
    --around: contents; --stage: sticky; --stage-top: 3.75rem; --stage-above: 3; --stage-rim: 0.5rem;
    --stage-tallest: 45vh;
  }}
  .st-key-{small} {{ --covered: calc(45vh + 5rem); }}
}}
</style>"""
