// The rules that ESLint recommends, and a few more.
import js from "@eslint/js";
import globals from "globals";

// What a browser has under these names is nearly always a variable that was forgotten.
const MISTAKABLE = [
  "close", "event", "find", "focus", "length", "name", "open", "origin", "parent", "screen", "scroll", "status", "stop", "top",
];

export default [
  { ignores: [".venv/", "build/"] },
  js.configs.recommended,
  {
    languageOptions: {
      globals: { ...globals.browser, ...Object.fromEntries(MISTAKABLE.map((name) => [name, "off"])) },
    },
    rules: {
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-duplicate-imports": "error",
      "no-shadow": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
];
