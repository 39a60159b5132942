/** What is turned, moved and zoomed by pointer, wheel and fingers; who draws on it is another matter. */
import { clamp, h, niceLength } from "../kit/dom.ts";
import { looking, turned, type Rotation, type Vector } from "./geometry.ts";

export interface Camera { view: Vector; up: Vector; zoom: number | null; centre: Vector | null }

export abstract class Stage {
  readonly element: HTMLElement;
  readonly canvas = h("canvas", { "aria-hidden": "true" });
  private observer: ResizeObserver;
  private scaleText = h("span");
  private scaleLine = h("i");
  private pending = false;
  private pointers = new Map<number, [number, number]>();
  rotation: Rotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  /** CSS pixels for one Å and the place in the middle (Å); null where everything fits. */
  zoom: number | null = null;
  centre: Vector | null = null;
  /** What fits. */
  extent_A = 100;
  home: Vector = [0, 0, 0];
  ground: Vector = [1, 1, 1];

  constructor(label: string, private moved: () => void) {
    this.element = h("div", { class: "spa-stage spa-scene", role: "group", "aria-label": label }, this.canvas, h("div", { class: "spa-scale" }, this.scaleText, this.scaleLine));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    this.listen();
  }

  /** Draw at the next frame of the screen. */
  draw = (): void => {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      const [width, height] = [this.element.clientWidth, this.element.clientHeight];
      if (!width || !height) return;
      this.paint(width, height);
      const length_A = niceLength(Math.min(150, width / 4) / this.scale());
      this.scaleLine.style.width = `${length_A * this.scale()}px`;
      this.scaleText.textContent = `${length_A} Å`;
    });
  };

  protected abstract paint(width: number, height: number): void;

  scale(): number {
    return this.zoom ?? (0.86 * Math.min(this.element.clientWidth, this.element.clientHeight)) / this.extent_A;
  }

  middle(): Vector {
    return this.centre ?? this.home;
  }

  get camera(): Camera {
    const [, up, towards] = this.rotation;
    return { view: [-towards[0], -towards[1], -towards[2]], up, zoom: this.zoom, centre: this.centre };
  }

  set camera({ view, up, zoom, centre }: Camera) {
    this.rotation = looking(view, up);
    [this.zoom, this.centre] = [zoom, centre];
    this.draw();
  }

  turn(aboutX: number, aboutY: number): void {
    this.rotation = turned(this.rotation, aboutX, aboutY);
    this.draw();
  }

  zoomBy(factor: number): void {
    const now = this.scale();
    this.centre = this.middle();
    this.zoom = clamp(now * factor, 0.02, 2000);
    this.draw();
  }

  pan(dx: number, dy: number): void {
    const [x, y] = this.rotation;
    const scale = this.scale();
    this.zoom = scale;
    this.centre = this.middle().map((value, axis) => value - (dx * x[axis] - dy * y[axis]) / scale) as Vector;
    this.draw();
  }

  private listen(): void {
    const canvas = this.canvas;
    canvas.addEventListener("contextmenu", (event) => { event.preventDefault(); event.stopPropagation(); });
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoomBy(Math.exp(-clamp(event.deltaY, -120, 120) * 0.002)); this.moved(); }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      try { canvas.setPointerCapture(event.pointerId); } catch { /* synthetic */ }
    });
    const up = (event: PointerEvent): void => { if (this.pointers.delete(event.pointerId)) this.moved(); };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointermove", (event) => this.move(event));
  }

  private move(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)![1];
      const spread = (point: readonly number[]): number => Math.hypot(point[0] - other[0], point[1] - other[1]);
      this.zoomBy(spread([event.clientX, event.clientY]) / (spread(before) || 1));
      this.pan(dx / 2, dy / 2);
    } else if (event.shiftKey || event.buttons === 2 || event.buttons === 4) {
      this.pan(dx, dy);
    } else {
      this.turn(dy * 0.008, dx * 0.008);
    }
    this.moved();
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  destroy(): void {
    this.observer.disconnect();
  }
}
