/** Mouse, pen and fingers on a picture: drag pans or moves a mark, wheel and pinch zoom, a long press is a right click. */
import { clamp } from "./dom.ts";

export interface Gestures {
  /** Index of the mark under the pointer, or -1. */
  hit?: (x: number, y: number) => number;
  click?: (x: number, y: number, button: number, event: PointerEvent) => void;
  dragMark?: (index: number, x: number, y: number, done: boolean) => void;
  hover?: (x: number, y: number, index: number) => void;
}

/** What gestures act on; points are in CSS pixels of the surface. */
export interface Surface {
  toImage(x_css: number, y_css: number): [number, number];
  panBy(dx_css: number, dy_css: number): void;
  zoomBy(factor: number, at?: [number, number]): void;
}

interface Press { x: number; y: number; startX: number; startY: number; button: number; mark: number; moved: boolean; longPress?: ReturnType<typeof setTimeout> }
const LONG_PRESS_MS = 550;
const SLACK_CSS = { mouse: 4, pen: 6, touch: 9 } as Record<string, number>;

export class GestureReader {
  private pointers = new Map<number, Press>();

  constructor(private target: HTMLElement, private surface: Surface, private gestures: Gestures) {
    target.addEventListener("contextmenu", (event) => { event.preventDefault(); event.stopPropagation(); });
    target.addEventListener("wheel", (event) => {
      event.preventDefault();
      surface.zoomBy(Math.exp(-clamp(event.deltaY, -120, 120) * 0.0022), this.place(event));
    }, { passive: false });
    target.addEventListener("pointerdown", this.down);
    target.addEventListener("pointermove", this.move);
    target.addEventListener("pointerup", this.up);
    target.addEventListener("pointercancel", (event) => this.forget(event.pointerId));
  }

  private place(event: MouseEvent): [number, number] {
    const box = this.target.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private forget(id: number): Press | undefined {
    const press = this.pointers.get(id);
    clearTimeout(press?.longPress);
    this.pointers.delete(id);
    return press;
  }

  private down = (event: PointerEvent): void => {
    const [x, y] = this.place(event);
    const byTouch = event.pointerType === "touch";
    // a finger on the picture pans, also where picks lie close together
    const mark = event.button === 0 && !byTouch && this.gestures.dragMark ? this.gestures.hit?.(...this.surface.toImage(x, y)) ?? -1 : -1;
    const press: Press = { x, y, startX: x, startY: y, button: event.button, mark, moved: false };
    if (byTouch) press.longPress = setTimeout(() => this.longPress(press, event), LONG_PRESS_MS);
    this.pointers.set(event.pointerId, press);
    if (this.pointers.size > 1) for (const each of this.pointers.values()) this.isMoving(each);
    try { this.target.setPointerCapture(event.pointerId); } catch { /* a synthetic pointer cannot be captured */ }
  };

  private longPress(press: Press, event: PointerEvent): void {
    if (press.moved) return;
    press.moved = true; // lifting the finger is no tap any more
    this.gestures.click?.(...this.surface.toImage(press.x, press.y), 2, event);
  }

  private isMoving(press: Press): void {
    press.moved = true;
    clearTimeout(press.longPress);
  }

  private move = (event: PointerEvent): void => {
    const [x, y] = this.place(event);
    const press = this.pointers.get(event.pointerId);
    if (!press) {
      const point = this.surface.toImage(x, y);
      this.gestures.hover?.(...point, this.gestures.hit?.(...point) ?? -1);
      return;
    }
    const before = [...this.pointers.values()].map((each) => [each.x, each.y] as [number, number]);
    const [dx, dy] = [x - press.x, y - press.y];
    const far = Math.hypot(x - press.startX, y - press.startY) > (SLACK_CSS[event.pointerType] ?? 4);
    if (far && !press.moved) this.isMoving(press);
    [press.x, press.y] = [x, y];
    if (this.pointers.size === 2) this.pinch(before, [...this.pointers.values()].map((each) => [each.x, each.y] as [number, number]));
    else if (press.moved && press.mark >= 0) this.gestures.dragMark!(press.mark, ...this.surface.toImage(x, y), false);
    else if (press.moved) this.surface.panBy(dx, dy);
  };

  private pinch(before: [number, number][], after: [number, number][]): void {
    const { factor, middle, shift } = pinchOf(before, after);
    this.surface.panBy(...shift);
    this.surface.zoomBy(factor, middle);
  }

  private up = (event: PointerEvent): void => {
    const press = this.forget(event.pointerId);
    if (!press) return;
    const point = this.surface.toImage(...this.place(event));
    if (press.moved && press.mark >= 0) this.gestures.dragMark!(press.mark, ...point, true);
    else if (!press.moved) this.gestures.click?.(...point, press.button, event);
  };
}

/** How two fingers changed the view: the zoom about their new middle, and how far the middle went. */
export function pinchOf(before: [number, number][], after: [number, number][]): { factor: number; middle: [number, number]; shift: [number, number] } {
  const middle = ([a, b]: [number, number][]): [number, number] => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const spread = ([a, b]: [number, number][]): number => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
  const [from, to] = [middle(before), middle(after)];
  return { factor: spread(after) / spread(before), middle: to, shift: [to[0] - from[0], to[1] - from[1]] };
}
