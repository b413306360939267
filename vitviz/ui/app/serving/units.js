// Keep numbers and units, and row and column of a patch, on one line, by replacing the space between them with a no-break
// space. Python and the components write plain spaces; texts are changed before they are displayed.
{
  const APART = /(?<=\d) (?=(?:%|px|bits?|[kMG]B|m?s|×)(?!\p{L}))|(?<=×) (?=\d)|(?<=[≤≥<>≈]) (?=\d)|(?<=\(\d+,) (?=\d+\))/gu;
  const LEFT_ALONE = "script, style, textarea, pre, code, svg, .katex, [contenteditable]";
  const watched = { childList: true, characterData: true, subtree: true };

  const join = (text) => {
    const joined = text.data.replace(APART, "\u00a0");
    if (joined !== text.data && !text.parentElement?.closest(LEFT_ALONE)) text.data = joined;
  };

  const joinAll = (node) => {
    if (node.nodeType === Node.TEXT_NODE) join(node);
    else if (node.nodeType === Node.ELEMENT_NODE && !node.closest(LEFT_ALONE)) {
      const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) join(texts.currentNode);
    }
  };

  const observer = new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "characterData") join(target);
      else addedNodes.forEach(joinAll);
    }
  });
  observer.observe(document.documentElement, watched);

  const attach = Element.prototype.attachShadow; // components use shadow roots
  Element.prototype.attachShadow = function (options) {
    const root = attach.call(this, options);
    observer.observe(root, watched);
    return root;
  };
}
