// Thumbnails to choose from: buttons, the chosen one of which is pressed.

export default function ({ data, parentElement, setTriggerValue }) {
  const gallery = parentElement.querySelector("[data-testid=gallery]");
  gallery.setAttribute("aria-label", data.label);
  gallery.style.setProperty("--columns", data.columns);
  gallery.replaceChildren(...data.items.map((item) => {
    const button = document.createElement("button");
    const picture = Object.assign(document.createElement("img"), { src: item.image, alt: "", draggable: false });
    const title = Object.assign(document.createElement("span"), { textContent: item.title, hidden: !data.titles });
    button.append(picture, title);
    Object.assign(button, { type: "button", title: item.title, ariaLabel: item.title });
    button.dataset.name = item.name;
    button.setAttribute("aria-pressed", item.name === data.chosen);
    return button;
  }));

  const choose = (button) => {
    for (const other of gallery.children) other.setAttribute("aria-pressed", other === button);
    setTriggerValue("chosen", button.dataset.name);
  };
  gallery.onclick = (event) => {
    const button = event.target.closest("button");
    if (button) choose(button);
  };
}
