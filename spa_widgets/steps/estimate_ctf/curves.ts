/** The spectrum of a micrograph with its fit: the picture, and the curves with background, correlation and where the fit ends. */
import { h, human, s } from "../../viewers/kit/dom.ts";
import type { Frame } from "../../viewers/kit/frame.ts";
import { bytes, floats } from "../../viewers/kit/link.ts";
import { Plot } from "../../viewers/kit/plot.ts";

interface Curves { frequency: Float32Array; spectrum: Float32Array; background: Float32Array; fit: Float32Array; correlation: Float32Array }

const INK = { spectrum: "var(--spa-ink2)", background: "#b58900", fit: "#0b6fb8", correlation: "#009e73", limit: "#d55e00" };
const TOP = 1.1;

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

export class SpectrumView {
  readonly picture: HTMLElement;
  readonly chart: HTMLElement;
  readonly legend: HTMLElement;
  private image = h("img", { alt: "" });
  private ring = s("svg", { viewBox: "0 0 256 256", "aria-hidden": "true" });
  private plot: Plot;
  private curves: Curves | null = null;
  private step_per_A = 0;
  private end_A = Number.NaN;
  private wanted = -1;

  constructor(private frame: Frame) {
    const { t } = frame;
    this.plot = new Plot({ label: t("curves_label"), xLabel: t("frequency"), yLabel: t("relative_power"), left: 50, xTicks: (value) => (value > 0 ? `1/${human(1 / value, 2)}` : "0") });
    this.plot.onDraw((layer) => this.paint(layer));
    this.chart = this.plot.element;
    this.picture = h("div", { class: "spa-spectrum" }, this.image, this.ring);
    const entry = (ink: string, key: string): HTMLElement => h("span", { class: "spa-slider" }, h("i", { style: `width: 18px; height: 3px; background: ${ink}` }), t(key));
    this.legend = h("div", { class: "spa-legend" }, entry(INK.spectrum, "experimental"), entry(INK.background, "background"), entry(INK.fit, "theory"), entry(INK.correlation, "correlation"), entry(INK.limit, "fit_resolution"));
    frame.onClose(() => { this.plot.destroy(); URL.revokeObjectURL(this.image.src); });
  }

  /** Show a micrograph whose fit ends at a resolution. */
  async show(index: number, end_A: number | null): Promise<void> {
    this.wanted = index;
    const { content, buffers } = await this.frame.link.ask<{ found: boolean; mime: string; step_per_A: number }>("spectrum", { index });
    if (index !== this.wanted) return;
    this.end_A = end_A ?? Number.NaN;
    this.curves = null;
    if (content.found) {
      const [picture, ...curves] = buffers;
      URL.revokeObjectURL(this.image.src);
      this.image.src = URL.createObjectURL(new Blob([bytes(picture)], { type: content.mime }));
      this.step_per_A = content.step_per_A;
      const [frequency, spectrum, background, fit, correlation] = curves.map(floats);
      const top = highest(fit); // the highest ring of the fit is drawn at 1
      const scaled = (curve: Float32Array): Float32Array => curve.map((value) => value / top);
      this.curves = { frequency, spectrum: scaled(spectrum), background: scaled(background), fit: scaled(fit), correlation };
      const last = frequency.filter((value) => Number.isFinite(value)).reduce((most, value) => Math.max(most, value), 0);
      this.plot.setRange(firstKnown(frequency), last || 1, curvesFloor(this.curves), TOP);
      this.image.dataset.shown = String(index);
    }
    this.picture.style.visibility = content.found ? "" : "hidden";
    this.image.alt = this.frame.t(content.found ? "spectrum" : "no_spectrum");
    this.paintRing();
    this.plot.draw();
  }

  private paintRing(): void {
    const radius = 1 / this.end_A / this.step_per_A;
    const drawn = this.curves && Number.isFinite(radius) && radius < 128;
    this.ring.replaceChildren(...(drawn ? [s("circle", { cx: 128, cy: 128, r: radius, fill: "none", stroke: INK.limit, "stroke-width": 1.4, "stroke-dasharray": "5 5" })] : []));
  }

  private paint(layer: SVGElement): void {
    if (!this.curves) return;
    const { frequency, spectrum, background, fit, correlation } = this.curves;
    const line = (ys: Float32Array, ink: string, width: number, dashes = ""): void => { layer.append(s("path", { d: this.plot.curve(frequency, ys), fill: "none", stroke: ink, "stroke-width": width, "stroke-dasharray": dashes || null })); };
    line(background, INK.background, 1.2, "7 3");
    line(spectrum, INK.spectrum, 1.2);
    line(fit, INK.fit, 1.8);
    line(correlation, INK.correlation, 1.5);
    if (!Number.isFinite(this.end_A)) return;
    const [x, floor] = [this.plot.x(1 / this.end_A), this.plot.y(curvesFloor(this.curves))];
    layer.append(s("line", { x1: x, x2: x, y1: this.plot.y(TOP), y2: floor, stroke: INK.limit, "stroke-width": 1.5, "stroke-dasharray": "5 4" }), s("text", { x: x - 5, y: floor - 7, "text-anchor": "end" }, `${human(this.end_A)} Å`));
  }
}
