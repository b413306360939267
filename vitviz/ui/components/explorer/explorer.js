// The explorer in a page of the app; pinned tokens and choices are sent to Python, hovering is not.

import { Explorer } from "../../../viz/explorer/explorer.js";
import { mounted } from "../_shared/mounted.js";

export default function (component) {
  return mounted(Explorer, "[data-testid=explorer]", component);
}
