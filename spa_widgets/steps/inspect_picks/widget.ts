/** PickInspector: the view. The scores are sent once; moving a threshold needs no network. */
import type { RenderProps } from "@anywidget/types";
import { ImageCanvas, Mark } from "../../viewers/kit/canvas.ts";
import { slider } from "../../viewers/kit/controls.ts";
import { h, human, s, throttle } from "../../viewers/kit/dom.ts";
import { Frame } from "../../viewers/kit/frame.ts";
import { bytes, floats } from "../../viewers/kit/link.ts";
import { micrographList, micrographPicture } from "../../viewers/kit/micrographs.ts";
import { Plot, type Range } from "../../viewers/kit/plot.ts";

export interface Scores { ncc: Float32Array; power: Float32Array; x: Float32Array; y: Float32Array; micrograph: Int32Array }
export interface Limits { min_ncc: number | null; min_power: number | null; max_power: number | null }
const NAMES = ["min_ncc", "min_power", "max_power"] as const;
const FEWEST_REJECTED = 25; // at least so many of the best rejected picks are shown on a micrograph

/** Is a pick inside the limits? A score that is not known never rejects. */
export function keeps(scores: Scores, index: number, limits: Limits): boolean {
  const [ncc, power] = [scores.ncc[index], scores.power[index]];
  const inside = (value: number, low: number | null, high: number | null): boolean => Number.isNaN(value) || ((low === null || value >= Math.fround(low)) && (high === null || value <= Math.fround(high)));
  return inside(ncc, limits.min_ncc, null) && inside(power, limits.min_power, limits.max_power);
}

/** How far outside the limits a pick is, in parts of the scores' ranges; 0 inside. */
export function outside(scores: Scores, index: number, limits: Limits, [x0, x1, y0, y1]: Range): number {
  const [ncc, power] = [scores.ncc[index], scores.power[index]];
  const below = (value: number, low: number | null, size: number): number => (low === null || Number.isNaN(value) ? 0 : (low - value) / size);
  const above = limits.max_power === null || Number.isNaN(power) ? 0 : (power - limits.max_power) / (y1 - y0);
  return Math.max(0, below(ncc, limits.min_ncc, x1 - x0), below(power, limits.min_power, y1 - y0), above);
}

/** Range of the values without the extreme half per cent, a little wider. */
export function span(values: Float32Array): [number, number] {
  const known = values.filter((value) => Number.isFinite(value)).sort();
  if (!known.length) return [0, 1];
  const [low, high] = [known[Math.floor(known.length * 0.002)], known[Math.min(known.length - 1, Math.ceil(known.length * 0.995))]];
  const margin = (high - low || 1) * 0.06;
  return [low - margin, high + margin];
}

// light to dark blue and on to yellow for the crowded bins; readable on light and dark themes alike
function colour(part: number): string {
  const stops = [[158, 202, 225], [66, 146, 198], [8, 81, 156], [254, 196, 79]];
  const place = Math.min(part, 0.9999) * (stops.length - 1);
  const [from, to, rest] = [stops[Math.floor(place)], stops[Math.floor(place) + 1], place % 1];
  return `rgb(${from.map((value, channel) => Math.round(value + (to[channel] - value) * rest)).join(",")})`;
}

class InspectorView {
  private scores: Scores = { ncc: new Float32Array(0), power: new Float32Array(0), x: new Float32Array(0), y: new Float32Array(0), micrograph: new Int32Array(0) };
  private limits: Limits;
  private canvas: ImageCanvas;
  private plot: Plot;
  private range: Range = [0, 1, 0, 1];
  private heat = "";
  private picture: ReturnType<typeof micrographPicture>;
  private list: ReturnType<typeof micrographList>;
  private hint = h("div", { class: "spa-hint", "aria-hidden": "true" });
  private total = h("span", { class: "spa-num", role: "status" });
  private fields: Record<string, HTMLInputElement> = {};
  private totals: number[] = [];

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.limits = { min_ncc: link.get("min_ncc"), min_power: link.get("min_power"), max_power: link.get("max_power") };
    this.canvas = new ImageCanvas({}, t("micrograph"));
    this.picture = micrographPicture(frame, this.canvas, () => this.marks());
    this.canvas.element.append(this.hint, this.canvas.tools({ zoomIn: t("zoom_in"), zoomOut: t("zoom_out"), fit: t("fit") }));
    this.plot = new Plot({ label: t("histogram"), xLabel: t("ncc"), yLabel: t("power"), left: 60 });
    this.plot.onDraw((layer) => this.paintPlot(layer));
    this.list = micrographList(frame, (index) => this.go(index), (index) => `${link.get<number[]>("counts")?.[index] ?? 0}${this.totals.length ? ` / ${this.totals[index] ?? 0}` : ""}`);
    this.plot.element.style.cssText = "height: 330px; margin: 6px 8px 0 4px";
    const side = h("div", { style: "width: 390px; flex: 0 0 auto; border-left: 1px solid var(--spa-line); overflow: auto; max-width: 100%" }, this.plot.element, this.numbers());
    frame.root.append(this.controls(), h("div", { class: "spa-body spa-three", style: "height: 540px" }, this.list.element, this.canvas.element, side), this.footer());
    frame.onClose(() => { this.canvas.destroy(); this.plot.destroy(); });
    link.watch(["current", "show_rejected", "diameter_A"], () => this.marks());
    link.watch([...NAMES], () => { for (const name of NAMES) this.limits[name] = link.get(name); this.refresh(); });
    frame.guard(this.load());
    this.keys();
  }

  private async load(): Promise<void> {
    const { buffers } = await this.frame.link.ask("scores");
    this.scores = { ncc: floats(buffers[0]), power: floats(buffers[1]), x: floats(buffers[2]), y: floats(buffers[3]), micrograph: new Int32Array(bytes(buffers[4]).buffer) };
    this.range = [...span(this.scores.ncc), ...span(this.scores.power)] as Range;
    this.plot.setRange(...this.range);
    this.totals = [];
    for (const index of this.scores.micrograph) this.totals[index] = (this.totals[index] ?? 0) + 1;
    this.heat = this.histogram();
    this.list.refresh();
    this.refresh();
    this.marks();
    this.frame.root.dataset.scores = String(this.scores.x.length);
  }

  private controls(): HTMLElement {
    const { t, link } = this.frame;
    const size = slider({ label: t("diameter"), unit: "Å", min: 20, max: 500, step: 2, value: link.get("diameter_A"), input: throttle((v) => link.set("diameter_A", v), 60) });
    link.watch(["diameter_A"], () => size.set(link.get("diameter_A")));
    return h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("pick_inspector")), ...this.picture.controls, size.element, h("span", { class: "spa-grow" }), this.frame.codeButton(), this.frame.helpButton());
  }

  private numbers(): HTMLElement {
    const { t } = this.frame;
    const rows = NAMES.map((name) => {
      const field = h("input", { type: "number", step: name === "min_ncc" ? 0.01 : 10, placeholder: "–", style: "width: 92px", "aria-label": t(name), onchange: () => this.set(name, field.value === "" ? null : Number(field.value), true) });
      this.fields[name] = field;
      return h("label", { style: "display: flex; justify-content: space-between; align-items: center; margin: 3px 0" }, t(name), field);
    });
    const reset = h("button", { onclick: () => NAMES.forEach((name) => this.set(name, null, true)) }, t("reset"));
    return h("div", { style: "padding: 6px 16px 12px" }, ...rows, reset);
  }

  private footer(): HTMLElement {
    const { t, link } = this.frame;
    const box = h("input", { type: "checkbox", onchange: () => link.set("show_rejected", box.checked) });
    link.watch(["show_rejected"], () => { box.checked = link.get("show_rejected"); });
    const submit = h("button", { class: "spa-primary", onclick: () => this.frame.guard(link.ask<{ job: string }>("submit").then(({ content }) => this.frame.say(t("submitted", content)))) }, t("submit_inspect"));
    link.watch(["can_submit"], () => { submit.style.display = link.get("can_submit") ? "" : "none"; });
    return h("div", { class: "spa-bar spa-foot" }, h("label", { class: "spa-slider" }, box, t("show_rejected")), this.total, h("span", { class: "spa-grow" }), submit);
  }

  private keys(): void {
    const { t, link } = this.frame;
    const step = (by: number) => () => this.go(link.get<number>("current") + by);
    this.frame.addKeys([
      { keys: [t("drag"), "←", "→"], label: t("key_threshold") },
      { keys: ["n", "PageDown"], label: t("key_next"), act: step(1) },
      { keys: ["p", "PageUp"], label: t("key_next"), act: step(-1) },
      { keys: ["r"], label: t("key_rejected"), act: () => link.set("show_rejected", !link.get("show_rejected")) },
      { keys: ["+", "="], label: t("zoom_in"), act: () => this.canvas.zoomBy(1.3) },
      { keys: ["-"], label: t("zoom_out"), act: () => this.canvas.zoomBy(1 / 1.3) },
      { keys: ["0", "f"], label: t("fit"), act: () => this.canvas.fit() },
    ]);
  }

  private go(index: number): void {
    const last = this.frame.link.get<unknown[]>("micrographs").length - 1;
    this.frame.link.set("current", Math.min(Math.max(index, 0), last));
  }

  private send = throttle((name: string, value: number | null) => this.frame.link.set(name, value), 120);

  private set(name: (typeof NAMES)[number], value: number | null, done: boolean): void {
    this.limits[name] = value === null ? null : Number(value.toPrecision(4));
    this.refresh();
    if (done) this.frame.link.set(name, this.limits[name]);
    else this.send(name, this.limits[name]);
  }

  private refresh(): void {
    let kept = 0;
    const all = this.scores.x.length;
    for (let index = 0; index < all; index++) if (keeps(this.scores, index, this.limits)) kept++;
    this.total.textContent = this.frame.t("kept_all", { kept: kept.toLocaleString("en-US"), all: all.toLocaleString("en-US"), percent: all ? ((100 * kept) / all).toFixed(1) : "0" });
    for (const name of NAMES) {
      const field = this.fields[name];
      if (document.activeElement !== field) field.value = this.limits[name] === null ? "" : String(this.limits[name]);
    }
    this.plot.draw();
    this.marks();
  }

  private marks(): void {
    const { link, t } = this.frame;
    const current = link.get<number>("current");
    const triples: number[] = [];
    let [kept, all] = [0, 0];
    const rejected: [number, number][] = [];
    for (let index = 0; index < this.scores.x.length; index++) {
      if (this.scores.micrograph[index] !== current) continue;
      all++;
      const good = keeps(this.scores, index, this.limits);
      if (!good) {
        rejected.push([outside(this.scores, index, this.limits, this.range), index]);
        continue;
      }
      kept++;
      triples.push(this.scores.x[index], this.scores.y[index], Mark.Plain);
    }
    // a picker keeps ten candidates for each particle: only those that a small change of a threshold would bring in help
    if (link.get("show_rejected")) {
      rejected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      triples.unshift(...rejected.slice(0, Math.max(FEWEST_REJECTED, kept)).flatMap(([, index]) => [this.scores.x[index], this.scores.y[index], Mark.Rejected]));
    }
    const size_A = this.picture.info()?.pixel_size_A || this.canvas.pixelSize_A || 1;
    this.canvas.radius_px = link.get<number>("diameter_A") / 2 / size_A;
    this.canvas.setMarks(new Float32Array(triples));
    this.hint.textContent = t("kept_here", { kept, all });
  }

  /** The 2D histogram as a small picture, one pixel a bin, logarithmic in the count. */
  private histogram(): string {
    const [columns, rows] = [72, 60];
    const bins = new Float64Array(columns * rows);
    const [x0, x1, y0, y1] = this.range;
    const place = (value: number, low: number, high: number, count: number): number => (Number.isFinite(value) ? Math.floor(((value - low) / (high - low)) * count) : Math.floor(count / 2));
    for (let index = 0; index < this.scores.x.length; index++) {
      const [column, row] = [place(this.scores.ncc[index], x0, x1, columns), place(this.scores.power[index], y0, y1, rows)];
      if (column >= 0 && column < columns && row >= 0 && row < rows) bins[(rows - 1 - row) * columns + column]++;
    }
    const most = Math.log1p(Math.max(...bins, 1));
    const canvas = h("canvas", { width: columns, height: rows });
    const pen = canvas.getContext("2d")!;
    bins.forEach((count, bin) => {
      if (!count) return;
      pen.fillStyle = colour(Math.log1p(count) / most);
      pen.fillRect(bin % columns, Math.floor(bin / columns), 1, 1);
    });
    return canvas.toDataURL();
  }

  private paintPlot(layer: SVGElement): void {
    const { t } = this.frame;
    const plot = this.plot;
    const [x0, x1, y0, y1] = this.range;
    const [left, right, top, bottom] = [plot.x(x0), plot.x(x1), plot.y(y1), plot.y(y0)];
    if (this.heat) layer.append(s("image", { href: this.heat, x: left, y: top, width: right - left, height: bottom - top, preserveAspectRatio: "none", style: "image-rendering: pixelated" }));
    const shade = (x: number, y: number, width: number, height: number): void => { if (width > 0 && height > 0) layer.append(s("rect", { class: "spa-shade", x, y, width, height })); };
    const ncc = this.limits.min_ncc === null ? left : Math.min(Math.max(plot.x(this.limits.min_ncc), left), right);
    const low = this.limits.min_power === null ? bottom : Math.min(Math.max(plot.y(this.limits.min_power), top), bottom);
    const high = this.limits.max_power === null ? top : Math.min(Math.max(plot.y(this.limits.max_power), top), bottom);
    shade(left, top, ncc - left, bottom - top);
    shade(ncc, low, right - ncc, bottom - low);
    shade(ncc, top, right - ncc, high - top);
    plot.limit(layer, "x", this.limits.min_ncc ?? x0, "min_ncc", `${t("min_ncc")} ${human(this.limits.min_ncc ?? Number.NaN)}`, (value, done) => this.set("min_ncc", value, done));
    plot.limit(layer, "y", this.limits.min_power ?? y0, "min_power", `${t("min_power")} ${human(this.limits.min_power ?? Number.NaN)}`, (value, done) => this.set("min_power", value, done));
    plot.limit(layer, "y", this.limits.max_power ?? y1, "max_power", `${t("max_power")} ${human(this.limits.max_power ?? Number.NaN)}`, (value, done) => this.set("max_power", value, done));
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "pick_inspector");
    frame.whenReady(() => new InspectorView(frame));
    return frame.close;
  },
};
