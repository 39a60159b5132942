/** CTFInspector: the view. */
import type { RenderProps } from "@anywidget/types";
import { slider } from "../../viewers/kit/controls.ts";
import { h, human, s, throttle } from "../../viewers/kit/dom.ts";
import { Frame } from "../../viewers/kit/frame.ts";
import { bytes, floats } from "../../viewers/kit/link.ts";
import { Plot } from "../../viewers/kit/plot.ts";

interface Row { name: string; defocus_A: number; astigmatism_A: number; angle_deg: number | null; resolution_A: number | null; score: number | null; ice: number | null }
type Column = Exclude<keyof Row, "name">;
interface Curves { frequency: Float32Array; spectrum: Float32Array; background: Float32Array; fit: Float32Array; correlation: Float32Array }

const AXES: [Column, string, string][] = [["defocus_A", "defocus", "µm"], ["resolution_A", "fit_resolution", "Å"], ["astigmatism_A", "astigmatism", "Å"], ["score", "score", ""], ["ice", "ice", ""]];
const INK = { spectrum: "var(--spa-ink2)", fit: "#0b6fb8", correlation: "#009e73", limit: "#d55e00" };

/** The value of a column as it is shown: defocus in µm. */
export const shown = (row: Row, column: Column): number => (row[column] === null ? Number.NaN : column === "defocus_A" ? row.defocus_A / 10000 : (row[column] as number));

/** Is a micrograph accepted? By the limit on its fit, unless a person turned that round. */
export function isAccepted(row: Row, index: number, worst_A: number | null, flipped: Set<number>): boolean {
  const byLimit = worst_A === null || (row.resolution_A !== null && row.resolution_A > 0 && row.resolution_A <= worst_A);
  return byLimit !== flipped.has(index);
}

/** The value that all but the highest 3 % of the known ones stay below; 1 at least. */
export function highest(values: Float32Array): number {
  const known = values.filter((value) => Number.isFinite(value)).sort();
  return Math.max(1, known[Math.floor(known.length * 0.97)] ?? 1);
}

/** Where the axis of the curves begins: a little below the lowest of them, so that faint fringes fill the plot. */
export function curvesFloor({ spectrum, fit, correlation }: Pick<Curves, "spectrum" | "fit" | "correlation">): number {
  let low = 0.9;
  for (const curve of [spectrum, fit, correlation]) for (const value of curve) if (Number.isFinite(value)) low = Math.min(low, value);
  return Math.max(low - 0.05, -0.2);
}

/** The lowest frequency that is known, rounded down to a hundredth. */
const firstKnown = (values: Float32Array): number => Math.floor((values.find((value) => Number.isFinite(value)) ?? 0) * 100) / 100;

class CtfView {
  private curves: Curves | null = null;
  private picture = h("img", { alt: "", style: "width: 100%; max-width: 300px; aspect-ratio: 1; background: #000; border-radius: 5px; display: block; margin: auto" });
  private facts = h("div", { class: "spa-num", style: "padding: 6px 2px" });
  private plot: Plot;
  private scatter: Plot;
  private table = h("table", { class: "spa-table spa-wrapped" });
  private bodyRows: HTMLElement[] = [];
  private order: number[] = [];
  private sortBy: Column | "name" = "name";
  private down = 1;
  private x: Column = "defocus_A";
  private y: Column = "resolution_A";
  private toggleButton = h("button");
  private total = h("span", { class: "spa-num", role: "status" });

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.plot = new Plot({ label: t("spectrum"), xLabel: t("frequency"), left: 34 });
    this.plot.onDraw((layer) => this.paintCurves(layer));
    this.scatter = new Plot({ label: t("micrographs"), left: 52, xLabel: " ", yLabel: " " });
    this.scatter.onDraw((layer) => this.paintScatter(layer));
    this.build();
    link.watch(["rows"], () => this.buildTable());
    link.watch(["rows", "flipped", "worst_resolution_A"], () => this.mark());
    link.watch(["current"], () => { this.mark(); frame.guard(this.load()); });
    frame.onClose(() => { this.plot.destroy(); this.scatter.destroy(); });
    frame.addKeys([
      { keys: ["n", "ArrowDown", "PageDown"], label: t("key_next"), act: () => this.step(1) },
      { keys: ["p", "ArrowUp", "PageUp"], label: t("key_next"), act: () => this.step(-1) },
      { keys: ["r", " "], label: t("key_reject"), act: () => this.toggle(link.get("current")) },
    ]);
  }

  private build(): void {
    const { t, link } = this.frame;
    const worst = slider({ label: t("worst_resolution"), unit: "Å", min: 2, max: 30, step: 0.1, value: link.get("worst_resolution_A") ?? 30, input: throttle((value) => link.set("worst_resolution_A", value >= 30 ? null : value), 80) });
    link.watch(["worst_resolution_A"], () => worst.set(link.get("worst_resolution_A") ?? 30));
    const choice = (name: "x" | "y"): HTMLElement => {
      const select = h("select", { "aria-label": `${t("micrographs")} ${name}`, onchange: () => { this[name] = select.value as Column; this.scatter.draw(); this.rescale(); } }, ...AXES.filter(([column]) => this.rows().some((row) => row[column] !== null)).map(([column, key, unit]) => h("option", { value: column }, unit ? `${t(key)} (${unit})` : t(key))));
      select.value = this[name];
      return h("label", { class: "spa-slider spa-dim" }, name, select);
    };
    this.toggleButton.addEventListener("click", () => this.toggle(link.get("current")));
    const bar = h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("ctf_inspector")), worst.element, h("button", { onclick: () => link.set("worst_resolution_A", null) }, t("reset")), h("span", { class: "spa-grow" }), this.frame.codeButton(), this.frame.helpButton());
    const left = h("div", { style: "width: 330px; flex: 0 0 auto; padding: 12px; overflow: auto; max-width: 100%" }, this.picture, h("div", { class: "spa-dim", style: "font-size: 11.5px; text-align: center; margin-top: 4px" }, t("spectrum")), this.facts, this.toggleButton);
    this.plot.element.style.cssText = "height: 250px; margin: 8px 10px 0 0";
    this.scatter.element.style.cssText = "height: 230px; flex: 1 1 auto";
    const list = h("div", { style: "flex: 1 1 480px; overflow: auto; max-height: 262px; border: 1px solid var(--spa-line); border-radius: 6px" }, this.table);
    const right = h("div", { style: "flex: 1 1 auto; min-width: 0; border-left: 1px solid var(--spa-line); display: flex; flex-direction: column" }, this.legend(), this.plot.element,
      h("div", { style: "display: flex; flex-wrap: wrap; gap: 10px; padding: 6px 12px 12px; min-height: 0" }, list, h("div", { style: "flex: 1 1 200px; display: flex; flex-direction: column; min-width: 200px" }, h("div", { style: "display: flex; flex-wrap: wrap; gap: 4px 12px" }, choice("y"), choice("x")), this.scatter.element)));
    this.frame.root.append(bar, h("div", { class: "spa-body" }, left, right), h("div", { class: "spa-bar spa-foot" }, this.total));
  }

  private legend(): HTMLElement {
    const { t } = this.frame;
    const entry = (ink: string, key: string): HTMLElement => h("span", { class: "spa-slider" }, h("i", { style: `width: 18px; height: 3px; background: ${ink}` }), t(key));
    return h("div", { style: "display: flex; gap: 16px; padding: 8px 14px 0 40px; font-size: 12px; flex-wrap: wrap" }, entry(INK.spectrum, "experimental"), entry(INK.fit, "theory"), entry(INK.correlation, "correlation"), entry(INK.limit, "fit_resolution"));
  }

  private rows(): Row[] {
    return this.frame.link.get<Row[]>("rows") ?? [];
  }

  private step(by: number): void {
    const place = this.order.indexOf(this.frame.link.get("current")) + by;
    if (this.order[place] !== undefined) this.frame.link.set("current", this.order[place]);
  }

  private toggle(index: number): void {
    this.frame.guard(this.frame.link.ask("toggle", { index }));
  }

  private async load(): Promise<void> {
    const index = this.frame.link.get<number>("current");
    const { content, buffers } = await this.frame.link.ask<{ found: boolean; mime: string }>("spectrum", { index });
    if (index !== this.frame.link.get("current")) return;
    if (content.found) {
      const [picture, ...curves] = buffers;
      const old = this.picture.src;
      this.picture.src = URL.createObjectURL(new Blob([bytes(picture)], { type: content.mime }));
      if (old) URL.revokeObjectURL(old);
      const [frequency, spectrum, background, fit, correlation] = curves.map(floats);
      const top = highest(fit); // the highest ring of the fit is drawn at 1
      this.curves = { frequency, spectrum: spectrum.map((value) => value / top), background, fit: fit.map((value) => value / top), correlation };
      const last = frequency.filter((value) => Number.isFinite(value)).reduce((most, value) => Math.max(most, value), 0);
      const lowest = curvesFloor(this.curves);
      this.plot.setRange(firstKnown(frequency), last || 1, lowest, 1.1);
      this.picture.dataset.shown = String(index);
    } else this.curves = null;
    this.picture.style.visibility = content.found ? "" : "hidden";
    this.picture.alt = content.found ? this.frame.t("spectrum") : this.frame.t("no_spectrum");
    this.plot.draw();
  }

  private buildTable(): void {
    const { t } = this.frame;
    const known = AXES.filter(([column]) => this.rows().some((row) => row[column] !== null));
    const head = h("tr", {}, ...([["name", "micrograph", ""], ...known] as [Column | "name", string, string][]).map(([column, key, unit]) => h("th", { scope: "col", onclick: () => this.sort(column) }, unit ? `${t(key)} (${unit})` : t(key))));
    const rows = this.rows();
    this.bodyRows = rows.map((row, index) => h("tr", { onclick: () => this.frame.link.set("current", index), ondblclick: () => this.toggle(index) }, h("td", { title: row.name }, row.name.replace(/\.(mrcs?|tiff?)$/i, "")), ...known.map(([column]) => h("td", {}, human(shown(row, column), 4)))));
    this.table.replaceChildren(h("thead", {}, head), h("tbody"));
    this.sort(this.sortBy, true);
    this.rescale();
  }

  private sort(column: Column | "name", keep = false): void {
    this.down = keep ? this.down : this.sortBy === column ? -this.down : 1;
    this.sortBy = column;
    const rows = this.rows();
    const value = (index: number): string | number => (column === "name" ? rows[index].name : shown(rows[index], column));
    this.order = rows.map((_, index) => index).sort((a, b) => { const [p, q] = [value(a), value(b)]; return (p < q ? -1 : p > q ? 1 : 0) * this.down; });
    this.table.tBodies[0]?.replaceChildren(...this.order.map((index) => this.bodyRows[index]));
  }

  private mark(): void {
    const { t, link } = this.frame;
    const rows = this.rows();
    const flipped = new Set(link.get<number[]>("flipped"));
    const worst = link.get<number | null>("worst_resolution_A");
    const current = link.get<number>("current");
    const good = rows.map((row, index) => isAccepted(row, index, worst, flipped));
    this.bodyRows.forEach((row, index) => { row.classList.toggle("spa-off", !good[index]); row.setAttribute("aria-selected", String(index === current)); });
    this.total.textContent = t("accepted", { kept: good.filter(Boolean).length, all: rows.length });
    this.toggleButton.textContent = good[current] ? t("reject") : t("accept");
    const row = rows[current];
    if (row) {
      const line = (key: string, text: string): HTMLElement => h("div", { style: "display: flex; justify-content: space-between" }, h("span", { class: "spa-dim" }, t(key)), h("b", {}, text));
      this.facts.replaceChildren(line("micrograph", row.name), line("defocus", `${(row.defocus_A / 10000).toFixed(3)} µm`), line("astigmatism", `${human(row.astigmatism_A)} Å`), line("angle", `${human(row.angle_deg ?? Number.NaN)}°`), line("fit_resolution", `${human(row.resolution_A ?? Number.NaN)} Å`), line("score", human(row.score ?? Number.NaN)));
    }
    this.scatter.draw();
    this.plot.draw();
  }

  private rescale(): void {
    const span = (column: Column): [number, number] => {
      const values = this.rows().map((row) => shown(row, column)).filter(Number.isFinite);
      if (!values.length) return [0, 1];
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const margin = (high - low || Math.abs(high) || 1) * 0.08;
      return [low - margin, high + margin];
    };
    this.scatter.setRange(...span(this.x), ...span(this.y));
    this.scatter.draw();
  }

  private paintCurves(layer: SVGElement): void {
    if (!this.curves) return;
    const { frequency, spectrum, fit, correlation } = this.curves;
    const line = (ys: Float32Array, ink: string, width: number): void => { layer.append(s("path", { d: this.plot.curve(frequency, ys), fill: "none", stroke: ink, "stroke-width": width })); };
    line(spectrum, INK.spectrum, 1.2);
    line(fit, INK.fit, 1.8);
    line(correlation, INK.correlation, 1.5);
    const row = this.rows()[this.frame.link.get<number>("current")];
    if (!row?.resolution_A) return;
    const x = this.plot.x(1 / row.resolution_A);
    layer.append(s("line", { x1: x, x2: x, y1: this.plot.y(1.1), y2: this.plot.y(curvesFloor(this.curves)), stroke: INK.limit, "stroke-width": 1.5, "stroke-dasharray": "5 4" }), s("text", { x: x - 5, y: this.plot.y(curvesFloor(this.curves)) - 7, "text-anchor": "end" }, `${human(row.resolution_A)} Å`));
  }

  private paintScatter(layer: SVGElement): void {
    const flipped = new Set(this.frame.link.get<number[]>("flipped"));
    const worst = this.frame.link.get<number | null>("worst_resolution_A");
    const current = this.frame.link.get<number>("current");
    this.rows().forEach((row, index) => {
      const [x, y] = [shown(row, this.x), shown(row, this.y)];
      if (!Number.isFinite(x) || !Number.isFinite(y)) return;
      const good = isAccepted(row, index, worst, flipped);
      layer.append(s("circle", { cx: this.scatter.x(x), cy: this.scatter.y(y), r: index === current ? 7 : 5, fill: good ? "#009e73" : "none", stroke: index === current ? "var(--spa-ink)" : good ? "#009e73" : "#d55e00", "stroke-width": index === current ? 2.5 : 2, style: "cursor: pointer", onclick: () => this.frame.link.set("current", index) }, s("title", {}, row.name)));
    });
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "ctf_inspector");
    frame.whenReady(() => new CtfView(frame));
    return frame.close;
  },
};
