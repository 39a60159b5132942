/** A figure of merit over the last axis of a sweep: a line for each combination of the other axes. */
import { human, s } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import { Plot } from "../kit/plot.ts";
import type { Row } from "../jobs/row.ts";

export interface Axis { name: string; label: string; label_ja: string; unit: string; values: string[]; numbers: number[] }
export interface Point { job: string; values: string[] }
export interface Figure { name: string; words: string; words_ja: string; unit: string; sign: number }
export interface SweepRow extends Row { picture: number; figures: Record<string, number>; texts: Record<string, string> }

// Okabe–Ito: told apart with any colour vision
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999"];

/** Lines of a plot over the last axis: for each combination of the others the values of its points, in order. */
export function lines(points: Point[], last: number, value: (job: string) => number | undefined): { name: string; y: (number | undefined)[] }[] {
  const found: { name: string; y: (number | undefined)[] }[] = [];
  for (let start = 0; start < points.length; start += last) {
    found.push({ name: points[start].values.slice(0, -1).join(", "), y: points.slice(start, start + last).map((point) => value(point.job)) });
  }
  return found;
}

/** The plot of a sweep; `draw` shows what is known by now. */
export class SweepChart {
  private plot: Plot;
  private last: Axis;
  private rows: Record<string, SweepRow> = {};

  constructor(private frame: Frame, private axes: Axis[], private points: Point[], private label: (axis: Axis) => string) {
    this.last = axes[axes.length - 1];
    const { unit, values, numbers } = this.last;
    this.plot = new Plot({ label: frame.t("sweep_plot"), left: 64, xLabel: `${label(this.last)}${unit ? ` (${unit})` : ""}`, xTicks: numbers.length > 1 ? undefined : (value) => values[value] ?? "", yTicks: (value) => human(value, 4) });
    this.plot.element.style.cssText = "height: 330px; width: 100%";
    this.plot.onDraw((layer) => this.paint(layer));
  }

  get element(): HTMLElement { return this.plot.element; }

  destroy(): void { this.plot.destroy(); }

  /** Places on the axis: its numbers, or 0, 1, 2 … where its values are words. */
  private get xs(): number[] { return this.last.numbers.length > 1 ? this.last.numbers : this.last.values.map((_, place) => place); }

  draw(rows: Record<string, SweepRow>): void {
    this.rows = rows;
    const { xs } = this;
    const figure = this.frame.link.get<string>("figure");
    const known = Object.values(rows).map((row) => row.figures[figure]).filter((value) => Number.isFinite(value));
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const room = (high - low) * 0.12 || Math.abs(high) * 0.1 || 1;
    const wide = (Math.max(...xs) - Math.min(...xs)) * 0.06 || 1;
    this.plot.setRange(Math.min(...xs) - wide, Math.max(...xs) + wide, known.length ? low - room : 0, known.length ? high + room : 1);
    this.plot.draw();
  }

  private paint(layer: SVGElement): void {
    const { plot, last, xs } = this;
    const figure = this.frame.link.get<string>("figure");
    const best = this.frame.link.get<string>("best");
    const found = lines(this.points, last.values.length, (job) => this.rows[job]?.figures[figure]);
    const others = this.axes.slice(0, -1).map((axis) => (axis.unit ? `${this.label(axis)} (${axis.unit})` : this.label(axis))).join(", ");
    const order = xs.map((_, place) => place).sort((a, b) => xs[a] - xs[b]);
    found.forEach((line, index) => {
      const colour = COLOURS[index % COLOURS.length];
      const y = (place: number): number => line.y[place] ?? Number.NaN;
      layer.append(s("path", { d: plot.curve(order.map((place) => xs[place]), order.map(y)), fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": index >= COLOURS.length ? "6 3" : null }));
      for (const place of order) {
        if (!Number.isFinite(y(place))) continue;
        const job = this.points[index * xs.length + place].job;
        layer.append(s("circle", { cx: plot.x(xs[place]), cy: plot.y(y(place)), r: job === best ? 7 : 4, fill: colour, stroke: "var(--spa-bg)", style: "cursor: pointer", onclick: () => this.frame.guard(this.frame.link.ask("select", { name: job })) }, s("title", {}, `${job}: ${human(y(place), 4)}`)));
        if (job === best) layer.append(s("text", { x: plot.x(xs[place]), y: plot.y(y(place)) - 11, "text-anchor": "middle" }, "★"));
      }
      if (line.name) layer.append(s("text", { x: 76, y: 22 + 15 * index, style: `fill: ${colour}; font-weight: 600` }, `${others} ${line.name}`));
    });
  }
}
