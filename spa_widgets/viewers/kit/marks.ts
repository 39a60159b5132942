/** Circles over a picture. Each look is drawn once and then stamped: 2,000 circles cost a few milliseconds without a graphics card. */
import { clamp, h } from "./dom.ts";

/** What a circle means. Colours tell apart for colour-blind eyes (Okabe and Ito's palette, lightened for dark ground), and so do size and dashes. */
export enum Mark { Plain = 0, Chosen = 1, Rejected = 2, Suggested = 3 }
interface Look { colour: string; width: number; size: number; dash: number }
const LOOKS: Record<Mark, Look> = {
  [Mark.Plain]: { colour: "#33db9e", width: 1.8, size: 1, dash: 0 },
  [Mark.Chosen]: { colour: "#ffd440", width: 3.4, size: 1, dash: 0 },
  [Mark.Rejected]: { colour: "#ff7a33", width: 1.1, size: 0.55, dash: 0 }, // smaller, thin and faint
  [Mark.Suggested]: { colour: "#7accff", width: 2.2, size: 1, dash: 0.2 },
};
const RIM_CSS = 1.2; // dark on both sides, so that a ring is seen on any grey
const LARGEST_STAMP_CSS = 160; // larger ones are few on the screen and drawn as they are
const LEAST_RADIUS_CSS = 3;

/** Where a picture lies on the screen: its pixel `centre` is in the middle, `zoom` CSS pixels for each of its own. */
export interface View { centre: [number, number]; zoom: number; width: number; height: number; ratio: number }

/** Places on the screen, in device pixels, of the marks of one kind that are seen; x, y after each other. */
export function placed(triples: Float32Array, kind: Mark, view: View, reach_css: number): number[] {
  const { centre, zoom, width, height, ratio } = view;
  const found: number[] = [];
  for (let at = 0; at < triples.length; at += 3) {
    if (triples[at + 2] !== kind) continue;
    const x = (triples[at] - centre[0]) * zoom + width / 2;
    const y = (triples[at + 1] - centre[1]) * zoom + height / 2;
    if (x > -reach_css && y > -reach_css && x < width + reach_css && y < height + reach_css) found.push(x * ratio, y * ratio);
  }
  return found;
}

export class MarkLayer {
  readonly canvas = h("canvas", { "aria-hidden": "true", class: "spa-marks" });
  private pen = this.canvas.getContext("2d");
  private stamps = new Map<string, HTMLCanvasElement>();

  paint(triples: Float32Array, radius_css: number, view: View): void {
    const pen = this.pen;
    if (!pen) return;
    const [width, height] = [Math.round(view.width * view.ratio), Math.round(view.height * view.ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) [this.canvas.width, this.canvas.height] = [width, height];
    else pen.clearRect(0, 0, width, height);
    for (const kind of [Mark.Rejected, Mark.Suggested, Mark.Plain, Mark.Chosen]) {
      const radius = Math.max(radius_css, LEAST_RADIUS_CSS) * LOOKS[kind].size;
      const places = placed(triples, kind, view, radius + 4);
      if (places.length) this.stamp(pen, kind, places, radius, view.ratio);
    }
  }

  private stamp(pen: CanvasRenderingContext2D, kind: Mark, places: number[], radius_css: number, ratio: number): void {
    if (radius_css > LARGEST_STAMP_CSS) {
      for (let at = 0; at < places.length; at += 2) ring(pen, kind, places[at], places[at + 1], radius_css, ratio);
      return;
    }
    const stamp = this.stampOf(kind, radius_css, ratio);
    const half = stamp.width / 2;
    // whole pixels: nothing is interpolated, and a panned circle stays where it is on the picture
    for (let at = 0; at < places.length; at += 2) pen.drawImage(stamp, Math.round(places[at]) - half, Math.round(places[at + 1]) - half);
  }

  private stampOf(kind: Mark, radius_css: number, ratio: number): HTMLCanvasElement {
    const key = `${kind} ${radius_css.toFixed(2)} ${ratio}`;
    let stamp = this.stamps.get(key);
    if (!stamp) {
      if (this.stamps.size > 60) this.stamps.clear();
      const half = Math.ceil((radius_css + LOOKS[kind].width / 2 + RIM_CSS + 1) * ratio);
      stamp = h("canvas", { width: 2 * half, height: 2 * half });
      ring(stamp.getContext("2d")!, kind, half, half, radius_css, ratio);
      this.stamps.set(key, stamp);
    }
    return stamp;
  }
}

function ring(pen: CanvasRenderingContext2D, kind: Mark, x: number, y: number, radius_css: number, ratio: number): void {
  const { colour, width, dash } = LOOKS[kind];
  const radius = radius_css * ratio;
  const piece = clamp(dash * radius * Math.PI, 3, 14);
  pen.setLineDash(dash ? [piece, piece * 0.7] : []);
  for (const [ink, line] of [["rgba(0, 0, 0, .5)", width + 2 * RIM_CSS], [colour, width]] as const) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.strokeStyle = ink;
    pen.lineWidth = line * ratio;
    pen.stroke();
  }
}
