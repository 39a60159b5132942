/** The local defocus over a micrograph as a landscape: a mesh in SVG, turned by dragging or by the arrow keys. */
import { clamp, h, human, s } from "../../viewers/kit/dom.ts";
import type { Frame } from "../../viewers/kit/frame.ts";
import { floats } from "../../viewers/kit/link.ts";

export interface Quad { points: [number, number][]; depth: number; level: number }
const LEAST_SPAN_A = 60; // flatter landscapes look flat
const TALL = 0.55; // height of the highest against the micrograph's side
const [SIZE, SCALE] = [240, 132];

/** Colours from low to high that differ in lightness too. */
export function heightColour(level: number): string {
  const stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const place = clamp(level, 0, 0.9999) * (stops.length - 1);
  const [low, high, part] = [stops[Math.floor(place)], stops[Math.floor(place) + 1], place % 1];
  return `rgb(${low.map((value, channel) => Math.round(value + (high[channel] - value) * part)).join(",")})`;
}

/** A point over the micrograph (x, y in -0.5 … 0.5, height in the same unit) on the screen, and how near it is. */
export function projected(x: number, y: number, height: number, turn_deg: number, lift_deg: number): [number, number, number] {
  const [turn, lift] = [(turn_deg * Math.PI) / 180, (lift_deg * Math.PI) / 180];
  const [across, near] = [x * Math.cos(turn) - y * Math.sin(turn), x * Math.sin(turn) + y * Math.cos(turn)];
  return [across, near * Math.sin(lift) - height * Math.cos(lift), near];
}

/** The squares of the mesh, the furthest first; `level` is 0 for the lowest and 1 for the highest. */
export function mesh(heights: Float32Array, side: number, aspect: number, turn_deg: number, lift_deg: number): Quad[] {
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  const span = Math.max(high - low, LEAST_SPAN_A);
  const middle = (low + high) / 2;
  const [wide, deep] = aspect >= 1 ? [1, 1 / aspect] : [aspect, 1];
  const corner = (row: number, column: number): [number, number, number] =>
    projected((column / (side - 1) - 0.5) * wide, (row / (side - 1) - 0.5) * deep, ((heights[row * side + column] - middle) / span) * TALL, turn_deg, lift_deg);
  const quads: Quad[] = [];
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const places = [[row, column], [row, column + 1], [row + 1, column + 1], [row + 1, column]];
      const corners = places.map(([r, c]) => corner(r, c));
      const mean = places.reduce((sum, [r, c]) => sum + heights[r * side + c], 0) / 4;
      quads.push({ points: corners.map(([x, y]) => [x, y]), depth: corners.reduce((sum, [, , near]) => sum + near, 0), level: 0.5 + (mean - middle) / span });
    }
  }
  return quads.sort((a, b) => a.depth - b.depth);
}

export class LandscapeView {
  readonly element: HTMLElement;
  private svg = s("svg", { viewBox: `0 0 ${SIZE} ${SIZE * 0.8}`, role: "img", tabindex: 0, class: "spa-chart spa-landscape" });
  private text = h("div", { class: "spa-dim spa-num" });
  private surface: { heights: Float32Array; side: number; aspect: number } | null = null;
  private turn_deg = -32;
  private lift_deg = 34;
  private wanted = -1;

  constructor(private frame: Frame) {
    this.element = h("div", { class: "spa-landscape-box" }, h("b", {}, frame.t("landscape")), this.svg, this.text);
    this.svg.addEventListener("pointerdown", this.drag as EventListener);
    this.svg.addEventListener("keydown", this.key as EventListener);
  }

  /** Show the landscape of a micrograph with that mean defocus. */
  async show(index: number, mean_A: number | null): Promise<void> {
    this.wanted = index;
    const { t, link } = this.frame;
    const { content, buffers } = await link.ask<{ found: boolean; side: number; aspect: number; tilt_deg: number }>("landscape", { index });
    if (index !== this.wanted) return;
    this.surface = content.found ? { heights: floats(buffers[0]), side: content.side, aspect: content.aspect } : null;
    this.svg.style.display = content.found ? "" : "none";
    if (this.surface) {
      const { heights } = this.surface;
      const signed = (value: number): string => `${value > 0 ? "+" : "−"}${human(Math.abs(value), 2)}`;
      const facts = { low: signed(Math.min(...heights)), high: signed(Math.max(...heights)), mean: ((mean_A ?? Number.NaN) / 1e4).toFixed(3), tilt: content.tilt_deg.toFixed(1) };
      this.text.textContent = t("landscape_text", facts);
      this.svg.setAttribute("aria-label", `${t("landscape")}: ${this.text.textContent}`);
    } else this.text.textContent = t("landscape_none");
    this.element.dataset.shown = String(index);
    this.draw();
  }

  private draw(): void {
    if (!this.surface) return this.svg.replaceChildren();
    const { heights, side, aspect } = this.surface;
    const place = ([x, y]: [number, number]): string => `${(SIZE / 2 + SCALE * x).toFixed(1)},${(SIZE * 0.4 + SCALE * y).toFixed(1)}`;
    const [wide, deep] = aspect >= 1 ? [0.5, 0.5 / aspect] : [0.5 * aspect, 0.5];
    const ground = (x: number, y: number): [number, number] => { const [a, b] = projected(x, y, -TALL / 2, this.turn_deg, this.lift_deg); return [a, b]; };
    const floor = [[-wide, -deep], [wide, -deep], [wide, deep], [-wide, deep]].map(([x, y]) => place(ground(x, y))).join(" ");
    const label = (x: number, y: number, text: string): SVGElement => { const [left, top] = place(ground(x, y)).split(","); return s("text", { x: left, y: top, "text-anchor": "middle" }, text); };
    this.svg.replaceChildren(
      s("polygon", { points: floor, fill: "none", stroke: "var(--spa-line)" }), label(0, 1.25 * deep, "x"), label(1.25 * wide, 0, "y"),
      ...mesh(heights, side, aspect, this.turn_deg, this.lift_deg).map(({ points, level }) => s("polygon", { points: points.map(place).join(" "), fill: heightColour(level), stroke: "rgba(0, 0, 0, .25)", "stroke-width": 0.5 })));
  }

  private turn(by_deg: number, lift_deg: number): void {
    this.turn_deg += by_deg;
    this.lift_deg = clamp(this.lift_deg + lift_deg, 5, 90);
    this.draw();
  }

  private drag = (event: PointerEvent): void => {
    event.preventDefault();
    (this.svg as unknown as HTMLElement).focus({ preventScroll: true });
    let [x, y] = [event.clientX, event.clientY];
    const move = (next: PointerEvent): void => {
      this.turn((x - next.clientX) * 0.6, (next.clientY - y) * 0.5);
      [x, y] = [next.clientX, next.clientY];
    };
    const up = (): void => { window.removeEventListener("pointermove", move); window.removeEventListener("pointerup", up); window.removeEventListener("pointercancel", up); };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
    window.addEventListener("pointercancel", up);
  };

  private key = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: [8, 0], ArrowRight: [-8, 0], ArrowUp: [0, 5], ArrowDown: [0, -5] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    this.turn(by[0], by[1]);
  };
}
