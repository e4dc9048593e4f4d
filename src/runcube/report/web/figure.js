// A figure of Bokeh's: its sources, axes, colours, and how it is written to a file.

const made = (name, values) => new (Bokeh.Models.get(name))(values);

class Figure {
  static async embedded(item, place) {
    const views = await Bokeh.embed.embed_item(item, place);
    return new Figure([...views][0]);
  }

  constructor(view) {
    this.view = view;
    this.model = view.model;
    this.themed();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.themed());
  }

  get(name) {
    return this.model.document.get_model_by_name(name);
  }

  // Rows, objects, as the columns of a source.
  fill(name, rows) {
    const source = this.get(name);
    if (!rows.length && !source.get_length()) return;
    const columns = Object.keys(source.data);
    source.data = Object.fromEntries(
      columns.map((column) => [column, rows.map((row) => row[column])]),
    );
  }

  renderer(name) {
    const source = this.get(name);
    return this.model.renderers.find((own) => own.data_source === source);
  }

  // `texts` says lines of text of what is at an index of a source; they are no markup.
  onHover(texts) {
    this.get("hover").tooltips = (source, vars) => {
      const said = texts(source.name, vars.index, vars.segment_index);
      return (
        said &&
        element("div", { className: "tooltip" }, ...said.map((text) => element("div", {}, text)))
      );
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

  axis(which) {
    return this.model[which === "x" ? "below" : "left"].find((own) => own.type.endsWith("Axis"));
  }

  themed(isForPaper = false) {
    const colour = (name) =>
      getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const [ink, faint] = isForPaper ? ["#000000", "#dddddd"] : [colour("--ink"), colour("--faint")];
    for (const own of this.model.renderers)
      if (own.name === "ink") own.glyph.text_color = { value: ink };
    for (const axis of [this.axis("x"), this.axis("y")]) {
      axis.setv({
        axis_line_color: ink,
        major_tick_line_color: ink,
        minor_tick_line_color: null,
        major_label_text_color: ink,
        axis_label_text_color: ink,
      });
    }
    for (const own of this.model.center) if (own.type === "Grid") own.grid_line_color = faint;
    this.model.border_fill_color = isForPaper ? "#ffffff" : null;
  }

  // The figure as SVG or PNG, on white, with a legend and a note of what it shows.
  async file(type, legend, note) {
    const [box, title] = [this.get("legend"), this.get("note")];
    this.themed(true);
    box.setv({ items: legend, visible: legend.length > 0 });
    title.setv({ text: wrapped(note, this.view.bbox.width / 6), visible: true });
    await settled();
    const blob = await this.view.export(type).to_blob();
    box.setv({ items: [], visible: false });
    title.visible = false;
    this.themed();
    return blob;
  }
}

// Bokeh lays out what has changed before it paints the next frame but one.
async function settled() {
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}

function wrapped(text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1).length + word.length > width) lines.push("");
    lines[lines.length - 1] += `${word} `;
  }
  return lines.map((line) => line.trim()).join("\n");
}

function download(name, blob) {
  const link = element("a", { download: name, href: URL.createObjectURL(blob) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// Comma-separated values: first a comment, then the names.
function csv({ head, rows }, note) {
  const cell = (value) => {
    const text = Number.isNaN(value) ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [
    `# ${note.replace(/\s+/g, " ")}`,
    ...[head, ...rows].map((row) => row.map(cell).join(",")),
  ];
  return new Blob([`${lines.join("\n")}\n`], { type: "text/csv" });
}

// The buttons below a figure, and its numbers as a table that is made when it is opened.
class Below {
  constructor(name, figure, content) {
    this.content = content;
    const button = (title, act) => element("button", { type: "button", onclick: act }, title);
    const image = (type) => async () => {
      const { legend, note } = content();
      download(`${name}.${type}`, await figure.file(type, legend(), note));
    };
    const values = () => download(`${name}.csv`, csv(content().table(true), content().precision));
    this.details = element("details", {}, element("summary", {}, "The figure as a table"));
    this.details.addEventListener("toggle", () => this.update());
    const buttons = [
      button("SVG", image("svg")),
      button("PNG", image("png")),
      button("CSV", values),
    ];
    document
      .getElementById(`${name}-caption`)
      .after(element("p", { className: "buttons" }, ...buttons), this.details);
  }

  update() {
    this.details.querySelector(".wide")?.remove();
    if (!this.details.open) return;
    const { head, rows } = this.content().table(false);
    const cells = (row, tag) =>
      row.map((value) => element(tag, {}, typeof value === "number" ? format(value) : value));
    const table = element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...cells(head, "th"))),
    );
    table.append(
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row, "td")))),
    );
    this.details.append(element("div", { className: "wide", tabIndex: 0 }, table));
  }
}

function setRange(range, [low, high], isLog, margin) {
  let [start, end] = low <= high ? [low, high] : [isLog ? 1 : 0, isLog ? 10 : 1];
  const room = isLog ? (end / start) ** margin : (end - start) * margin;
  if (isLog) [start, end] = start < end ? [start / room, end * room] : [start / 2, end * 2];
  else if (start < end) [start, end] = [start - room, end + room];
  else [start, end] = [start - (Math.abs(start) || 1) / 2, end + (Math.abs(end) || 1) / 2];
  range.setv({ start, end, reset_start: start, reset_end: end });
}

// Where triangles stand: just within the picture.
function edges({ start, end }, isLog) {
  if (!isLog) return [start + 0.02 * (end - start), end - 0.02 * (end - start)];
  return [start * (end / start) ** 0.02, end * (start / end) ** 0.02];
}
