// Filter, sorting and index of a report. The page shows all images without this script, which only rearranges them.
// It is in the head, so that an unfinished page works too.
addEventListener("DOMContentLoaded", () => {
  const find = (id) => document.getElementById(id);
  const list = find("images");
  document.querySelector("header").append(...document.querySelectorAll("footer.interrupted")); // move to the top
  const naturally = new Intl.Collator(undefined, { numeric: true }).compare;
  const cards = [...list.children].map((card, order) => ({
    card,
    order,
    values: { Name: card.querySelector("h2").textContent, ...JSON.parse(card.dataset.values) },
    text: card.querySelector("h2").textContent.toLowerCase(),
    row: null,
  }));
  const names = [...new Set(cards.flatMap((one) => Object.keys(one.values)))];
  const numeric = names.filter((name) => cards.some((one) => typeof one.values[name] === "number"));
  const option = (text, value = text) => new Option(text, value);

  for (const one of cards) {
    const link = document.createElement("a");
    link.href = `#${one.card.id}`;
    link.append(one.values.Name, document.createElement("span"));
    one.row = document.createElement("li");
    one.row.append(link);
  }

  find("sort").append(option("processing order", ""), ...names.map((name) => option(name)));
  find("measure").append(...numeric.map((name) => option(name)));
  find("range").hidden = !numeric.length;
  const counts = new Map();
  for (const { values } of cards) {
    if ("Prediction" in values) counts.set(values.Prediction, (counts.get(values.Prediction) ?? 0) + 1);
  }
  const classes = [...counts.keys()].sort(naturally);
  find("prediction").append(option("any", ""), ...classes.map((name) => option(`${name} (${counts.get(name)})`, name)));
  find("predictions").hidden = !classes.length;
  find("controls").hidden = find("index").hidden = !cards.length;

  const shown = (value) => (typeof value === "number" ? value.toPrecision(3) : (value ?? ""));

  const matches = ({ values, text }) => {
    const [query, prediction, measure] = ["filter", "prediction", "measure"].map((id) => find(id).value);
    const [low, high] = ["low", "high"].map((id) => find(id).value);
    const value = values[measure];
    return (
      query.toLowerCase().split(/\s+/).every((word) => text.includes(word)) &&
      (!prediction || values.Prediction === prediction) &&
      (low === "" || value >= Number(low)) &&
      (high === "" || value <= Number(high)) &&
      (!find("problems").checked || "Problem" in values)
    );
  };

  const compare = (name, down) => (a, b) => {
    const [x, y] = [a.values[name], b.values[name]];
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined) || a.order - b.order;
    const difference = typeof x === "number" ? x - y : naturally(x, y);
    return (down ? -difference : difference) || a.order - b.order;
  };

  const arrange = () => {
    const name = find("sort").value;
    const down = find("down").getAttribute("aria-pressed") === "true";
    const sorted = name ? [...cards].sort(compare(name, down)) : down ? [...cards].reverse() : cards;
    let count = 0;
    for (const one of sorted) {
      one.card.hidden = one.row.hidden = !matches(one);
      count += !one.card.hidden;
      one.row.querySelector("span").textContent = name && name !== "Name" ? shown(one.values[name]) : "";
    }
    list.replaceChildren(...sorted.map((one) => one.card));
    find("index").querySelector("ol").replaceChildren(...sorted.map((one) => one.row));
    find("count").textContent = count === cards.length ? `${count} images` : `${count} of ${cards.length} images`;
  };

  for (const id of ["filter", "prediction", "measure", "low", "high", "problems"]) {
    find(id).addEventListener("input", arrange);
  }
  find("controls").addEventListener("submit", (event) => event.preventDefault());
  find("sort").addEventListener("input", () => {
    find("down").setAttribute("aria-pressed", String(numeric.includes(find("sort").value))); // largest number first
    arrange();
  });
  find("down").addEventListener("click", () => {
    find("down").setAttribute("aria-pressed", String(find("down").getAttribute("aria-pressed") !== "true"));
    arrange();
  });
  find("problems").parentElement.hidden = !cards.some(({ values }) => "Problem" in values);
  arrange();
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
});
