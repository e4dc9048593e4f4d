// Start: read what the page holds, build its controls, draw.

async function main() {
  const sweep = JSON.parse(document.getElementById("sweep").textContent);
  await prepare(sweep);
  const form = document.getElementById("view");
  buildControls(sweep, form);
  readHash(form);
  const items = JSON.parse(document.getElementById("figures").textContent);
  const figure = await Figure.embedded(items.curves, document.getElementById("curves"));
  const curves = new Curves(sweep, figure);
  curves.below = new Below("curves", figure, () => curves.content);
  const others = overviews(sweep, items);
  const redraw = async () => {
    const view = (sweep.view = readView(sweep, form));
    const shown = runsShown(sweep, form);
    await drawCurves(sweep, view, form, shown, curves);
    if (sweep.view !== view) return; // another one came meanwhile
    writeHash(form);
    await Promise.all(others.map((own) => own.drawIfSeen(view, shown)));
  };
  await redraw();
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", redraw);
  dark.addEventListener("change", () => {
    coloured(sweep);
    redraw();
  });
  addEventListener("hashchange", () => {
    readHash(form);
    redraw();
  });
}

const dark = matchMedia("(prefers-color-scheme: dark)");

// Light and dark pages leave out the end of the palette that is near their own colour.
function coloured(sweep) {
  const { categorical, sequential } = sweep.palettes;
  sweep.scale = dark.matches ? sequential.slice(5) : sequential.slice(0, -2);
  for (const key of sweep.keys) key.colours = coloursOf(key, categorical, sweep.scale);
}

async function prepare(sweep) {
  for (const key of sweep.keys) {
    key.codes = await inflated(key.codes, Uint16Array);
    const many = key.role === "configuration" || key.role === "seed" ? MOST_CHOICES : Infinity;
    key.isFilter = key.labels.length > 1 && key.labels.length <= many;
  }
  coloured(sweep);
  sweep.key = (name) => sweep.keys.find((key) => key.name === name);
  const [configuration, seed] = ["configuration", "seed"].map(sweep.key);
  sweep.runTitle = (run) =>
    `${configuration.labels[configuration.codes[run]]}, seed ${seed.labels[seed.codes[run]]}`;
}

// Numbers and long lists of labels are ordered, so their colours are.
function coloursOf(key, categorical, scale) {
  const n = key.labels.length;
  if (!key.numeric && n <= categorical.length) return categorical.slice(0, n);
  return key.labels.map((_, i) => scale[Math.round(((scale.length - 1) * i) / Math.max(1, n - 1))]);
}

function buildControls(sweep, form) {
  const unique = (name) => [...new Set(sweep.curves.map((curve) => curve[name]))];
  const own = (names) => names.map((name) => [name, name]);
  const hparams = sweep.keys.filter((key) => key.role === "hparam");
  const keys = hparams.map((key) => [key.name, key.title]);
  const all = ["configuration", "configuration (all but the seed)"];
  const splits = unique("split");
  const box = document.getElementById("curves-controls");
  box.append(
    select("metric", "metric", own(unique("metric")), sweep.start.metric),
    select("by", "one line for each", [all, ...keys, ["run", "run"]], "configuration"),
    select(
      "colour",
      "colour",
      [["configuration", "configuration"], ...keys],
      startColour(sweep, hparams),
    ),
    select("x", "x", own(sweep.x.map((quantity) => quantity.name)), sweep.x[0].name),
    select(
      "band",
      `${100 * sweep.ci} % intervals`,
      [
        ["auto", `up to ${MOST_BANDS} lines`],
        ["on", "shown"],
        ["off", "hidden"],
      ],
      "auto",
    ),
    select(
      "smooth",
      "smoothing",
      [
        ["0", "none"],
        ["0.6", "0.6"],
        ["0.9", "0.9"],
        ["0.97", "0.97"],
      ],
      "0",
    ),
    checkbox("logy", "on", "log y", sweep.start.log),
    checkbox("logx", "on", "log x", false),
    checkbox("runs", "on", "single runs", false),
    checkbox("clip", "on", "clip y to 98 % of the points", false),
  );
  if (splits.length > 1) {
    box.append(
      fieldset(
        "split",
        ...splits.map((split) => checkbox("split", split, split, split === sweep.start.split)),
      ),
    );
  }
  const size = (key) => (key.labels.length <= MOST_LABELS ? key.labels.length : -key.labels.length);
  const [wide, high] = [...hparams].sort((a, b) => size(b) - size(a));
  document
    .getElementById("heatmap-controls")
    .append(
      select("across", "across", keys, wide?.name),
      select("down", "down", keys, high?.name),
      select("rule", "value", Object.entries(RULES), "mean"),
    );
  const filters = sweep.keys.filter((key) => key.isFilter).map(filter);
  document.getElementById("filters").append(...filters);
  document.getElementById("filters").closest("details").open = filters.length <= 8;
  form.hidden = false;
}

function startColour(sweep, hparams) {
  if (sweep.key("configuration").labels.length <= sweep.palettes.categorical.length)
    return "configuration";
  const few = hparams.filter((key) => key.labels.length <= MOST_CHOICES);
  const best = few.sort((a, b) => b.labels.length - a.labels.length)[0] ?? hparams[0];
  return best ? best.name : "configuration";
}

function readView(sweep, form) {
  const data = new FormData(form);
  return {
    metric: data.get("metric"),
    splits: form.elements.split ? data.getAll("split") : [sweep.curves[0].split],
    by: data.get("by"),
    colour: data.get("colour"),
    x: data.get("x"),
    band: data.get("band"),
    across: data.get("across"),
    down: data.get("down"),
    rule: data.get("rule"),
    smooth: Number(data.get("smooth")),
    logy: data.has("logy"),
    logx: data.has("logx"),
    runs: data.has("runs"),
    clip: data.has("clip"),
  };
}

// The figures of last values, as far as there is something to show.
function overviews(sweep, items) {
  const n = sweep.keys.filter((key) => key.role === "hparam").length;
  const kinds = { distribution: [Distribution, 0], heatmap: [Heatmap, 2], parallel: [Parallel, 1] };
  const there = Object.entries(kinds).filter(([name, [, least]]) => {
    document.getElementById(`look-${name}`).hidden = n < least;
    return n >= least;
  });
  return there.map(([name, [Kind]]) => new Kind(sweep, name, items[name]));
}

async function drawCurves(sweep, view, form, shown, curves) {
  const lines = await curves.computed(view, shown);
  if (sweep.view !== view) return;
  const drawn = curves.draw(view, lines);
  swatches(sweep, view, form);
  const note = caption(sweep, view, lines, drawn, shown);
  document.getElementById("curves-caption").textContent = note;
  curves.content = {
    note,
    precision: precision(sweep, view),
    legend: () => legendItems(sweep, view, curves),
    table: (isAll) => curveTable(lines, view, sweep.ci, isAll),
  };
  curves.below.update();
  document.dispatchEvent(new Event("drawn"));
}

// Labels of colours and splits, as far as they are drawn.
function legendItems(sweep, view, curves) {
  const key = sweep.key(view.colour);
  const items = [];
  const add = (text, name, index) => {
    const renderers = [curves.figure.renderer(name)];
    if (index >= 0) items.push(made("LegendItem", { label: { value: text }, renderers, index }));
  };
  const lines = (split) => `lines_${DASHES[view.splits.indexOf(split) % DASHES.length]}`;
  for (const [code, label] of key.labels.entries()) {
    const name = lines(view.splits[0]);
    const isOwn = (row) => row.colour === key.colours[code] && key.codes[row.line.runs[0]] === code;
    if (items.length < 24) add(`${key.name}=${label}`, name, curves.drawn[name].findIndex(isOwn));
  }
  if (view.splits.length > 1) for (const split of view.splits) add(split, lines(split), 0);
  return items;
}

function precision(sweep, view) {
  const texts = sweep.curves
    .filter((curve) => curve.metric === view.metric && view.splits.includes(curve.split))
    .map(
      (curve) =>
        `${curve.split || curve.metric}: ${PRECISION[curve.scale]} ${curve.error.toPrecision(2)}`,
    );
  const rounded = `means of values that were rounded before (${texts.join("; ")})`;
  return `${view.metric}, ${rounded}; the archive has all digits`;
}

// Counts as text: 5, or 3 to 5.
function countRange(counts) {
  const [least, most] = extent(counts);
  return least < most ? `${least} to ${most}` : `${most}`;
}

const PRECISION = { linear: "within", log: "log10 within", asinh: "asinh within" };

// Colours and styles of lines beside the labels that they stand for.
function swatches(sweep, view, form) {
  for (const own of form.querySelectorAll(".swatch")) own.removeAttribute("style");
  const mark = (box, style) => {
    Object.assign(box.nextElementSibling.style, style, { display: "inline-block" });
  };
  const key = sweep.key(view.colour);
  for (const box of form.elements[`filter ${key.name}`] ?? []) {
    mark(box, { background: key.colours[key.labels.indexOf(box.value)] });
  }
  if (view.splits.length < 2) return;
  for (const box of form.elements.split) {
    const style = DASHES[view.splits.indexOf(box.value) % DASHES.length];
    if (box.checked)
      mark(box, {
        width: "2.6em",
        height: 0,
        borderRadius: 0,
        borderTop: `2px ${style.replace("dotdash", "double")}`,
      });
  }
}

function caption(sweep, view, lines, drawn, shown) {
  const runs = shown.reduce((total, own) => total + own, 0);
  const counts = new Set();
  for (const line of lines) for (const n of line.n) if (n) counts.add(n);
  const texts = [`${runs} of ${sweep.n_runs} runs, ${lines.length} lines.`];
  if (Math.max(...counts) > 1) {
    const band = drawn.hasBands
      ? `, bands: ${100 * sweep.ci} % interval of the mean (Student's t, pointwise)`
      : "";
    texts.push(`Lines: mean over n = ${countRange(counts)} runs${band}.`);
  }
  if (view.smooth)
    texts.push(
      `Runs smoothed by a moving average (${view.smooth}) before their mean; thin behind: as logged.`,
    );
  if (drawn.nMarks)
    texts.push(`▲: ${drawn.nMarks} runs log NaN or infinity from here on; means leave it out.`);
  if (drawn.outside) texts.push(`${drawn.outside} points are outside of the picture.`);
  const own = sweep.curves.find((curve) => curve.metric === view.metric);
  if (own && own.n_x < own.of_x) {
    texts.push(
      `Drawn at ${own.n_x} of ${own.of_x} x: the first, the last,`,
      "the extremes of each stretch, and what is not finite.",
    );
  }
  return texts.join(" ");
}

function copyButtons() {
  for (const button of document.querySelectorAll("button.copy")) {
    const text = button.closest("details").querySelector("pre");
    button.addEventListener("click", async () => {
      getSelection().selectAllChildren(text); // to be copied by hand where the browser says no
      const isDone = await navigator.clipboard.writeText(text.textContent).then(
        () => true,
        () => false,
      );
      button.textContent = isDone ? "Copied" : "Selected: copy it with the keyboard";
    });
  }
}

copyButtons();
main();
