// The figures of last values: one number for each run that is shown.

const MOST_LABELS = 24; // on an axis of groups
const MOST_TEXTS = 150; // cells with numbers in them

// What the figures share: groups, last values, colours by value.
class Overview {
  constructor(sweep, name, item) {
    this.sweep = sweep;
    this.name = name;
    this.item = item;
    this.isSeen = false;
    const seen = new IntersectionObserver(
      ([entry]) => {
        this.isSeen = entry.isIntersecting;
        if (this.isSeen) this.asked?.();
      },
      { rootMargin: "200px" },
    );
    seen.observe(document.getElementById(name));
  }

  async embed() {
    this.figure = await Figure.embedded(this.item, document.getElementById(this.name));
    this.figure.onHover((source, index) => this.drawn[source]?.[index]?.said);
    document.getElementById(this.name).style.minHeight = 0;
    this.below = new Below(this.name, this.figure, () => this.content);
  }

  // Draw it now if it is near the window, else once it is: filters stay quick.
  async drawIfSeen(view, shown) {
    this.asked = () => this.draw(view, shown);
    if (this.isSeen) await this.asked();
  }

  async draw(view, shown) {
    this.ready ??= this.embed();
    await this.ready;
    const last = await lastValues(this.sweep, view);
    if (this.sweep.view !== view) return;
    const { rows, head, note } = this.compute(view, shown, last);
    const what = `Last logged ${view.metric}${view.splits[0] ? ` of ${view.splits[0]}` : ""}`;
    this.content = {
      note: `${what}. ${note}`,
      precision: `${what}. ${note} All digits.`,
      legend: () => [],
      table: () => ({ head, rows }),
    };
    document.getElementById(`${this.name}-caption`).textContent = this.content.note;
    this.below.update();
    document.dispatchEvent(new Event(`drawn ${this.name}`));
  }

  show(data) {
    this.drawn = data;
    for (const [name, rows] of Object.entries(data)) this.figure.fill(name, rows);
  }

  // Names at whole numbers of an axis.
  nameAxis(which, label, names) {
    const axis = this.figure.axis(which);
    const isNamed = names.length <= MOST_LABELS;
    axis.ticker = made("FixedTicker", { ticks: isNamed ? [...names.keys()] : [] });
    axis.major_label_overrides = new Map(names.map((name, i) => [i, plain(name)]));
    if (which === "x")
      axis.major_label_orientation = names.join("").length > 60 ? 0.6 : "horizontal";
    axis.major_tick_line_color = null;
    this.figure.get(which).text = label;
    setRange(this.figure.model[`${which}_range`], [-0.5, names.length - 0.5], false, 0);
  }

  colourOf(value, [low, high]) {
    const all = this.sweep.scale;
    const share = high > low ? (value - low) / (high - low) : 0.5;
    return {
      colour: all[Math.round(share * (all.length - 1))],
      ink: share > 0.6 ? "#000000" : "#ffffff",
    };
  }
}

// Bokeh takes labels between dollars for TeX.
const plain = (text) =>
  text.replaceAll("$$", "$\u200b$").replaceAll("\\[", "\\\u200b[").replaceAll("\\(", "\\\u200b(");

// Last values, by run: a logged NaN or infinity stays, and so is left out of means.
async function lastValues(sweep, view) {
  const own = sweep.curves.find((c) => c.metric === view.metric && c.split === view.splits[0]);
  return own ? inflated(own.last, Float64Array) : new Float64Array(sweep.n_runs).fill(NaN);
}

// Mean, half of its interval and n of some numbers, those that are finite.
function summaryOf(values, t) {
  const own = Float64Array.from(values.filter(Number.isFinite));
  const { mean, half, n } = summary({ values: own, nX: 1 }, [...own.keys()], t);
  return { mean: mean[0], half: half[0], n: n[0] };
}

class Distribution extends Overview {
  compute(view, shown, last) {
    const groups = grouped(this.sweep, view, shown).map((group) => {
      const values = group.runs.map((run) => last[run]);
      return { ...group, values, ...summaryOf(values, this.sweep.t) };
    });
    const lost = groups.reduce((total, { values, n }) => total + values.length - n, 0);
    const there = groups.filter((group) => group.n);
    if (this.sweep.key(view.by)?.role !== "hparam") there.sort((a, b) => a.mean - b.mean);
    const data = { intervals: [], means: [], runs: [] };
    const bounds = [Infinity, -Infinity];
    there.forEach((group, y) => {
      const { mean, half, n, colour } = group;
      const text = [
        group.title,
        `mean ${format(mean)}${half > 0 ? ` ± ${format(half)}` : ""}`,
        `n = ${n}`,
      ];
      if (n) data.means.push({ y, low: y - 0.3, high: y + 0.3, mean, colour, said: text });
      if (half > 0) data.intervals.push({ y, left: mean - half, right: mean + half, colour });
      group.runs.forEach((run, i) => {
        const x = last[run];
        if (!Number.isFinite(x)) return;
        const place = group.runs.length > 1 ? y - 0.2 + (0.4 * i) / (group.runs.length - 1) : y;
        data.runs.push({ x, y: place, colour, said: [this.sweep.runTitle(run), format(x)] });
        grow(bounds, x);
      });
    });
    this.show(data);
    const by = this.sweep.key(view.by);
    this.figure.model.height = 90 + Math.max(120, 20 * Math.min(there.length, MOST_LABELS));
    const names = there.map((group) => clipped(by?.short?.[group.code] ?? group.title));
    this.nameAxis("y", by?.names?.length < 48 ? by.names : view.by, names);
    this.figure.setAxis("x", view.metric, bounds, false, 0.03);
    const level = `${100 * this.sweep.ci} % interval of the mean (Student's t)`;
    const head = ["group", "mean", `${level}, lower`, "upper", "n", "without a finite value"];
    const rows = groups.map(({ title, mean, half, n, values }) => [
      title,
      mean,
      mean - half,
      mean + half,
      n,
      values.length - n,
    ]);
    const n = countRange(there.map((group) => group.n));
    const means = `, a short line the mean of ${n} runs, a long one its ${level}`;
    const left = lost ? ` ${lost} runs have no finite last value and are left out.` : "";
    return {
      head,
      rows,
      note: `A point is a run${n === "1" ? "" : means}.${left}`,
    };
  }
}

class Heatmap extends Overview {
  compute(view, shown, last) {
    const [across, down] = [this.sweep.key(view.across), this.sweep.key(view.down)];
    const configuration = this.sweep.key("configuration");
    const cells = new Map();
    for (let run = 0; run < shown.length; run++) {
      if (!shown[run]) continue;
      const place = across.codes[run] * down.labels.length + down.codes[run];
      if (!cells.has(place)) cells.set(place, new Map());
      const own = cells.get(place);
      const code = configuration.codes[run];
      own.set(code, [...(own.get(code) ?? []), last[run]]);
    }
    const found = [...cells]
      .map(([place, own]) => {
        const [x, y] = [Math.floor(place / down.labels.length), place % down.labels.length];
        return { x, y, ...cellValue([...own.values()], view.rule) };
      })
      .filter((cell) => cell.n);
    const bounds = extent(found.map((cell) => cell.value));
    const isSmall = across.labels.length * down.labels.length <= MOST_TEXTS;
    const full = new Set(found.map(({ x, y }) => `${x} ${y}`));
    const empty = [];
    for (let x = 0; x < across.labels.length; x++) {
      for (let y = 0; y < down.labels.length; y++) if (!full.has(`${x} ${y}`)) empty.push({ x, y });
    }
    const title = ({ x, y }) => [
      `${across.name}=${across.labels[x]}`,
      `${down.name}=${down.labels[y]}`,
    ];
    this.show({
      empty,
      cells: found.map((cell) => ({
        ...cell,
        ...this.colourOf(cell.value, bounds),
        text: isSmall ? `${short(cell.value)}\nn=${cell.n}` : "",
        said: [...title(cell), format(cell.value), `n = ${cell.n} runs`],
      })),
    });
    this.nameAxis("x", across.title, across.labels);
    this.nameAxis("y", down.title, down.labels);
    const head = [across.name, down.name, RULES[view.rule], "n"];
    const rows = found.map((cell) => [
      across.labels[cell.x],
      down.labels[cell.y],
      cell.value,
      cell.n,
    ]);
    return {
      head,
      rows,
      note: `In each cell: ${RULES[view.rule]}; n: runs. Hatched: no run with a finite value.`,
    };
  }
}

const RULES = {
  mean: "the mean of all its runs",
  highest: "the highest mean over seeds of its configurations",
  lowest: "the lowest mean over seeds of its configurations",
};

function cellValue(configurations, rule) {
  const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;
  const finite = configurations
    .map((own) => own.filter(Number.isFinite))
    .filter((own) => own.length);
  const n = finite.reduce((total, own) => total + own.length, 0);
  if (rule === "mean") return { value: mean(finite.flat()), n };
  const best = finite
    .map((own) => ({ value: mean(own), n: own.length }))
    .sort((a, b) => a.value - b.value);
  return (rule === "lowest" ? best[0] : best.at(-1)) ?? { value: NaN, n: 0 };
}

class Parallel extends Overview {
  compute(view, shown, last) {
    const all = this.sweep.keys.filter((key) => key.role === "hparam");
    const keys = all.slice(0, 12);
    const groups = grouped(this.sweep, { ...view, by: "configuration" }, shown)
      .map((group) => ({
        ...group,
        ...summaryOf(
          group.runs.map((run) => last[run]),
          this.sweep.t,
        ),
      }))
      .filter((group) => group.n);
    const bounds = extent(groups.map((group) => group.mean));
    const places = keys.map(placesOf);
    const ofValue = (value) =>
      bounds[1] > bounds[0] ? (value - bounds[0]) / (bounds[1] - bounds[0]) : 0.5;
    const lines = groups.map((group) => ({
      xs: [...keys.keys(), keys.length],
      ys: [...keys.map((key, i) => places[i][key.codes[group.runs[0]]]), ofValue(group.mean)],
      colour: this.colourOf(group.mean, bounds).colour,
      said: [group.title, `${view.metric}: ${format(group.mean)}`, `n = ${group.n}`],
    }));
    const labels = keys.flatMap((key, x) => {
      const few = [...key.labels.keys()].filter(
        (i) => key.labels.length <= 8 || i === 0 || i === key.labels.length - 1,
      );
      return few.map((i) => ({ x, y: places[x][i], text: key.labels[i] }));
    });
    for (const value of groups.length ? bounds : [])
      labels.push({ x: keys.length, y: ofValue(value), text: short(value) });
    this.show({ axes: [...keys, 0].map((_, x) => ({ x, low: 0, high: 1 })), lines, labels });
    this.nameAxis("x", "", [...keys.map((key) => key.name), view.metric]);
    setRange(this.figure.model.x_range, [-0.2, keys.length + 0.5], false, 0);
    setRange(this.figure.model.y_range, [-0.06, 1.06], false, 0);
    const n = countRange(groups.map((group) => group.n));
    const some =
      keys.length < all.length ? `${keys.length} of ${all.length} hyperparameters. ` : "";
    const head = [...keys.map((key) => key.name), `${view.metric}, mean`, "n"];
    const rows = groups.map((group) => [
      ...keys.map((key) => key.labels[key.codes[group.runs[0]]]),
      group.mean,
      group.n,
    ]);
    return {
      head,
      rows,
      note: `${some}A line is a configuration, its colour the mean of ${n} runs.`,
    };
  }
}

// Where the labels of a key are on its axis, from 0 to 1: numbers by value, on a log axis if wide.
function placesOf(key) {
  const last = Math.max(1, key.labels.length - 1);
  const even = key.labels.map((_, i) => i / last);
  const numbers = key.labels.map(Number);
  if (!key.numeric || numbers.some(Number.isNaN) || numbers.length < 2) return even;
  const isLog = numbers[0] > 0 && numbers.at(-1) > 50 * numbers[0];
  const own = isLog ? numbers.map(Math.log10) : numbers;
  return own.map((value) => (value - own[0]) / (own.at(-1) - own[0]));
}

const clipped = (text) => (text.length > 48 ? `${text.slice(0, 47)}…` : text);
const short = (value) =>
  Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3)
    ? value.toExponential(1)
    : String(Number(value.toPrecision(3)));
