// The figure of curves: means of groups of runs with the intervals of the means.

const DASHES = ["solid", "dashed", "dotted", "dotdash"];
const GREY = "#888888";
const MOST_BANDS = 12;
const MANY_LINES = 40;

class Curves {
  constructor(sweep, figure) {
    this.sweep = sweep;
    this.figure = figure;
    this.cache = new Map();
    figure.onHover((source, index, at) => this.tooltip(source, index, at));
  }

  // A curve with its x, and smoothed where asked; kept, since unpacking takes time.
  async curve(metric, split, x, alpha) {
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
    return { ...curve, own, firstBad, xOf: await this.xOf(x, places) };
  }

  // A function from a run to its x at the places that a curve has.
  async xOf(name, places) {
    const own = this.sweep.x.find((quantity) => quantity.name === name);
    const taken = (all, start) => (places ? Float64Array.from(places, (i) => all[start + i]) : all);
    if (own.shared) {
      const shared = taken(await inflated(own.shared, Float64Array), 0);
      return () => shared;
    }
    const { values, nX } = await unpacked(own.own, this.sweep.n_runs);
    return (run) => taken(values.subarray(run * nX, (run + 1) * nX), 0);
  }

  // What is drawn of a view; the same is in the table and in the CSV.
  async computed(view, shown) {
    const groups = grouped(this.sweep, view, shown);
    const lines = [];
    for (const split of view.splits) {
      const curve = await this.curve(view.metric, split, view.x, view.smooth);
      if (!curve) continue;
      const dash = DASHES[view.splits.indexOf(split) % DASHES.length];
      for (const group of groups) {
        const own = summary(curve, group.runs, this.sweep.t);
        if (!own.n.some(Boolean) && !group.runs.some((run) => curve.firstBad[run] >= 0)) continue;
        const x = meanX(curve, group.runs);
        const title = view.splits.length > 1 ? `${group.title}, ${split}` : group.title;
        lines.push({ ...own, ...group, x, title, split, dash, curve });
      }
    }
    return lines;
  }

  draw(view, lines) {
    const data = Object.fromEntries(
      ["bands", "raw", "runs", "points", "marks", ...DASHES.map((dash) => `lines_${dash}`)].map(
        (name) => [name, []],
      ),
    );
    const hasBands = view.band === "on" || (view.band === "auto" && lines.length <= MOST_BANDS);
    const [leastX, leastY] = [
      view.logx ? Number.MIN_VALUE : -Infinity,
      view.logy ? Number.MIN_VALUE : -Infinity,
    ];
    const onAxes = (x, y) => {
      const drawn = new Float64Array(y.length).fill(NaN);
      for (let i = 0; i < y.length; i++) if (x[i] >= leastX && y[i] >= leastY) drawn[i] = y[i];
      return drawn;
    };
    for (const line of lines) {
      const { colour } = line;
      const y = onAxes(line.x, line.mean);
      data[`lines_${line.dash}`].push({ xs: line.x, ys: y, colour, line });
      for (const [start, stop] of stretches(y)) {
        if (stop - start === 1)
          data.points.push({ x: line.x[start], y: y[start], colour, line, at: start });
      }
      if (hasBands) data.bands.push(...bands(line, onAxes));
      if (line.curve.raw) {
        data.raw.push({
          xs: line.x,
          ys: onAxes(line.x, summary(line.curve.raw, line.runs, this.sweep.t).mean),
          colour,
        });
      }
      for (const run of line.runs) {
        const { values, nX } = line.curve;
        const own = line.curve.xOf(run);
        if (view.runs && line.runs.length > 1) {
          data.runs.push({
            xs: own,
            ys: onAxes(own, values.subarray(run * nX, (run + 1) * nX)),
            colour,
            line,
            run,
          });
        }
        const at = line.curve.firstBad[run];
        if (at >= 0 && Number.isFinite(own[at]))
          data.marks.push({ x: own[at], colour, line, run, at });
      }
    }
    const outside = this.setRanges(view, data);
    const [start, end] = edges(this.figure.model.y_range, view.logy);
    for (const mark of data.marks) {
      const isLow = mark.line.curve.bad[mark.run * mark.line.curve.nX + mark.at] === MINUS;
      mark.y = isLow ? start : end;
      mark.angle = isLow ? Math.PI : 0;
    }
    // Many lines are thin: they hide less of each other, and are painted in half the time.
    const width = { value: lines.length > MANY_LINES ? 1 : 2 };
    for (const dash of DASHES) this.figure.renderer(`lines_${dash}`).glyph.line_width = width;
    this.drawn = data;
    for (const [name, rows] of Object.entries(data)) this.figure.fill(name, rows);
    return { outside, hasBands, nMarks: data.marks.length };
  }

  // Ranges around all lines, or what holds 98 % of their points; returns how many are outside.
  setRanges(view, data) {
    const lines = [...data.raw, ...data.runs, ...DASHES.flatMap((dash) => data[`lines_${dash}`])];
    const all = [];
    const x = [Infinity, -Infinity];
    let bounds = [Infinity, -Infinity];
    for (const { xs, ys } of lines) {
      for (let i = 0; i < xs.length; i++) {
        if (ys[i] === ys[i]) {
          if (view.clip) all.push(ys[i]);
          grow(bounds, ys[i]);
          grow(x, xs[i]);
        }
      }
    }
    for (const mark of data.marks) grow(x, mark.x);
    if (view.clip && all.length) bounds = [quantile(all, 0.01), quantile(all, 0.99)];
    else if (bounds[0] <= bounds[1]) bounds = withBands(bounds, data.bands, view.logy);
    this.figure.setAxis("x", view.x, x, view.logx, 0.01);
    this.figure.setAxis("y", view.metric, bounds, view.logy, 0.04);
    const { start, end } = this.figure.model.y_range;
    return view.clip ? all.filter((y) => y < start || y > end).length : 0;
  }

  // What is said of a point of a line, of a run or of a mark.
  tooltip(source, index, segment) {
    const row = this.drawn[source]?.[index];
    if (!row) return null;
    const at = row.at ?? segment;
    const { line } = row;
    const { curve } = line;
    const texts = [row.run === undefined ? line.title : this.sweep.runTitle(row.run)];
    const x = row.run === undefined ? line.x[at] : curve.xOf(row.run)[at];
    texts.push(`${this.sweep.view.x}: ${format(x)}`);
    if (source === "marks")
      texts.push(`${nameOf(curve.bad[row.run * curve.nX + at])} from here on`);
    else if (row.run !== undefined)
      texts.push(`${this.sweep.view.metric}: ${format(curve.values[row.run * curve.nX + at])}`);
    else {
      const half = Number.isFinite(line.half[at]) ? ` ± ${format(line.half[at])}` : "";
      texts.push(`${this.sweep.view.metric}: ${format(line.mean[at])}${half}`, `n = ${line.n[at]}`);
    }
    return texts;
  }
}

// Lists of runs that are drawn as one each, with title and colour.
function grouped(sweep, view, shown) {
  const by = sweep.key(view.by);
  const found = new Map();
  for (let run = 0; run < shown.length; run++) {
    if (!shown[run]) continue;
    const code = by ? by.codes[run] : run;
    if (!found.has(code)) found.set(code, []);
    found.get(code).push(run);
  }
  const colour = sweep.key(view.colour);
  const codes = [...found.keys()].sort((a, b) => a - b);
  return codes.map((code) => {
    const runs = found.get(code);
    const isOne = runs.every((run) => colour.codes[run] === colour.codes[runs[0]]);
    const label = by ? by.labels[code] : sweep.runTitle(code);
    const title = by && by.role === "hparam" ? `${by.name}=${label}` : label;
    return { code, runs, title, colour: isOne ? colour.colours[colour.codes[runs[0]]] : GREY };
  });
}

function nameOf(code) {
  return { [MINUS]: "-∞", [PLUS]: "∞", [NOT_A_NUMBER]: "NaN" }[code];
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
function bands(line, onAxes) {
  const x = line.x;
  const upper = onAxes(
    x,
    line.mean.map((mean, i) => mean + line.half[i]),
  );
  return stretches(upper)
    .filter(([start, stop]) => stop - start > 1)
    .map(([start, stop]) => {
      const low = line.mean
        .slice(start, stop)
        .map((mean, i) => mean - line.half[start + i])
        .reverse();
      const xs = [...x.slice(start, stop), ...x.slice(start, stop).reverse()];
      return { xs, ys: [...upper.slice(start, stop), ...low], colour: line.colour };
    });
}

function extent(values) {
  const bounds = [Infinity, -Infinity];
  for (const value of values) grow(bounds, value);
  return bounds;
}

function grow(bounds, value) {
  if (value < bounds[0]) bounds[0] = value;
  if (value > bounds[1]) bounds[1] = value;
}

// Wide intervals of few seeds may double the range, not more: they would hide the lines.
function withBands([low, high], areas, isLog) {
  const room = (high - low) / 2;
  const [least, most] = extent(areas.flatMap((area) => area.ys));
  return [
    isLog ? low : Math.min(low, Math.max(least, low - room)),
    Math.max(high, Math.min(most, high + room)),
  ];
}

// The lines as a table: all points for a file, the last of each for the page.
function curveTable(lines, view, ci, isAll) {
  const level = `${100 * ci} % interval of the mean (Student's t)`;
  const head = ["line", "split", view.x, `${view.metric}, mean`, `${level}, lower`, "upper", "n"];
  const rows = [];
  for (const line of lines) {
    const places = [...line.mean.keys()].filter((i) => line.n[i]);
    for (const i of isAll ? places : places.slice(-1)) {
      const bounds = [line.mean[i] - line.half[i], line.mean[i] + line.half[i]];
      rows.push([line.title, line.split, line.x[i], line.mean[i], ...bounds, line.n[i]]);
    }
  }
  return { head, rows };
}

function format(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(5))) : "–";
}
