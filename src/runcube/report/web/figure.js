// A figure of Bokeh's, and what stands around it: its caption, buttons, and numbers as a table.

const made = (name, values) => new (Bokeh.Models.get(name))(values);

class Figure {
  constructor(view, place) {
    this.view = view;
    this.place = place;
    this.model = view.model;
    this.names = {};
    this.themed();
    dark.addEventListener("change", () => this.themed());
  }

  get(name) {
    return this.model.document.get_model_by_name(name);
  }

  // Rows, objects, as the columns of a source.
  fill(name, rows) {
    const source = this.get(name);
    if (!rows.length && !source.get_length()) return;
    const column = (key) => [key, rows.map((row) => row[key])];
    source.data = Object.fromEntries(Object.keys(source.data).map(column));
  }

  // `texts` says lines of text of what is at an index of a source; they are no markup.
  onHover(texts) {
    const lines = (said) => said.map((text) => element("div", {}, text));
    this.get("hover").tooltips = (source, vars) => {
      const said = texts(source.name, vars.index, vars.segment_index);
      return said && element("div", { className: "tooltip" }, ...lines(said));
    };
  }

  setAxis(which, label, bounds, isLog, margin) {
    this.get(which).text = label;
    setRange(this.model[`${which}_range`], bounds, isLog, margin);
    if (this.model[`${which}_scale`].type.includes("Log") === isLog) return;
    const ticker = made(isLog ? "LogTicker" : "BasicTicker");
    this.model[`${which}_scale`] = made(isLog ? "LogScale" : "LinearScale");
    const formatter = isLog ? made("LogTickFormatter", { ticker }) : made("BasicTickFormatter");
    this.axis(which).setv({ ticker, formatter });
    this.model.center.find((own) => own.dimension === (which === "x" ? 0 : 1)).ticker = ticker;
  }

  // Names at whole numbers of an axis, as many as there is room for; `title` has each in full.
  setNames(which, label, names, most = Infinity) {
    this.get(which).text = label;
    if (String(this.names[which]) === String(names)) return; // a layout that is spared
    this.names[which] = names;
    const axis = this.axis(which);
    const every = Math.max(1, Math.ceil(names.length / most));
    const ticks = [...names.keys()].filter((i) => i % every === 0);
    axis.ticker = made("FixedTicker", { ticks });
    axis.major_label_overrides = new Map(ticks.map((i) => [i, plain(cut(names[i]))]));
    const isLong = names.join("").length > 60;
    if (which === "x") axis.major_label_orientation = isLong ? 0.6 : "horizontal";
    axis.major_tick_line_color = null;
    this.place.onmousemove = (event) => (this.place.title = this.nameAt(event));
  }

  nameAt({ clientX, clientY }) {
    const { frame } = this.view;
    const box = this.place.getBoundingClientRect();
    const [x, y] = [clientX - box.x, clientY - box.y];
    if (x < frame.bbox.left) return this.names.y?.[Math.round(frame.y_scale.invert(y))] ?? "";
    return (y > frame.bbox.bottom && this.names.x?.[Math.round(frame.x_scale.invert(x))]) || "";
  }

  axis(which) {
    return this.model[which === "x" ? "below" : "left"].find((own) => own.type.endsWith("Axis"));
  }

  themed(isForPaper = false) {
    const style = getComputedStyle(document.documentElement);
    const names = ["--ink", "--faint", "--paper"];
    const colours = names.map((name) => style.getPropertyValue(name).trim());
    const [ink, faint, paper] = isForPaper ? ["#000000", "#dddddd", "#ffffff"] : colours;
    const [value, fill] = [{ value: ink }, { value: paper }];
    for (const own of this.model.renderers)
      if (own.name === "ink") own.glyph.setv({ text_color: value, background_fill_color: fill });
    const inks = ["axis_line", "major_tick_line", "major_label_text", "axis_label_text"];
    for (const axis of [this.axis("x"), this.axis("y")])
      axis.setv(Object.fromEntries(inks.map((name) => [`${name}_color`, ink])));
    for (const own of this.model.center) if (own.type === "Grid") own.grid_line_color = faint;
    const under = isForPaper ? paper : null;
    this.model.setv({ border_fill_color: under, background_fill_color: under });
  }

  // The figure as SVG or PNG, on white, with a legend and a note of what it shows.
  async file(type, { legend, note, onPaper }) {
    const [box, title] = [this.get("legend"), this.get("note")];
    this.themed(true);
    const more = onPaper?.(true) ?? "";
    const items = legend?.() ?? [];
    box.setv({ items, visible: items.length > 0 });
    const width = this.view.frame.bbox.width / 6.5; // letters; notes stand below the frame
    title.setv({ text: plain(wrapped(note + more, width)), visible: true });
    // Bokeh lays out what has changed before it paints the next frame but one.
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    const blob = await this.view.export(type).to_blob();
    box.setv({ items: [], visible: false });
    title.visible = false;
    onPaper?.(false);
    this.themed();
    return blob;
  }
}

// Bokeh takes what is between dollars for TeX.
const plain = (text) =>
  text.replaceAll("$$", "$\u200b$").replaceAll("\\[", "\\\u200b[").replaceAll("\\(", "\\\u200b(");

// Long names differ at either end.
const cut = (text) => (text.length > 48 ? `${text.slice(0, 28)}…${text.slice(-19)}` : text);

function wrapped(text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1).length + word.length > width) lines.push("");
    lines[lines.length - 1] += `${word} `;
  }
  return lines.map((line) => line.trim()).join("\n");
}

function setRange(range, [low, high], isLog, margin) {
  let [start, end] = Number.isFinite(high - low) ? [low, high] : isLog ? [1, 10] : [0, 1];
  const room = isLog ? (end / start) ** margin : (end - start) * margin;
  if (start === end && isLog) [start, end] = [start / 2, end * 2];
  else if (start === end) [start, end] = [-0.5, 0.5].map((share) => start + share * (Math.abs(start) || 1));
  else [start, end] = isLog ? [start / room, end * room] : [start - room, end + room];
  range.setv({ start, end, reset_start: start, reset_end: end });
}

// A figure that is drawn when it is near the window: filters stay quick. Its kinds say what is
// drawn of a view: `values` finds it, `compute` draws it and returns its note and its table.
class Picture {
  constructor(sweep, name, items) {
    Object.assign(this, { sweep, name, item: items[name], isSeen: false });
    this.place = document.getElementById(name);
    const seen = ([entry]) => {
      this.isSeen = entry.isIntersecting;
      if (this.isSeen) this.asked?.();
    };
    new IntersectionObserver(seen, { rootMargin: "100px" }).observe(this.place);
  }

  async embed() {
    const views = await Bokeh.embed.embed_item(this.item, this.place);
    this.figure = new Figure([...views][0], this.place);
    this.figure.onHover((...at) => this.tooltip(...at));
    this.place.style.minHeight = 0;
    this.addButtons();
  }

  // What is not seen yet is drawn once it is; what was asked for before is drawn once.
  async drawIfSeen(view, shown) {
    this.asked = () => {
      this.asked = null;
      return this.draw(view, shown);
    };
    if (this.isSeen) await this.asked();
  }

  async draw(view, shown) {
    this.ready ??= this.embed();
    await this.ready;
    const values = await this.values(view);
    if (this.sweep.view !== view) return; // another one came meanwhile
    this.content = this.compute(view, shown, values);
    const { note, more = "" } = this.content;
    document.getElementById(`${this.name}-caption`).textContent = note + more;
    this.updateTable();
    document.dispatchEvent(new Event(`drawn ${this.name}`));
  }

  show(data) {
    this.drawn = data;
    for (const [name, rows] of Object.entries(data)) this.figure.fill(name, rows);
  }

  tooltip(source, index) {
    return this.drawn[source]?.[index]?.said;
  }

  addButtons() {
    const button = (title, act) => element("button", { type: "button", onclick: act }, title);
    const image = (type) => async () =>
      download(`${this.name}.${type}`, await this.figure.file(type, this.content));
    const values = () => download(`${this.name}.csv`, csv(this.content));
    const own = [button("SVG", image("svg")), button("PNG", image("png")), button("CSV", values)];
    const title = element("summary", {}, "The figure as a table");
    this.details = element("details", { ontoggle: () => this.updateTable() }, title);
    const buttons = element("p", { className: "buttons" }, ...own);
    document.getElementById(`${this.name}-caption`).after(buttons, this.details);
  }

  // The table is made when it is opened.
  updateTable() {
    this.details.querySelector(".wide")?.remove();
    if (!this.details.open) return;
    const { head, rows } = this.content.table(false);
    const text = (value) => (typeof value === "number" ? format(value) : value);
    const line = (row, tag) =>
      element("tr", {}, ...row.map((value) => element(tag, {}, text(value))));
    const top = element("thead", {}, line(head, "th"));
    const body = element("tbody", {}, ...rows.map((row) => line(row, "td")));
    const table = element("table", {}, top, body);
    this.details.append(element("div", { className: "wide", tabIndex: 0 }, table));
  }
}

function download(name, blob) {
  const link = element("a", { download: name, href: URL.createObjectURL(blob) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// Comma-separated values: first a comment, then the names.
function csv({ table, precision }) {
  const { head, rows } = table(true);
  const cell = (value) => {
    const text = Number.isNaN(value) ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [head, ...rows].map((row) => row.map(cell).join(","));
  const text = [`# ${precision.replace(/\s+/g, " ")}`, ...lines, ""].join("\n");
  return new Blob([text], { type: "text/csv" });
}

const format = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(5))) : "–");

// Counts as text: 5, or 3 to 5.
function countRange(counts) {
  const [least, most] = extent(counts);
  return least < most ? `${least} to ${most}` : `${counts.length ? most : 0}`;
}

const several = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
