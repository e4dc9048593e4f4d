// The controls of the view, which are one form: its state is in the URL's hash.

const MOST_CHOICES = 12; // labels of a key that are listed one by one

// An element; children that are text stay text, never markup.
function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function select(name, title, options, chosen) {
  const made = element("select", { name });
  for (const [value, text] of options) {
    made.append(new Option(text, value, value === chosen, value === chosen));
  }
  return element("label", { className: "choice" }, title, made);
}

function checkbox(name, value, title, isOn) {
  const box = element("input", { type: "checkbox", name, value, defaultChecked: isOn });
  return element(
    "label",
    { className: "check" },
    box,
    element("span", { className: "swatch" }),
    title,
  );
}

function fieldset(title, ...children) {
  return element("fieldset", {}, element("legend", {}, title), ...children);
}

// What filters runs by one key: a box for each label, a range of numbers, or a part of the text.
function filter(key) {
  const name = `filter ${key.name}`;
  if (key.labels.length <= MOST_CHOICES) {
    const boxes = key.labels.map((label) => checkbox(name, label, label, true));
    return fieldset(key.title, ...boxes);
  }
  const input = (part, title) =>
    element("label", { className: "choice" }, title, element("input", { name: `${name} ${part}` }));
  if (!key.numeric) return fieldset(key.title, input("part", "contains"));
  const [low, high] = [key.labels[0], key.labels.at(-1)];
  return fieldset(key.title, input("from", `from ${low}`), input("to", `to ${high}`));
}

// Which labels of a key are let through by its filter.
function allowed(key, form, data) {
  const name = `filter ${key.name}`;
  if (form.elements[name]) return Array.from(form.elements[name], (box) => box.checked);
  const part = data.get(`${name} part`);
  if (part) return key.labels.map((label) => label.includes(part));
  const [from, to] = [data.get(`${name} from`), data.get(`${name} to`)];
  const isIn = (label) =>
    !(from && Number(label) < Number(from)) && !(to && Number(label) > Number(to));
  return key.labels.map(isIn);
}

// 1 for each run that all filters let through.
function runsShown(sweep, form) {
  const data = new FormData(form);
  const shown = new Uint8Array(sweep.n_runs).fill(1);
  for (const key of sweep.keys.filter((own) => own.isFilter)) {
    const isIn = allowed(key, form, data);
    if (isIn.every(Boolean)) continue;
    for (let run = 0; run < shown.length; run++) if (!isIn[key.codes[run]]) shown[run] = 0;
  }
  return shown;
}

// The hash holds what differs from the view that the page opens with.
function writeHash(form) {
  const said = new URLSearchParams();
  for (const own of form.elements) {
    if (!own.name) continue;
    if (own.type === "checkbox") {
      if (own.checked !== own.defaultChecked)
        said.append(own.name, (own.checked ? "+" : "-") + own.value);
    } else if (own.value !== defaultOf(own)) said.append(own.name, own.value);
  }
  history.replaceState(null, "", `#${said}`);
}

function defaultOf(own) {
  if (own.tagName !== "SELECT") return own.defaultValue;
  return [...own.options].find((option) => option.defaultSelected)?.value ?? own.options[0]?.value;
}

function readHash(form) {
  form.reset();
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    const same = [...form.elements].filter((own) => own.name === name);
    const box = same.find((own) => own.type === "checkbox" && own.value === value.slice(1));
    if (box) box.checked = value[0] === "+";
    else if (same.length && same[0].type !== "checkbox") same[0].value = value;
    if (same[0]?.tagName === "SELECT" && same[0].selectedIndex < 0)
      same[0].value = defaultOf(same[0]);
  }
}
