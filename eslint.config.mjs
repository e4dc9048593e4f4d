// Rules for the scripts of the page that `runcube report` writes; `make lint-js` runs them.
const browser = [
  "Blob", "Bokeh", "DecompressionStream", "Event", "FormData", "IntersectionObserver", "Option", "Response", "URL",
  "URLSearchParams", "addEventListener", "atob", "document", "getComputedStyle", "getSelection", "history", "location",
  "matchMedia", "navigator", "requestAnimationFrame", "setTimeout",
];

export default [
  {
    languageOptions: { sourceType: "script", globals: Object.fromEntries(browser.map((name) => [name, "readonly"])) },
    rules: {
      "consistent-return": "off",
      eqeqeq: "error",
      "no-dupe-keys": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-redeclare": "error",
      "no-shadow": "error",
      "no-undef": "error",
      "no-unreachable": "error",
      "no-unsafe-finally": "error",
      "no-unused-vars": "error",
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-var": "error",
      "prefer-const": "error",
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({ property, message: "text, never markup" })),
      ],
    },
  },
];
