// Thumbnails to choose from: buttons, the chosen one of which is pressed.

export default function ({ data, parentElement, setTriggerValue }) {
  const gallery = parentElement.querySelector("[data-testid=gallery]");
  gallery.setAttribute("aria-label", data.label);
  gallery.style.setProperty("--columns", data.columns);
  gallery.classList.toggle("whole", data.whole);
  const focused = gallery.getRootNode().activeElement?.dataset?.name; // new buttons take the keyboard over
  gallery.replaceChildren(...data.items.map((item) => {
    const button = document.createElement("button");
    const picture = Object.assign(document.createElement("img"), { src: item.image, alt: "", draggable: false });
    const title = Object.assign(document.createElement("span"), { textContent: item.title, hidden: !data.titles });
    const note = Object.assign(document.createElement("small"), { textContent: item.note, hidden: !item.note });
    button.append(picture, title, note);
    const name = [item.title, item.note].filter(Boolean).join(": ");
    Object.assign(button, { type: "button", title: name, ariaLabel: name });
    button.dataset.name = item.name;
    button.setAttribute("aria-pressed", item.name === data.chosen);
    return button;
  }));

  [...gallery.children].find((button) => focused && button.dataset.name === focused)?.focus({ preventScroll: true });

  const choose = (button) => {
    for (const other of gallery.children) other.setAttribute("aria-pressed", other === button);
    setTriggerValue("chosen", button.dataset.name);
  };
  gallery.onclick = (event) => {
    const button = event.target.closest("button");
    if (button) choose(button);
  };
}
