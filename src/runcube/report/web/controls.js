// The controls of the view, which are one form: its state is in the URL's hash.

// An element; children that are text stay text, never markup.
function element(tag, attributes = {}, ...children) {
  const own = Object.assign(document.createElement(tag), attributes);
  own.append(...children);
  return own;
}

function readView(sweep, form) {
  const data = new FormData(form);
  const names = ["metric", "by", "colour", "x", "band", "across", "down", "rule"];
  const switches = ["logy", "logx", "runs", "clip"];
  return {
    ...Object.fromEntries(names.map((name) => [name, data.get(name)])),
    ...Object.fromEntries(switches.map((name) => [name, data.has(name)])),
    splits: form.elements.split ? data.getAll("split") : [sweep.curves[0].split],
    smooth: Number(data.get("smooth")),
  };
}

// Which labels of a key are let through by its filter: boxes, a part of the text, or a range.
function allowed(key, form, data) {
  const name = `filter ${key.name}`;
  if (form.elements[name]) return Array.from(form.elements[name], (box) => box.checked);
  const [part, from, to] = ["part", "from", "to"].map((own) => data.get(`${name} ${own}`));
  if (part) return key.labels.map((label) => label.includes(part));
  const isIn = (label) =>
    !(from && Number(label) < Number(from)) && !(to && Number(label) > Number(to));
  return key.labels.map((label) => isIn(label));
}

// 1 for each run that all filters let through, and what is said of the others.
function runsShown(sweep, form) {
  const data = new FormData(form);
  const is = new Uint8Array(sweep.n_runs).fill(1);
  const left = [];
  for (const key of sweep.keys) {
    const isIn = allowed(key, form, data);
    if (isIn.every(Boolean)) continue;
    const lost = new Array(key.labels.length).fill(0);
    for (let run = 0; run < is.length; run++) {
      if (isIn[key.codes[run]]) continue;
      is[run] = 0;
      lost[key.codes[run]]++;
    }
    if (key.role === "status")
      key.labels.forEach((label, i) => lost[i] && left.push(`${lost[i]} ${label}`));
  }
  const runs = [...is.keys()].filter((run) => is[run]);
  const said = left.length ? ` (left out: ${left.join(", ")})` : "";
  return { runs, said: `${runs.length} of ${sweep.n_runs} runs${said}` };
}

// The filter of the key that colours the lines stands below them, as the legend of their colours.
function drawLegend(sweep, view, form) {
  const [legend, filters] = ["legend", "filters"].map((id) => document.getElementById(id));
  const key = sweep.key(view.colour);
  if (legend.dataset.key !== key.name) {
    legend.dataset.key = key.name;
    const sets = [...form.querySelectorAll("fieldset[data-key]")];
    for (const { name } of sweep.keys) {
      const own = sets.find((set) => set.dataset.key === name);
      if (own) (name === key.name ? legend : filters).append(own);
    }
  }
  for (const own of form.querySelectorAll(".swatch")) own.style.background = "";
  const scale = legend.querySelector(".scale");
  if (scale) scale.style.background = `linear-gradient(90deg, ${key.colours.join(", ")})`;
  for (const box of form.elements[`filter ${key.name}`] ?? [])
    box.nextElementSibling.style.background = key.colours[key.labels.indexOf(box.value)];
  for (const box of form.elements.split ?? []) {
    const at = view.splits.indexOf(box.value);
    if (at >= 0) box.nextElementSibling.style.background = dashed(DASHES[at % DASHES.length]);
  }
}

// A style of lines as a background: strokes and gaps in turn.
function dashed({ pattern }) {
  let at = 0;
  const stops = pattern.map((length, i) => {
    const colour = i % 2 ? "transparent" : "currentColor";
    return `${colour} ${at}px ${(at += length)}px`;
  });
  return `repeating-linear-gradient(90deg, ${stops.join(", ")})`;
}

// The hash holds what differs from the view that the page opens with.
function writeHash(form) {
  const said = new URLSearchParams();
  for (const own of form.elements) {
    if (!own.name) continue;
    if (own.type === "checkbox") {
      const sign = own.checked ? "+" : "-";
      if (own.checked !== own.defaultChecked) said.append(own.name, sign + own.value);
    } else if (own.value !== defaultOf(own)) said.append(own.name, own.value);
  }
  const hash = `#${said}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
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
    if (same[0]?.selectedIndex < 0) same[0].value = defaultOf(same[0]);
  }
}
