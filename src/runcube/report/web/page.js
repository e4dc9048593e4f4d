// Start: read what the page holds, build its controls, draw.

async function start() {
  const sweep = JSON.parse(document.getElementById("sweep").textContent);
  await prepare(sweep);
  const form = document.getElementById("view");
  buildControls(sweep, form);
  readHash(form);
  const item = JSON.parse(document.getElementById("figures").textContent);
  await Bokeh.embed.embed_item(item, document.getElementById("curves"));
  const figure = Bokeh.documents[0].get_model_by_name("curves");
  const curves = new Curves(sweep, figure);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => drawCurves(sweep, form, curves);
  themed(figure);
  await redraw();
  dark.addEventListener("change", () => themed(figure));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", redraw);
  addEventListener("hashchange", () => readHash(form) || redraw());
}

async function prepare(sweep) {
  for (const key of sweep.keys) {
    key.codes = await inflated(key.codes, Uint16Array);
    key.colours = coloursOf(key, sweep.palettes);
    const many = key.role === "configuration" || key.role === "seed" ? MOST_CHOICES : Infinity;
    key.isFilter = key.labels.length > 1 && key.labels.length <= many;
  }
  sweep.key = (name) => sweep.keys.find((key) => key.name === name);
  const [configuration, seed] = ["configuration", "seed"].map(sweep.key);
  sweep.runTitle = (run) =>
    `${configuration.labels[configuration.codes[run]]}, seed ${seed.labels[seed.codes[run]]}`;
}

// Numbers and long lists of labels are ordered, so their colours are.
function coloursOf(key, palettes) {
  const n = key.labels.length;
  if (!key.numeric && n <= palettes.categorical.length) return palettes.categorical.slice(0, n);
  const last = palettes.sequential.length - 1;
  return key.labels.map((_, i) => palettes.sequential[Math.round((last * i) / Math.max(1, n - 1))]);
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
    select("colour", "colour", [["configuration", "configuration"], ...keys], startColour(sweep, hparams)),
    select("x", "x", own(sweep.x.map((quantity) => quantity.name)), sweep.x[0].name),
    select("band", `${100 * sweep.ci} % intervals`, [["auto", `up to ${MOST_BANDS} lines`], ["on", "shown"], ["off", "hidden"]], "auto"),
    select("smooth", "smoothing", [["0", "none"], ["0.6", "0.6"], ["0.9", "0.9"], ["0.97", "0.97"]], "0"),
    checkbox("logy", "on", "log y", sweep.start.log),
    checkbox("logx", "on", "log x", false),
    checkbox("runs", "on", "single runs", false),
    checkbox("clip", "on", "clip y to 98 % of the points", false),
  );
  if (splits.length > 1) {
    box.append(fieldset("split", ...splits.map((split) => checkbox("split", split, split, split === sweep.start.split))));
  }
  const filters = sweep.keys.filter((key) => key.isFilter).map(filter);
  document.getElementById("filters").append(...filters);
  form.hidden = false;
}

function startColour(sweep, hparams) {
  if (sweep.key("configuration").labels.length <= sweep.palettes.categorical.length) return "configuration";
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
    smooth: Number(data.get("smooth")),
    logy: data.has("logy"),
    logx: data.has("logx"),
    runs: data.has("runs"),
    clip: data.has("clip"),
  };
}

async function drawCurves(sweep, form, curves) {
  const view = (sweep.view = readView(sweep, form));
  writeHash(form);
  const shown = runsShown(sweep, form);
  const lines = await curves.computed(view, shown);
  if (sweep.view !== view) return; // another one came meanwhile
  const drawn = curves.draw(view, lines);
  const label = (name, text) => (curves.figure.document.get_model_by_name(name).text = text);
  label("curves_x", view.x);
  label("curves_y", view.metric);
  swatches(sweep, view, form);
  document.getElementById("curves-caption").textContent = caption(sweep, view, lines, drawn, shown);
  document.dispatchEvent(new Event("drawn"));
}

// The colours beside the labels that they stand for.
function swatches(sweep, view, form) {
  for (const own of form.querySelectorAll(".swatch")) own.style.display = "none";
  const key = sweep.key(view.colour);
  for (const box of form.elements[`filter ${key.name}`] ?? []) {
    const colour = key.colours[key.labels.indexOf(box.value)];
    Object.assign(box.nextElementSibling.style, { background: colour, display: "inline-block" });
  }
}

function caption(sweep, view, lines, drawn, shown) {
  const runs = shown.reduce((total, own) => total + own, 0);
  const counts = [Infinity, -Infinity];
  for (const line of lines) for (const n of line.n) if (n) grow(counts, n);
  const [least, most] = counts;
  const texts = [`${runs} of ${sweep.n_runs} runs, ${lines.length} lines.`];
  if (most > 1) {
    const band = drawn.hasBands ? `, bands: ${100 * sweep.ci} % interval of the mean (Student's t, pointwise)` : "";
    texts.push(`Lines: mean over n = ${least === most ? least : `${least} to ${most}`} runs${band}.`);
  }
  if (view.smooth) texts.push(`Runs smoothed by a moving average (${view.smooth}) before their mean; thin behind: as logged.`);
  if (drawn.nMarks) texts.push(`▲: ${drawn.nMarks} runs log NaN or infinity from here on; means leave it out.`);
  if (drawn.outside) texts.push(`${drawn.outside} points are outside of the picture.`);
  const own = sweep.curves.find((curve) => curve.metric === view.metric);
  if (own && own.n_x < own.of_x) {
    texts.push(`Drawn at ${own.n_x} of ${own.of_x} x: the first and last, the extremes of each stretch, and what is not finite.`);
  }
  return texts.join(" ");
}

function themed(figure) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const [ink, faint] = [colour("--ink"), colour("--faint")];
  for (const axis of [...figure.left, ...figure.below]) {
    axis.setv({
      axis_line_color: ink,
      major_tick_line_color: ink,
      minor_tick_line_color: null,
      major_label_text_color: ink,
      axis_label_text_color: ink,
    });
  }
  for (const grid of figure.center) grid.grid_line_color = faint;
}

start();
