/** The 2D histogram of NCC and power with four limits that a pointer or the arrow keys move. */
import { h, human, s } from "../../viewers/kit/dom.ts";
import type { Translate } from "../../viewers/kit/frame.ts";
import { Plot, type Range } from "../../viewers/kit/plot.ts";
import { BOUNDS, type Bound, histogram2D, type Limits, type Scores, span } from "./scores.ts";

const BINS = [72, 60] as const;
const KNOBS: Record<Bound, number> = { min_ncc: 0.3, max_ncc: 0.7, min_power: 0.3, max_power: 0.7 }; // apart where lines meet

// light to dark blue and on to yellow for the crowded bins; readable on light and dark themes alike
export function heatColour(part: number): string {
  const stops = [[158, 202, 225], [66, 146, 198], [8, 81, 156], [254, 196, 79]];
  const place = Math.min(part, 0.9999) * (stops.length - 1);
  const [from, to, rest] = [stops[Math.floor(place)], stops[Math.floor(place) + 1], place % 1];
  return `rgb(${from.map((value, channel) => Math.round(value + (to[channel] - value) * rest)).join(",")})`;
}

export class ScorePlot {
  readonly element: HTMLElement;
  range: Range = [0, 1, 0, 1];
  private plot: Plot;
  private heat = "";
  private limits: Limits | null = null;

  constructor(private t: Translate, private moved: (name: Bound, value: number, done: boolean) => void) {
    this.plot = new Plot({ label: t("histogram"), xLabel: t("ncc"), yLabel: t("power"), left: 60 });
    this.plot.onDraw((layer) => this.paint(layer));
    this.element = this.plot.element;
    this.element.classList.add("spa-score-plot");
  }

  name(xLabel: string): void {
    this.plot.setLabel(xLabel);
  }

  show(scores: Scores): void {
    this.range = [...span(scores.ncc), ...span(scores.power)] as Range;
    this.plot.setRange(...this.range);
    this.heat = this.picture(scores);
    this.plot.draw();
  }

  limit(limits: Limits): void {
    this.limits = limits;
    this.plot.draw();
  }

  /** The histogram as a small picture, one pixel a bin, logarithmic in the count. */
  private picture(scores: Scores): string {
    const [columns, rows] = BINS;
    const bins = histogram2D(scores, this.range, columns, rows);
    const most = Math.log1p(bins.reduce((largest, each) => Math.max(largest, each), 1));
    const canvas = h("canvas", { width: columns, height: rows });
    const pen = canvas.getContext("2d")!;
    bins.forEach((count, bin) => {
      if (!count) return;
      pen.fillStyle = heatColour(Math.log1p(count) / most);
      pen.fillRect(bin % columns, Math.floor(bin / columns), 1, 1);
    });
    return canvas.toDataURL();
  }

  private paint(layer: SVGElement): void {
    const { plot, limits, t } = this;
    const [x0, x1, y0, y1] = this.range;
    const [left, right, top, bottom] = [plot.x(x0), plot.x(x1), plot.y(y1), plot.y(y0)];
    if (this.heat) layer.append(s("image", { href: this.heat, x: left, y: top, width: right - left, height: bottom - top, preserveAspectRatio: "none", style: "image-rendering: pixelated" }));
    if (!limits) return;
    const inside = (place: number, low: number, high: number): number => Math.min(Math.max(place, low), high);
    const west = limits.min_ncc === null ? left : inside(plot.x(limits.min_ncc), left, right);
    const east = limits.max_ncc === null ? right : inside(plot.x(limits.max_ncc), west, right);
    const south = limits.min_power === null ? bottom : inside(plot.y(limits.min_power), top, bottom);
    const north = limits.max_power === null ? top : inside(plot.y(limits.max_power), top, south);
    const shade = (x: number, y: number, width: number, height: number): void => { if (width > 0 && height > 0) layer.append(s("rect", { class: "spa-shade", x, y, width, height })); };
    shade(left, top, west - left, bottom - top);
    shade(east, top, right - east, bottom - top);
    shade(west, south, east - west, bottom - south);
    shade(west, top, east - west, north - top);
    const open: Record<Bound, number> = { min_ncc: x0, max_ncc: x1, min_power: y0, max_power: y1 };
    for (const name of BOUNDS) {
      plot.limit(layer, name.endsWith("ncc") ? "x" : "y", limits[name] ?? open[name], name, `${t(name)} ${human(limits[name] ?? Number.NaN)}`, (value, done) => this.moved(name, value, done), KNOBS[name]);
    }
  }

  destroy(): void {
    this.plot.destroy();
  }
}
