// The figure of curves: means of groups of runs with the intervals of the means.

const DASHES = [
  { name: "solid", pattern: [1] },
  { name: "dashed", pattern: [6, 4] },
  { name: "dotted", pattern: [2, 3] },
  { name: "dotdash", pattern: [2, 3, 6, 3] },
];
const GREY = "#888888";
const MOST_BANDS = 12;
const MANY_LINES = 40;

class Curves extends Picture {
  constructor(sweep, items) {
    super(sweep, "curves", items);
    this.isSeen = true; // at first they are drawn wherever they are
    this.cache = new Map();
  }

  // A curve with its x, and smoothed where asked; kept, since unpacking takes time.
  curve(metric, split, x, alpha) {
    const id = JSON.stringify([metric, split, x, alpha]);
    if (!this.cache.has(id)) this.cache.set(id, this.load(metric, split, x, alpha));
    return this.cache.get(id);
  }

  async load(metric, split, x, alpha) {
    const own = this.sweep.curves.find((c) => c.metric === metric && c.split === split);
    if (!own) return null;
    if (alpha) {
      const raw = await this.curve(metric, split, x, 0);
      const onDim = await this.curve(metric, split, this.sweep.x[0].name, 0);
      return { ...smoothed(raw, onDim.xOf(0), alpha), raw };
    }
    const curve = await unpacked(own, this.sweep.n_runs);
    const places = own.kept ? await inflated(own.kept, Uint32Array) : null;
    const firstBad = Int32Array.from({ length: this.sweep.n_runs }, (_, run) =>
      curve.bad.subarray(run * curve.nX, (run + 1) * curve.nX).findIndex(Boolean),
    );
    return { ...curve, own, firstBad, split, xOf: await this.xOf(x, places) };
  }

  // A function from a run to its x at the places that a curve has.
  async xOf(name, places) {
    const own = this.sweep.x.find((quantity) => quantity.name === name);
    const taken = (all) => (places ? Float64Array.from(places, (i) => all[i]) : all);
    if (own.shared) {
      const shared = taken(await inflated(own.shared, Float64Array));
      return () => shared;
    }
    const { values, nX } = await unpacked(own.own, this.sweep.n_runs);
    return (run) => taken(values.subarray(run * nX, (run + 1) * nX));
  }

  async values({ metric, splits, x, smooth }) {
    const all = await Promise.all(splits.map((split) => this.curve(metric, split, x, smooth)));
    return all.filter(Boolean);
  }

  compute(view, shown, curves) {
    const groups = grouped(this.sweep, view, shown);
    const lines = curves.flatMap((curve) => this.lines(view, groups, curve));
    const drawn = this.drawLines(view, lines);
    const { ci } = this.sweep;
    return {
      note: caption(this.sweep, view, lines, drawn, shown),
      precision: `${view.metric}, means of values that were rounded before (${curves
        .map(({ split, own, raw }) => `${split || view.metric}: ${(own ?? raw.own).precision}`)
        .join("; ")}); ${shown.said}; the archive has all digits`,
      legend: () => this.legend(view),
      table: (isAll) => curveTable(lines, view, ci, isAll),
    };
  }

  // What is drawn of a split; the same is in the table and in the CSV.
  lines(view, groups, curve) {
    const dash = DASHES[view.splits.indexOf(curve.split) % DASHES.length].name;
    const hasBad = (group) => group.runs.some((run) => curve.firstBad[run] >= 0);
    return groups
      .map((group) => ({ ...group, ...summary(curve, group.runs, this.sweep.t), curve, dash }))
      .filter((line) => line.n.some(Boolean) || hasBad(line))
      .map((line) => ({
        ...line,
        x: meanX(curve, line.runs),
        title: view.splits.length > 1 ? `${line.title}, ${curve.split}` : line.title,
      }));
  }

  drawLines(view, lines) {
    const hasBands = view.band === "on" || (view.band === "auto" && lines.length <= MOST_BANDS);
    const [leastX, leastY] = [view.logx, view.logy].map((is) => (is ? Number.MIN_VALUE : -Infinity));
    const onAxes = (x, y) => y.map((own, i) => (x[i] >= leastX && own >= leastY ? own : NaN));
    const [behind, means, bands, points, marks] = [[], [], [], [], []];
    // Many lines are thin: they hide less of each other, and are painted in half the time.
    const width = lines.length > MANY_LINES ? 1 : 2;
    for (const line of lines) {
      const { colour, curve, dash, runs, x } = line;
      const ys = onAxes(x, line.mean);
      means.push({ xs: x, ys, colour, alpha: 1, width, dash, line });
      for (const [start, stop] of stretches(ys))
        if (stop - start === 1) points.push({ x: x[start], y: ys[start], colour, line, at: start });
      if (hasBands) bands.push(...areas(line, onAxes));
      const thin = { colour, dash: "solid" };
      if (curve.raw) {
        const raw = onAxes(x, summary(curve.raw, runs, this.sweep.t).mean);
        behind.push({ xs: x, ys: raw, ...thin, alpha: 0.3, width: 1 });
      }
      for (const run of runs) {
        const xs = curve.xOf(run);
        const at = curve.firstBad[run];
        const own = () => curve.values.subarray(run * curve.nX, (run + 1) * curve.nX);
        if (view.runs && runs.length > 1)
          behind.push({ xs, ys: onAxes(xs, own()), ...thin, alpha: 0.5, width: 0.8, line, run });
        if (at >= 0 && Number.isFinite(xs[at])) marks.push({ x: xs[at], colour, line, run, at });
      }
    }
    const data = { bands, lines: [...behind, ...means], points, marks };
    const outside = this.setRanges(view, data);
    const { start, end } = this.figure.model.y_range;
    const edge = (share) =>
      view.logy ? start * (end / start) ** share : start + share * (end - start);
    for (const mark of marks) {
      const isLow = mark.line.curve.bad[mark.run * mark.line.curve.nX + mark.at] === MINUS;
      Object.assign(mark, isLow ? { y: edge(0.02), angle: Math.PI } : { y: edge(0.98), angle: 0 });
    }
    const nCut = bands.filter(({ ys }) => ys.some((y) => y < start || y > end)).length;
    this.show(data);
    return { outside, nCut, hasBands, nMarks: marks.length };
  }

  // Ranges around all lines, or what holds 98 % of their points; returns how many are outside.
  setRanges(view, { lines, bands, marks }) {
    const [all, x] = [[], [Infinity, -Infinity]];
    let bounds = [Infinity, -Infinity];
    for (const { xs, ys } of lines) {
      for (let i = 0; i < xs.length; i++) {
        if (ys[i] !== ys[i]) continue;
        if (view.clip) all.push(ys[i]);
        grow(bounds, ys[i]);
        grow(x, xs[i]);
      }
    }
    for (const mark of marks) grow(x, mark.x);
    if (all.length) bounds = [quantile(all, 0.01), quantile(all, 0.99)];
    else if (bounds[0] <= bounds[1]) {
      const [low, high] = withIntervals(bounds, extent(bands.flatMap((area) => area.ys)));
      bounds = [view.logy ? bounds[0] : low, high];
    }
    this.figure.setAxis("x", view.x, x, view.logx, 0.01);
    this.figure.setAxis("y", view.metric, bounds, view.logy, 0.04);
    const { start, end } = this.figure.model.y_range;
    return all.filter((y) => y < start || y > end).length;
  }

  // What is said of a point of a line, of a run or of a mark.
  tooltip(source, index, segment) {
    const { line, run, at = segment } = this.drawn[source]?.[index] ?? {};
    if (!line) return null;
    const { metric, x } = this.sweep.view;
    const { values, bad, nX, xOf } = line.curve;
    if (run === undefined) {
      const half = Number.isFinite(line.half[at]) ? ` ± ${format(line.half[at])}` : "";
      const mean = `${metric}: ${format(line.mean[at])}${half}`;
      return [line.title, `${x}: ${format(line.x[at])}`, mean, `n = ${line.n[at]}`];
    }
    const place = run * nX + at;
    const names = { [MINUS]: "-∞", [PLUS]: "∞", [NOT_A_NUMBER]: "NaN" };
    const isMark = source === "marks";
    const own = isMark ? `${names[bad[place]]} from here on` : `${metric}: ${format(values[place])}`;
    return [this.sweep.runTitle(run), `${x}: ${format(xOf(run)[at])}`, own];
  }

  // A line for each colour and style that is drawn, as Bokeh's legend of what is exported.
  legend(view) {
    const [colours, styles] = [new Map(), new Map()];
    for (const [index, { line, run }] of this.drawn.lines.entries()) {
      if (!line || run !== undefined) continue;
      if (!colours.has(line.key)) colours.set(line.key, index);
      if (view.splits.length > 1) styles.set(line.curve.split, index);
    }
    const source = this.figure.get("lines");
    const renderers = this.figure.model.renderers.filter((own) => own.data_source === source);
    const item = ([value, index]) => made("LegendItem", { label: { value }, renderers, index });
    return [...[...colours].slice(0, 24), ...styles].map(item);
  }
}

// What runs are drawn as one: lists of runs with title and colour.
function grouped(sweep, view, shown) {
  const [by, colour] = [sweep.key(view.by), sweep.key(view.colour)];
  const found = new Map();
  for (const run of shown.runs) {
    const code = by ? by.codes[run] : run;
    if (!found.has(code)) found.set(code, []);
    found.get(code).push(run);
  }
  const named = (key, code) => (key.role === "hparam" ? `${key.shown}=` : "") + key.labels[code];
  const group = ([code, runs]) => {
    const own = colour.codes[runs[0]];
    const isOne = runs.every((run) => colour.codes[run] === own);
    const title = by ? named(by, code) : sweep.runTitle(code);
    if (!isOne) return { code, runs, title, colour: GREY, key: `several ${colour.shown}` };
    return { code, runs, title, colour: colour.colours[own], key: named(colour, own) };
  };
  return [...found].sort(([a], [b]) => a - b).map(group);
}

// x of the mean of some runs: their own mean where each has its own.
function meanX(curve, runs) {
  const own = runs.map((run) => curve.xOf(run));
  if (own.every((x) => x === own[0])) return own[0];
  return Float64Array.from(own[0], (_, i) => {
    const there = own.map((x) => x[i]).filter(Number.isFinite);
    return there.reduce((total, x) => total + x, 0) / there.length;
  });
}

// The interval of the mean as areas without gaps.
function areas({ x, mean, half, colour }, onAxes) {
  const upper = mean.map((own, i) => own + half[i]);
  const there = stretches(onAxes(x, upper)).filter(([start, stop]) => stop - start > 1);
  return there.map(([start, stop]) => {
    const places = Array.from({ length: stop - start }, (_, i) => start + i);
    const back = places.toReversed();
    const ys = [...places.map((i) => upper[i]), ...back.map((i) => mean[i] - half[i])];
    return { xs: [...places, ...back].map((i) => x[i]), ys, colour };
  });
}

// The lines as a table: all points for a file, the last of each for the page.
function curveTable(lines, view, ci, isAll) {
  const level = `${100 * ci} % interval of the mean (Student's t)`;
  const head = ["line", "split", view.x, `${view.metric}, mean`, `${level}, lower`, "upper", "n"];
  const rows = lines.flatMap(({ title, curve, x, mean, half, n }) => {
    const places = [...mean.keys()].filter((i) => n[i]);
    const row = (i) => [x[i], mean[i], mean[i] - half[i], mean[i] + half[i], n[i]];
    return (isAll ? places : places.slice(-1)).map((i) => [title, curve.split, ...row(i)]);
  });
  return { head, rows };
}

function caption(sweep, view, lines, { hasBands, nCut, nMarks, outside }, shown) {
  const counts = lines.flatMap((line) => [...new Set(line.n)].filter(Boolean));
  const level = `${100 * sweep.ci} % interval of the mean (Student's t, pointwise)`;
  const own = sweep.curves.find((curve) => curve.metric === view.metric);
  const texts = [
    `${shown.said}, ${several(lines.length, "line")}.`,
    extent(counts)[1] > 1 &&
      `Lines: mean over n = ${countRange(counts)} runs${hasBands ? `, bands: ${level}` : ""}.`,
    nCut && `${several(nCut, "band")} beyond the picture.`,
    lines.some((line) => line.colour === GREY) && `Grey: over several ${sweep.key(view.colour).shown}.`,
    view.smooth &&
      `Runs smoothed by a moving average (${view.smooth}) before their mean; thin behind: as logged.`,
    nMarks && `▲: ${several(nMarks, "run")} with NaN or infinity from here on; means leave it out.`,
    outside && `${several(outside, "point")} outside of the picture.`,
    own && own.n_x < own.of_x &&
      `Drawn at ${own.n_x} of ${own.of_x} x: the first, the last, the extremes of each stretch,` +
        " and what is not finite.",
  ];
  return texts.filter(Boolean).join(" ");
}
