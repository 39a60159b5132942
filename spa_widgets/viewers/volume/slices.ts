/** Three slices through a volume with the contours of all maps on them; a click or drag moves the other two. */
import { slider, type Slider } from "../kit/controls.ts";
import { clamp, h, throttle } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import type { Vector } from "./geometry.ts";
import type { Volume } from "./maps.ts";

export type Axis = "x" | "y" | "z";
const PLACE: Record<Axis, 0 | 1 | 2> = { x: 0, y: 1, z: 2 };
/** Axes to the right and up. */
const SHOWN: Record<Axis, [Axis, Axis]> = { z: ["x", "y"], y: ["x", "z"], x: ["y", "z"] };
const SHOWN_PX = 360;

export interface Outline { volume: Volume; level: number; colour: Vector }

/** Grey levels of a slice, first row the largest coordinate: y (or z) points up. */
export function sliceOf(volume: Pick<Volume, "data" | "shape">, axis: "x" | "y" | "z", index: number): { width: number; height: number; levels: Uint8Array } {
  const [nx, ny, nz] = volume.shape;
  const [width, height] = axis === "z" ? [nx, ny] : axis === "y" ? [nx, nz] : [ny, nz];
  const levels = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const up = height - 1 - row;
      const [x, y, z] = axis === "z" ? [column, up, index] : axis === "y" ? [column, index, up] : [index, column, up];
      levels[row * width + column] = volume.data[(z * ny + y) * nx + x];
    }
  }
  return { width, height, levels };
}

/** A slice enlarged with bilinear interpolation, so that the contour's line is thin beside the density. */
export function enlarged(slice: { width: number; height: number; levels: Uint8Array }, wanted_px: number): { width: number; height: number; levels: Float32Array } {
  const factor = Math.max(1, Math.round(wanted_px / Math.max(slice.width, slice.height)));
  const [width, height] = [slice.width * factor, slice.height * factor];
  const levels = new Float32Array(width * height);
  const place = (pixel: number, count: number): [number, number] => {
    const at = Math.min(Math.max((pixel + 0.5) / factor - 0.5, 0), count - 1);
    const first = Math.min(Math.floor(at), Math.max(count - 2, 0));
    return [first, at - first];
  };
  for (let row = 0; row < height; row++) {
    const [y, down] = place(row, slice.height);
    for (let column = 0; column < width; column++) {
      const [x, right] = place(column, slice.width);
      const [i, j] = [y * slice.width + x, Math.min(y + 1, slice.height - 1) * slice.width + x];
      const last = x + 1 < slice.width ? 1 : 0;
      levels[row * width + column] = (1 - down) * ((1 - right) * slice.levels[i] + right * slice.levels[i + last]) + down * ((1 - right) * slice.levels[j] + right * slice.levels[j + last]);
    }
  }
  return { width, height, levels };
}


class Slice {
  readonly element: HTMLElement;
  readonly slider: Slider;
  private canvas = h("canvas", { style: "width: 100%; display: block; image-rendering: auto; touch-action: none; cursor: crosshair" });

  constructor(frame: Frame, readonly axis: Axis, count: number, private moved: (at: Partial<Record<Axis, number>>) => void, private shape: readonly number[]) {
    this.slider = slider({ label: axis, min: 0, max: count - 1, step: 1, value: Math.floor(count / 2), input: (value) => this.moved({ [axis]: value }) });
    this.slider.element.querySelectorAll("input").forEach((input) => input.setAttribute("aria-label", `${frame.t("slice")} ${axis}`));
    this.element = h("div", { class: "spa-slice", "data-axis": axis, style: "flex: 1 1 150px; min-width: 0; max-width: 236px" }, this.canvas, h("div", { style: "padding-top: 4px" }, this.slider.element));
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${frame.t("slice")} ${axis}`);
    const point = (event: PointerEvent): void => {
      const box = this.canvas.getBoundingClientRect();
      const [right, up] = SHOWN[axis];
      const along = (name: Axis, part: number): number => clamp(Math.floor(part * shape[PLACE[name]]), 0, shape[PLACE[name]] - 1);
      this.moved({ [right]: along(right, (event.clientX - box.left) / box.width), [up]: along(up, 1 - (event.clientY - box.top) / box.height) });
    };
    this.canvas.addEventListener("pointerdown", (event) => { try { this.canvas.setPointerCapture(event.pointerId); } catch { /* synthetic */ } point(event); });
    this.canvas.addEventListener("pointermove", (event) => { if (event.buttons & 1) point(event); });
    this.canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.moved({ [axis]: clamp(this.slider.get() + Math.sign(event.deltaY), 0, count - 1) }); }, { passive: false });
  }

  paint(volume: Volume, at: Record<Axis, number>, grey: [number, number], outlines: Outline[]): void {
    this.slider.set(at[this.axis]);
    const { width, height, levels } = enlarged(sliceOf(volume, this.axis, at[this.axis]), SHOWN_PX);
    [this.canvas.width, this.canvas.height] = [width, height];
    const pen = this.canvas.getContext("2d")!;
    const picture = pen.createImageData(width, height);
    const [low, high] = grey;
    for (let place = 0; place < levels.length; place++) {
      const value = (255 * (levels[place] - low)) / (high - low || 1);
      picture.data.fill(clamp(value, 0, 255), 4 * place, 4 * place + 3);
      picture.data[4 * place + 3] = 255;
    }
    for (const outline of outlines) this.trace(picture, outline, outline.volume === volume ? levels : enlarged(sliceOf(outline.volume, this.axis, at[this.axis]), SHOWN_PX).levels, width);
    pen.putImageData(picture, 0, 0);
    this.cross(pen, at, width, height);
  }

  private trace(picture: ImageData, { level, colour }: Outline, levels: Float32Array, width: number): void {
    for (let place = 0; place < levels.length; place++) {
      if (levels[place] <= level) continue;
      if (levels[place - 1] > level && levels[place + 1] > level && levels[place - width] > level && levels[place + width] > level) continue;
      for (let channel = 0; channel < 3; channel++) picture.data[4 * place + channel] = 255 * colour[channel];
    }
  }

  private cross(pen: CanvasRenderingContext2D, at: Record<Axis, number>, width: number, height: number): void {
    const [right, up] = SHOWN[this.axis];
    const [x, y] = [((at[right] + 0.5) / this.shape[PLACE[right]]) * width, (1 - (at[up] + 0.5) / this.shape[PLACE[up]]) * height];
    pen.strokeStyle = "rgba(255, 210, 60, .6)";
    pen.lineWidth = Math.max(1, width / 360);
    pen.beginPath();
    pen.moveTo(x, 0); pen.lineTo(x, height); pen.moveTo(0, y); pen.lineTo(width, y);
    pen.stroke();
  }
}

export class SliceStrip {
  readonly element = h("div", { class: "spa-slices", style: "display: flex; gap: 10px; padding: 8px 12px; flex: 1 1 480px; max-width: 752px" });
  private slices: Slice[] = [];
  private volume: Volume | null = null;
  private at: Record<Axis, number> = { x: 0, y: 0, z: 0 };
  private pending = false;
  private origin: Vector = [0, 0, 0];
  outlines: Outline[] = [];
  grey: [number, number] = [0, 255];

  constructor(private frame: Frame) {
    frame.link.watch(["cut"], () => this.follow());
  }

  show(volume: Volume, origin: Vector): void {
    this.origin = origin;
    if (this.volume !== volume) {
      this.volume = volume;
      this.slices = (["z", "y", "x"] as Axis[]).map((axis) => new Slice(this.frame, axis, volume.shape[PLACE[axis]], (at) => this.move(at), volume.shape));
      this.element.replaceChildren(...this.slices.map((slice) => slice.element));
    }
    this.follow();
  }

  /** Where Python, or another view, has the slices. */
  private follow(): void {
    const { volume } = this;
    if (!volume) return;
    const cut = this.frame.link.get<number[] | null>("cut");
    for (const axis of ["x", "y", "z"] as Axis[]) {
      const side = volume.shape[PLACE[axis]];
      this.at[axis] = cut ? clamp(Math.round((cut[PLACE[axis]] - this.origin[PLACE[axis]]) / volume.pixel_size_A), 0, side - 1) : Math.floor(side / 2);
    }
    this.draw();
  }

  private move(at: Partial<Record<Axis, number>>): void {
    Object.assign(this.at, at);
    this.draw();
    this.send();
  }

  private send = throttle(() => {
    const size = this.volume!.pixel_size_A;
    this.frame.link.set("cut", [0, 1, 2].map((place) => this.origin[place] + size * this.at[(["x", "y", "z"] as Axis[])[place]]));
  }, 120);

  draw(): void {
    if (this.pending || !this.volume) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      const { volume } = this;
      if (!volume) return;
      const same = this.outlines.filter((outline) => outline.volume.shape.every((side, axis) => side === volume.shape[axis]));
      for (const slice of this.slices) slice.paint(volume, this.at, this.grey, same);
      this.element.dataset.at = `${this.at.x} ${this.at.y} ${this.at.z}`;
    });
  }
}
