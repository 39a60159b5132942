/** Axes in SVG with things drawn in data units, and limits that a pointer or the arrow keys move. */
import { clamp, niceTicks, s } from "./dom.ts";

export interface PlotOptions { label: string; xLabel?: string; yLabel?: string; left?: number; bottom?: number; xTicks?: (value: number) => string; yTicks?: (value: number) => string }
export type Range = [number, number, number, number];

/** The numbers of an axis, all with as many decimals as the one that needs most: 5.05 and 5.10. */
export function tickTexts(ticks: number[], given?: (value: number) => string): string[] {
  if (given) return ticks.map((tick) => given(tick));
  const plain = ticks.map(String);
  if (plain.some((text) => text.includes("e"))) return plain; // 1e-7 has no decimals to share
  const decimals = Math.max(0, ...plain.map((text) => (text.split(".")[1] ?? "").length));
  return ticks.map((tick) => tick.toFixed(decimals));
}

export class Plot {
  readonly element = document.createElement("div");
  readonly svg: SVGElement;
  private width = 0;
  private height = 0;
  private range: Range = [0, 1, 0, 1];
  private painters: ((layer: SVGElement) => void)[] = [];
  private observer: ResizeObserver;

  constructor(private options: PlotOptions) {
    this.element.className = "spa-plot";
    this.svg = s("svg", { class: "spa-chart", role: "group", "aria-label": options.label });
    this.element.append(this.svg);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
  }

  /** Name the x axis anew. */
  setLabel(xLabel: string): void {
    this.options.xLabel = xLabel;
    this.draw();
  }

  setRange(...range: Range): void {
    this.range = range;
  }

  /** Add something that is drawn whenever the plot is. */
  onDraw(painter: (layer: SVGElement) => void): void {
    this.painters.push(painter);
  }

  private box(): { left: number; right: number; top: number; bottom: number } {
    return { left: this.options.left ?? 52, right: this.width - 12, top: 10, bottom: this.height - (this.options.bottom ?? 36) };
  }

  x = (value: number): number => { const { left, right } = this.box(); return left + ((value - this.range[0]) / (this.range[1] - this.range[0])) * (right - left); };
  y = (value: number): number => { const { top, bottom } = this.box(); return bottom - ((value - this.range[2]) / (this.range[3] - this.range[2])) * (bottom - top); };

  /** Data units under a pointer. */
  at(event: MouseEvent): [number, number] {
    const frame = this.element.getBoundingClientRect();
    const { left, right, top, bottom } = this.box();
    const [x0, x1, y0, y1] = this.range;
    return [x0 + ((event.clientX - frame.left - left) / (right - left)) * (x1 - x0), y0 + ((bottom - event.clientY + frame.top) / (bottom - top)) * (y1 - y0)];
  }

  draw = (): void => {
    this.width = this.element.clientWidth;
    this.height = this.element.clientHeight;
    if (this.width < 60 || this.height < 60) return;
    const focused = (this.svg.querySelector(":focus") as HTMLElement | null)?.dataset.limit;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const layer = s("g");
    this.svg.replaceChildren(layer);
    this.axes(layer);
    for (const painter of this.painters) painter(layer);
    if (focused) (this.svg.querySelector(`[data-limit="${focused}"]`) as HTMLElement | null)?.focus();
  };

  private axes(layer: SVGElement): void {
    const { left, right, top, bottom } = this.box();
    const [x0, x1, y0, y1] = this.range;
    const [across, up] = [niceTicks(x0, x1, (right - left) / 75), niceTicks(y0, y1, (bottom - top) / 45)];
    const [acrossTexts, upTexts] = [tickTexts(across, this.options.xTicks), tickTexts(up, this.options.yTicks)];
    for (const [index, tick] of across.entries()) {
      layer.append(s("line", { class: "spa-grid", x1: this.x(tick), x2: this.x(tick), y1: top, y2: bottom }),
        s("text", { x: this.x(tick), y: bottom + 15, "text-anchor": "middle" }, acrossTexts[index]));
    }
    for (const [index, tick] of up.entries()) {
      layer.append(s("line", { class: "spa-grid", x1: left, x2: right, y1: this.y(tick), y2: this.y(tick) }),
        s("text", { x: left - 6, y: this.y(tick) + 4, "text-anchor": "end" }, upTexts[index]));
    }
    layer.append(s("path", { class: "spa-axis", d: `M${left},${top}V${bottom}H${right}` }));
    if (this.options.xLabel) layer.append(s("text", { x: (left + right) / 2, y: this.height - 4, "text-anchor": "middle" }, this.options.xLabel));
    if (this.options.yLabel) layer.append(s("text", { x: 12, y: (top + bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(top + bottom) / 2})` }, this.options.yLabel));
  }

  /** The path of a curve; values that are not numbers break it. */
  curve(xs: ArrayLike<number>, ys: ArrayLike<number>): string {
    let path = "";
    let pen = false;
    const [, , y0, y1] = this.range;
    for (let index = 0; index < xs.length; index++) {
      if (!Number.isFinite(xs[index]) || !Number.isFinite(ys[index]) || xs[index] > this.range[1]) { pen = false; continue; }
      path += `${pen ? "L" : "M"}${this.x(xs[index]).toFixed(1)},${this.y(clamp(ys[index], y0, y1)).toFixed(1)}`;
      pen = true;
    }
    return path;
  }

  /** A limit on x or y that is dragged, or moved by the arrow keys; its knob is at this part of its line. */
  limit(layer: SVGElement, axis: "x" | "y", value: number, name: string, label: string, moved: (value: number, done: boolean) => void, knobAt?: number): void {
    const { left, right, top, bottom } = this.box();
    const [low, high] = axis === "x" ? [this.range[0], this.range[1]] : [this.range[2], this.range[3]];
    const place = clamp(value, low, high);
    const ends = axis === "x" ? { x1: this.x(place), x2: this.x(place), y1: top, y2: bottom } : { x1: left, x2: right, y1: this.y(place), y2: this.y(place) };
    const grip = s("line", { class: `spa-grip${axis === "y" ? " spa-level" : ""}`, ...ends });
    const knob = axis === "x" ? s("circle", { cx: this.x(place), cy: top + (bottom - top) * (knobAt ?? 0.5), r: 6, fill: "var(--spa-warn)" }) : s("circle", { cx: knobAt === undefined ? right - 7 : left + (right - left) * knobAt, cy: this.y(place), r: 6, fill: "var(--spa-warn)" });
    const group = s("g", { tabindex: 0, role: "slider", "data-limit": name, "aria-label": label, "aria-valuenow": value, "aria-valuemin": low, "aria-valuemax": high, "aria-orientation": axis === "x" ? "horizontal" : "vertical" },
      s("line", { class: "spa-limit", ...ends }), knob, grip);
    const follow = (event: PointerEvent, done: boolean): void => moved(clamp(this.at(event)[axis === "x" ? 0 : 1], low, high), done);
    const down = (event: PointerEvent): void => {
      event.preventDefault();
      event.stopPropagation();
      const move = (next: PointerEvent): void => follow(next, false);
      const up = (next: PointerEvent): void => { window.removeEventListener("pointermove", move); window.removeEventListener("pointerup", up); follow(next, true); };
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", up);
    };
    grip.addEventListener("pointerdown", down as EventListener);
    knob.addEventListener("pointerdown", down as EventListener);
    group.addEventListener("keydown", ((event: KeyboardEvent) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      moved(clamp(value + (step * (high - low)) / 200, low, high), true);
    }) as EventListener);
    layer.append(group);
  }

  destroy(): void {
    this.observer.disconnect();
  }
}
