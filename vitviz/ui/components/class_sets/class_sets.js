// Classes with their images: dropped, pasted, chosen, or taken with the camera; removed or moved to another class.

import { readHeader } from "../../../viz/browser/binary.js";
import { Component } from "../../../viz/browser/component.js";
import { element, setText } from "../../../viz/browser/elements.js";
import { onKeys } from "../../../viz/browser/keys.js";
import { mounted } from "../_shared/mounted.js";
import { Camera } from "./camera.js";
import { Card } from "./card.js";
import { Sending } from "./sending.js";

const LONGEST_NAME = 150; // characters of the name of a file

export default function (component) {
  return mounted(ClassSets, "[data-testid=class-sets]", component);
}

class ClassSets extends Component {
  static momentary = true;

  constructor(root, mount) {
    super(root, mount);
    Object.assign(this, { cards: new Map(), pictures: new Map(), chosen: new Set(), cameras: new Map() });
    const lost = (count, isStuck) => this.mount.send(isStuck ? "lost" : "missing", count);
    this.sending = new Sending(mount.memory.sending, () => this.tell(), lost);
    const act = {
      add: () => this.mount.send("add", true),
      remove: () => this.remove([...this.chosen]),
      cancel: () => this.choose(),
      choose: (card) => this.ask(card),
      camera: (card) => this.toggle(card),
      discard: (card) => this.mount.send("discard", card.number),
    };
    this.on(root, "click", ({ target }) => {
      const button = target.closest("button");
      if (button?.dataset.act) act[button.dataset.act](this.cardOf(button));
      else if (button?.dataset.mark) this.choose(button);
    });
    this.on(root, "change", ({ target }) => this.changed(target));
    this.on(root, "paste", (event) => this.paste(event));
    for (const event of ["dragover", "dragleave", "drop"]) this.on(root, event, (given) => this.drag(given));
    onKeys(this.listening, root, (event, step) => this.key(event, step));
  }

  close() {
    super.close();
    this.sending.end();
    this.mount.memory.sending = this.sending.rest;
    for (const camera of this.cameras.values()) camera.close();
    for (const address of this.pictures.values()) URL.revokeObjectURL(address);
  }

  receive(data, [bytes]) {
    const before = this.data?.classes.length;
    this.data = data;
    this.readPictures(bytes);
    for (const number of this.cards.keys()) if (!data.classes.some((one) => one.number === number)) this.drop(number);
    const marks = new Set(data.classes.flatMap(({ images }) => images.map(([mark]) => mark)));
    for (const mark of this.chosen) if (!marks.has(mark)) this.chosen.delete(mark);
    const typed = this.root.getRootNode().activeElement;
    const renamed = new Set(this.mount.pending("rename").map(([number]) => number));
    const canDiscard = data.classes.length > data.least;
    const nodes = data.classes.map((one) => {
      const card = this.card(one.number);
      const isTyped = typed === card.name || renamed.has(one.number);
      card.update(one, this.pictures, this.chosen, { isTyped, canDiscard });
      return card.node;
    });
    // otherwise, the nodes would lose the focus
    if (nodes.some((node, i) => node !== this.ref.cards.children[i]) || nodes.length !== this.ref.cards.children.length) {
      this.ref.cards.replaceChildren(...nodes);
    }
    if (before !== undefined && data.classes.length > before) this.begin(this.card(data.classes.at(-1).number));
    this.ref.add.disabled = data.classes.length >= data.most;
    this.ref.add.hidden = this.ref.add.disabled;
    this.showChosen();
    this.sending.received(data.taken);
    this.tell();
  }

  // ------------------------------------------------------------------ elements

  card(number) {
    if (!this.cards.has(number)) this.cards.set(number, new Card(number, this.data.longest));
    return this.cards.get(number);
  }

  cardOf(node) {
    const part = node instanceof Element ? node : node.parentElement; // a text can be the target of a drop
    return this.cards.get(Number(part?.closest("[data-number]")?.dataset.number));
  }

  // let the user type the name of a new class
  begin({ name }) {
    name.focus();
    name.select();
  }

  drop(number) {
    this.cameras.get(number)?.close();
    this.cameras.delete(number);
    this.cards.delete(number);
  }

  readPictures(bytes) {
    const { start, sections } = readHeader(bytes);
    for (const [mark, address] of this.pictures) {
      if (mark in sections) continue;
      URL.revokeObjectURL(address);
      this.pictures.delete(mark);
    }
    for (const [mark, [at, size]] of Object.entries(sections)) {
      if (this.pictures.has(mark)) continue;
      const picture = new Blob([bytes.slice(start + at, start + at + size)], { type: "image/jpeg" });
      this.pictures.set(mark, URL.createObjectURL(picture));
    }
  }

  tell(text) {
    const { count } = this.sending;
    if (text === undefined && !count && this.told) return; // stays until the next images are added
    this.told = Boolean(text);
    setText(this.ref.status, text ?? (count ? `Adding ${count} ${count === 1 ? "image" : "images"} …` : ""));
  }

  // ------------------------------------------------------------------ images to add

  give(card, files, series = 0) {
    const { largest } = this.data;
    this.told = false;
    for (const { name } of files.filter(({ size }) => size > largest).slice(0, 9)) {
      this.mount.send("refused", name.slice(-LONGEST_NAME));
    }
    this.sending.add(files.filter(({ size }) => size <= largest).map((file) => new File(
      [file], `${card.number}.${series}.${file.name.slice(-LONGEST_NAME)}`, { type: file.type },
    )));
  }

  ask(card) {
    this.asking = card;
    this.ref.files.click();
  }

  changed(target) {
    if (target === this.ref.files) {
      this.give(this.asking ?? this.card(this.data.classes[0].number), [...target.files]);
      target.value = ""; // the same files can be chosen again
    } else if (target === this.ref.target) {
      this.mount.send("move", [[...this.chosen], Number(target.value)]);
      this.choose();
    } else {
      const { number, name } = this.cardOf(target);
      this.mount.send("rename", [number, name.value]);
    }
  }

  paste(event) {
    const card = this.cardOf(event.target);
    const files = [...(event.clipboardData?.files ?? [])];
    if (!card || !files.length) return;
    if (event.target === card.name && event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    this.give(card, files.map((one) => (one.name === "image.png" ? new File([one], "pasted.png", { type: one.type }) : one)));
  }

  drag(event) {
    const card = this.cardOf(event.target);
    const isOver = event.type === "dragover" && event.dataTransfer?.types.includes("Files");
    for (const one of this.cards.values()) one.node.classList.toggle("over", isOver && one === card);
    if (!card || !event.dataTransfer?.types.includes("Files")) return;
    if (event.type !== "dragleave") event.preventDefault(); // allow dropping
    if (event.type === "drop") this.give(card, [...event.dataTransfer.files]);
  }

  toggle(card) {
    if (!this.cameras.has(card.number)) {
      const take = (files, series) => this.give(card, files, series);
      this.cameras.set(card.number, new Camera(card.stage, this.listening, take, (text) => this.tell(text)));
    }
    const opens = !this.cameras.get(card.number).isOpen;
    for (const camera of this.cameras.values()) if (camera.isOpen) camera.close();
    if (opens) this.cameras.get(card.number).open();
  }

  // ------------------------------------------------------------------ chosen images

  // choose an image or undo that; without a button, undo all
  choose(button) {
    const mark = button?.dataset.mark;
    if (mark === undefined) this.chosen.clear();
    else if (!this.chosen.delete(mark)) this.chosen.add(mark);
    if (button) this.cardOf(button).stop(button);
    for (const card of this.cards.values()) card.mark(this.chosen);
    this.showChosen();
  }

  showChosen() {
    const { size } = this.chosen;
    this.ref.chosen.hidden = !size;
    setText(this.ref.count, `${size} chosen`);
    const first = element("option", { textContent: "Move to …", value: "", disabled: true, selected: true });
    const options = this.data.classes.map(({ number, name }) => element("option", { textContent: name, value: number }));
    const shown = JSON.stringify([size, this.data.classes.map(({ number, name }) => [number, name])]);
    if (shown !== this.shownChosen) this.ref.target.replaceChildren(first, ...options);
    this.shownChosen = shown;
  }

  remove(marks) {
    this.mount.send("remove", marks);
    this.choose();
  }

  key(event, step) {
    const { target } = event;
    if (event.key === "Escape" && this.chosen.size) return this.choose();
    if (event.key === "Enter" && target.type === "text") return target.blur();
    if (!target.dataset.mark) return false;
    if (step) return this.cardOf(target).step(target, step);
    if (event.key !== "Delete" && event.key !== "Backspace") return false;
    const { mark } = target.dataset;
    return this.remove(this.chosen.has(mark) ? [...this.chosen] : [mark]);
  }
}
