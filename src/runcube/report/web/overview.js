// The figures of last values: one number for each run that is shown.

const MOST_LABELS = 24; // names on an axis; of the distribution, rows that are seen at once
const MOST_TEXTS = 150; // cells with numbers in them
const MOST_ROWS = 400; // of the distribution in a file
const ROW = 18; // pixels

class Overview extends Picture {
  // By run: a logged NaN or infinity stays, and so is left out of means.
  values(view) {
    const own = this.sweep.curves.find((c) => c.metric === view.metric && c.split === view.splits[0]);
    if (!own) return new Float64Array(this.sweep.n_runs).fill(NaN);
    return (own.lastValues ??= inflated(own.last, Float64Array));
  }

  compute(view, shown, last) {
    const { note, head, rows, ...own } = this.drawLast(view, shown, last);
    const split = view.splits[0] ? ` of ${view.splits[0]}` : "";
    const said = `Last logged ${view.metric}${split}, ${shown.said}. ${note || "No value is finite."}`;
    const table = () => ({ head, rows });
    return { note: said, precision: `${said} All digits.`, table, ...own };
  }

  // Groups of runs with their last values and what these say.
  groups(view, shown, last) {
    return grouped(this.sweep, view, shown).map((group) => {
      const values = group.runs.map((run) => last[run]);
      return { ...group, values, ...summaryOf(values, this.sweep.t) };
    });
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

class Distribution extends Overview {
  drawLast(view, shown, last) {
    const by = this.sweep.key(view.by);
    const groups = this.groups(view, shown, last);
    const there = groups.filter((group) => group.n);
    if (by?.role !== "hparam") there.sort((a, b) => b.mean - a.mean);
    const data = { intervals: [], means: [], runs: [] };
    there.forEach(({ title, mean, half, n, colour, runs }, y) => {
      const text = `mean ${format(mean)}${half > 0 ? ` ± ${format(half)}` : ""}`;
      const said = [title, text, `n = ${n}`];
      data.means.push({ y, low: y - 0.3, high: y + 0.3, mean, colour, said });
      if (half > 0) data.intervals.push({ y, left: mean - half, right: mean + half, colour, said });
      runs.forEach((run, i) => {
        const place = runs.length > 1 ? y - 0.2 + (0.4 * i) / (runs.length - 1) : y;
        const own = [this.sweep.runTitle(run), format(last[run])];
        if (Number.isFinite(last[run])) data.runs.push({ x: last[run], y: place, colour, said: own });
      });
    });
    this.show(data);
    const ends = data.intervals.flatMap(({ left, right }) => [left, right]);
    const bounds = extent(data.runs.map((run) => run.x));
    this.figure.setAxis("x", view.metric, withIntervals(bounds, extent(ends)), false, 0.03);
    const names = there.map(({ code, title }) => by?.short?.[code] ?? title);
    this.figure.setNames("y", by?.names ?? by?.shown ?? view.by, names);
    const more = this.showRows(there.length);
    const { start, end } = this.figure.model.x_range;
    const nCut = data.intervals.filter(({ left, right }) => left < start || right > end).length;
    const lost = groups.reduce((total, { values, n }) => total + values.length - n, 0);
    const n = countRange(there.map((group) => group.n));
    const level = `${100 * this.sweep.ci} % interval of the mean (Student's t)`;
    const means = `, a short line the mean of ${n} runs, a long one its ${level}`;
    const texts = [
      there.length > 0 && `A point is a run${n === "1" ? "" : means}.`,
      nCut && `${several(nCut, "interval")} beyond the picture.`,
      lost && `${several(lost, "run")} without a finite last value left out.`,
    ];
    return {
      note: texts.filter(Boolean).join(" "),
      head: ["group", "mean", `${level}, lower`, "upper", "n", "without a finite value"],
      rows: groups.map(({ title, mean, half, n: own, values }) => [
        ...[title, mean, mean - half, mean + half, own, values.length - own],
      ]),
      onPaper: (isOn) => this.showRows(there.length, isOn),
      more,
    };
  }

  // All rows have names: more than fit are scrolled to, and a file has them all.
  showRows(count, isForPaper = false) {
    const scroll = document.getElementById("distribution-rows");
    const seen = Math.min(count, isForPaper ? MOST_ROWS : MOST_LABELS);
    const height = 90 + ROW * Math.max(6, seen);
    this.figure.model.height = height;
    scroll.style.maxHeight = `${height}px`;
    scroll.firstElementChild.style.height = `${height + ROW * (count - seen)}px`;
    const { y_range } = this.figure.model;
    const move = () => {
      const first = isForPaper ? 0 : Math.min(count - seen, scroll.scrollTop / ROW);
      const [start, end] = [first + Math.max(1, seen) - 0.5, first - 0.5];
      y_range.setv({ start, end, reset_start: start, reset_end: end });
    };
    scroll.onscroll = move;
    scroll.tabIndex = seen < count ? 0 : -1;
    move();
    if (seen === count) return "";
    return isForPaper
      ? ` The first ${seen} of ${count} groups.`
      : ` ${seen} of ${count} groups: scroll for others.`;
  }
}

class Heatmap extends Overview {
  drawLast(view, { runs }, last) {
    const [across, down] = [this.sweep.key(view.across), this.sweep.key(view.down)];
    const { codes } = this.sweep.key("configuration");
    const cells = across.labels.map(() => down.labels.map(() => new Map()));
    for (const run of runs) {
      const own = cells[across.codes[run]][down.codes[run]];
      own.set(codes[run], [...(own.get(codes[run]) ?? []), last[run]]);
    }
    const all = cells.flatMap((column, x) =>
      column.map((own, y) => ({ x, y, ...cellValue([...own.values()], view.rule) })),
    );
    const found = all.filter((cell) => cell.n);
    const bounds = extent(found.map((cell) => cell.value));
    const names = ({ x, y }) => [across.labels[x], down.labels[y]];
    this.show({
      empty: all.filter((cell) => !cell.n),
      cells: found.map((cell) => {
        const [x, y] = names(cell);
        const title = [`${across.shown}=${x}`, `${down.shown}=${y}`];
        return {
          ...cell,
          ...this.colourOf(cell.value, bounds),
          text: all.length <= MOST_TEXTS ? `${short(cell.value)}\nn=${cell.n}` : "",
          said: [...title, format(cell.value), `n = ${several(cell.n, "run")}`],
        };
      }),
    });
    for (const [axis, key] of [["x", across], ["y", down]]) {
      this.figure.setNames(axis, key.shown, key.labels, MOST_LABELS);
      setRange(this.figure.model[`${axis}_range`], [-0.5, key.labels.length - 0.5], false, 0);
    }
    const rule = document.querySelector("select[name=rule]").selectedOptions[0].text;
    return {
      note: `In each cell: ${rule}; n: runs. Hatched: no run with a finite value.`,
      head: [across.shown, down.shown, rule, "n"],
      rows: found.map((cell) => [...names(cell), cell.value, cell.n]),
    };
  }
}

function cellValue(configurations, rule) {
  const finite = configurations.map((own) => own.filter(Number.isFinite));
  const of = (own) => ({ value: own.reduce((total, x) => total + x, 0) / own.length, n: own.length });
  if (rule === "mean") return of(finite.flat());
  const means = finite.filter((own) => own.length).map(of).sort((a, b) => a.value - b.value);
  return means.at(rule === "lowest" ? 0 : -1) ?? { n: 0 };
}

class Parallel extends Overview {
  drawLast(view, shown, last) {
    const all = this.sweep.keys.filter((key) => key.role === "hparam");
    const keys = all.slice(0, 12);
    const groups = this.groups({ ...view, by: "configuration" }, shown, last).filter((own) => own.n);
    const bounds = extent(groups.map((group) => group.mean));
    const ofValue = (value) =>
      bounds[1] > bounds[0] ? (value - bounds[0]) / (bounds[1] - bounds[0]) : 0.5;
    const lines = groups.map(({ title, runs, mean, n }) => ({
      xs: [...keys.keys(), keys.length],
      ys: [...keys.map((key) => key.places[key.codes[runs[0]]]), ofValue(mean)],
      colour: this.colourOf(mean, bounds).colour,
      said: [title, `${view.metric}: ${format(mean)}`, `n = ${n}`],
    }));
    const labels = keys.flatMap((key, x) => {
      const ends = [0, key.labels.length - 1];
      const few = key.labels.length <= 8 ? [...key.labels.keys()] : ends;
      return few.map((i) => ({ x, y: key.places[i], text: cut(key.labels[i]) }));
    });
    for (const value of groups.length ? new Set(bounds) : [])
      labels.push({ x: keys.length, y: ofValue(value), text: short(value) });
    this.show({ axes: [...keys, 0].map((_, x) => ({ x, low: 0, high: 1 })), lines, labels });
    this.figure.setNames("x", "", [...keys.map((key) => key.shown), view.metric]);
    setRange(this.figure.model.x_range, [-0.2, keys.length + 0.5], false, 0);
    setRange(this.figure.model.y_range, [-0.06, 1.06], false, 0);
    const n = countRange(groups.map((group) => group.n));
    const some = keys.length < all.length ? `${keys.length} of ${all.length} hyperparameters. ` : "";
    return {
      note: groups.length ? `${some}A line is a configuration, its colour the mean of ${n} runs.` : "",
      head: [...keys.map((key) => key.shown), `${view.metric}, mean`, "n"],
      rows: groups.map(({ runs, mean, n: own }) => [
        ...keys.map((key) => key.labels[key.codes[runs[0]]]),
        ...[mean, own],
      ]),
    };
  }
}

const short = (value) =>
  Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3)
    ? value.toExponential(1)
    : String(Number(value.toPrecision(3)));
