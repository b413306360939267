// Thumbnails to choose from: a radio group, with its keys (arrows move, one stop for the tab key).

export default function ({ data, parentElement, setTriggerValue }) {
  const gallery = parentElement.querySelector("[data-testid=gallery]");
  gallery.setAttribute("aria-label", data.label);
  gallery.style.setProperty("--columns", data.columns);
  gallery.replaceChildren(...data.items.map((item, i) => {
    const button = document.createElement("button");
    const picture = Object.assign(document.createElement("img"), { src: item.image, alt: "", draggable: false });
    const title = Object.assign(document.createElement("span"), { textContent: item.title, hidden: !data.titles });
    button.append(picture, title);
    Object.assign(button, { type: "button", title: item.title, ariaLabel: item.title });
    button.dataset.name = item.name;
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", item.name === data.chosen);
    button.tabIndex = item.name === data.chosen || (i === 0 && !data.chosen) ? 0 : -1;
    return button;
  }));

  const choose = (button) => {
    for (const other of gallery.children) other.setAttribute("aria-checked", other === button);
    setTriggerValue("chosen", button.dataset.name);
  };
  gallery.onclick = (event) => {
    const button = event.target.closest("button");
    if (button) choose(button);
  };
  gallery.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -data.columns, ArrowRight: 1, ArrowDown: data.columns }[event.key];
    const next = gallery.children[[...gallery.children].indexOf(event.target) + step];
    if (!step || !next) return;
    event.preventDefault();
    next.focus();
  };
}
