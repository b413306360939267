// Patch picker without extensions.

import { mounted } from "../_shared/mounted.js";
import { Picker } from "./picker.js";

export default function (component) {
  return mounted(Picker, ".patches", component);
}
