   import { Component } from "../_shared/component.js";
import { mounted } from "../_shared/mounted.js";

export default function (component) {
  return mounted(Counter, "button", component);
}

class Counter extends Component {
  constructor(root, mount) {
    super(root, mount);
    this.on(root, "click", () => mount.send("count", this.data.count + 1));
  }

  receive(data) {
    this.data = data;
    this.root.textContent = data.count;
  }
}
