/** One slice of a volume with the contour on it, along x, y or z. */
import { slider } from "../kit/controls.ts";
import { h } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import type { Vector } from "./scene.ts";
import type { Volume } from "./widget.ts";

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

const SHOWN_PX = 420;
const BRIGHTEN = 0.6; // the density of interest fills the lower half of the grey levels

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

export class SliceView {
  readonly element: HTMLElement;
  level = 128;
  colour: Vector = [0.3, 0.7, 0.9];
  private canvas = h("canvas", { style: "width: 100%; image-rendering: auto; border-radius: 5px; background: #000; display: block" });
  private volume: Volume | null = null;
  private axis: "x" | "y" | "z" = "z";
  private place = h("div");
  private index = 0;

  constructor(private frame: Frame) {
    const axis = h("select", { "aria-label": frame.t("slice"), onchange: () => { this.axis = axis.value as "x"; this.show(this.volume!); } },
      ...["z", "y", "x"].map((name) => h("option", { value: name }, name)));
    this.element = h("div", { style: "padding: 6px 14px 14px" }, h("div", { class: "spa-slider", style: "margin-bottom: 6px" }, h("b", {}, frame.t("slices")), axis, this.place), this.canvas);
  }

  show(volume: Volume): void {
    this.volume = volume;
    const count = volume.shape[{ x: 0, y: 1, z: 2 }[this.axis]];
    this.index = Math.floor(count / 2);
    const range = slider({ label: "", min: 0, max: count - 1, step: 1, value: this.index, input: (value) => { this.index = value; this.draw(); } });
    range.element.querySelectorAll("input").forEach((input) => input.setAttribute("aria-label", this.frame.t("slice")));
    this.place.replaceChildren(range.element);
    this.draw();
  }

  draw(): void {
    if (!this.volume) return;
    const { width, height, levels } = enlarged(sliceOf(this.volume, this.axis, this.index), SHOWN_PX);
    this.canvas.width = width;
    this.canvas.height = height;
    const pen = this.canvas.getContext("2d")!;
    const picture = pen.createImageData(width, height);
    const ink = this.colour.map((value) => value * 255);
    for (let place = 0; place < levels.length; place++) {
      const inside = levels[place] > this.level;
      const edge = inside && (levels[place - 1] <= this.level || levels[place + 1] <= this.level || levels[place - width] <= this.level || levels[place + width] <= this.level);
      for (let channel = 0; channel < 3; channel++) picture.data[4 * place + channel] = edge ? ink[channel] : 255 * (levels[place] / 255) ** BRIGHTEN;
      picture.data[4 * place + 3] = 255;
    }
    pen.putImageData(picture, 0, 0);
  }
}
