/** Histogram of a map's values with its standard deviations and a level that is dragged. */
import { human, s } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import { Plot } from "../kit/plot.ts";
import { toValue, type Row, type Volume } from "./maps.ts";

export class Histogram {
  private plot: Plot;
  readonly element: HTMLElement;
  private shown: { volume: Volume; row: Row; level: number } | null = null;

  constructor(private frame: Frame, private moved: (level: number, done: boolean) => void) {
    this.plot = new Plot({ label: frame.t("map_values"), left: 14, bottom: 22, yTicks: () => "", xTicks: (value) => String(value) });
    this.plot.onDraw((layer) => this.paint(layer));
    this.element = this.plot.element;
    this.element.style.cssText = "height: 138px; margin: 2px 6px; cursor: pointer";
    this.element.addEventListener("click", (event) => {
      const [value] = this.plot.at(event);
      if (this.shown && value >= this.shown.volume.low && value <= this.shown.volume.high) this.moved(value, true);
    });
    frame.onClose(() => this.plot.destroy());
  }

  show(volume: Volume, row: Row, level: number): void {
    this.shown = { volume, row, level };
    this.plot.setRange(volume.low, volume.high, 0, 1.18);
    this.plot.draw();
  }

  private paint(layer: SVGElement): void {
    if (!this.shown) return;
    const { volume, row, level } = this.shown;
    const most = Math.log1p(Math.max(...volume.histogram));
    const xs = volume.histogram.map((_, bin) => toValue(volume, bin));
    const path = this.plot.curve(xs, volume.histogram.map((count) => Math.log1p(count) / most));
    layer.append(s("path", { d: `${path}L${this.plot.x(volume.high)},${this.plot.y(0)}L${this.plot.x(volume.low)},${this.plot.y(0)}Z`, style: "fill: color-mix(in srgb, var(--spa-accent) 35%, transparent); stroke: var(--spa-accent)" }));
    this.deviations(layer, volume, row);
    this.plot.limit(layer, "x", level, "level", `${this.frame.t("level")} ${human(level)}`, this.moved);
  }

  /** Marks at whole standard deviations above the mean, as many as there is room for. */
  private deviations(layer: SVGElement, volume: Volume, row: Row): void {
    const count = Math.floor((volume.high - row.mean) / (row.std || 1));
    const every = [1, 2, 5, 10, 20, 50, 100].find((step) => (this.plot.x(row.mean + step * row.std) - this.plot.x(row.mean)) > 34) ?? 200;
    for (let deviation = every; deviation <= count; deviation += every) {
      const x = this.plot.x(row.mean + deviation * row.std);
      if (x < this.plot.x(volume.low) + 4) continue;
      layer.append(s("line", { x1: x, x2: x, y1: this.plot.y(1.06), y2: this.plot.y(1), class: "spa-axis" }), s("text", { x, y: this.plot.y(1.08), "text-anchor": "middle" }, `${deviation}σ`));
    }
  }
}
