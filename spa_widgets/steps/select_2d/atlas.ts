/** One picture of all classes; each tile shows its part of it. */
import type { Frame } from "../../viewers/kit/frame.ts";
import { bytes } from "../../viewers/kit/link.ts";

export class Atlas {
  private url = "";
  private columns = 1;
  private rows = 1;
  private places = new Map<number, number>();

  constructor(private frame: Frame) {
    frame.onClose(() => URL.revokeObjectURL(this.url));
  }

  async load(): Promise<void> {
    const { content, buffers } = await this.frame.link.ask<{ columns: number; numbers: number[]; mime: string }>("atlas");
    const old = this.url;
    this.url = URL.createObjectURL(new Blob([bytes(buffers[0])], { type: content.mime }));
    this.columns = content.columns;
    this.rows = Math.ceil(content.numbers.length / content.columns);
    this.places = new Map(content.numbers.map((number, place) => [number, place]));
    if (old) setTimeout(() => URL.revokeObjectURL(old), 2000); // tiles show the old one until the new one is decoded
  }

  /** Show a class in an element of some size. */
  paint(element: HTMLElement, number: number, size_px: number, contrast: number): void {
    element.style.width = element.style.height = `${size_px}px`;
    const place = this.places.get(number);
    if (place === undefined) return;
    const [column, row] = [place % this.columns, Math.floor(place / this.columns)];
    element.style.backgroundImage = `url(${this.url})`;
    element.style.backgroundSize = `${this.columns * size_px}px ${this.rows * size_px}px`;
    element.style.backgroundPosition = `${-column * size_px}px ${-row * size_px}px`;
    element.style.filter = contrast === 1 ? "" : `contrast(${contrast})`;
  }
}
