// Start: read what the page holds, draw, and draw again when the view changes.

const dark = matchMedia("(prefers-color-scheme: dark)");

async function main() {
  const [sweep, items] = ["sweep", "figures"].map((id) =>
    JSON.parse(document.getElementById(id).textContent),
  );
  const key = (name) => sweep.keys.find((own) => own.name === name);
  await Promise.all(
    sweep.keys.map(async (own) => (own.codes = await inflated(own.codes, Uint16Array))),
  );
  const title = (name, run) => key(name).labels[key(name).codes[run]];
  const runTitle = (run) => `${title("configuration", run)}, seed ${title("seed", run)}`;
  Object.assign(sweep, { key, runTitle });
  const form = document.getElementById("view");
  form.hidden = false;
  const kinds = { distribution: Distribution, heatmap: Heatmap, parallel: Parallel };
  const others = Object.entries(kinds).filter(([name]) => document.getElementById(name));
  const overviews = others.map(([name, Kind]) => new Kind(sweep, name, items));
  const figures = [new Curves(sweep, items), ...overviews];
  const redraw = async () => {
    const view = (sweep.view = readView(sweep, form));
    const shown = runsShown(sweep, form);
    drawLegend(sweep, view, form);
    writeHash(form);
    await Promise.all(figures.map((own) => own.drawIfSeen(view, shown)));
  };
  const start = () => {
    coloured(sweep);
    readHash(form);
    return redraw();
  };
  await start();
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", redraw);
  dark.addEventListener("change", start);
  addEventListener("hashchange", start);
}

// Numbers and long lists of labels are ordered, so their colours are. Light and dark pages leave
// out the end of the palette that is near their own colour.
function coloured(sweep) {
  const { categorical, sequential } = sweep.palettes;
  const scale = (sweep.scale = dark.matches ? sequential.slice(5) : sequential.slice(0, -2));
  for (const key of sweep.keys) {
    const n = key.labels.length;
    const at = (i) => Math.round(((scale.length - 1) * i) / Math.max(1, n - 1));
    const isFew = !key.numeric && n <= categorical.length;
    key.colours = key.labels.map((_, i) => (isFew ? categorical[i] : scale[at(i)]));
  }
}

for (const button of document.querySelectorAll("button.copy")) {
  const text = button.closest("details").querySelector("pre");
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(text); // to be copied by hand where the browser says no
    const answer = navigator.clipboard.writeText(text.textContent).then(() => true, () => false);
    button.textContent = (await answer) ? "Copied" : "Selected: copy it with the keyboard";
  });
}
main();
